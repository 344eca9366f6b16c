//! Stochastic gradient descent.

use super::{NoDecay, common_problems};
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent, with momentum if wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sgd {
    /// The learning rate, before the schedule.
    pub lr: f64,
    /// How much of the step before goes on: 0 is none, 0.9 is common.
    pub momentum: f64,
    /// How much of the new gradient is left out of the momentum.
    pub dampening: f64,
    /// L2 penalty: this times the weight is added to its gradient.
    pub weight_decay: f64,
    /// Which parameters the weight decay leaves alone: any of `"bias"`, `"norm"` and `"embedding"`; none by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_decay: Vec<NoDecay>,
    /// Nesterov's form of momentum; needs `momentum` and no `dampening`.
    pub nesterov: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { lr: 0.001, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, no_decay: Vec::new(), nesterov: false }
    }
}

impl Sgd {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "sgd",
        summary: "Stochastic gradient descent, with momentum if wanted.",
        formula: "g += weight_decay w; b = momentum b + (1 - dampening) g (first step: b = g); w -= lr b, or with nesterov w -= lr (g + momentum b)",
        source: "as torch.optim.SGD; Sutskever et al., On the Importance of Initialization and Momentum (2013)",
        example: "optimizer.sgd = { lr = 0.1, momentum = 0.9, nesterov = true, weight_decay = 5e-4 }",
        schema: |generator| generator.subschema_for::<Sgd>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = common_problems(self.lr, self.weight_decay);
        let (momentum, dampening) = (self.momentum, self.dampening);
        problems.extend(Problem::unless((0.0..1.0).contains(&momentum), "momentum", || {
            format!("momentum is at least 0 and below 1, found {momentum}")
        }));
        problems.extend(Problem::unless((0.0..=1.0).contains(&dampening), "dampening", || {
            format!("dampening is between 0 and 1, found {dampening}")
        }));
        let fits = !self.nesterov || (momentum > 0.0 && dampening == 0.0);
        problems.extend(Problem::unless(fits, "nesterov", || {
            format!(
                "nesterov needs momentum above 0 and no dampening, found momentum {momentum} and dampening {dampening}"
            )
        }));
        problems
    }
}
