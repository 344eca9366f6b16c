//! AdamW.

use super::{NoDecay, adam_problems};
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adam with a weight decay that acts on the weights and not through the gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AdamW {
    /// The learning rate, before the schedule.
    pub lr: f64,
    /// How slowly the two running means forget.
    pub betas: [f64; 2],
    /// Added to the denominator.
    pub eps: f64,
    /// Each step shrinks every weight by `lr` times this.
    pub weight_decay: f64,
    /// Which parameters the weight decay leaves alone: any of `"bias"`, `"norm"` and `"embedding"`; none by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_decay: Vec<NoDecay>,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { lr: 0.001, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01, no_decay: Vec::new() }
    }
}

impl AdamW {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "adamw",
        summary: "Adam with a weight decay that acts on the weights and not through the gradient.",
        formula: "w -= lr weight_decay w; then the step of adam without its weight decay",
        source: "as torch.optim.AdamW; Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019)",
        example: "optimizer.adamw = { lr = 0.001, weight_decay = 0.05 }",
        schema: |generator| generator.subschema_for::<AdamW>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        adam_problems(self.lr, self.weight_decay, self.betas, self.eps)
    }
}
