//! Train a model.

use super::Setting;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Train a model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrainJob {
    /// Threads, numerics and device.
    pub setting: Setting,
    /// The model's `architecture.json`.
    pub architecture: PathBuf,
    /// The training data's `data.safetensors`.
    pub data: PathBuf,
    /// The validation data's `data.safetensors`.
    pub validate: Option<PathBuf>,
}
