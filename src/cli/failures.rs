//! How stages that have no result went the last time they were tried.

use super::session::Session;
use crate::history::{History, Run, RunState};
use crate::plan::PlannedStage;
use std::collections::BTreeMap;

/// So many of the last runs are looked through.
const RUNS: usize = 20;

/// What failed in the last runs of a pipeline. Without a history that is nothing.
#[derive(Default)]
pub(super) struct Failures {
    history: Option<History>,
    /// The newest first.
    runs: Vec<Run>,
    /// Of each stage the last failure: the run, as an index, and the message.
    last: BTreeMap<String, (usize, String)>,
}

impl Failures {
    pub(super) fn of(session: &Session) -> Self {
        Self::read(session).unwrap_or_default()
    }

    fn read(session: &Session) -> Option<Self> {
        let history = History::open(&session.store.layout().history()).ok()??;
        let runs = history.runs(Some(session.pipeline()), session.store.boot(), RUNS).ok()?;
        let mut last = BTreeMap::new();
        for (index, run) in runs.iter().enumerate().filter(|(_, run)| run.state != RunState::Done) {
            for (stage, message) in history.failures(run).ok()? {
                last.entry(stage).or_insert((index, message));
            }
        }
        Some(Self { history: Some(history), runs, last })
    }

    /// The run in which a stage failed, and why, where it has no result and no run since made it one.
    pub(super) fn last(&self, stage: &str, planned: &PlannedStage) -> Option<(&Run, &str)> {
        if planned.cached().is_some() {
            return None;
        }
        let (index, message) = self.last.get(stage)?;
        let run = self.runs.get(*index)?;
        let since = planned.earlier.as_ref().map_or(0, |earlier| earlier.result.made);
        let ran = |later: &Run| self.history.as_ref().is_some_and(|history| history.ran(later, stage).unwrap_or(false));
        (run.started >= since && !self.runs[..*index].iter().any(ran)).then_some((run, message))
    }
}
