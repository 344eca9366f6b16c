//! One computation per key, in this process and in any other: [`Store::begin`] gives a result, the right to make it, or
//! the name of who is making it.
//!
//! The lock is an advisory lock of the operating system on a file of the key's name, so it is free as soon as its
//! process is gone, however it went. Whoever holds it owns the folders of its attempts too, and clears away what a
//! killed process left there. Only [`Pending`], which is the held lock, can commit.
//!
//! A program that a killed kilter had started may still run. It knows the path of its folder, so every attempt gets a
//! folder of a new name: what such a program writes can never get into somebody else's outputs.

use super::index::Found;
use super::layout::Layout;
use super::remove::remove_tree;
use super::{Store, StoreError};
use crate::digest::Digest;
use crate::env;
use crate::stage::{ArtifactRecord, FileRecord, ProducedPort, StageResult};
use crate::types::ArtifactType;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What [`Store::begin`] gives.
#[derive(Debug)]
pub enum Begin<'a> {
    /// The result is there; perhaps since another process made it while we waited.
    Hit(Arc<StageResult>),
    /// It is ours to make.
    Miss(Pending<'a>),
    /// Somebody else is making it; says who. To be tried again when [`Store::is_free`].
    Busy(String),
}

/// The right to make a key's result: the held lock, and an empty staging folder.
#[derive(Debug)]
pub struct Pending<'a> {
    store: &'a Store,
    key: Digest,
    lock_path: PathBuf,
    /// The folder of this attempt for whatever is no output; that of its outputs lies beside it.
    folder: PathBuf,
    lock: Lock,
}

/// A lock that is held.
#[derive(Debug)]
struct Lock {
    /// Closing it frees the lock.
    _file: File,
    /// Whether its file was there already: whoever is killed over a key leaves that, and perhaps more.
    left: bool,
}

impl Store {
    /// The result of a key, or the right to make it, unless another has that right now. With `force` a result that is
    /// there does not count. Waits for nobody.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn begin(&self, key: Digest, force: bool) -> Result<Begin<'_>, StoreError> {
        let lock_path = self.layout.lock(key);
        self.prepare(&lock_path)?;
        let Some(lock) = try_lock(&lock_path)? else { return Ok(Begin::Busy(owner(&lock_path))) };
        let pending = self.pending(key, lock_path, lock);
        if !force && let Found::Hit(result) = self.lookup_now(key) {
            return Ok(Begin::Hit(result));
        }
        pending.clear()?;
        Ok(Begin::Miss(pending))
    }

    /// Whether nobody is making the result of a key.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn is_free(&self, key: Digest) -> Result<bool, StoreError> {
        let lock_path = self.layout.lock(key);
        if !lock_path.exists() {
            return Ok(true);
        }
        // Dropping it removes what a killed process left.
        Ok(try_lock(&lock_path)?.map(|lock| drop(self.pending(key, lock_path, lock))).is_some())
    }

    fn pending(&self, key: Digest, lock_path: PathBuf, lock: Lock) -> Pending<'_> {
        static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
        let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:x}-{:x}-{attempt:x}", env::unix_nanos(), std::process::id());
        let folder = self.layout.staging(key, &Digest::of(name.as_bytes()).short()[..8]);
        Pending { store: self, key, lock_path, folder, lock }
    }

    fn prepare(&self, lock_path: &Path) -> Result<(), StoreError> {
        let folder = lock_path.parent().unwrap_or(self.layout.store());
        if folder.is_dir() {
            self.hold();
            return Ok(());
        }
        std::fs::create_dir_all(folder).map_err(|error| StoreError::io("make the folder", folder, &error))?;
        self.hold();
        self.ignore_state()
    }

    /// Keeps the state folder out of version control.
    pub(super) fn ignore_state(&self) -> Result<(), StoreError> {
        let path = self.layout.state().join(".gitignore");
        if self.layout.state().is_dir() && !path.exists() {
            std::fs::write(&path, "*\n").map_err(|error| StoreError::io("write", &path, &error))?;
        }
        Ok(())
    }

    /// Clears away what killed processes left: staging folders and lock files that nobody holds.
    pub fn sweep(&self) {
        let names = |folder: PathBuf| -> Vec<String> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
        };
        let locks = names(self.layout.store().join("locks"));
        let mut left: Vec<Digest> = locks.iter().filter_map(|name| name.strip_suffix(".lock")?.parse().ok()).collect();
        left.extend(names(self.layout.tmp()).iter().filter_map(|name| Layout::key_of_staging(name)));
        left.sort();
        left.dedup();
        for key in left {
            let lock_path = self.layout.lock(key);
            if let Ok(Some(lock)) = try_lock(&lock_path) {
                // Dropping it removes the staging folders and the lock file.
                drop(self.pending(key, lock_path, Lock { left: true, ..lock }));
            }
        }
    }

    /// Removes the folders of all attempts at a key, which must be locked.
    fn clear_attempts(&self, key: Digest) -> Result<(), StoreError> {
        for entry in std::fs::read_dir(self.layout.tmp()).into_iter().flatten().filter_map(Result::ok) {
            if entry.file_name().to_str().and_then(Layout::key_of_staging) == Some(key) {
                let path = entry.path();
                remove_tree(&path).map_err(|error| StoreError::io("remove", &path, &error))?;
            }
        }
        Ok(())
    }
}

