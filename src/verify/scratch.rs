//! The folder of a scratch store: made for one verification, gone after it. What a killed one left is removed by the next.

use crate::stage::StageError;
use crate::store::{Store, Workspace};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Held by whom the folder belongs to.
const OWNER: &str = "owner";
const UNNAMED: &str = "owner-to-be";

/// A folder for scratch stores.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    /// Locked as long as this lives.
    _owner: File,
}

impl Scratch {
    /// A new folder in the workspace's state folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(store: &Store) -> Result<Self, StageError> {
        let all = store.layout().verify();
        let failed = |error: std::io::Error| StageError::io("make a scratch folder in", &all, &error);
        std::fs::create_dir_all(&all).map_err(failed)?;
        sweep(&all);
        let folder = TempDir::new_in(&all).map_err(failed)?;
        // Locked before it has its name: one that is not locked is removed by whoever begins in the same moment.
        let unnamed = folder.path().join(UNNAMED);
        let owner = File::create(&unnamed).map_err(failed)?;
        owner.lock().map_err(failed)?;
        std::fs::rename(&unnamed, folder.path().join(OWNER)).map_err(failed)?;
        Ok(Self { folder, _owner: owner })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the scratch store of this name lies.
    #[must_use]
    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A store at `place`, in the same workspace.
pub(super) fn store_at(base: &Store, place: &Path) -> Store {
    Store::open(&Workspace { root: base.layout().root().to_owned(), store: place.to_owned() })
}

/// Removes folders whose owners are gone. What cannot be removed now is tried again next time.
fn sweep(all: &Path) {
    let entries = std::fs::read_dir(all).into_iter().flatten().filter_map(Result::ok);
    for folder in entries.map(|entry| entry.path()) {
        // Without the file its owner is just making it.
        let Ok(owner) = File::open(folder.join(OWNER)) else { continue };
        if !matches!(owner.try_lock(), Err(TryLockError::WouldBlock)) {
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_verification_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Workspace::at(folder.path()).unwrap());
        let left = store.layout().verify().join("left");
        std::fs::create_dir_all(&left).unwrap();
        std::fs::write(left.join(OWNER), "").unwrap();
        let one = Scratch::new(&store).unwrap();
        assert!(!left.exists());
        let other = Scratch::new(&store).unwrap();
        assert!(one.path().is_dir() && other.path().is_dir());
        let place = one.path().to_owned();
        drop(one);
        assert!(!place.exists());
    }

    #[test]
    fn verifications_that_begin_at_once_leave_each_other_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Workspace::at(folder.path()).unwrap());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let scratch = Scratch::new(&store).unwrap();
                        assert!(scratch.path().join(OWNER).is_file());
                    }
                });
            }
        });
    }
}
