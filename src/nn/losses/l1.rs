//! The mean absolute error, for numbers.

use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The mean of `|output - target|`, for a target that is a number: the network learns a median.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct L1 {}

impl L1 {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "l1",
        summary: "For a target that is a number; all errors count alike, so the network learns a median.",
        formula: "mean over rows of |output - target|",
        source: "as torch.nn.L1Loss",
        example: "loss = \"l1\"",
        schema: |generator| generator.subschema_for::<L1>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}
