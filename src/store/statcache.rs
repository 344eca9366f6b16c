//! Digests of workspace files that did not change since they were hashed, by their [`Stamp`]s.

use super::StoreError;
use super::index::write_atomically;
use super::object::hash_open;
use super::proof::Stamp;
use super::used::Once;
use crate::digest::Digest;
use crate::env;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    stat: Stamp,
    hashed: i64,
    digest: Digest,
    /// Whether this process has seen the file.
    #[serde(skip)]
    seen: bool,
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
    pub(super) once: Once,
}

impl StatCache {
    /// The cache kept at `path`; empty where there is none, or one that cannot be read.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_default();
        let entries = rmp_serde::from_slice(&text).unwrap_or_default();
        Self { path: path.to_owned(), state: Mutex::new(State { entries, changed: false }), once: Once::default() }
    }

    /// The digest of a file's bytes, and its size. Reads the file only where it may have changed.
    ///
    /// # Errors
    /// When it cannot be read, or is being written.
    pub fn digest(&self, path: &Path) -> Result<(Digest, u64), StoreError> {
        self.look_at(path).map(|(digest, stamp)| (digest, stamp.size))
    }

    /// The digest of a file's bytes, and the stamp that it had when they were read.
    pub(super) fn look_at(&self, path: &Path) -> Result<(Digest, Stamp), StoreError> {
        let kept = self.state().entries.get(path.as_os_str()).copied();
        let entry = entry_of(path, kept)?;
        if kept != Some(entry) {
            let mut state = self.state();
            state.changed |= kept.is_none_or(|kept| kept.hashed != entry.hashed);
            state.entries.insert(path.as_os_str().to_owned(), entry);
        }
        Ok((entry.digest, entry.stat))
    }

    /// The same of many files, which are read by all cores.
    pub(super) fn look_at_all(&self, paths: &[&Path]) -> Result<Vec<(Digest, Stamp)>, StoreError> {
        let state = self.state();
        let kept: Vec<_> = paths.iter().map(|path| state.entries.get(path.as_os_str()).copied()).collect();
        drop(state);
        let entries: Vec<_> =
            paths.par_iter().zip(&kept).map(|(path, kept)| entry_of(path, *kept)).collect::<Result<_, _>>()?;
        let mut state = self.state();
        state.changed |=
            kept.iter().zip(&entries).any(|(kept, entry)| kept.is_none_or(|kept| kept.hashed != entry.hashed));
        state.entries.extend(paths.iter().map(|path| path.as_os_str().to_owned()).zip(entries.iter().copied()));
        Ok(entries.into_iter().map(|entry| (entry.digest, entry.stat)).collect())
    }

    /// Keeps what was learnt, for the next run. Only saves time, so what cannot be written is not.
    pub fn save(&self) {
        let mut state = self.state();
        if !std::mem::take(&mut state.changed) {
            return;
        }
        state.entries.retain(|path, entry| entry.settled() && (entry.seen || Path::new(path).exists()));
        if let Ok(text) = rmp_serde::to_vec(&state.entries) {
            let _ = write_atomically(&self.path, &text, false);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of a file as it is now. What was kept of it holds while its stamp is the same, if it had settled.
fn entry_of(path: &Path, kept: Option<Entry>) -> Result<Entry, StoreError> {
    let failed = |error: std::io::Error| StoreError::io("read", path, &error);
    if let Some(kept) = kept.filter(Entry::settled)
        && kept.stat == Stamp::of(&path.metadata().map_err(failed)?)
    {
        return Ok(Entry { seen: true, ..kept });
    }
    let hashed = env::unix_nanos();
    // What is asked of the open file is true of the bytes that are read, whatever the path leads to meanwhile.
    let mut file = open_regular(path).map_err(failed)?;
    let stat = Stamp::of(&file.metadata().map_err(failed)?);
    let (digest, size) = hash_open(&mut file, stat.size).map_err(failed)?;
    if Stamp::of(&file.metadata().map_err(failed)?) != stat || size != stat.size {
        return Err(StoreError::Changing { path: path.to_owned() });
    }
    Ok(Entry { stat, hashed, digest, seen: true })
}

/// Opens a regular file. Opening a pipe would wait for who writes into it, and what it gives is gone once read.
fn open_regular(path: &Path) -> std::io::Result<File> {
    let file = match File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path) {
        // Somebody holds a lease on it, which a plain open waits out.
        Err(error) if error.kind() == ErrorKind::WouldBlock => File::open(path)?,
        opened => opened?,
    };
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if kind.is_file() { Ok(file) } else { Err(Error::other("it is a pipe, a socket or a device")) }
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
    fn what_is_no_regular_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let cache = StatCache::load(&folder.path().join("cache.bin"));
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let told = |path: &Path| cache.digest(path).unwrap_err().to_string();
        assert!(told(&pipe).ends_with("it is a pipe, a socket or a device"), "{}", told(&pipe));
        assert!(told(folder.path()).ends_with("it is a folder"), "{}", told(folder.path()));
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
        cache
            .state()
            .entries
            .insert(file.clone().into(), Entry { stat, hashed, digest: Digest::of(b"cached"), seen: false });
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
