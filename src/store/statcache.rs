//! Digests of workspace files that did not change since they were hashed, by their [`Stamp`]s.

use super::StoreError;
use super::index::write_atomically;
use super::object::hash_file;
use super::proof::Stamp;
use crate::digest::Digest;
use crate::env;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Entry {
    stat: Stamp,
    hashed: i64,
    digest: Digest,
}

impl Entry {
    /// Whether the file had settled when it was hashed.
    fn settled(&self) -> bool {
        self.stat.settled(self.hashed)
    }
}

#[derive(Debug, Default)]
struct State {
    /// By path, as text: comparing paths part by part takes long.
    entries: BTreeMap<OsString, Entry>,
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
        let entries = rmp_serde::from_slice(&text).unwrap_or_default();
        Self { path: path.to_owned(), state: Mutex::new(State { entries, changed: false }) }
    }

    /// The digest of a file's bytes, and its size. Reads the file only where it may have changed.
    ///
    /// # Errors
    /// When it cannot be read, or is being written.
    pub fn digest(&self, path: &Path) -> Result<(Digest, u64), StoreError> {
        let stat = |path: &Path| {
            path.metadata().map(|metadata| Stamp::of(&metadata)).map_err(|error| StoreError::io("read", path, &error))
        };
        let before = stat(path)?;
        if let Some(entry) = self.state().entries.get(path.as_os_str())
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
        state.entries.insert(path.as_os_str().to_owned(), Entry { stat: before, hashed, digest });
        state.changed = true;
        Ok((digest, size))
    }

    /// Keeps what was learnt, for the next run. Only saves time, so what cannot be written is not.
    pub fn save(&self) {
        let mut state = self.state();
        if !std::mem::take(&mut state.changed) {
            return;
        }
        state.entries.retain(|path, entry| entry.settled() && Path::new(path).exists());
        if let Ok(text) = rmp_serde::to_vec(&state.entries) {
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
    use crate::store::object::mtime;
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
        let cache = StatCache::load(&folder.path().join("cache.bin"));
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
        let kept = folder.path().join("cache.bin");
        let cache = StatCache::load(&kept);
        // As if it had been hashed ten seconds after it was written, with a digest that only the cache can know.
        let stat = Stamp::of(&file.metadata().unwrap());
        let hashed = stat.mtime.max(stat.ctime) + 10_000_000_000;
        cache.state().entries.insert(file.clone().into(), Entry { stat, hashed, digest: Digest::of(b"cached") });
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
        let kept = folder.path().join("cache.bin");
        std::fs::write(&kept, "{\"half").unwrap();
        assert!(StatCache::load(&kept).state().entries.is_empty());
    }
}
