//! Trains a model: epochs, validation, early stop, weights.

mod augment;
mod average;
pub mod batches;
mod best;
mod course;
mod diverged;
mod early_stop;
mod epoch;
mod labels;
mod loader;
mod memory;
mod meter;
mod mixup;
pub mod order;
mod precision;
mod record;
mod replay;
mod step;
mod trace;
mod validate;

use super::tokens::{self, Masker};
use super::{Events, inputs};
use crate::checkpoint::{Keeper, Kept, Origin, go_on, write_folder};
use crate::failure::Failure;
use crate::losses::Criterion;
use crate::numerics::Generators;
use crate::tensors::{Dataset, Weights, bytes_of};
use crate::{network, numerics, optim};
use course::{Course, Parts};
use early_stop::{Verdict, Watch};
use epoch::Trainer;
use kilter::env::Cancel;
use kilter::job::{Accumulate, JobResult, Start, TrainJob, WorkerEvent};
use memory::Trial;
use precision::{Casting, LossScale};
use record::Record;
use replay::Replay;
use std::collections::BTreeMap;
use std::time::Instant;
use step::Step;
use tch::{Device, Kind, Tensor};

/// Validation needs no gradients, so that its batches may be larger than those of training.
const VALIDATION_ROWS: usize = 512;

/// Trains, and writes the weights at the end.
///
/// # Errors
/// When the files do not fit each other, the loss is no longer a finite number, libtorch fails, or the job is cancelled.
/// Nothing is written then but a checkpoint.
pub fn run(job: &TrainJob, events: Events<'_>, cancel: &Cancel) -> Result<JobResult, Failure> {
    let device = numerics::apply_to(job.setting, job.deterministic, job.precision)?;
    let network = network::load(&job.architecture, start(job), job.seed, device)?;
    let weights = Weights::of(network.store());
    let open = |path: &std::path::Path| {
        tokens::with_target(Dataset::open(path, Some(&job.target), device)?, &job.task, &job.target)
    };
    let data = open(&job.data)?;
    let validation = job.validate.as_deref().map(open).transpose()?;
    let target = data.target.as_ref().ok_or_else(|| Failure::new("the training data has no target"))?;
    inputs::check(&data, "training data", network.inputs())?;
    if let Some(data) = &validation {
        inputs::check(data, "validation data", network.inputs())?;
    }
    labels::check_all(&data, validation.as_ref(), &job.task, network.outputs())?;
    let criterion = Criterion::new(&job.loss, &job.task, target, device)?;
    let forward = |features: &BTreeMap<String, Tensor>, train: bool| network.forward(features, train);
    tokens::check_causal(&forward, &data, &job.task, &job.target)?;
    let casting = Casting::new(job.precision, device);
    let mut optimizer =
        optim::build(&job.optimizer, &optim::parameters(network.store(), job.optimizer.no_decay(), network.head()))?;
    let mut step = Step { forward: &forward, criterion: &criterion, casting, parts: 1 };
    step.parts = Trial { job, data: &data, step: &step }.parts(device, &weights, &mut optimizer)?;
    let masker = Masker::new(&job.task, &job.target, job.seed);
    let mut trainer = Trainer { job, data: &data, step, masker, device, outputs: network.outputs(), cancel };
    if trainer.steps_per_epoch() == 0 {
        return Err(no_batch(job, data.rows));
    }
    let mut course = Course::new(job, weights, optimizer, Generators::of(device), Record::new(events, job.epochs));
    course.scale = LossScale::new(job.precision, device)?;
    course.parts = memory::decides(job, device).then_some(Parts(trainer.step.parts));
    course.replay = Replay::new(job, device, &mut course.optimizer)?;
    if job.gradient_norms {
        course.meter.layers = optim::layers(network.store());
    }
    let outcome = interruptible(&mut trainer, &mut course, validation.as_ref());
    let values = outcome.map_err(|failure| match device {
        Device::Cuda(_) if failure.is_out_of_memory() => {
            Trial { job, data: &data, step: &trainer.step }.advice(failure, &mut course.optimizer)
        }
        _ => failure,
    })?;
    let mut environment = numerics::environment(job.setting);
    if job.accumulate == Accumulate::Auto {
        environment.insert("accumulate".to_owned(), trainer.step.parts.to_string());
    }
    Ok(JobResult { values, environment, files: vec![job.out.clone()] })
}

fn start(job: &TrainJob) -> network::Start<'_> {
    match (&job.weights, &job.base) {
        (Some(weights), _) => network::Start::Weights(weights),
        (None, Some(base)) => network::Start::Base(base),
        (None, None) => network::Start::Drawn,
    }
}

/// Goes on from what is there, trains to the end, and writes what comes of it. Leaves a checkpoint when it is told to stop.
fn interruptible(
    trainer: &mut Trainer<'_>,
    course: &mut Course<'_>,
    validation: Option<&Dataset>,
) -> Result<BTreeMap<String, f64>, Failure> {
    let job = trainer.job;
    let origin = begin(trainer, course)?;
    let is_kept = origin == Some(Origin::Own);
    let mut keeper = Keeper::start(job.checkpoints.as_ref(), course.at.step, is_kept)?;
    let outcome = epochs(trainer, course, validation, keeper.as_mut());
    if let Some(keeper) = keeper.filter(|_| outcome.is_err() && trainer.cancel.is_set()) {
        keeper.take_last(course)?;
    }
    let seconds_and_rows = outcome?;
    finish(trainer, course, seconds_and_rows)
}

