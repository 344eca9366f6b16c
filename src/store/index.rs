//! The index: key -> result. An entry is written only after all its blobs are in place, by rename, so it is whole or absent.
//!
//! Beside the result an entry keeps two things that let a reader believe it without reading the blobs:
//! - the blobs' modification times: a blob that was written into has another;
//! - for results that were quick to make, and so were not synced to the disk (a sync costs milliseconds, and a result
//!   that is lost in a power cut is quickly made again), the boot they were written in. In that boot the
//!   system's own memory holds what the disk does not yet; in any other the blobs are hashed before they are believed.

use super::object::{hash_file, mtime, sync};
use super::proof::Proof;
use super::{Layout, Store, StoreError, Stored};
use crate::digest::Digest;
use crate::stage::{FileRecord, StageResult};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

/// Raised when [`Entry`] changes; entries of an older format are not there.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Entry {
    format: u32,
    /// The boot in which the blobs were written, where they were not synced.
    boot: Option<String>,
    /// Modification times of the blobs, in the order of outputs and files.
    mtimes: Vec<i64>,
    result: StageResult,
}

/// The answer of the index.
#[derive(Clone, Debug)]
pub enum Found {
    /// The result, with all its blobs in place.
    Hit(Arc<StageResult>),
    /// There is none.
    Absent,
    /// There was one, but it cannot be used any more; says why.
    Lost(String),
}

/// Every file of a result with its port, in a fixed order.
pub(super) fn files(result: &StageResult) -> impl Iterator<Item = (&str, &FileRecord)> {
    result.outputs.iter().flat_map(|(port, artifact)| artifact.files.iter().map(move |file| (port.as_str(), file)))
}

/// What a file of the index holds.
pub(super) enum Scanned {
    Result(Stored),
    /// Written by a newer kilter.
    Newer,
    Unreadable(PathBuf, String),
}

/// Why an entry that is there cannot be read.
#[derive(Debug)]
enum Unread {
    /// A newer kilter wrote it, in this format.
    Newer(u32),
    /// Says why.
    Damaged(String),
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Newer(format) => {
                write!(f, "a newer kilter wrote its record, in format {format}; this kilter reads {FORMAT}")
            }
            Self::Damaged(why) => f.write_str(why),
        }
    }
}

enum Blobs {
    Sound,
    /// Sound after hashing them again; the entry should be written anew with these times.
    Rehashed(Vec<i64>),
    Lost(String),
}

impl Store {
    /// The result of a key. What was found once is believed for the rest of the process.
    #[must_use]
    pub fn lookup(&self, key: Digest) -> Found {
        match self.believed(key) {
            Some(believed) => Found::Hit(believed.result),
            None => self.lookup_now(key),
        }
    }

    /// The result of a key, looked up anew.
    pub(super) fn lookup_now(&self, key: Digest) -> Found {
        let path = self.layout.entry(key);
        let (entry, proof) = match read_entry(&path) {
            Ok(Some(read)) => read,
            Ok(None) => return Found::Absent,
            Err(why) => return Found::Lost(why.to_string()),
        };
        let same_boot = entry.boot.is_none() || entry.boot == self.boot;
        match self.check_blobs(&entry, same_boot) {
            Blobs::Lost(why) => {
                self.forget(key);
                return Found::Lost(why);
            }
            Blobs::Sound => {}
            Blobs::Rehashed(mtimes) => {
                let boot = if same_boot { entry.boot } else { None };
                let renewed = Entry { format: FORMAT, boot, mtimes, result: entry.result };
                // Only saves hashing next time, so a store that cannot be written is no reason to fail.
                let proof = self.write_entry(key, &renewed, false).ok();
                return Found::Hit(self.remember(key, renewed.result, renewed.mtimes, proof));
            }
        }
        Found::Hit(self.remember(key, entry.result, entry.mtimes, Some(proof)))
    }

