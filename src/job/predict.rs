//! Compute a model's outputs for a dataset.

use super::Setting;
use crate::types::Task;
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
    /// Of models of tokens, whose outputs are too many to be written: what to add up over each row.
    pub tokens: Option<JudgeTokens>,
    /// Where to write the outputs: safetensors with one `f32` tensor `output` of shape `[rows, outputs]`: logits for
    /// categories and binary targets, standardised numbers for numbers. With `tokens` `[rows, 3]`: the sum of minus the logarithm of the
    /// probability of the right token, in nats; how many tokens there are; how many of them were thought most probable.
    pub out: PathBuf,
}

/// What is judged of a model of tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JudgeTokens {
    /// The name of the target.
    pub target: String,
    /// What it is.
    pub task: Task,
    /// What is hidden follows from it.
    pub seed: u64,
}
