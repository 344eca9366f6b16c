//! Adam.

use super::{NoDecay, adam_problems};
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adam: steps scaled by running means of the gradient and of its square.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Adam {
    /// The learning rate, before the schedule.
    pub lr: f64,
    /// How slowly the two running means forget.
    pub betas: [f64; 2],
    /// Added to the denominator.
    pub eps: f64,
    /// L2 penalty: this times the weight is added to its gradient. `adamw` decays the weights themselves.
    pub weight_decay: f64,
    /// Which parameters the weight decay leaves alone: any of `"bias"`, `"norm"` and `"embedding"`; none by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_decay: Vec<NoDecay>,
}

impl Default for Adam {
    fn default() -> Self {
        Self { lr: 0.001, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, no_decay: Vec::new() }
    }
}

impl Adam {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "adam",
        summary: "Steps scaled by running means of the gradient and of its square; a good first choice.",
        formula: "g += weight_decay w; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)",
        source: "as torch.optim.Adam; Kingma and Ba, Adam: A Method for Stochastic Optimization (2015)",
        example: "optimizer.adam = { lr = 0.001 }",
        schema: |generator| generator.subschema_for::<Adam>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        adam_problems(self.lr, self.weight_decay, self.betas, self.eps)
    }
}