    /// The first file of an output whose blob is not (any more) what it was when the result of a key was looked up or made; `None`
    /// where all are, or nothing is known of the key.
    #[must_use]
    pub fn harmed(&self, key: Digest, port: &str) -> Option<String> {
        let believed = self.believed(key)?;
        let same = |file: &FileRecord, time: i64| {
            let path = self.layout.object(file.digest);
            let looks_same = |found: std::fs::Metadata| found.len() == file.size && mtime(&found) == time;
            path.metadata().is_ok_and(looks_same) || hash_file(&path).is_ok_and(|(digest, _)| digest == file.digest)
        };
        let mut files = files(&believed.result).zip(&believed.mtimes).filter(|((of, _), _)| *of == port);
        files.find(|((_, file), time)| !same(file, **time)).map(|((_, file), _)| file.name.clone())
    }

    fn check_blobs(&self, entry: &Entry, same_boot: bool) -> Blobs {
        let mut times = Vec::with_capacity(entry.mtimes.len());
        let mut doubted = false;
        for (index, (port, file)) in files(&entry.result).enumerate() {
            let path = self.layout.object(file.digest);
            let lost = |what: &str| Blobs::Lost(format!("`{}` of output `{port}` {what}", file.name));
            let damaged = |what: String| {
                let lost = lost(&what);
                self.remove_damaged(file.digest, &path, what);
                lost
            };
            let Ok(metadata) = path.metadata() else {
                let removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
                return lost(removed.get(&file.digest).map_or("is missing from the store", String::as_str));
            };
            if metadata.len() != file.size {
                return damaged(format!("has {} bytes in the store instead of {}", metadata.len(), file.size));
            }
            let time = mtime(&metadata);
            if !same_boot || entry.mtimes.get(index) != Some(&time) {
                doubted = true;
                match hash_file(&path) {
                    Ok((digest, _)) if digest == file.digest => {}
                    Ok(_) => {
                        return damaged("was changed in the store".to_owned());
                    }
                    // It may be sound, for others or the next time.
                    Err(error) => return Blobs::Lost(error.to_string()),
                }
                // Another result may have brought it back in this boot without a sync, and this one may come to say that it
                // needs none.
                if entry.mtimes.get(index) != Some(&time)
                    && let Err(error) = sync(&path)
                {
                    return Blobs::Lost(error.to_string());
                }
            }
            times.push(time);
        }
        if doubted { Blobs::Rehashed(times) } else { Blobs::Sound }
    }

