//! What is said of stages that were run again.

use super::compare::Shown;
use crate::event::Failure;
use crate::lock::{Claim, FactChange};
use crate::manifest::Tolerance;
use serde::Serialize;

/// What came of it, stage by stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verification {
    /// What the two sides of every comparison are: `locked` and `now`, or two numbers of threads.
    pub sides: (String, String),
    /// The stages in topological order.
    pub stages: Vec<StageVerdict>,
    /// Stages that were run only because others need their results and the store does not have them.
    pub fed: usize,
    /// It was interrupted.
    pub interrupted: bool,
    /// A stage could not run because of the store.
    pub store_failed: bool,
    /// A stage could not run because of a bug.
    pub bug: bool,
}

/// What is said of a stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageVerdict {
    /// Its name.
    pub stage: String,
    /// Its kind.
    pub kind: String,
    /// How far its result claims to be repeatable.
    pub determinism: Claim,
    /// Seconds that running it again took.
    pub seconds: f64,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of running a stage again.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The same, bit for bit, but for the outputs that are listed.
    InKilter {
        /// Outputs that differ within their tolerance.
        within: Vec<Within>,
    },
    /// Something else came out.
    OffKilter(Box<Off>),
    /// It is not what was locked: fields, files, inputs, or the kilter that runs it changed since.
    Changed {
        /// The locked key, shortened.
        locked: String,
        /// The key now.
        now: String,
        /// Facts about the environment that enter a key, or tell of what does, and are others now.
        environment: Vec<FactChange>,
    },
    /// The lock has no record of it.
    NotLocked,
    /// It could not be compared; says why.
    NotCompared {
        /// `it uses features`
        because: String,
    },
    /// It failed.
    Failed(Failure),
}

/// An output that differs within its tolerance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Within {
    /// The output.
    pub output: String,
    /// What was allowed.
    pub tolerance: Tolerance,
    /// The largest absolute difference; `None` for a report, which is a picture of the numbers in the other outputs.
    pub largest: Option<f64>,
}

/// How a stage is off kilter.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Off {
    /// The outputs that differ.
    pub outputs: Vec<OutputDifference>,
    /// Outputs that differ too, within their tolerance.
    pub within: Vec<Within>,
    /// Where two trainings part.
    pub parting: Option<Parting>,
    /// Metrics that differ: name, before, now.
    pub metrics: Vec<(String, Option<f64>, Option<f64>)>,
    /// Facts about the environments that differ.
    pub environment: Vec<FactChange>,
    /// What may be behind it, and what to do.
    pub advice: Vec<String>,
}

/// How an output differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputDifference {
    /// The output.
    pub output: String,
    /// What it is: `table`, `model`, …
    pub artifact: String,
    /// What it may differ by, where that is declared.
    pub tolerance: Option<Tolerance>,
    /// How it differs.
    pub shown: Shown,
}

/// The step at which two trainings part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parting {
    /// The last step that is known to be the same; `None` where there is none.
    pub after: Option<String>,
    /// The first that is known to differ.
    pub step: String,
    /// The losses at that step.
    pub loss: (String, String),
    /// The norms of the gradients at that step.
    pub grad_norm: (String, String),
}

impl Verdict {
    /// Whether a verification has found a difference.
    #[must_use]
    pub fn is_difference(&self) -> bool {
        matches!(self, Self::OffKilter(_) | Self::Changed { .. } | Self::NotLocked)
    }
}

impl Verification {
    /// The stages of which `test` holds.
    pub fn count(&self, test: impl Fn(&Verdict) -> bool) -> usize {
        self.stages.iter().filter(|stage| test(&stage.verdict)).count()
    }

    /// The first stage that differs.
    #[must_use]
    pub fn first(&self) -> Option<&StageVerdict> {
        self.stages.iter().find(|stage| stage.verdict.is_difference())
    }
}
