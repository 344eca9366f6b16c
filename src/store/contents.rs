//! Everything that lies in a store: results with their blobs, and blobs of no result. For `gc` and `cache`.

use super::index::{Scanned, files};
use super::object::hash_file;
use super::remove::remove_tree;
use super::{Layout, Store, StoreError};
use crate::digest::Digest;
use crate::stage::StageResult;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// A result in the store.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its key.
    pub key: Digest,
    /// The result.
    pub result: Arc<StageResult>,
    /// The bytes of its entry in the index.
    pub entry_bytes: u64,
}

impl Stored {
    /// Its blobs, each once.
    #[must_use]
    pub fn blobs(&self) -> BTreeSet<Digest> {
        files(&self.result).map(|(_, file)| file.digest).collect()
    }
}

/// Everything that lies in a store.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The results, by key.
    pub results: Vec<Stored>,
    /// How many entries a newer kilter wrote. Which blobs are theirs is not known.
    pub newer: usize,
    /// Entries that cannot be read: the file, and what is wrong with it.
    pub unreadable: Vec<(PathBuf, String)>,
    /// The size of every blob, in bytes.
    pub blobs: BTreeMap<Digest, u64>,
    /// Files among the blobs whose name is no digest.
    pub strangers: Vec<PathBuf>,
}

impl Contents {
    /// The bytes of all blobs and entries.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.blobs.values().sum::<u64>() + self.results.iter().map(|stored| stored.entry_bytes).sum::<u64>()
    }

    /// The blobs that belong to no result; where a newer kilter wrote entries, to none that this one can read.
    #[must_use]
    pub fn orphans(&self) -> BTreeSet<Digest> {
        let used: BTreeSet<Digest> = self.results.iter().flat_map(Stored::blobs).collect();
        self.blobs.keys().copied().filter(|blob| !used.contains(blob)).collect()
    }
}

/// What is wrong with a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is not there.
    Missing,
    /// Its bytes have another digest than its name says.
    Changed,
    /// It cannot be read; says why.
    Unreadable(String),
}

impl Damage {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Missing => "missing".to_owned(),
            Self::Changed => "changed".to_owned(),
            Self::Unreadable(why) => format!("unreadable: {why}"),
        }
    }
}

impl Store {
    /// Everything that lies in the store. Reads every entry, and looks at every blob's size.
    #[must_use]
    pub fn contents(&self) -> Contents {
        let mut contents = Contents::default();
        for scanned in self.scan() {
            match scanned {
                Scanned::Result(stored) => contents.results.push(stored),
                Scanned::Newer => contents.newer += 1,
                Scanned::Unreadable(path, why) => contents.unreadable.push((path, why)),
            }
        }
        contents.results.sort_by_key(|stored| stored.key);
        let walk = walkdir::WalkDir::new(self.layout.objects()).sort_by_file_name().into_iter().filter_map(Result::ok);
        for item in walk.filter(|item| item.file_type().is_file()) {
            match Layout::digest_of_object(item.path()) {
                Some(digest) => {
                    contents.blobs.insert(digest, item.metadata().map_or(0, |metadata| metadata.len()));
                }
                None => contents.strangers.push(item.into_path()),
            }
        }
        contents
    }

    /// Reads every blob, and says which are not what they should be. `progress` is told the bytes of each one.
    #[must_use]
    pub fn audit(&self, contents: &Contents, progress: &(dyn Fn(u64) + Sync)) -> BTreeMap<Digest, Damage> {
        let mut damaged: BTreeMap<Digest, Damage> = contents
            .blobs
            .par_iter()
            .filter_map(|(digest, size)| {
                let found = match hash_file(&self.layout.object(*digest)) {
                    Ok((found, _)) if found == *digest => None,
                    Ok(_) => Some(Damage::Changed),
                    Err(error) => Some(Damage::Unreadable(error.to_string())),
                };
                progress(*size);
                Some((*digest, found?))
            })
            .collect();
        let used: BTreeSet<Digest> = contents.results.iter().flat_map(Stored::blobs).collect();
        damaged
            .extend(used.into_iter().filter(|blob| !contents.blobs.contains_key(blob)).map(|b| (b, Damage::Missing)));
        damaged
    }

