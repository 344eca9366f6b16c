//! A learning rate that falls along a line.

use super::{At, constant::warm_up_problem, cosine::least_problem, falling, horizon_problem};
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// After a warm-up, from the optimizer's rate down to `min_lr` along a line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Linear {
    /// Over so many epochs the rate rises evenly from near 0.
    pub warmup_epochs: f64,
    /// The rate at the end.
    pub min_lr: f64,
    /// The number of epochs that it is made for; that of the training where it is left away. With it a training of fewer epochs
    /// can be extended, and after it the rate stays at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon: Option<u64>,
}

impl Linear {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "linear",
        summary: "After a warm-up, from the optimizer's rate down to `min_lr` along a line, step by step.",
        formula: "lr + (min_lr - lr) p; p is the part of the steps after the warm-up that is done",
        source: "as torch.optim.lr_scheduler.LinearLR(start_factor=1, end_factor=min_lr / lr); with its warm-up as Devlin et al., BERT (2019)",
        example: "schedule.linear = { warmup_epochs = 1 }",
        schema: |generator| generator.subschema_for::<Linear>(),
    };

    pub(super) fn lr(&self, lr: f64, at: At) -> f64 {
        falling(lr, self.warmup_epochs, at.over(self.horizon), |part| lr + (self.min_lr - lr) * part)
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let problems = [warm_up_problem(self.warmup_epochs), least_problem(self.min_lr), horizon_problem(self.horizon)];
        problems.into_iter().flatten().collect()
    }
}
