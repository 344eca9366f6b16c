//! Train a model.

use super::{Accumulate, Ema, Precision, Setting};
use crate::nn::losses::Loss;
use crate::nn::optim::Optimizer;
use crate::nn::schedule::Schedule;
use crate::types::Task;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// In how many parts a step is computed.
    pub accumulate: Accumulate,
    /// In how many bits.
    pub precision: Precision,
    /// Whether what cannot be computed reproducibly is refused.
    pub deterministic: bool,
    /// Whether a GPU is asked for steps as a whole, recorded once.
    #[serde(default)]
    pub graph: bool,
    /// Whether an average of the weights is judged and becomes the result.
    pub ema: Option<Ema>,
    /// Whether the norms of the gradients of each layer are told.
    pub gradient_norms: bool,
    /// How to bound gradients.
    pub clip: Option<Clip>,
    /// When to stop before all epochs are run.
    pub early_stop: Option<EarlyStop>,
    /// How to vary images.
    pub augment: Option<Augment>,
    /// Every random choice follows from it.
    pub seed: u64,
    /// Where checkpoints are left, and looked for. Without it there are none.
    #[serde(default)]
    pub checkpoints: Option<Checkpoints>,
    /// The state of an equal training of fewer epochs, as it ended: its files by name.
    #[serde(default)]
    pub earlier: Option<BTreeMap<String, PathBuf>>,
    /// The folder, empty, where the state at the end is written: what a training of more epochs goes on from. No time or place
    /// in it, and the same bytes whether or not the training was interrupted.
    #[serde(default)]
    pub state: Option<PathBuf>,
    /// Where to write the weights: safetensors, names sorted, no time or place in it.
    pub out: PathBuf,
}

/// Where a training leaves checkpoints, and what it may go on from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoints {
    /// The folder where they are left; made with the first. Nobody else writes there.
    pub folder: PathBuf,
    /// Folders where trainings left theirs that are equal but for the number of epochs. They are only read.
    pub readable: Vec<PathBuf>,
    /// Seconds between two; by default a minute, or more where they would cost too much time.
    pub every: Option<f64>,
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
    /// `val_rmse` and `val_mae`; for several labels `val_f1_micro` and `val_subset_accuracy`; for tokens `val_accuracy`, `val_perplexity`
    /// and `val_bits_per_token`; for losses that rank `val_pair_accuracy`.
    pub metric: String,
    /// After so many epochs in a row without improvement training stops, as in Keras and Lightning: `1`, and `0` too, at the
    /// first.
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

/// Vary images from epoch to epoch, so that the network sees each in many forms. Validation sees them as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Augment {
    /// Half of the images, chosen at random, are mirrored left to right.
    pub flip: bool,
    /// Each image is moved by up to so many pixels in both directions; what moves in is 0. It is what is called a random crop
    /// with so much padding.
    pub shift: u64,
    /// From each image a square with edges of up to so many pixels, at a random place, is set to 0.
    pub erase: u64,
    /// Each row is mixed with another of its batch, features and loss alike, by a share that is drawn for the batch from
    /// Beta(mixup, mixup); 0 is none, at most 1. Features of numbers are mixed too.
    #[serde(skip_serializing_if = "is_zero")]
    pub mixup: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Augment {
    /// Whether it changes images, beyond mixing rows.
    #[must_use]
    pub fn changes_images(self) -> bool {
        self.flip || self.shift > 0 || self.erase > 0
    }

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

/// The columns that validation adds to the history, beside `val_loss`, for a target and a loss.
#[must_use]
pub fn validation_metrics(task: &Task, loss: &Loss) -> &'static [&'static str] {
    match task {
        _ if loss.ranking().is_some() => &["val_pair_accuracy"],
        Task::Category { .. } | Task::Binary { .. } => &["val_accuracy"],
        Task::NextToken { .. } | Task::MaskedToken { .. } => &["val_accuracy", "val_perplexity", "val_bits_per_token"],
        Task::Number { .. } => &["val_rmse", "val_mae"],
        Task::MultiLabel { .. } => &["val_f1_micro", "val_subset_accuracy"],
    }
}
