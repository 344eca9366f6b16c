//! Train a model.

use super::Setting;
use crate::nn::losses::Loss;
use crate::nn::optim::Optimizer;
use crate::nn::schedule::Schedule;
use crate::types::Task;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Train a model. The history comes as [`super::WorkerEvent::Epoch`]s; the weights are written once, at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainJob {
    /// Threads, numerics and device.
    pub setting: Setting,
    /// The model's `architecture.json`.
    pub architecture: PathBuf,
    /// The weights to start from: a trained model's `model.safetensors`. Without them they are drawn from the seed.
    pub weights: Option<PathBuf>,
    /// The weights of the layers that the model took from another one: its `base.safetensors`. The others are drawn from the seed.
    pub base: Option<PathBuf>,
    /// The training data's `data.safetensors`.
    pub data: PathBuf,
    /// The validation data's `data.safetensors`.
    pub validate: Option<PathBuf>,
    /// The name of the target.
    pub target: String,
    /// What the target is.
    pub task: Task,
    /// What to make small.
    pub loss: Loss,
    /// How to step.
    pub optimizer: Optimizer,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// How often to go through the data; at least 1.
    pub epochs: u64,
    /// Rows in a step; at least 1.
    pub batch_size: usize,
    /// Whether every epoch has its own order.
    pub shuffle: bool,
    /// Whether the rows that do not fill a batch are left out of an epoch.
    pub drop_last: bool,
    /// How to bound gradients.
    pub clip: Option<Clip>,
    /// When to stop before all epochs are run.
    pub early_stop: Option<EarlyStop>,
    /// How to vary images.
    pub augment: Option<Augment>,
    /// Every random choice follows from it.
    pub seed: u64,
    /// Where to write the weights: safetensors, names sorted, no time or place in it.
    pub out: PathBuf,
}

/// A bound on gradients, against steps that destroy what was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clip {
    /// All gradients are scaled down together until their common L2 norm is at most this.
    Norm(f64),
    /// Every single gradient is cut to between minus this and this.
    Value(f64),
}

impl Clip {
    /// The bound.
    #[must_use]
    pub fn bound(self) -> f64 {
        match self {
            Self::Norm(bound) | Self::Value(bound) => bound,
        }
    }
}

/// Stop when a metric has not become better for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct EarlyStop {
    /// `loss`, or with `validate`: `val_loss`; for categories and binary targets `val_accuracy`; for numbers
    /// `val_rmse` and `val_mae`; for tokens `val_accuracy`, `val_perplexity` and `val_bits_per_token`.
    pub metric: String,
    /// Epochs without improvement after which training stops.
    pub patience: u64,
    /// What counts as an improvement: by more than this.
    pub min_delta: f64,
    /// Whether the weights of the best epoch are the result, and not those of the last.
    pub restore_best: bool,
}

impl Default for EarlyStop {
    fn default() -> Self {
        Self { metric: "val_loss".to_owned(), patience: 5, min_delta: 0.0, restore_best: true }
    }
}

impl EarlyStop {
    /// Whether more is better for a metric of the history.
    #[must_use]
    pub fn higher_is_better(metric: &str) -> bool {
        metric == "val_accuracy"
    }
}

/// Vary images from epoch to epoch, so that the network sees each in many forms. Validation sees them as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Augment {
    /// Half of the images, chosen at random, are mirrored left to right.
    pub flip: bool,
    /// Each image is moved by up to so many pixels in both directions; what moves in is 0.
    pub shift: u64,
    /// From each image a square with edges of up to so many pixels, at a random place, is set to 0.
    pub erase: u64,
}

impl Augment {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// The output of a training that holds its trace: a table with `step`, `epoch`, `loss`, `grad_norm` and `digest`. Two runs
/// with the same trace took the same steps; where they part, it says at which.
pub const TRACE: &str = "trace";
/// The column of the trace that is a digest.
pub const TRACE_DIGEST: &str = "digest";

/// The columns that validation adds to the history, beside `val_loss`, for a target.
#[must_use]
pub fn validation_metrics(task: &Task) -> &'static [&'static str] {
    match task {
        Task::Category { .. } | Task::Binary { .. } => &["val_accuracy"],
        Task::NextToken { .. } | Task::MaskedToken { .. } => &["val_accuracy", "val_perplexity", "val_bits_per_token"],
        Task::Number { .. } => &["val_rmse", "val_mae"],
    }
}
