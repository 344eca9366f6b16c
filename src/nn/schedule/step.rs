//! A learning rate that falls in steps.

use super::{At, constant::warm_up_problem, warm_up};
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every so many epochs the learning rate is multiplied by `gamma`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Step {
    /// Epochs between two falls.
    pub step_size: u64,
    /// What the rate is multiplied by.
    pub gamma: f64,
    /// Over so many epochs the rate rises evenly from near 0.
    pub warmup_epochs: f64,
}

impl Default for Step {
    fn default() -> Self {
        Self { step_size: 10, gamma: 0.1, warmup_epochs: 0.0 }
    }
}

impl Step {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "step",
        summary: "Every `step_size` epochs the learning rate is multiplied by `gamma`.",
        formula: "lr gamma^floor(epoch / step_size)",
        source: "as torch.optim.lr_scheduler.StepLR",
        example: "schedule.step = { step_size = 5, gamma = 0.5 }",
        schema: |generator| generator.subschema_for::<Step>(),
    };

    pub(super) fn lr(&self, lr: f64, at: At) -> f64 {
        let falls = at.whole_epochs() / self.step_size.max(1);
        // Repeated multiplication: the same bits on every platform, which `powi` does not promise.
        let factor = (0..falls).fold(1.0, |factor, _| factor * self.gamma);
        lr * factor * warm_up(self.warmup_epochs, at)
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let (size, gamma) = (self.step_size, self.gamma);
        [
            Problem::unless(size > 0, "step_size", || "step_size is at least 1 epoch, found 0".to_owned()),
            Problem::unless(gamma > 0.0 && gamma.is_finite(), "gamma", || format!("gamma is above 0, found {gamma}")),
            warm_up_problem(self.warmup_epochs),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
