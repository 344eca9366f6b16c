//! Digests of workspace files that did not change since they were hashed.
//!
//! A file counts as unchanged while its size, inode, modification time and change time are what they were. That alone
//! is not safe: clocks tick coarsely, so a file that is written again right after it was hashed can keep all of
//! them. So an entry is believed only if the file's times were already [`RACY`] in the past when it was hashed.

use super::StoreError;
use super::index::write_atomically;
use super::object::{hash_file, mtime};
use crate::digest::Digest;
use crate::env;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nanoseconds; more than the coarsest clock of a file system in use (2 s, FAT).
const RACY: i64 = 2_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stat {
    size: u64,
    inode: u64,
    mtime: i64,
    ctime: i64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Entry {
    stat: Stat,
    hashed: i64,
    digest: Digest,
}

impl Stat {
    fn of(metadata: &Metadata) -> Self {
        let ctime = metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
        Self { size: metadata.len(), inode: metadata.ino(), mtime: mtime(metadata), ctime }
    }
}

impl Entry {
    /// Whether the file had settled when it was hashed.
    fn settled(&self) -> bool {
        self.stat.mtime.max(self.stat.ctime).saturating_add(RACY) < self.hashed
    }
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<PathBuf, Entry>,
    changed: bool,
}

/// Digests of workspace files, kept across runs.
#[derive(Debug)]
pub struct StatCache {
    path: PathBuf,
    state: Mutex<State>,
}

impl StatCache {
    /// The cache kept at `path`; empty where there is none, or one that cannot be read.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_default();
        let entries = serde_json::from_slice(&text).unwrap_or_default();
        Self { path: path.to_owned(), state: Mutex::new(State { entries, changed: false }) }
    }

    /// The digest of a file's bytes, and its size. Reads the file only where it may have changed.
    ///
    /// # Errors
    /// When it cannot be read, or is being written.
    pub fn digest(&self, path: &Path) -> Result<(Digest, u64), StoreError> {
        let stat = |path: &Path| {
            path.metadata().map(|metadata| Stat::of(&metadata)).map_err(|error| StoreError::io("read", path, &error))
        };
        let before = stat(path)?;
        if let Some(entry) = self.state().entries.get(path)
            && entry.stat == before
            && entry.settled()
        {
            return Ok((entry.digest, before.size));
        }
        let hashed = env::unix_nanos();
        let (digest, size) = hash_file(path)?;
        if stat(path)? != before || size != before.size {
            return Err(StoreError::Changing { path: path.to_owned() });
        }
        let mut state = self.state();
        state.entries.insert(path.to_owned(), Entry { stat: before, hashed, digest });
        state.changed = true;
        Ok((digest, size))
    }

    /// Keeps what was learnt, for the next run. Only saves time, so what cannot be written is not.
    pub fn save(&self) {
        let mut state = self.state();
        if !std::mem::take(&mut state.changed) {
            return;
        }
        state.entries.retain(|path, entry| entry.settled() && path.exists());
        if let Ok(text) = serde_json::to_vec(&state.entries) {
            let _ = write_atomically(&self.path, &text, false);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::{Duration, UNIX_EPOCH};

    fn set_mtime(path: &Path, nanos: i64) {
        let time = UNIX_EPOCH + Duration::from_nanos(u64::try_from(nanos).unwrap());
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_file_written_again_within_a_clock_tick_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let cache = StatCache::load(&folder.path().join("cache.json"));
        std::fs::write(&file, "one").unwrap();
        let time = mtime(&file.metadata().unwrap());
        let (first, _) = cache.digest(&file).unwrap();
        // Same inode, same size, and the same modification time as before.
        std::fs::write(&file, "two").unwrap();
        set_mtime(&file, time);
        assert_eq!(cache.digest(&file).unwrap(), (Digest::of(b"two"), 3));
        assert_ne!(first, Digest::of(b"two"));
    }

    #[test]
    fn a_settled_file_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, "one").unwrap();
        let kept = folder.path().join("cache.json");
        let cache = StatCache::load(&kept);
        // As if it had been hashed ten seconds after it was written, with a digest that only the cache can know.
        let stat = Stat::of(&file.metadata().unwrap());
        let hashed = stat.mtime.max(stat.ctime) + 10_000_000_000;
        cache.state().entries.insert(file.clone(), Entry { stat, hashed, digest: Digest::of(b"cached") });
        cache.state().changed = true;
        assert_eq!(cache.digest(&file).unwrap().0, Digest::of(b"cached"));
        cache.save();
        assert_eq!(StatCache::load(&kept).digest(&file).unwrap().0, Digest::of(b"cached"));
        std::fs::write(&file, "three").unwrap();
        assert_eq!(StatCache::load(&kept).digest(&file).unwrap().0, Digest::of(b"three"));
    }

    #[test]
    fn a_damaged_cache_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("cache.json");
        std::fs::write(&kept, "{\"half").unwrap();
        assert!(StatCache::load(&kept).state().entries.is_empty());
    }
}
