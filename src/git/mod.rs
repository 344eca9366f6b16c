//! What the `git` program knows of a workspace: the revision, whether tracked files differ from it, files at other
//! revisions. Outside of a repository there is simply nothing to know. Inside of one that git cannot be asked about, whoever decides
//! by what it knows is told so ([`GitError`]): nothing known is not nothing there.

mod files;
mod merge;
mod run;

pub use files::LockedFile;
pub use merge::merge_lines;

use self::run::Printed;
use std::path::{Path, PathBuf};

/// What marks a repository's root: a folder, or a file in worktrees and submodules.
const MARK: &str = ".git";

/// There is a repository, and git cannot be asked about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("git does not tell what is in the repository of `{}`: {why}", folder.display())]
pub struct GitError {
    /// The folder that it was asked about.
    pub folder: PathBuf,
    /// In git's own words, or why it could not be started.
    pub why: String,
}

impl GitError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        format!("see to it that `git -C {} for-each-ref` works, without a warning", self.folder.display())
    }
}

/// A folder inside a git repository.
#[derive(Clone, Debug)]
pub struct Git {
    folder: PathBuf,
}

/// Where a working tree stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitState {
    /// The commit, in full; `None` before the first one.
    pub revision: Option<String>,
    /// The branch; `None` where the head is detached.
    pub branch: Option<String>,
    /// Whether a tracked file differs from the commit.
    pub dirty: bool,
}

impl Git {
    /// The repository that a folder lies in; `None` where it lies in none.
    ///
    /// # Errors
    /// When it lies in one by its looks, and git cannot be asked: it is not there, or the repository belongs to somebody else.
    pub fn of(folder: &Path) -> Result<Option<Self>, GitError> {
        let git = Self { folder: folder.to_owned() };
        match git.ask(&["rev-parse", "--is-inside-work-tree"], &[]) {
            Ok(inside) => Ok((inside.bytes.trim_ascii() == b"true").then_some(git)),
            Err(_) if !folder.ancestors().any(|above| above.join(MARK).exists()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What git prints.
    fn ask(&self, arguments: &[&str], input: &[u8]) -> Result<Printed, GitError> {
        self.run(arguments, input).map_err(|why| self.failed(why))
    }

    fn failed(&self, why: String) -> GitError {
        GitError { folder: self.folder.clone(), why }
    }

    /// Revision, branch, and whether tracked files differ. Files that git does not track do not count: results and
    /// caches lie among them.
    #[must_use]
    pub fn state(folder: &Path) -> Option<GitState> {
        let git = Self { folder: folder.to_owned() };
        let text = git.text(&["status", "--porcelain=v2", "--branch", "--untracked-files=no"])?;
        let mut state = GitState::default();
        for line in text.lines() {
            let Some(header) = line.strip_prefix("# ") else {
                state.dirty = true;
                continue;
            };
            match header.split_once(' ') {
                Some(("branch.oid", oid)) if !oid.starts_with('(') => state.revision = Some(oid.to_owned()),
                Some(("branch.head", head)) if !head.starts_with('(') => state.branch = Some(head.to_owned()),
                _ => {}
            }
        }
        Some(state)
    }

    /// The commit that a revision names (a branch, a tag, `HEAD~2`, the beginning of a commit's id).
    #[must_use]
    pub fn commit(&self, revision: &str) -> Option<String> {
        let name = format!("{revision}^{{commit}}");
        let text = self.text(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?;
        Some(text.trim().to_owned()).filter(|commit| !commit.is_empty())
    }

    /// A file as it was at a commit; `path` is relative to the folder.
    #[must_use]
    pub fn file_at(&self, commit: &str, path: &str) -> Option<Vec<u8>> {
        Some(self.run(&["cat-file", "blob", &format!("{commit}:./{path}")], &[]).ok()?.bytes)
    }
}

/// The first digits of a commit's id, as people write them.
#[must_use]
pub fn short(revision: &str) -> &str {
    revision.get(..7).unwrap_or(revision)
}

#[cfg(test)]
mod tests;
