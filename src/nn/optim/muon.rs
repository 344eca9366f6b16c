//! Muon.

use super::{NoDecay, adam_problems};
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Matrices step in the direction of the orthogonal matrix nearest to their momentum, everything else by AdamW.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Muon {
    /// The learning rate, before the schedule; one that suits AdamW, or a higher one.
    pub lr: f64,
    /// Of matrices: how much of the steps before goes on.
    pub momentum: f64,
    /// Of matrices: Nesterov's form of momentum.
    pub nesterov: bool,
    /// Of matrices: steps of the iteration that makes them orthogonal.
    pub ns_steps: u64,
    /// Of everything else: how slowly the two running means forget.
    pub betas: [f64; 2],
    /// Of everything else: added to the denominator.
    pub eps: f64,
    /// Each step shrinks every weight by `lr` times this.
    pub weight_decay: f64,
    /// Which parameters the weight decay leaves alone: any of `"bias"`, `"norm"` and `"embedding"`; none by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_decay: Vec<NoDecay>,
}

impl Default for Muon {
    fn default() -> Self {
        Self {
            lr: 0.001,
            momentum: 0.95,
            nesterov: true,
            ns_steps: 5,
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 0.1,
            no_decay: Vec::new(),
        }
    }
}

impl Muon {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "muon",
        summary: "For transformers and other networks of matrices: these step along the orthogonal matrix nearest to their momentum, everything else (biases, norms, embeddings, the last linear layer) by adamw.",
        formula: "m = momentum m + (1 - momentum) g; u = (1 - momentum) g + momentum m with nesterov, else m; w -= lr weight_decay w + lr 0.2 sqrt(max(rows, columns)) orthogonal(u), orthogonal by ns_steps of Newton and Schulz in bf16",
        source: "as torch.optim.Muon(adjust_lr_fn=\"match_rms_adamw\"); Jordan et al., Muon (2024); Liu et al., Muon is Scalable for LLM Training (2025)",
        example: "optimizer.muon = { lr = 0.004, no_decay = [\"bias\", \"norm\", \"embedding\"] }",
        schema: |generator| generator.subschema_for::<Muon>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = adam_problems(self.lr, self.weight_decay, self.betas, self.eps);
        let (momentum, steps) = (self.momentum, self.ns_steps);
        problems.extend(Problem::unless((0.0..1.0).contains(&momentum), "momentum", || {
            format!("momentum is at least 0 and below 1, found {momentum}")
        }));
        problems.extend(Problem::unless((1..100).contains(&steps), "ns_steps", || {
            format!("ns_steps is at least 1 and below 100, found {steps}")
        }));
        problems
    }
}
