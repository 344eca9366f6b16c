//! How a stage that has no result went the last time it was tried.

use crate::cli::session::Session;
use crate::env;
use crate::history::History;
use crate::plan::PlannedStage;

/// So many of the last runs are looked through.
const RUNS: usize = 20;

/// `It failed 2026-05-04 10:12: …` where the stage was tried since its last result, and failed. Without a history there is nothing to
/// tell.
pub(super) fn failed(session: &Session, stage: &str, planned: &PlannedStage) -> Option<String> {
    let layout = session.store.layout();
    let history = History::open(&layout.history()).ok()??;
    let since = planned.earlier.as_ref().map_or(0, |earlier| earlier.result.made);
    for run in history.runs(Some(session.pipeline()), session.store.boot(), RUNS).ok()? {
        let tried = history.attempts(&run).ok()?.into_iter().find(|attempt| attempt.stage == stage);
        let Some(attempt) = tried.filter(|attempt| matches!(&*attempt.state, "failed" | "ran")) else { continue };
        if attempt.state == "ran" || run.started < since {
            return None;
        }
        let log = Some(layout.log(&run.id, stage)).filter(|log| log.is_file());
        let log = log.map(|log| format!("; its log is {}", layout.shown(&log))).unwrap_or_default();
        return Some(format!("It failed {}: {}{log}.\n", env::local_time(run.started), attempt.message));
    }
    None
}
