//! A learning rate that stays.

use super::{At, warm_up};
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The optimizer's learning rate throughout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Constant {
    /// Over so many epochs the rate rises evenly from near 0.
    pub warmup_epochs: f64,
}

impl Constant {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "constant",
        summary: "The optimizer's learning rate throughout.",
        formula: "lr; in step i of n warm-up steps lr (i + 1) / n",
        source: "as torch.optim.lr_scheduler.ConstantLR(factor=1)",
        example: "schedule = \"constant\"",
        schema: |generator| generator.subschema_for::<Constant>(),
    };

    pub(super) fn lr(&self, lr: f64, at: At) -> f64 {
        lr * warm_up(self.warmup_epochs, at)
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        warm_up_problem(self.warmup_epochs).into_iter().collect()
    }
}

/// A warm-up shorter than nothing.
pub(super) fn warm_up_problem(epochs: f64) -> Option<Problem> {
    Problem::unless(epochs >= 0.0 && epochs.is_finite(), "warmup_epochs", || {
        format!("warmup_epochs is at least 0, found {epochs}")
    })
}
