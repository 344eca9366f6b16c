//! Compute a model's outputs for a dataset.

use super::Setting;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Compute a model's outputs for a dataset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PredictJob {
    /// Threads, numerics and device.
    pub setting: Setting,
    /// The trained model's `architecture.json`.
    pub architecture: PathBuf,
    /// The trained model's `model.safetensors`.
    pub weights: PathBuf,
    /// The dataset's `data.safetensors`.
    pub data: PathBuf,
    /// Rows per forward pass.
    pub batch_size: usize,
    /// Where to write the outputs: safetensors with one `f32` tensor `output` of shape `[rows, outputs]`: logits for
    /// categories and binary targets, standardised numbers for numbers.
    pub out: PathBuf,
}
