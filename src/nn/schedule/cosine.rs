//! A learning rate that falls along half a cosine.

use super::{At, constant::warm_up_problem, falling, half_cosine, horizon_problem};
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// After a warm-up, from the optimizer's rate down to `min_lr` along half a cosine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Cosine {
    /// Over so many epochs the rate rises evenly from near 0.
    pub warmup_epochs: f64,
    /// The rate at the end.
    pub min_lr: f64,
    /// The number of epochs that it is made for; that of the training where it is left away. With it a training of fewer epochs
    /// can be extended, and after it the rate stays at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon: Option<u64>,
}

impl Cosine {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "cosine",
        summary: "After a warm-up, from the optimizer's rate down to `min_lr` along half a cosine, step by step.",
        formula: "min_lr + (lr - min_lr) (1 + cos(pi p)) / 2; p is the part of the steps after the warm-up that is done",
        source: "as torch.optim.lr_scheduler.CosineAnnealingLR; Loshchilov and Hutter, SGDR (2017), without restarts",
        example: "schedule.cosine = { warmup_epochs = 1, horizon = 30 }",
        schema: |generator| generator.subschema_for::<Cosine>(),
    };

    pub(super) fn lr(&self, lr: f64, at: At) -> f64 {
        falling(lr, self.warmup_epochs, at.over(self.horizon), |part| half_cosine(lr, self.min_lr, part))
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let problems = [warm_up_problem(self.warmup_epochs), least_problem(self.min_lr), horizon_problem(self.horizon)];
        problems.into_iter().flatten().collect()
    }
}

/// A least rate below 0.
pub(super) fn least_problem(least: f64) -> Option<Problem> {
    Problem::unless(least >= 0.0 && least.is_finite(), "min_lr", || format!("min_lr is at least 0, found {least}"))
}
