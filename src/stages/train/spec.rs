//! The fields of `train`.

use crate::job::{Augment, Clip, Device, EarlyStop, Numerics};
use crate::nn::losses::Loss;
use crate::nn::optim::Optimizer;
use crate::nn::schedule::Schedule;
use crate::stage::Ref;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Trains a model on a dataset.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TrainSpec {
    /// The model to train: a stage of kind `model`, or another `train`, whose weights it then starts from.
    pub model: Ref,
    /// The dataset to train on.
    pub data: Ref,
    /// A dataset to look at after each epoch and never to learn from.
    pub validate: Option<Ref>,
    /// What to make small: `cross_entropy` for a category, `binary_cross_entropy` for yes or no, `mse`, `l1` or `huber` for
    /// a number.
    pub loss: Loss,
    /// How a step follows from the gradients: `adam`, `adamw` or `sgd`, with PyTorch's fields and defaults.
    pub optimizer: Optimizer,
    /// How the learning rate changes: `constant`, `step`, `cosine` or `one_cycle`.
    #[serde(default)]
    pub schedule: Schedule,
    /// How often to go through the data.
    pub epochs: u64,
    /// Rows in a step.
    #[serde(default = "default_batch_size")]
    pub batch_size: u64,
    /// Compute threads. It is part of the numbers, because it decides the order of additions: the same everywhere, whatever the
    /// machine has.
    #[serde(default = "default_threads")]
    pub threads: u64,
    /// `native`: fastest here, bit-identical on the same class of processor; `portable`: pinned to AVX2, bit-identical on any
    /// x86-64 that has it.
    #[serde(default)]
    pub numerics: Numerics,
    /// `cpu` or `cuda`.
    #[serde(default)]
    pub device: Device,
    /// Whether every epoch goes through the rows in an order of its own.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// Whether the rows that do not fill a batch are left out of an epoch.
    #[serde(default)]
    pub drop_last: bool,
    /// A bound on gradients: `{ norm = 1.0 }` or `{ value = 0.5 }`.
    pub clip: Option<Clip>,
    /// Stop when a metric has not become better for a while.
    pub early_stop: Option<EarlyStop>,
    /// Vary images from epoch to epoch.
    pub augment: Option<Augment>,
}

fn default_batch_size() -> u64 {
    64
}

fn default_threads() -> u64 {
    2
}

fn yes() -> bool {
    true
}
