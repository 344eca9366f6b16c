//! The workspace files that an attempt reads: they are what its key says when it begins, and nobody touches them until it has
//! read them. Bytes alone would not tell: what was read may have lain there for a while only, as where a branch is switched
//! to and back.

use super::run_stage::Task;
use crate::plan::{KeyParts, used_files};
use crate::stage::StageError;
use crate::store::UsedFiles;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The files as they were when an attempt began.
pub(super) struct Sources {
    files: Vec<Arc<UsedFiles>>,
    /// The stage has read all that it will read of them.
    taken: AtomicBool,
}

impl Sources {
    /// Looks at the files; `None` where they are not what the stage's key says (any more).
    pub(super) fn look(task: &Task<'_>) -> Option<Self> {
        let files = look(task)?;
        same_bytes(&files, &task.key.files).then(|| Self { files, taken: AtomicBool::new(false) })
    }

    /// From now on the stage reads them no more.
    ///
    /// # Errors
    /// When somebody touched one since the attempt began.
    pub(super) fn taken(&self, task: &Task<'_>) -> Result<(), StageError> {
        self.hold(task)?;
        self.taken.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether they are still what the stage's key says, and were so for as long as it read them.
    ///
    /// # Errors
    /// When they are not, or were not.
    pub(super) fn hold(&self, task: &Task<'_>) -> Result<(), StageError> {
        let same = |now: Vec<Arc<UsedFiles>>| {
            if self.taken.load(Ordering::Relaxed) { same_bytes(&now, &self.files) } else { now == self.files }
        };
        if look(task).is_some_and(same) { Ok(()) } else { Err(changed()) }
    }
}

/// What is said of a stage whose files changed.
pub(super) fn changed() -> StageError {
    StageError::data("a file that the stage reads changed while it ran, so its result was not kept")
        .hint("run again when nothing writes to the files")
}

fn look(task: &Task<'_>) -> Option<Vec<Arc<UsedFiles>>> {
    if task.key.files.is_empty() {
        return Some(Vec::new());
    }
    used_files(KeyParts::of(task.stage(), &task.checked.stages)?, task.session.store).ok()
}

fn same_bytes(some: &[Arc<UsedFiles>], others: &[Arc<UsedFiles>]) -> bool {
    let what = |used: &Arc<UsedFiles>| (used.text.clone(), used.digest);
    some.iter().map(what).eq(others.iter().map(what))
}
