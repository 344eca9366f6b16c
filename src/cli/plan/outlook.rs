//! What is known to stand in a plan's way: gates of cached results that do not hold, what comes from those, and what failed last time.

use crate::cli::failures::Failures;
use crate::cli::session::Session;
use crate::history::Run;
use crate::plan::{Decision, Plan, PlannedStage};
use crate::stage::GateResult;
use std::collections::BTreeMap;

/// How a run of a plan would go, as far as that is known.
pub(super) struct Outlook {
    /// Of each stage that comes from one with a broken gate that one, by index.
    held_up: BTreeMap<usize, usize>,
    failures: Failures,
}

/// How many stages of a plan are held up, how many failed last time, and how many gates do not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) held_up: usize,
    pub(super) failed: usize,
    pub(super) gates: usize,
}

impl Outlook {
    pub(super) fn of(session: &Session, plan: &Plan) -> Self {
        let mut held_up = BTreeMap::new();
        if plan.stages.iter().any(is_broken) {
            for planned in &plan.stages {
                let mut inputs = session.checked.stages[planned.index].refs.iter().map(|used| used.stage);
                let gate = inputs.find_map(|input| match plan.get(input).is_some_and(is_broken) {
                    true => Some(input),
                    false => held_up.get(&input).copied(),
                });
                held_up.extend(gate.map(|gate| (planned.index, gate)));
            }
        }
        // The history tells nothing more where everything has a result.
        let all = plan.stages.iter().all(|planned| planned.cached().is_some());
        Self { held_up, failures: if all { Failures::default() } else { Failures::of(session) } }
    }

    /// The stage, by index, whose broken gate keeps a stage that has no result from running.
    pub(super) fn held_up_by(&self, planned: &PlannedStage) -> Option<usize> {
        self.held_up.get(&planned.index).copied().filter(|_| planned.cached().is_none())
    }

    /// The run in which a stage that has no result failed last, and why.
    pub(super) fn failed(&self, session: &Session, planned: &PlannedStage) -> Option<(&Run, &str)> {
        self.failures.last(&session.checked.stages[planned.index].name, planned)
    }

    pub(super) fn trouble(&self, session: &Session, plan: &Plan) -> Trouble {
        let runs = plan.stages.iter().filter(|planned| matches!(planned.decision, Decision::Run(_)));
        let (held, free): (Vec<_>, Vec<_>) = runs.partition(|planned| self.held_up_by(planned).is_some());
        Trouble {
            held_up: held.len(),
            failed: free.into_iter().filter(|planned| self.failed(session, planned).is_some()).count(),
            gates: plan.stages.iter().flat_map(broken_gates).count(),
        }
    }
}

/// The gates of a cached result that do not hold: a run fails on them again.
pub(super) fn broken_gates(planned: &PlannedStage) -> impl Iterator<Item = &GateResult> {
    planned.cached().into_iter().flat_map(|result| result.broken_gates())
}

fn is_broken(planned: &PlannedStage) -> bool {
    broken_gates(planned).next().is_some()
}
