//! What can go wrong while a stage runs.

use crate::digest::Segment;
use std::fmt;
use std::path::PathBuf;

/// What sort of failure it is; decides the exit code and whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The data does not fit what the manifest says of it.
    Data,
    /// A file could not be read or written.
    File,
    /// Something remote did not answer, or answered with something else than was pinned.
    Network,
    /// A program or the worker failed.
    Process,
    /// The run was interrupted.
    Cancelled,
    /// kilter is wrong.
    Bug,
}

/// A failed stage: what happened to what, and what to do.
#[derive(Debug)]
pub struct StageError {
    /// What sort of failure.
    pub kind: ErrorKind,
    /// One line, lower case, without a full stop.
    pub message: String,
    /// More lines: facts first.
    pub notes: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// The field that caused it.
    pub at: Option<Vec<Segment>>,
    /// The log of the program or worker.
    pub log: Option<PathBuf>,
}

impl StageError {
    /// A failure of some sort.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), notes: Vec::new(), hints: Vec::new(), at: None, log: None }
    }

    /// The data does not fit what the manifest says of it.
    #[must_use]
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// Something that cannot happen, happened.
    #[must_use]
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bug, message)
    }

    /// A file could not be read or written: `doing` is what was tried, as in `write model.json`.
    #[must_use]
    pub fn io(doing: impl fmt::Display, path: &std::path::Path, error: &std::io::Error) -> Self {
        let failure = Self::new(ErrorKind::File, format!("cannot {doing} `{}`: {}", path.display(), io_words(error)));
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => failure
                .hint("free some space, or move the store with `store` in kilter.toml; nothing half-written was kept"),
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                failure.hint("make the folder writable for this user")
            }
            _ => failure,
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds something to do.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// Names the field that caused it.
    #[must_use]
    pub fn at(mut self, path: Vec<Segment>) -> Self {
        self.at = Some(path);
        self
    }

    /// Names the log of the program or worker.
    #[must_use]
    pub fn log(mut self, path: PathBuf) -> Self {
        self.log = Some(path);
        self
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StageError {}

/// An I/O error in words, without its number.
#[must_use]
pub fn io_words(error: &std::io::Error) -> String {
    use std::io::ErrorKind as K;
    match error.kind() {
        K::NotFound => "it does not exist".to_owned(),
        K::PermissionDenied => "permission denied".to_owned(),
        K::StorageFull => "the disk is full".to_owned(),
        K::QuotaExceeded => "the disk quota is used up".to_owned(),
        K::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        K::IsADirectory => "it is a folder".to_owned(),
        K::NotADirectory => "a part of its path is not a folder".to_owned(),
        K::UnexpectedEof => "it ends too early".to_owned(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or(&text);
            // Only its first letter: further on there may be names.
            let mut letters = text.chars();
            letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
        }
    }
}

/// Whether a message ends in the words that [`io_words`] has for a disk or a quota that is used up.
#[must_use]
pub fn tells_of_a_full_disk(message: &str) -> bool {
    use std::io::ErrorKind as K;
    [K::StorageFull, K::QuotaExceeded].into_iter().any(|full| message.ends_with(&io_words(&full.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_known_by_its_words() {
        for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded] {
            let error = StageError::io("write", std::path::Path::new("/w/model"), &kind.into());
            assert!(tells_of_a_full_disk(&error.message), "{error}");
        }
        assert!(!tells_of_a_full_disk("cannot write `the disk is full`: permission denied"));
    }

    #[test]
    fn words_begin_small_and_names_in_them_stay_as_they_are() {
        let words = |text: &str| io_words(&std::io::Error::other(text));
        assert_eq!(words("Text file busy (os error 26)"), "text file busy");
        assert_eq!(words("`Data/C.txt`: it is no UTF-8"), "`Data/C.txt`: it is no UTF-8");
        assert_eq!(words(""), "");
    }
}
