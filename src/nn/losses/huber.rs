//! The Huber loss, for numbers with outliers.

use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Squared for errors up to `delta`, linear beyond, for a target that is a number with outliers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Huber {
    /// Where it turns from squared to linear, in units of the encoded target.
    pub delta: f64,
}

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0 }
    }
}

impl Huber {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "huber",
        summary: "For a target that is a number with outliers: squared for small errors, linear for large ones.",
        formula: "mean over rows of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2); e = output - target",
        source: "as torch.nn.HuberLoss; Huber, Robust Estimation of a Location Parameter (1964)",
        example: "loss.huber = { delta = 1.0 }",
        schema: |generator| generator.subschema_for::<Huber>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        let delta = self.delta;
        Problem::unless(delta > 0.0 && delta.is_finite(), "delta", || format!("delta is above 0, found {delta}"))
            .into_iter()
            .collect()
    }
}