/// Goes on from the furthest state that there is.
fn begin(trainer: &mut Trainer<'_>, course: &mut Course<'_>) -> Result<Option<Origin>, Failure> {
    let job = trainer.job;
    let Some((loaded, origin)) = go_on(job, &mut |event| course.record.tell(event)) else { return Ok(None) };
    let steps_per_epoch = trainer.steps_per_epoch();
    course.restore(&loaded.state, steps_per_epoch)?;
    if let Some(Parts(parts)) = course.parts {
        trainer.step.parts = parts;
    }
    let from = if origin == Origin::Earlier { Start::Result } else { Start::Checkpoint };
    let epochs = if course.at.batch == 0 { course.at.epoch - 1 } else { course.at.epoch };
    let steps = steps_per_epoch * job.epochs;
    course.record.tell(WorkerEvent::Continues { from, step: course.at.step, steps, epoch: epochs, epochs: job.epochs });
    Ok(Some(origin))
}

/// How long the epochs took that were run here, and their rows.
type Speed = (f64, f64);

/// Runs the epochs that are left.
fn epochs(
    trainer: &Trainer<'_>,
    course: &mut Course<'_>,
    validation: Option<&Dataset>,
    mut keeper: Option<&mut Keeper>,
) -> Result<Speed, Failure> {
    let (started, first) = (Instant::now(), course.at.step);
    while course.goes_on() {
        let result = trainer.epoch(course, keeper.as_deref_mut())?;
        let mut values = BTreeMap::from([("loss".to_owned(), result.loss), ("lr".to_owned(), result.lr)]);
        course.exchange_average()?;
        let judged = judge(trainer, course, validation, &mut values);
        // Also where it failed: a checkpoint may follow.
        course.exchange_average()?;
        judged?;
        course.record.end_epoch(values);
        course.end_epoch();
        if let Some(keeper) = &mut keeper {
            keeper.consider(course)?;
        }
    }
    let rows = trainer.data.rows as f64 * (course.at.step - first) as f64 / trainer.steps_per_epoch() as f64;
    Ok((started.elapsed().as_secs_f64(), rows))
}

/// Adds what validation gives to an epoch's values, and watches them.
fn judge(
    trainer: &Trainer<'_>,
    course: &mut Course<'_>,
    validation: Option<&Dataset>,
    values: &mut BTreeMap<String, f64>,
) -> Result<(), Failure> {
    let (job, step) = (trainer.job, &trainer.step);
    if let Some(data) = validation {
        let rows = tokens::rows_at_once(&job.task, trainer.outputs, job.batch_size.max(VALIDATION_ROWS));
        let masker = trainer.masker.as_ref();
        let forward = |features: &BTreeMap<String, Tensor>, train: bool| {
            step.casting.within(|| Ok((step.forward)(features, train)?.f_to_kind(Kind::Float)?))
        };
        values.extend(validate::validate(&forward, data, step.criterion, &job.task, masker, rows, trainer.cancel)?);
    }
    if let Some(followed) = job.schedule.metric() {
        metric("schedule", values, followed)?;
    }
    if let Some(watch) = &mut course.watch {
        match watch.see(course.at.epoch, metric("early_stop", values, watch.metric())?) {
            Verdict::Best if watch.restores() => course.best.take(&course.weights, values.clone()),
            Verdict::Best | Verdict::Wait => {}
            Verdict::Stop => course.at.stopped = true,
        }
    }
    Ok(())
}

/// Writes the state, where it is wanted, and the weights: those of the best epoch, where that is wanted. Gives the values of
/// that epoch's row of the history, with `epochs` run and `best_epoch`,
/// and the part of the time that was waited for batches.
fn finish(
    trainer: &Trainer<'_>,
    course: &mut Course<'_>,
    (seconds, rows): Speed,
) -> Result<BTreeMap<String, f64>, Failure> {
    let mut room = bytes_of(course.weights.iter().map(|(_, tensor)| tensor));
    if let Some(folder) = &trainer.job.state {
        let state = course.state()?;
        room += bytes_of(state.parts.values().flat_map(|part| part.tensors.values()));
        write_folder(folder, &state).map_err(|failure| failure.for_want_of_room(room))?;
    }
    let best = course.best.put_back(&course.weights)?;
    if best.is_none() {
        course.exchange_average()?;
    }
    let mut values = record::finite(best.unwrap_or_else(|| course.record.last()));
    course.weights.save(&trainer.job.out).map_err(|failure| failure.for_want_of_room(room))?;
    values.insert("epochs".to_owned(), course.record.epochs() as f64);
    if let Some(epoch) = course.watch.as_ref().and_then(Watch::best_epoch) {
        values.insert("best_epoch".to_owned(), epoch as f64);
    }
    values.insert("rows_per_second".to_owned(), rows / seconds.max(1e-9));
    values.insert("data_wait".to_owned(), course.waited.as_secs_f64() / seconds.max(1e-9));
    Ok(values)
}

fn metric(field: &str, values: &BTreeMap<String, f64>, name: &str) -> Result<f64, Failure> {
    values.get(name).copied().ok_or_else(|| Failure::new(format!("{field}: there is no metric `{name}`")))
}

fn no_batch(job: &TrainJob, rows: i64) -> Failure {
    let failure = Failure::new(format!("{rows} rows make no batch of {}", job.batch_size));
    if rows == 0 {
        failure.hint("the training data is empty: look at the stages before it with `kilter show`")
    } else {
        failure.hint("use a smaller `batch_size`, or `drop_last = false`")
    }
}
