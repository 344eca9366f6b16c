//! The mean squared error, for numbers.

use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The mean of `(output - target)²`, for a target that is a number (standardised, where the encoder does that).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Mse {}

impl Mse {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "mse",
        summary: "For a target that is a number; large errors count most.",
        formula: "mean over rows of (output - target)^2",
        source: "as torch.nn.MSELoss",
        example: "loss = \"mse\"",
        schema: |generator| generator.subschema_for::<Mse>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}
