//! Exit codes, and the errors that commands end with.

use crate::stage::io_words;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// How kilter ended. The numbers are documented and do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: a stage failed, or a gate did not hold.
    Failed,
    /// 2: the manifest has errors, or the command line is wrong.
    Usage,
    /// 3: the store, a remote or the environment is at fault.
    Environment,
    /// 4: a result differs from the lock, or from run to run.
    Verification,
    /// 70: a bug in kilter.
    Bug,
    /// 130: interrupted.
    Interrupted,
}

/// Every exit code with its meaning, as the help and the reference list them.
pub const EXITS: &[(Exit, &str)] = &[
    (Exit::Done, "done"),
    (Exit::Failed, "a stage failed, or a gate did not hold"),
    (Exit::Usage, "the manifest has errors, or the command line is wrong"),
    (Exit::Environment, "the store, a remote or the environment is at fault"),
    (Exit::Verification, "a result differs from the lock, or from run to run"),
    (Exit::Bug, "a bug in kilter"),
    (Exit::Interrupted, "interrupted"),
];

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Verification => 4,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not go on.
#[derive(Debug)]
pub struct CommandError {
    /// What the process ends with.
    pub exit: Exit,
    /// One line, lower case, without a full stop; empty where everything has been said already.
    pub message: String,
    /// Facts.
    pub notes: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
}

/// What a command gives back.
pub type Outcome = Result<Exit, CommandError>;

impl CommandError {
    /// An error that ends kilter with `exit`.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), notes: Vec::new(), hints: Vec::new() }
    }

    /// The command line is wrong.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The store, a remote or the environment is at fault.
    #[must_use]
    pub fn environment(message: impl Into<String>) -> Self {
        Self::new(Exit::Environment, message)
    }

    /// Everything has been said already, by rendered diagnostics.
    #[must_use]
    pub fn said(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// A file could not be read or written: `doing` is what was tried, as in `write the graph to`.
    #[must_use]
    pub fn io(doing: impl fmt::Display, path: &Path, error: &std::io::Error) -> Self {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let why = match folder {
            Some(folder) if error.kind() == std::io::ErrorKind::NotFound => {
                format!("there is no folder `{}`", folder.display())
            }
            _ => io_words(error),
        };
        Self::environment(format!("cannot {doing} `{}`: {why}", path.display()))
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

    /// Adds something to do where there is something.
    #[must_use]
    pub fn maybe_hint(mut self, text: Option<String>) -> Self {
        self.hints.extend(text);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |path: &Path| CommandError::io("write", path, &std::io::ErrorKind::NotFound.into()).message;
        let (here, below) = (folder.path().join("x.xml"), folder.path().join("none/x.xml"));
        assert!(at(&here).ends_with("x.xml`: it does not exist"), "{}", at(&here));
        let told = format!("there is no folder `{}`", folder.path().join("none").display());
        assert!(at(&below).ends_with(&told), "{}", at(&below));
    }

    #[test]
    fn the_list_is_complete_and_in_order() {
        let codes: Vec<u8> = EXITS.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 70, 130]);
    }
}
