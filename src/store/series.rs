//! What stages of a series leave to each other: which results there are, how far each goes, and checkpoints.
//!
//! Both are hints, and never believed by themselves: an entry counts only where the index has the result, and a checkpoint where its
//! own digests hold. A stage's checkpoints are its key's, so whoever holds the key's lock alone writes there.

use super::index::write_atomically;
use super::remove::remove_tree;
use super::{Store, StoreError};
use crate::digest::Digest;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Checkpoints of a stage that has no result yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The stage's series.
    pub series: Digest,
    /// Its key.
    pub key: Digest,
    /// How far the last checkpoint is, as the stage counts.
    pub at: u64,
    /// The bytes of all of them.
    pub bytes: u64,
    /// When the last was written, in seconds since 1970.
    pub written: u64,
}

impl Store {
    /// Notes that a result goes so far. Before it is committed: an entry without a result is none.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn note_member(&self, series: Digest, length: u64, key: Digest) -> Result<(), StoreError> {
        write_atomically(&self.layout.member(series, length, key), b"", false)
    }

    /// The results of a series by how far they go, the shortest first. Some may be gone.
    #[must_use]
    pub fn members(&self, series: Digest) -> Vec<(u64, Digest)> {
        let mut members: Vec<(u64, Digest)> = names(&self.layout.series(series))
            .iter()
            .filter_map(|name| {
                let (length, key) = name.split_once('-')?;
                Some((length.parse().ok()?, key.parse().ok()?))
            })
            .collect();
        members.sort();
        members
    }

    /// Where all other stages of a series left checkpoints.
    #[must_use]
    pub fn checkpoints_of_others(&self, series: Digest, own: Digest) -> Vec<PathBuf> {
        let mut keys: Vec<Digest> =
            names(&self.layout.series_checkpoints(series)).iter().filter_map(|name| name.parse().ok()).collect();
        keys.sort();
        keys.into_iter().filter(|key| *key != own).map(|key| self.layout.checkpoints(series, key)).collect()
    }

    /// How far a stage's last checkpoint is.
    #[must_use]
    pub fn last_checkpoint(&self, series: Digest, key: Digest) -> Option<u64> {
        names(&self.layout.checkpoints(series, key)).iter().filter_map(|name| name.parse().ok()).max()
    }

    /// Removes a stage's checkpoints. What cannot be removed is left to `gc`.
    pub fn forget_checkpoints(&self, series: Digest, key: Digest) {
        let _ = remove_tree(&self.layout.checkpoints(series, key));
        // Only where it is empty.
        let _ = std::fs::remove_dir(self.layout.series_checkpoints(series));
    }

    /// The checkpoints of all stages, in a fixed order.
    #[must_use]
    pub fn unfinished(&self) -> Vec<Unfinished> {
        let digests = |folder: &Path| {
            let mut found: Vec<Digest> = names(folder).iter().filter_map(|name| name.parse().ok()).collect();
            found.sort();
            found
        };
        let mut all = Vec::new();
        for series in digests(&self.layout.all_checkpoints()) {
            for key in digests(&self.layout.series_checkpoints(series)) {
                let (bytes, written) = size_and_time(&self.layout.checkpoints(series, key));
                let at = self.last_checkpoint(series, key).unwrap_or(0);
                all.push(Unfinished { series, key, at, bytes, written });
            }
        }
        all
    }

    /// Removes entries of series whose results are gone.
    pub fn clear_members(&self) {
        let entries = walkdir::WalkDir::new(self.layout.all_series()).min_depth(3).into_iter().filter_map(Result::ok);
        for entry in entries {
            let key = entry.file_name().to_str().and_then(|name| name.split_once('-')?.1.parse::<Digest>().ok());
            if key.is_none_or(|key| !self.layout.entry(key).exists()) {
                // What cannot be removed now is tried again the next time.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn size_and_time(folder: &Path) -> (u64, u64) {
    let walk = walkdir::WalkDir::new(folder).into_iter().filter_map(|entry| entry.ok()?.metadata().ok());
    walk.filter(std::fs::Metadata::is_file).fold((0, 0), |(bytes, last), file| {
        let time = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        (bytes + file.len(), last.max(time.map_or(0, |time| time.as_secs())))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{make, store_in};
    use super::*;

    #[test]
    fn members_are_sorted_and_go_with_their_results() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        let series = Digest::of(b"series");
        let key = |name: &str| Digest::of(name.as_bytes());
        assert!(store.members(series).is_empty());
        for (length, name) in [(10, "ten"), (9, "nine"), (100, "hundred")] {
            store.note_member(series, length, key(name)).unwrap();
        }
        make(&store, key("ten"), 0.0);
        let names = [(9, key("nine")), (10, key("ten")), (100, key("hundred"))];
        assert_eq!(store.members(series), names);
        store.clear_members();
        assert_eq!(store.members(series), [(10, key("ten"))]);
    }

    #[test]
    fn checkpoints_are_a_stages_own_and_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        let (series, one, other) = (Digest::of(b"series"), Digest::of(b"one"), Digest::of(b"other"));
        for (key, step) in [(one, "000000000040"), (one, "000000000050"), (other, "000000000007")] {
            let place = store.layout().checkpoints(series, key).join(step);
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join("state.json"), "12345").unwrap();
        }
        std::fs::create_dir(store.layout().checkpoints(series, one).join(".new-1")).unwrap();
        assert_eq!(store.last_checkpoint(series, one), Some(50));
        assert_eq!(store.checkpoints_of_others(series, one), [store.layout().checkpoints(series, other)]);
        let found = store.unfinished();
        assert_eq!(
            found.iter().map(|one| (one.at, one.bytes)).collect::<std::collections::BTreeSet<_>>(),
            [(50, 10), (7, 5)].into()
        );
        assert!(found.iter().all(|one| one.written > 0));
        store.forget_checkpoints(series, one);
        assert_eq!(store.last_checkpoint(series, one), None);
        store.forget_checkpoints(series, other);
        assert!(!store.layout().series_checkpoints(series).exists());
    }
}
