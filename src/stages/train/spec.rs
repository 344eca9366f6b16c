//! The fields of `train`.

use crate::job::{Accumulate, Augment, Clip, DeviceChoice, EarlyStop, Ema, Numerics, Precision};
use crate::nn::losses::Loss;
use crate::nn::optim::Optimizer;
use crate::nn::schedule::Schedule;
use crate::stage::{Limit, Ref};
use schemars::JsonSchema;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Trains a model on a dataset.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TrainSpec {
    /// The model to train: a stage of kind `model`, or another `train`, whose weights it then starts from.
    pub model: Ref,
    /// The dataset to train on.
    pub data: Ref,
    /// A dataset to look at after each epoch and never to learn from.
    pub validate: Option<Ref>,
    /// What to make small: `cross_entropy` for a category and for tokens, `binary_cross_entropy` for yes or no (`focal` for both; `bpr`
    /// and `sampled_softmax` for rankings), `mse`, `l1` or `huber` for a number.
    pub loss: Loss,
    /// How a step follows from the gradients: `sgd`, `adam`, `adamw`, `rmsprop` or `muon`, with PyTorch's fields and defaults.
    pub optimizer: Optimizer,
    /// How the learning rate changes: `constant`, `step`, `cosine`, `one_cycle`, `linear` or `plateau`.
    #[serde(default)]
    pub schedule: Schedule,
    /// How often to go through the data.
    pub epochs: u64,
    /// Rows in a step.
    #[serde(default = "default_batch_size", deserialize_with = "rows")]
    pub batch_size: u64,
    /// Compute threads. It is part of the numbers, because it decides the order of additions: the same everywhere, whatever the
    /// machine has.
    #[serde(default = "default_threads")]
    pub threads: u64,
    /// `native`: fastest here, bit-identical on the same class of processor; `portable`: pinned to AVX2, bit-identical on any
    /// x86-64 that has it.
    #[serde(default)]
    pub numerics: Numerics,
    /// `auto` (a GPU where there is one), `cpu`, `cuda`, or one GPU of several: `cuda:1`.
    #[serde(default)]
    pub device: DeviceChoice,
    /// Whether every epoch goes through the rows in an order of its own.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// Whether the rows that do not fill a batch are left out of an epoch.
    #[serde(default)]
    pub drop_last: bool,
    /// In how many parts a step is computed, whose gradients are added up: less memory, and the same step up to rounding.
    /// `"auto"`: in as few as fit into the GPU's memory. A batch norm sees a part at a time and dropout draws for each: with
    /// them it is another step.
    #[serde(default, skip_serializing_if = "Accumulate::is_whole")]
    pub accumulate: Accumulate,
    /// `f32`; `tf32`, `bf16` and `f16` are faster on a GPU that has them, `bf16` also on some processors, where `tf32` is `f32`.
    /// Weights and optimizer stay in 32 bits.
    #[serde(default, skip_serializing_if = "is_default")]
    pub precision: Precision,
    /// Whether what cannot be computed reproducibly on the device is refused. Without it `verify` expects no equal bits.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub deterministic: bool,
    /// Whether steps of one shape are recorded once on a GPU and then asked for as a whole (a CUDA graph), which is faster where a
    /// network is small. With `sgd`, `adam` and `adamw`; a processor has no use for it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub graph: bool,
    /// An average of the weights is judged and becomes the result, in the place of the last ones.
    pub ema: Option<Ema>,
    /// Whether the output `gradients` is made: at every traced step the norm of the gradients of each layer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gradient_norms: bool,
    /// A bound on gradients: `{ norm = 1.0 }` or `{ value = 0.5 }`.
    pub clip: Option<Clip>,
    /// Stop when a metric has not become better for a while.
    pub early_stop: Option<EarlyStop>,
    /// Vary images from epoch to epoch.
    pub augment: Option<Augment>,
    /// Whether the state at the end (optimizer, last weights) is kept as the output `state`, so that a training of more epochs
    /// continues from it. It takes about as much room as the weights times the numbers that the optimizer keeps for each of them:
    /// 2 for `adam`, 1 for `sgd` with momentum.
    #[serde(default = "yes")]
    pub extendable: bool,
    /// How often a checkpoint is written, from which an interrupted training continues: `"30s"`, `"10m"`, or a number of seconds. By
    /// default every minute, or less often where that would take more than a hundredth of the time. Not part of the stage's
    /// key: a training that was interrupted ends with the same bits.
    // Left out of the canonical form, and so out of the key.
    #[serde(default, skip_serializing)]
    pub checkpoint_every: Option<Limit>,
}

fn default_batch_size() -> u64 {
    64
}

/// A number of rows; who asks for as many as fit is told what does that.
fn rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Rows;

    impl Visitor<'_> for Rows {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("u64")
        }

        fn visit_u64<E: de::Error>(self, rows: u64) -> Result<u64, E> {
            Ok(rows)
        }

        fn visit_i64<E: de::Error>(self, rows: i64) -> Result<u64, E> {
            u64::try_from(rows).map_err(|_| E::invalid_value(de::Unexpected::Signed(rows), &self))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            match text {
                "auto" => Err(E::custom(
                    "no machine decides how much a step learns from; `accumulate = \"auto\"` computes a batch in as many parts as its \
                     memory asks for",
                )),
                other => Err(E::invalid_type(de::Unexpected::Str(other), &self)),
            }
        }
    }

    deserializer.deserialize_any(Rows)
}

fn default_threads() -> u64 {
    2
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_yes(value: &bool) -> bool {
    *value
}

/// Fields that are left out of keys where they say nothing, so that they could be added without emptying anybody's cache.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
