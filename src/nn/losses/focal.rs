//! The focal loss, for targets with a few hard rows among many easy ones.

use super::ClassWeight;
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Cross-entropy in which a row counts the less the surer the network already is of the right answer; for one of several
/// classes and for yes or no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Focal {
    /// How strongly easy rows are turned down; 0 is cross-entropy.
    pub gamma: f64,
    /// For yes or no: how much a positive row counts, against `1 - alpha` for a negative one. Without it both count 1.
    pub alpha: Option<f64>,
    /// For classes: `"balanced"`, or how much each class counts, by its name. Without it every row counts the same.
    pub weight: Option<ClassWeight>,
}

impl Default for Focal {
    fn default() -> Self {
        Self { gamma: 2.0, alpha: None, weight: None }
    }
}

impl Focal {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "focal",
        summary: "For classes, or yes and no, with few hard rows among many easy ones.",
        formula: "mean over rows of -(1 - p)^gamma log p; p is the probability of the right answer. Yes or no: times alpha or 1 - alpha. With class weights w: times w[target], and the mean is weighted by it",
        source: "Lin et al., Focal Loss for Dense Object Detection (2017); for yes or no as torchvision.ops.sigmoid_focal_loss",
        example: "loss.focal = { gamma = 2.0 }",
        schema: |generator| generator.subschema_for::<Focal>(),
    };

    pub(super) fn problems(&self) -> Vec<Problem> {
        let gamma = self.gamma;
        let mut problems: Vec<Problem> = [
            Problem::unless(gamma >= 0.0 && gamma.is_finite(), "gamma", || {
                format!("gamma is at least 0, found {gamma}")
            }),
            self.alpha.and_then(|alpha| {
                Problem::unless(alpha > 0.0 && alpha < 1.0, "alpha", || {
                    format!("alpha is above 0 and below 1, found {alpha}")
                })
            }),
        ]
        .into_iter()
        .flatten()
        .collect();
        problems.extend(self.weight.iter().flat_map(ClassWeight::problems));
        problems
    }
}
