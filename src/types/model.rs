//! Models as types: what they take, what they give.

use super::{FeatureType, Shape, TargetType};
use serde::{Deserialize, Serialize};

/// The type of a `model` artefact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelType {
    /// The features that it takes, sorted by name.
    pub inputs: Vec<FeatureType>,
    /// The shape of its output for one row.
    pub output: Shape,
    /// What it predicts; from the dataset that it was declared for.
    pub target: Option<TargetType>,
    /// How many layers have weights.
    pub layers: u64,
    /// How many parameters it has, where all shapes are known.
    pub parameters: Option<u64>,
    /// Whether it has weights.
    pub trained: bool,
}
