//! What can go wrong with the store. All of it ends a command with exit code 3.

use crate::stage::{ErrorKind, StageError, io_words};
use std::path::{Path, PathBuf};

/// A failure of the store: what was tried, on which path, why not, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or the quota is used up.
    #[error("cannot {doing} `{}`: the disk is full", path.display())]
    Full {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
    },
    /// The store may not be written.
    #[error("cannot {doing} `{}`: {why}", path.display())]
    NotWritable {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Permission denied, or a read-only file system.
        why: String,
    },
    /// Anything else that the file system refused.
    #[error("cannot {doing} `{}`: {why}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A stage left something among its outputs that is not a plain file.
    #[error("the output `{name}` is {what}, and only plain files can be stored")]
    NotAFile {
        /// Its path among the outputs.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// A stage left a file among its outputs whose name is no text.
    #[error("the name of the output `{name}` is not UTF-8")]
    NoText {
        /// Its path among the outputs, as far as it is text.
        name: String,
    },
    /// An output was written to while it was hashed.
    #[error("the output `{name}` was still written to when its stage had ended")]
    StillWritten {
        /// Its path among the outputs.
        name: String,
    },
    /// A file changed while it was hashed.
    #[error("`{}` changed while it was read", path.display())]
    Changing {
        /// The file.
        path: PathBuf,
    },
}

impl StoreError {
    pub(super) fn io(doing: &'static str, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let path = path.to_owned();
        match error.kind() {
            K::StorageFull | K::QuotaExceeded => Self::Full { doing, path },
            K::PermissionDenied | K::ReadOnlyFilesystem => Self::NotWritable { doing, path, why: io_words(error) },
            _ => Self::Io { doing, path, why: io_words(error) },
        }
    }

    /// Whether a stage's outputs, or somebody who writes to a file, are to blame, and not the store.
    #[must_use]
    pub fn is_of_files(&self) -> bool {
        match self {
            Self::NotAFile { .. } | Self::NoText { .. } | Self::StillWritten { .. } | Self::Changing { .. } => true,
            Self::Full { .. } | Self::NotWritable { .. } | Self::Io { .. } => false,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Full { .. } => {
                "free some space, or set `store` in kilter.toml to a folder on another disk; nothing half-written was kept"
            }
            Self::NotWritable { .. } => {
                "make the folder writable for this user; the store can lie elsewhere, by `store` in kilter.toml"
            }
            Self::NotAFile { .. } => "write plain files into the output folder: copy what a link points to",
            Self::NoText { .. } => {
                "give it a name in UTF-8: records and manifests are text, and so are the names in them"
            }
            Self::StillWritten { .. } => "let the program wait for everything that it starts",
            Self::Changing { .. } => "run again when nothing writes to the file",
            Self::Io { .. } => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

impl From<StoreError> for StageError {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::NotAFile { .. } | StoreError::NoText { .. } | StoreError::StillWritten { .. } => {
                ErrorKind::Data
            }
            _ => ErrorKind::File,
        };
        let mut failure = StageError::new(kind, error.to_string());
        failure.hints = error.hints();
        failure
    }
}
