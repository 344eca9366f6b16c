//! A file that cannot be read as declared.

use crate::stage::{ErrorKind, StageError, io_words};
use std::path::Path;

/// What is wrong with a file, and what to do about it. It becomes a diagnostic while checking, and a failed stage in
/// a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFile {
    /// One line: where, what was expected, what was found.
    pub message: String,
    /// More facts.
    pub notes: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// The rule of `types` that the file does not fit, where it is that.
    pub rule: Option<String>,
    /// The file itself could not be read, whatever it holds.
    pub unreadable: bool,
}

impl BadFile {
    /// The content does not fit.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), notes: Vec::new(), hints: Vec::new(), rule: None, unreadable: false }
    }

    /// The file could not be read.
    #[must_use]
    pub fn io(path: &Path, error: &std::io::Error) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Self { unreadable: true, ..Self::new(format!("cannot read `{name}`: {}", io_words(error))) }
    }

    /// What polars says of it.
    #[must_use]
    pub fn polars(doing: &str, error: &polars::error::PolarsError) -> Self {
        Self::new(format!("cannot {doing}: {}", crate::frame::polars_words(error)))
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

    /// Adds something to do, where there is something.
    #[must_use]
    pub fn maybe_hint(mut self, text: Option<String>) -> Self {
        self.hints.extend(text);
        self
    }
}

impl From<BadFile> for StageError {
    fn from(bad: BadFile) -> Self {
        let kind = if bad.unreadable { ErrorKind::File } else { ErrorKind::Data };
        Self { notes: bad.notes, hints: bad.hints, ..Self::new(kind, bad.message) }
    }
}