/// Who holds a lock, in words.
fn owner(lock_path: &Path) -> String {
    match std::fs::read_to_string(lock_path).unwrap_or_default() {
        text if text == own_name() => "another stage of this run".to_owned(),
        text if text.is_empty() => "another kilter process".to_owned(),
        text => text,
    }
}

fn own_name() -> String {
    format!("kilter (process {})", std::process::id())
}

/// The lock, unless somebody holds it.
fn try_lock(path: &Path) -> Result<Option<Lock>, StoreError> {
    let failed = |error: std::io::Error| StoreError::io("lock", path, &error);
    loop {
        let (mut file, left) = open_lock(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // The holder before us may have removed the file after we opened it; then ours guards nothing.
        let ours = file.metadata().map_err(failed)?;
        if path.metadata().is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            if ours.len() > 0 {
                file.set_len(0).map_err(failed)?;
            }
            file.write_all(own_name().as_bytes()).map_err(failed)?;
            return Ok(Some(Lock { _file: file, left }));
        }
    }
}

/// The file of a lock, and whether it was there already.
fn open_lock(path: &Path) -> std::io::Result<(File, bool)> {
    let mut how = OpenOptions::new();
    how.read(true).write(true);
    match how.clone().create_new(true).open(path) {
        Ok(file) => Ok((file, false)),
        // It may be removed right now.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok((how.create(true).open(path)?, true)),
        Err(error) => Err(error),
    }
}

impl Pending<'_> {
    /// Where outputs are staged: a folder per port.
    #[must_use]
    pub fn staging(&self) -> PathBuf {
        self.folder.with_extension("out")
    }

    /// A folder for whatever else the stage writes; removed afterwards.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Removes what earlier attempts left, and makes the staging and scratch folders.
    fn clear(&self) -> Result<(), StoreError> {
        if self.lock.left {
            self.store.clear_attempts(self.key)?;
        }
        let failed = |folder: &Path, error: std::io::Error| StoreError::io("make the folder", folder, &error);
        let all = self.store.layout.tmp();
        if !all.is_dir() {
            std::fs::create_dir_all(&all).map_err(|error| failed(&all, error))?;
        }
        for folder in [self.staging(), self.scratch()] {
            std::fs::create_dir(&folder).map_err(|error| failed(&folder, error))?;
        }
        Ok(())
    }

    /// Moves the staged files of `ports` into the store and then records the result, whose `outputs` are filled in here.
    ///
    /// # Errors
    /// When a staged file is no plain file, or the store cannot be written; then there is no result.
    pub fn commit(self, mut result: StageResult, ports: &[ProducedPort]) -> Result<Arc<StageResult>, StoreError> {
        let durable = self.store.must_sync(result.seconds);
        let mut mtimes = Vec::new();
        let mut ports: Vec<&ProducedPort> = ports.iter().collect();
        ports.sort_by(|a, b| a.port.cmp(&b.port));
        result.outputs.clear();
        for port in ports {
            let mut files = Vec::new();
            for (name, path) in staged_files(&self.staging().join(&port.port))? {
                let stored = self.store.put(&path, &name, durable)?;
                super::failpoint("blob-stored");
                mtimes.push(stored.mtime);
                files.push(stored.record);
            }
            let (digest, columns) = match &port.table {
                Some(table) => (table.whole, table.columns.clone()),
                None => (content_digest(&port.ty, &files), Vec::new()),
            };
            result.outputs.insert(port.port.clone(), ArtifactRecord { ty: port.ty.clone(), digest, columns, files });
        }
        super::failpoint("blobs-stored");
        self.store.record(self.key, result, mtimes, durable)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        // While the lock is still held. What cannot be removed now is swept later.
        if self.lock.left {
            let _ = self.store.clear_attempts(self.key);
        } else {
            let _ = remove_tree(&self.scratch());
            let _ = remove_tree(&self.staging());
        }
        let _ = std::fs::remove_file(&self.lock_path);
    }
}

/// The plain files under a folder by name, sorted; [`Store::put`] refuses whatever else is there.
fn staged_files(folder: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_owned();
            let error = error.into_io_error().unwrap_or_else(|| std::io::Error::other("folders contain each other"));
            StoreError::io("read", &path, &error)
        })?;
        if entry.file_type().is_dir() {
            continue;
        }
        let name = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let Some(text) = name.to_str() else {
            return Err(StoreError::NoText { name: name.to_string_lossy().into_owned() });
        };
        files.push((text.to_owned(), entry.into_path()));
    }
    files.sort();
    Ok(files)
}

/// The digest of an artefact that has none of its own: of its type's name and its files' names and bytes.
fn content_digest(ty: &ArtifactType, files: &[FileRecord]) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 artefact content");
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    };
    text(ty.name());
    for file in files {
        text(&file.name);
        text(&file.digest.to_string());
    }
    Digest::from_bytes(*hasher.finalize().as_bytes())
}
