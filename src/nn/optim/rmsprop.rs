//! RMSprop.

use super::{NoDecay, common_problems};
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Steps scaled by a running mean of the gradient's square.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RmsProp {
    /// The learning rate, before the schedule.
    pub lr: f64,
    /// How slowly the running means forget.
    pub alpha: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// How much of the step before goes on: 0 is none.
    pub momentum: f64,
    /// Whether the scale is the gradient's variance, the mean taken off, instead of its mean square.
    pub centered: bool,
    /// L2 penalty: this times the weight is added to its gradient.
    pub weight_decay: f64,
    /// Which parameters the weight decay leaves alone: any of `"bias"`, `"norm"` and `"embedding"`; none by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_decay: Vec<NoDecay>,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self {
            lr: 0.01,
            alpha: 0.99,
            eps: 1e-8,
            momentum: 0.0,
            centered: false,
            weight_decay: 0.0,
            no_decay: Vec::new(),
        }
    }
}

impl RmsProp {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "rmsprop",
        summary: "Steps scaled by a running mean of the gradient's square; common for recurrent networks.",
        formula: "g += weight_decay w; v = alpha v + (1 - alpha) g^2; centered: a = alpha a + (1 - alpha) g, s = sqrt(v - a^2) + eps, else s = sqrt(v) + eps; b = momentum b + g / s; w -= lr b",
        source: "as torch.optim.RMSprop; Tieleman and Hinton, Lecture 6.5 (2012); centered: Graves, Generating Sequences With Recurrent Neural Networks (2013)",
        example: "optimizer.rmsprop = { lr = 0.001, momentum = 0.9 }",
        schema: |generator| generator.subschema_for::<RmsProp>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = common_problems(self.lr, self.weight_decay);
        let (alpha, eps, momentum) = (self.alpha, self.eps, self.momentum);
        problems.extend(Problem::unless((0.0..1.0).contains(&alpha), "alpha", || {
            format!("alpha is at least 0 and below 1, found {alpha}")
        }));
        problems
            .extend(Problem::unless(eps > 0.0 && eps.is_finite(), "eps", || format!("eps is above 0, found {eps}")));
        problems.extend(Problem::unless((0.0..1.0).contains(&momentum), "momentum", || {
            format!("momentum is at least 0 and below 1, found {momentum}")
        }));
        problems
    }
}
