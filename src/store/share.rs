//! Runs share the store, whoever removes results has it alone. Also: which workspaces use a store that is not theirs.
//!
//! Both are advisory locks on one file, freed by the system when a process dies. Where a file system has no locks runs go
//! on without one, and nothing is removed.

use super::index::write_atomically;
use super::layout::STATE;
use super::{Store, StoreError};
use crate::digest::Digest;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

/// How long to wait before trying a lock again.
const PAUSE: Duration = Duration::from_millis(100);

impl Store {
    /// From now on and until this process ends nobody removes results. Does nothing where there is no store yet.
    pub fn hold(&self) {
        if self.held.get().is_some() || !self.layout.store().is_dir() {
            return;
        }
        self.held.get_or_init(|| {
            self.sign();
            let file = self.open_in_use().ok()?;
            file.lock_shared().ok().map(|()| file)
        });
    }

    /// The store alone: waits until no run uses it. `waiting` is called once before it waits.
    ///
    /// # Errors
    /// When the store cannot be locked.
    pub fn alone(&self, waiting: &dyn Fn()) -> Result<File, StoreError> {
        let file = self.open_in_use()?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(StoreError::io("lock", &self.layout.in_use(), &error)),
                Err(TryLockError::WouldBlock) if told => {}
                Err(TryLockError::WouldBlock) => {
                    waiting();
                    told = true;
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn open_in_use(&self) -> Result<File, StoreError> {
        let path = self.layout.in_use();
        let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        opened.map_err(|error| StoreError::io("lock", &path, &error))
    }

    /// Whether the store lies outside of its workspace, where others may use it too.
    fn is_shared(&self) -> bool {
        !self.layout.store().starts_with(self.layout.state())
    }

    /// Leaves the workspace's name in a store that others may use, so that nobody removes what it needs.
    fn sign(&self) {
        if !self.is_shared() {
            return;
        }
        // Byte by byte: a name that is no UTF-8 must lead back to its folder.
        let root = self.layout.root().as_os_str().as_bytes();
        let path = self.layout.workspaces().join(Digest::of(root).short());
        if !path.exists() {
            // A store that cannot be written cannot lose anything either.
            let _ = write_atomically(&path, root, false);
        }
    }

    /// The workspace in whose own folder the store lies. It leaves no name there, as it cannot know that others use it.
    fn owner(&self) -> Option<PathBuf> {
        let folder = self.folder().canonicalize().ok()?;
        let root = folder.parent().filter(|_| folder.file_name().is_some_and(|name| name == STATE))?;
        Some(root.to_owned())
    }

    /// The roots of the other workspaces that use this store and are still there, sorted.
    #[must_use]
    pub fn neighbours(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.layout.workspaces()).into_iter().flatten().filter_map(Result::ok);
        let mut roots: Vec<PathBuf> = entries
            .filter_map(|entry| std::fs::read(entry.path()).ok())
            .map(|root| PathBuf::from(OsString::from_vec(root)))
            .chain(self.owner())
            .filter(|root| root != self.layout.root() && root.is_dir())
            .collect();
        roots.sort();
        roots.dedup();
        roots
    }
}

#[cfg(test)]
mod tests {
    use super::super::Workspace;
    use super::super::tests::{make, store_in};
    use super::*;

    #[test]
    fn whoever_shares_a_store_is_known_to_all_others_the_owner_of_its_folder_too() {
        let folder = tempfile::tempdir().unwrap();
        let all = folder.path().canonicalize().unwrap();
        let place = |name: &[u8]| all.join(OsString::from_vec(name.to_vec()));
        let (owner, one, other) = (place(b"owner"), place(b"one"), place(b"other-\xff"));
        for root in [&owner, &one, &other] {
            std::fs::create_dir(root).unwrap();
        }
        make(&store_in(&owner), Digest::of(b"key"), 0.0);
        let open = |root: &PathBuf| {
            let store = Store::open(&Workspace { root: root.clone(), store: root.join("../owner").join(STATE) });
            store.hold();
            store
        };
        let (of_one, of_other) = (open(&one), open(&other));
        assert_eq!(of_one.neighbours(), [other.clone(), owner.clone()]);
        assert_eq!(of_other.neighbours(), [one.clone(), owner.clone()]);
        assert_eq!(store_in(&owner).neighbours(), [one, other]);
        assert!(store_in(&place(b"alone")).neighbours().is_empty());
    }
}