    /// Removes a result from the index, and then the blobs of `blobs`. So a blob never goes before the entry that names it.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove(&self, keys: &[Digest], blobs: &BTreeSet<Digest>) -> Result<(), StoreError> {
        for key in keys {
            self.forget(*key);
            remove_file(&self.layout.entry(*key))?;
        }
        super::failpoint("entries-removed");
        for blob in blobs {
            remove_file(&self.layout.object(*blob))?;
        }
        Ok(())
    }

    /// Removes an unreadable entry, a stranger, or what lies in the quarantine.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn discard(&self, path: &std::path::Path) -> Result<(), StoreError> {
        if path.is_dir() {
            return remove_tree(path).map_err(|error| StoreError::io("remove", path, &error));
        }
        remove_file(path)
    }
}

fn remove_file(path: &std::path::Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io("remove", path, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{FAIL_AT, WORKSPACE, make, store_in};
    use super::super::{Found, Limits, plan_gc};
    use super::*;
    use std::path::Path;
    use std::process::Command;

    /// Removes everything that nothing needs.
    fn collect(store: &Store) -> usize {
        let plan = plan_gc(&store.contents(), BTreeMap::new(), &BTreeMap::new(), Limits::default());
        let keys: Vec<Digest> = plan.removed.iter().map(|(stored, _)| stored.key).collect();
        store.remove(&keys, &plan.blobs).unwrap();
        plan.blobs.len()
    }

    #[test]
    fn child_that_is_killed_while_it_collects() {
        if let Some(root) = crate::env::var(WORKSPACE) {
            collect(&store_in(Path::new(&root)));
        }
    }

    #[test]
    fn a_process_killed_while_it_removes_leaves_only_what_the_next_one_removes() {
        let folder = tempfile::tempdir().unwrap();
        let key = Digest::of(b"key");
        make(&store_in(folder.path()), key, 0.0);
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::contents::tests::child_that_is_killed_while_it_collects", "--quiet"])
            .env(WORKSPACE, folder.path())
            .env(FAIL_AT, "entries-removed")
            .output()
            .unwrap()
            .status;
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));
        let store = store_in(folder.path());
        assert!(matches!(store.lookup(key), Found::Absent));
        assert_eq!(store.contents().orphans().len(), 3);
        assert!(store.audit(&store.contents(), &|_| {}).is_empty());
        assert_eq!(collect(&store), 3);
        assert_eq!(store.contents().bytes(), 0);
        make(&store, key, 0.0);
        assert!(matches!(store.lookup(key), Found::Hit(_)));
    }

    #[test]
    fn the_record_of_a_newer_kilter_is_called_so_and_is_not_damage() {
        let folder = tempfile::tempdir().unwrap();
        let key = Digest::of(b"key");
        make(&store_in(folder.path()), key, 0.0);
        let store = store_in(folder.path());
        let entry = store.layout().entry(key);
        let text = std::fs::read_to_string(&entry).unwrap();
        for newer in [text.replace(r#""format":1"#, r#""format":2"#), r#"{"format": 2, "other": 1}"#.to_owned()] {
            std::fs::write(&entry, &newer).unwrap();
            let Found::Lost(why) = store_in(folder.path()).lookup(key) else { panic!("{newer}") };
            assert_eq!(why, "a newer kilter wrote its record, in format 2; this kilter reads 1");
            let contents = store.contents();
            assert_eq!((contents.newer, contents.results.len(), contents.unreadable.len()), (1, 0, 0));
        }
    }

    #[test]
    fn damage_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        let made = make(&store, Digest::of(b"key"), 0.0);
        let blobs: Vec<Digest> = files(&made).map(|(_, file)| file.digest).collect();
        let place = |blob: Digest| store.object_path(blob);
        std::fs::remove_file(place(blobs[0])).unwrap();
        std::fs::remove_file(place(blobs[1])).unwrap();
        std::fs::write(place(blobs[1]), "flipped").unwrap();
        let found = store.audit(&store.contents(), &|_| {});
        assert_eq!((found.len(), &found[&blobs[0]], &found[&blobs[1]]), (2, &Damage::Missing, &Damage::Changed));
        let kept = store.quarantine(blobs[1]).unwrap();
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "flipped");
    }

    #[test]
    fn whoever_removes_waits_for_runs() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        make(&store, Digest::of(b"key"), 0.0);
        let other = store_in(folder.path());
        std::thread::scope(|scope| {
            let (told, waits) = std::sync::mpsc::channel();
            let alone = scope.spawn(move || other.alone(&|| told.send(()).unwrap()).map(drop));
            waits.recv().unwrap();
            assert!(!alone.is_finished());
            drop(store);
            alone.join().unwrap().unwrap();
        });
    }
}
