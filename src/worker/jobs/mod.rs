//! What the worker can be asked to do.

pub mod generate;
mod inputs;
pub mod predict;
pub mod tokens;
pub mod train;

use crate::failure::Failure;
use crate::numerics;
use kilter::env::Cancel;
use kilter::job::{Job, JobResult, WorkerEvent};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tch::Tensor;

/// A network as jobs see it: features by name and whether it is training, to outputs.
pub type Forward<'a> = &'a dyn Fn(&BTreeMap<String, Tensor>, bool) -> Result<Tensor, Failure>;

/// Where a job's events go.
pub type Events<'a> = &'a mut dyn FnMut(WorkerEvent);

/// Runs a job. What libtorch throws inside of a layer arrives as a panic and becomes a failure like any other.
///
/// # Errors
/// Why it failed.
pub fn run(job: &Job, events: Events<'_>, cancel: &Cancel) -> Result<JobResult, Failure> {
    let outcome = catch_unwind(AssertUnwindSafe(|| match job {
        Job::Train(job) => train::run(job, events, cancel),
        Job::Predict(job) => predict::run(job, events, cancel),
        Job::Generate(job) => generate::run(job, events, cancel),
    }));
    numerics::give_freed_memory_back(job.setting().device);
    outcome.unwrap_or_else(|panic| Err(Failure::libtorch(panic_text(&*panic))))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message");
    // tch panics with `called `Result::unwrap()` on an `Err` value: Torch("…")`.
    text.split_once("Torch(\"").map_or(text, |(_, rest)| rest.split("\\n").next().unwrap_or(rest))
}
