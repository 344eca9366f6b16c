//! The blobs that a stage's inputs are: looked at before and after it reads them. A result was looked up when its stage's turn came,
//! and what lies under `out/` may be links to its blobs, which a user who may write everything can change at any time.

use super::board::Origin;
use super::run_stage::Task;
use crate::stage::StageError;
use std::collections::BTreeSet;

/// Whether they are what they were when they were looked up.
///
/// # Errors
/// When one is not; names it.
pub(super) fn hold(task: &Task<'_>) -> Result<(), StageError> {
    let Origin::Run(board) = &task.origin else { return Ok(()) };
    let mut seen = BTreeSet::new();
    let mut open: Vec<_> = task.stage().refs.iter().collect();
    while let Some(used) = open.pop() {
        if !seen.insert((used.stage, used.port.as_str())) {
            continue;
        }
        let maker = &task.checked.stages[used.stage];
        if maker.is_view() {
            // It has no blobs; those that it is made of are read in its place.
            open.extend(&maker.refs);
            continue;
        }
        if let Some(file) = board.key(used.stage).and_then(|key| task.session.store.harmed(key, &used.port)) {
            let what = format!("`{file}` of its input `{}` was changed in the store meanwhile", used.text);
            return Err(StageError::data(format!("{what}, so there is no result")).hint(
                "run again, which makes it anew; files under `out/` can be links to the store: change copies of them",
            ));
        }
    }
    Ok(())
}
