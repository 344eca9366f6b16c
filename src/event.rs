//! What the engine tells the reporters. Every event is serialisable; `run --json` prints them, one a line.

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Raised when an event changes in a way that a reader of the older form would misread.
pub const EVENT_VERSION: u32 = 1;

/// How far a stage is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageProgress {
    /// Units done.
    pub done: u64,
    /// Units in all, where that is known.
    pub total: Option<u64>,
    /// What a unit is: `bytes`, `step`, `row`.
    pub unit: String,
    /// What else to show.
    pub detail: String,
}

/// A failed stage, in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// One line, lower case, without a full stop.
    pub message: String,
    /// More lines: facts.
    pub notes: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// `pipelines/digits.toml:41:6`, where a field caused it.
    pub place: Option<String>,
    /// The log of the program or worker.
    pub log: Option<String>,
    /// Rendered diagnostics, where a late check found mistakes.
    pub diagnostics: Option<String>,
    /// Whether it is the lock that `--locked` holds against it: the stage itself did not fail.
    #[serde(default)]
    pub refused: bool,
}

/// Something that happened during a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// The run began.
    RunStarted {
        /// [`EVENT_VERSION`].
        version: u32,
        /// The run's id, also the name of its folder of logs.
        run: String,
        /// The pipeline's name.
        pipeline: String,
        /// The selected stages, name and kind, in topological order.
        stages: Vec<(String, String)>,
    },
    /// A stage waits: for another kilter process that computes the same, or for the pause before its next attempt. Where it
    /// then runs itself, it starts.
    StageWaiting {
        /// The stage.
        stage: String,
        /// What it waits for.
        reason: String,
    },
    /// A stage began to run.
    StageStarted {
        /// The stage.
        stage: String,
        /// Its kind.
        kind: String,
    },
    /// A stage is further.
    StageProgress {
        /// The stage.
        stage: String,
        /// How far.
        progress: StageProgress,
    },
    /// A stage has new values of what it watches: losses, metrics.
    StageValues {
        /// The stage.
        stage: String,
        /// Its step.
        step: u64,
        /// The values by name: `train/loss`, `val/accuracy`.
        values: BTreeMap<String, f64>,
    },
    /// A stage wants to be heard although it goes on.
    StageWarning {
        /// The stage.
        stage: String,
        /// What it says.
        message: String,
    },
    /// A stage says how it goes about its work: that it goes on from an earlier result.
    StageNote {
        /// The stage.
        stage: String,
        /// What it says.
        message: String,
    },
    /// A stage's result is there.
    StageDone {
        /// The stage.
        stage: String,
        /// Its kind.
        kind: String,
        /// The key of its result.
        key: Digest,
        /// It was in the store already.
        cached: bool,
        /// Seconds that it took, or that the cached result took when it was made.
        seconds: f64,
        /// A line about the result.
        summary: String,
        /// Its metrics.
        metrics: BTreeMap<String, f64>,
    },
    /// A stage failed, or its gate does not hold.
    StageFailed {
        /// The stage.
        stage: String,
        /// Its kind.
        kind: String,
        /// The key of its result, where there is one: its gate does not hold.
        key: Option<Digest>,
        /// Seconds until then.
        seconds: f64,
        /// Why.
        failure: Failure,
        /// Its result is kept, but a demand on a metric does not hold.
        gate: bool,
    },
    /// A stage was not run because of another, or because the run was interrupted.
    StageSkipped {
        /// The stage.
        stage: String,
        /// Why.
        reason: String,
    },
    /// The run ended.
    RunFinished {
        /// Stages that ran.
        ran: usize,
        /// Stages whose result was cached.
        cached: usize,
        /// Stages that failed.
        failed: usize,
        /// Stages that were not run.
        skipped: usize,
        /// Seconds in all.
        seconds: f64,
        /// Seconds that cached results took when they were made.
        saved: f64,
        /// Where the results are, relative to the workspace.
        out: String,
        /// It was interrupted.
        interrupted: bool,
    },
}
