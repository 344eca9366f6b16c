//! Cross-entropy, for one of several classes.

use super::ClassWeight;
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The mean of `-log softmax(logits)[target]`, for a target that is one of several classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CrossEntropy {
    /// Between 0 and 1: the share of each target that is spread evenly over all classes. It keeps the network from
    /// becoming too sure of itself.
    pub label_smoothing: f64,
    /// `"balanced"`: rare classes count more. Or how much each class counts, by its name: `{ cat = 1.0, dog = 2.5 }`. Without
    /// it every row counts the same.
    pub weight: Option<ClassWeight>,
}

impl CrossEntropy {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "cross_entropy",
        summary: "For a target that is one of several classes.",
        formula: "mean over rows of -sum_k q_k log p_k; p = softmax(outputs), q = (1 - s) onehot(target) + s / K with \
                  label_smoothing s and K classes. With weights w: q_k is multiplied by w_k, and the mean is weighted by w[target]",
        source: "as torch.nn.CrossEntropyLoss; label smoothing from Szegedy et al., Rethinking the Inception Architecture (2016)",
        example: "loss.cross_entropy = { label_smoothing = 0.1 }",
        schema: |generator| generator.subschema_for::<CrossEntropy>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        let smoothing = self.label_smoothing;
        let smoothing = Problem::unless((0.0..1.0).contains(&smoothing), "label_smoothing", || {
            format!("label_smoothing is at least 0 and below 1, found {smoothing}")
        });
        smoothing.into_iter().chain(self.weight.iter().flat_map(ClassWeight::problems)).collect()
    }
}
