//! The lock's file.

use super::{Lock, conflict, text};
use crate::stage::io_words;
use crate::store::{StoreError, write_atomically};
use std::path::{Path, PathBuf};

/// Why a lock cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// It is there and cannot be read.
    #[error("cannot read `{}`: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A merge left both sides in it.
    #[error("`{}` has merge conflicts, the first in line {line}", path.display())]
    Conflicts {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
    },
    /// A newer kilter wrote it.
    #[error("a newer kilter wrote `{}`: its format is {format}, and this kilter reads {}", path.display(), text::FORMAT)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// It is not what kilter writes.
    #[error("{}:{line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

impl LockError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "make the file readable for this user",
            Self::Conflicts { .. } => "`kilter lock --resolve` mends it",
            Self::Newer { .. } => "use a newer kilter; this one leaves the file as it is",
            Self::Invalid { .. } => {
                "take the file from version control again, or delete it and write it anew with `kilter lock`"
            }
        }
    }
}

/// Where the lock of a manifest lies: `digits.lock` beside `digits.toml`.
#[must_use]
pub fn lock_path(manifest: &Path) -> PathBuf {
    manifest.with_extension("lock")
}

/// The lock's text; `None` where there is no such file.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read_text(path: &Path) -> Result<Option<String>, LockError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LockError::Unreadable { path: path.to_owned(), why: io_words(&error) }),
    }
}

/// A lock; `None` where there is no such file.
///
/// # Errors
/// When it cannot be read or understood, or a merge left conflicts in it.
pub fn read(path: &Path) -> Result<Option<Lock>, LockError> {
    read_text(path)?.map(|text| Lock::parse(&text, path)).transpose()
}

impl Lock {
    /// Reads a lock's text; `path` is for messages.
    ///
    /// # Errors
    /// When it cannot be understood, a newer kilter wrote it, or a merge left conflicts in it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, LockError> {
        let path = path.to_owned();
        if let Some(format) = text::newer(text) {
            return Err(LockError::Newer { path, format });
        }
        if let Some(line) = conflict::first_marker(text) {
            return Err(LockError::Conflicts { path, line });
        }
        text::read(text).map_err(|(line, message)| LockError::Invalid { path, line, message })
    }

    /// The lock as text.
    #[must_use]
    pub fn text(&self) -> String {
        text::write(self)
    }
}

/// Writes a lock, whole or not at all, unless the file holds just that already. Says whether it wrote.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, lock: &Lock) -> Result<bool, StoreError> {
    let text = lock.text();
    if std::fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(false);
    }
    write_atomically(path, text.as_bytes(), true)?;
    Ok(true)
}

/// What to do where a lock is not of what `--locked` found, with these values of `--set`.
#[must_use]
pub fn how_to_lock(set: &[String]) -> &'static str {
    match set {
        [] => "`kilter run` without `--locked` brings the lock up to date",
        _ => {
            "what `--set` makes is never locked: write the values into the manifest, and `kilter run` brings the lock up to date"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{lock, record};
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_lock_that_did_not_change_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = lock_path(&folder.path().join("digits.toml"));
        assert_eq!(path, folder.path().join("digits.lock"));
        assert_eq!(read(&path), Ok(None));
        let found = lock(&[("a", record("a"))]);
        assert!(write(&path, &found).unwrap());
        let inode = path.metadata().unwrap().ino();
        assert!(!write(&path, &found).unwrap());
        assert_eq!(path.metadata().unwrap().ino(), inode);
        assert_eq!(read(&path), Ok(Some(found)));
        std::fs::write(&path, "<<<<<<< HEAD\n").unwrap();
        let error = read(&path).unwrap_err();
        assert!(error.hint().contains("--resolve"), "{error}");
    }

    #[test]
    fn a_newer_lock_is_called_so_even_with_conflicts_in_it() {
        for rest in ["", "\n<<<<<<< HEAD\n[stage.a]\n", "\n[stage.a]\nwhatever = 1\n"] {
            let error = Lock::parse(&format!("format = 2\n{rest}"), Path::new("digits.lock")).unwrap_err();
            assert_eq!(
                error.to_string(),
                "a newer kilter wrote `digits.lock`: its format is 2, and this kilter reads 1"
            );
            assert!(error.hint().starts_with("use a newer kilter"), "{}", error.hint());
        }
    }
}
