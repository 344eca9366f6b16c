//! What the engine asks of the worker and what it hears back.
//!
//! The engine writes a job file (JSON, a [`JobFile`]) and sends its path as one line to the worker's standard input;
//! the worker answers with one JSON [`WorkerEvent`] a line on its standard output, the last of them `done` or
//! `failed`. A job that fails is an answer, not a death: the worker takes the next one. Its standard error goes to the
//! stage's log. The line `cancel` stops the job under way, which then answers `failed` within a step; closing the
//! input does the same and ends the worker. The same file drives a worker on this machine or on a cluster node.
//!
//! A worker process is good for one [`Setting`]: start it with [`Setting::environment`] set and [`CLEARED`] removed,
//! because libtorch and OpenMP read those while they are loaded.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

mod accumulate;
mod device;
mod ema;
mod generate;
mod precision;
mod predict;
mod setting;
mod train;

pub use accumulate::Accumulate;
pub use device::{Device, DeviceChoice};
pub use ema::Ema;
pub use generate::{GenerateJob, Generated, Sampling};
pub use precision::Precision;
pub use predict::{JudgeTokens, PredictJob};
pub use setting::{CLEARED, Numerics, Setting};
pub use train::{Augment, Checkpoints, Clip, EarlyStop, TRACE, TRACE_DIGEST, TrainJob, validation_metrics};

/// Raised when [`JobFile`] or [`WorkerEvent`] change in a way that an older side would misread.
pub const PROTOCOL: u32 = 3;
/// The libtorch that the worker is built with. It enters the key of every numeric stage.
pub const LIBTORCH: &str = "2.11.0";

/// One job, as it is written for the worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobFile {
    /// [`PROTOCOL`] of the side that wrote it.
    pub protocol: u32,
    /// Which stage it is for; in messages only.
    pub stage: String,
    /// What to do.
    pub job: Job,
}

/// What to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Job {
    /// Train a model.
    Train(Box<TrainJob>),
    /// Compute a model's outputs for a dataset.
    Predict(PredictJob),
    /// Go on with sequences of tokens.
    Generate(GenerateJob),
}

impl Job {
    /// The setting that the job needs of its worker.
    #[must_use]
    pub fn setting(&self) -> Setting {
        match self {
            Self::Train(job) => job.setting,
            Self::Predict(job) => job.setting,
            Self::Generate(job) => job.setting,
        }
    }
}

/// What the worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum WorkerEvent {
    /// Said once, when it is ready.
    Hello {
        /// Its [`PROTOCOL`].
        protocol: u32,
        /// The libtorch it runs with.
        libtorch: String,
        /// The instruction set that libtorch chose: `avx2`, `avx512`, …
        cpu_capability: String,
        /// Names of the CUDA devices.
        cuda: Vec<String>,
    },
    /// Some steps further.
    Step {
        /// Epoch, from 1.
        epoch: u64,
        /// Optimizer steps since the start.
        step: u64,
        /// Optimizer steps in all, if every epoch is run.
        steps: u64,
        /// Mean training loss since the last such event.
        loss: f64,
        /// Rows a second since the last such event.
        rows_per_second: f64,
    },
    /// A row of the training's trace: see [`TRACE`].
    Trace {
        /// Epoch, from 1.
        epoch: u64,
        /// Optimizer steps since the start, this one included.
        step: u64,
        /// The loss of this step.
        loss: f32,
        /// The norm of its gradients before they were clipped; `None` where it is not finite.
        grad_norm: Option<f32>,
        /// Of the losses of all steps since the row before, and of this norm: 16 hexadecimal digits.
        digest: String,
    },
    /// The norms of the gradients of each layer at a traced step, where they are wanted.
    Gradients {
        /// Epoch, from 1.
        epoch: u64,
        /// Optimizer steps since the start, this one included.
        step: u64,
        /// By the layer's path, before they were clipped; `None` where one is not finite.
        norms: BTreeMap<String, Option<f32>>,
    },
    /// An epoch's end.
    Epoch {
        /// Epoch, from 1.
        epoch: u64,
        /// Epochs in all.
        epochs: u64,
        /// The history's row: `loss`, `val_loss`, `lr`, and the validation metrics.
        values: BTreeMap<String, f64>,
    },
    /// A training goes on from a state instead of beginning anew. What was told before that state is told again.
    Continues {
        /// What the state is.
        from: Start,
        /// Optimizer steps done.
        step: u64,
        /// Optimizer steps in all, if every epoch is run.
        steps: u64,
        /// The epoch that is under way, or the last that is done.
        epoch: u64,
        /// Epochs in all.
        epochs: u64,
    },
    /// A checkpoint is written.
    Checkpoint {
        /// Optimizer steps done then.
        step: u64,
    },
    /// Something that the user should see although the job goes on.
    Warning {
        /// What.
        message: String,
    },
    /// So many rows were predicted.
    Rows {
        /// Rows done.
        done: u64,
        /// Rows in all.
        total: u64,
    },
    /// The job is done; its outputs are written.
    Done(JobResult),
    /// The job failed; the worker goes on.
    Failed {
        /// One line.
        message: String,
        /// What to do.
        hints: Vec<String>,
    },
}

/// What a training goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// A checkpoint of a training that was interrupted.
    Checkpoint,
    /// The result of a shorter one.
    Result,
}

/// What a finished job tells, besides its files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobResult {
    /// Numbers by name: `epochs`, `best_epoch`, `val_accuracy`, `rows_per_second`, …
    pub values: BTreeMap<String, f64>,
    /// Facts about the environment it ran in, for the record: `cpu_capability`, `device`, …
    pub environment: BTreeMap<String, String>,
    /// Files that it wrote.
    pub files: Vec<PathBuf>,
}
