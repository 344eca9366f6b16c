//! What the `git` program knows of a workspace: the revision, whether tracked files differ from it, files at other
//! revisions. Without git, or outside of a repository, there is simply nothing to know.

mod files;
mod merge;
mod run;

pub use files::LockedFile;
pub use merge::merge_lines;

use std::path::{Path, PathBuf};

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
    /// The repository that a folder lies in; `None` where it lies in none, or there is no git.
    #[must_use]
    pub fn of(folder: &Path) -> Option<Self> {
        let git = Self { folder: folder.to_owned() };
        let inside = git.text(&["rev-parse", "--is-inside-work-tree"])?;
        (inside.trim() == "true").then_some(git)
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
        self.bytes(&["cat-file", "blob", &format!("{commit}:./{path}")], &[])
    }
}

/// The first digits of a commit's id, as people write them.
#[must_use]
pub fn short(revision: &str) -> &str {
    revision.get(..7).unwrap_or(revision)
}

#[cfg(test)]
mod tests;
