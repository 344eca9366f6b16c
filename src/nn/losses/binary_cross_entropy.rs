//! Binary cross-entropy, for yes or no.

use super::PositiveWeight;
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The mean of `-(w y log σ(x) + (1 - y) log(1 - σ(x)))`, for a target that is yes or no, and for the labels of `multi_label`,
/// over which the mean is taken too. The network's output `x` is a logit: no sigmoid at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BinaryCrossEntropy {
    /// How much a positive row counts, against 1 for a negative one. Of several labels the same for all, or one for each in their order:
    /// `[1.0, 4.5]`. `"balanced"`: for each label `negatives / positives`, counted in the training data.
    pub pos_weight: PositiveWeight,
}

impl Default for BinaryCrossEntropy {
    fn default() -> Self {
        Self { pos_weight: PositiveWeight::All(1.0) }
    }
}

impl BinaryCrossEntropy {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "binary_cross_entropy",
        summary: "For a target that is yes or no, or several such labels.",
        formula: "mean over rows (and labels) of -(pos_weight y log s + (1 - y) log(1 - s)); s = sigmoid(output), computed from the logit so that it never overflows",
        source: "as torch.nn.BCEWithLogitsLoss",
        example: "loss.binary_cross_entropy = { pos_weight = 3.0 }",
        schema: |generator| generator.subschema_for::<BinaryCrossEntropy>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        self.pos_weight.problems()
    }
}
