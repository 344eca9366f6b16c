//! Trains a model: epochs, validation, early stop, weights.

mod augment;
pub mod batches;
mod early_stop;
mod epoch;
mod meter;
pub mod order;
mod trace;
mod validate;

use super::Events;
use super::tokens::{self, Masker};
use crate::failure::Failure;
use crate::losses::Criterion;
use crate::network::{self, Start};
use crate::tensors::{Dataset, Snapshot, Weights};
use crate::{numerics, optim};
use early_stop::{Verdict, Watch};
use epoch::Trainer;
use kilter::env::Cancel;
use kilter::job::{JobResult, TrainJob, WorkerEvent};
use std::collections::BTreeMap;
use std::time::Instant;

/// Validation needs no gradients, so that its batches may be larger than those of training.
const VALIDATION_ROWS: usize = 512;

/// Trains, and writes the weights at the end.
///
/// # Errors
/// When the files do not fit each other, the loss is no longer a finite number, libtorch fails, or the job is cancelled.
/// Nothing is written then.
pub fn run(job: &TrainJob, events: Events<'_>, cancel: &Cancel) -> Result<JobResult, Failure> {
    let device = numerics::apply(job.setting)?;
    let network = network::load(&job.architecture, start(job), job.seed, device)?;
    let weights = Weights::of(network.store());
    let open = |path: &std::path::Path| {
        tokens::with_target(Dataset::open(path, Some(&job.target), device)?, &job.task, &job.target)
    };
    let data = open(&job.data)?;
    let validation = job.validate.as_deref().map(open).transpose()?;
    let target = data.target.as_ref().ok_or_else(|| Failure::new("the training data has no target"))?;
    let criterion = Criterion::new(&job.loss, &job.task, target, device)?;
    let forward = |features: &BTreeMap<String, tch::Tensor>, train: bool| network.forward(features, train);
    tokens::check_causal(&forward, &data, &job.task, &job.target)?;
    let trainer = Trainer {
        job,
        data: &data,
        forward: &forward,
        criterion: &criterion,
        masker: Masker::new(&job.task, &job.target, job.seed),
        outputs: network.outputs(),
        optimizer: optim::build(&job.optimizer, &weights.trained())?,
        cancel,
    };
    if trainer.steps_per_epoch() == 0 {
        return Err(no_batch(job, data.rows));
    }
    let values = epochs(trainer, &weights, validation.as_ref(), events)?;
    weights.save(&job.out)?;
    Ok(JobResult { values, environment: numerics::environment(job.setting), files: vec![job.out.clone()] })
}

fn start(job: &TrainJob) -> Start<'_> {
    match (&job.weights, &job.base) {
        (Some(weights), _) => Start::Weights(weights),
        (None, Some(base)) => Start::Base(base),
        (None, None) => Start::Drawn,
    }
}

/// Runs the epochs. Afterwards the weights are those of the best epoch, where that is wanted. Gives the values of that
/// epoch's row of the history, with `epochs` run and `best_epoch`.
fn epochs(
    mut trainer: Trainer<'_>,
    weights: &Weights,
    validation: Option<&Dataset>,
    events: Events<'_>,
) -> Result<BTreeMap<String, f64>, Failure> {
    let job = trainer.job;
    let mut watch = job.early_stop.as_ref().map(Watch::new);
    let mut best: Option<(Snapshot, BTreeMap<String, f64>)> = None;
    let mut last = BTreeMap::new();
    let mut ran = 0;
    let started = Instant::now();
    for epoch in 1..=job.epochs {
        let result = trainer.epoch(epoch, events)?;
        ran = epoch;
        last = BTreeMap::from([("loss".to_owned(), result.loss), ("lr".to_owned(), result.lr)]);
        if let Some(data) = validation {
            let rows = tokens::rows_at_once(&job.task, trainer.outputs, job.batch_size.max(VALIDATION_ROWS));
            let masker = trainer.masker.as_ref();
            let (forward, criterion) = (trainer.forward, trainer.criterion);
            last.extend(validate::validate(forward, data, criterion, &job.task, masker, rows, trainer.cancel)?);
        }
        events(WorkerEvent::Epoch { epoch, epochs: job.epochs, values: last.clone() });
        let Some(watch) = &mut watch else { continue };
        match watch.see(epoch, metric(&last, watch.metric())?) {
            Verdict::Best if watch.restores() => best = Some((weights.snapshot(), last.clone())),
            Verdict::Best | Verdict::Wait => {}
            Verdict::Stop => break,
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    if let Some((snapshot, values)) = best {
        weights.restore(&snapshot)?;
        last = values;
    }
    last.insert("epochs".to_owned(), ran as f64);
    if let Some(epoch) = watch.as_ref().and_then(Watch::best_epoch) {
        last.insert("best_epoch".to_owned(), epoch as f64);
    }
    let rows = trainer.data.rows as f64 * ran as f64;
    last.insert("rows_per_second".to_owned(), rows / seconds.max(1e-9));
    Ok(last)
}

fn metric(values: &BTreeMap<String, f64>, name: &str) -> Result<f64, Failure> {
    values.get(name).copied().ok_or_else(|| Failure::new(format!("early_stop: there is no metric `{name}`")))
}

fn no_batch(job: &TrainJob, rows: i64) -> Failure {
    let failure = Failure::new(format!("{rows} rows make no batch of {}", job.batch_size));
    if rows == 0 {
        failure.hint("the training data is empty: look at the stages before it with `kilter show`")
    } else {
        failure.hint("use a smaller `batch_size`, or `drop_last = false`")
    }
}