    /// Removes a blob that is not what its name says, so that nothing reads it.
    fn remove_damaged(&self, digest: Digest, path: &Path, what: String) {
        let _ = std::fs::remove_file(path);
        self.removed.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, what);
    }

    /// Writes an entry whose blobs are all in place.
    pub(super) fn record(
        &self,
        key: Digest,
        result: StageResult,
        mtimes: Vec<i64>,
        durable: bool,
    ) -> Result<Arc<StageResult>, StoreError> {
        let boot = if durable { None } else { self.boot.clone() };
        let entry = Entry { format: FORMAT, boot, mtimes, result };
        let proof = self.write_entry(key, &entry, durable)?;
        Ok(self.remember(key, entry.result, entry.mtimes, Some(proof)))
    }

    /// Whether a result that took so long must be synced to the disk.
    pub(super) fn must_sync(&self, seconds: f64) -> bool {
        self.boot.is_none() || seconds >= 1.0
    }

    fn write_entry(&self, key: Digest, entry: &Entry, durable: bool) -> Result<Proof, StoreError> {
        let path = self.layout.entry(key);
        let text = serde_json::to_vec(entry)
            .map_err(|error| StoreError::io("write", &path, &std::io::Error::other(error.to_string())))?;
        write_atomically(&path, &text, durable)?;
        Proof::of(&path, &text).map_err(|error| StoreError::io("read", &path, &error))
    }

    /// Every entry of this format, whether or not its blobs are still there.
    pub(super) fn scan(&self) -> Vec<Scanned> {
        let walk = walkdir::WalkDir::new(self.layout.index()).sort_by_file_name().into_iter().filter_map(Result::ok);
        let read = |item: walkdir::DirEntry| {
            let entry_bytes = item.metadata().map_or(0, |metadata| metadata.len());
            let Some(key) = Layout::key_of_entry(item.path()) else {
                return Some(Scanned::Unreadable(item.into_path(), "its name is no key".to_owned()));
            };
            match read_entry(item.path()) {
                Ok(Some((entry, _))) => {
                    Some(Scanned::Result(Stored { key, result: Arc::new(entry.result), entry_bytes }))
                }
                Ok(None) => None,
                Err(Unread::Newer(_)) => Some(Scanned::Newer),
                Err(Unread::Damaged(why)) => Some(Scanned::Unreadable(item.into_path(), why)),
            }
        };
        walk.filter(|item| item.file_type().is_file()).filter_map(read).collect()
    }

    /// Every readable entry of a kind, with its key. Reads the whole index: for `why`, not for every run.
    #[must_use]
    pub fn entries_of_kind(&self, kind: &str) -> Vec<(Digest, Arc<StageResult>)> {
        let walk = walkdir::WalkDir::new(self.layout.index()).sort_by_file_name().into_iter().filter_map(Result::ok);
        walk.filter(|item| item.file_type().is_file())
            .filter_map(|item| {
                let key = Layout::key_of_entry(item.path())?;
                let (entry, _) = read_entry(item.path()).ok()??;
                (entry.result.kind == kind).then(|| (key, Arc::new(entry.result)))
            })
            .collect()
    }

    /// The result that an entry tells of, whether or not its blobs are still there. For explaining, not for using.
    #[must_use]
    pub fn peek(&self, key: Digest) -> Option<Arc<StageResult>> {
        if let Some(believed) = self.believed(key) {
            return Some(believed.result);
        }
        read_entry(&self.layout.entry(key)).ok()?.map(|(entry, _)| Arc::new(entry.result))
    }
}

/// `None` where there is no entry, or one of an older format.
fn read_entry(path: &Path) -> Result<Option<(Entry, Proof)>, Unread> {
    let (text, proof) = match Proof::read(path) {
        Ok(read) => read,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let why = format!("its record cannot be read: {}", crate::stage::io_words(&error));
            return Err(Unread::Damaged(why));
        }
    };
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let damaged = || Unread::Damaged("its record is damaged".to_owned());
    // An entry of another format may have other fields.
    let (format, entry) = match serde_json::from_slice::<Entry>(&text) {
        Ok(entry) => (entry.format, Some(entry)),
        Err(_) => (serde_json::from_slice::<Format>(&text).map_err(|_| damaged())?.format, None),
    };
    match (format.cmp(&FORMAT), entry) {
        (Ordering::Greater, _) => Err(Unread::Newer(format)),
        (Ordering::Less, _) => Ok(None),
        (Ordering::Equal, Some(entry)) => Ok(Some((entry, proof))),
        (Ordering::Equal, None) => Err(damaged()),
    }
}

/// Writes a file so that readers see the old text or the new one, and never a part; `durable` survives a power cut too.
///
/// # Errors
/// When the folder or the file cannot be written.
pub fn write_atomically(path: &Path, text: &[u8], durable: bool) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: std::io::Error| StoreError::io("write", path, &error);
    let beside =
        || tempfile::Builder::new().prefix(".new-").permissions(Permissions::from_mode(0o666)).tempfile_in(folder);
    let mut file = match beside() {
        // Mostly the folder is there.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            std::fs::create_dir_all(folder).map_err(|error| StoreError::io("make the folder", folder, &error))?;
            beside()
        }
        made => made,
    }
    .map_err(failed)?;
    std::io::Write::write_all(&mut file, text).map_err(failed)?;
    if durable {
        file.as_file().sync_all().map_err(failed)?;
    }
    super::failpoint("entry-written");
    file.persist(path).map_err(|error| failed(error.error))?;
    if durable { sync(folder) } else { Ok(()) }
}
