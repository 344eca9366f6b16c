//! Runs a training job in the worker, shows its progress, writes its history.

use super::batch;
use super::check::names;
use super::kind::{CURVES, GRADIENTS, HISTORY, MODEL, STATE};
use super::spec::TrainSpec;
use crate::frame;
use crate::job::{Checkpoints, Job, JobResult, Setting, Start, TRACE, TrainJob, WorkerEvent};
use crate::numbers;
use crate::numbers::{number, rate, sparkline};
use crate::path;
use crate::plot::{self, Curve};
use crate::stage::{Input, Produced, Progress, RunCx, StageError};
use crate::stages::encode::Encoder;
use crate::stages::model::BASE_WEIGHTS;
use crate::types::{ArtifactType, ModelType, TargetType};
use polars::prelude::{Column, DataFrame};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// See [`crate::stage::Kind::run`].
pub(super) fn run(spec: &TrainSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
    let model = cx.input(&spec.model)?;
    let ArtifactType::Model(untrained) = &model.ty else { return Err(StageError::bug("the model is none")) };
    let data = cx.input(&spec.data)?;
    let target = target(model, data)?;
    same_encoder(spec, model, cx)?;
    if let ArtifactType::Dataset(data) = &data.ty
        && let Some(told) = batch::too_large(spec, data)
    {
        cx.services.warn(told);
    }
    let out = cx.out(MODEL)?;
    for name in ["architecture.json", "encoder.json"] {
        let (from, to) = (path(model, name)?, out.join(name));
        let bytes = std::fs::read(&from).map_err(|error| StageError::io("read", &from, &error))?;
        std::fs::write(&to, bytes).map_err(|error| StageError::io("write", &to, &error))?;
    }
    let job = job(spec, model, target, cx)?;
    let mut display = Display { planned: spec.epochs, ..Display::default() };
    let result = cx.services.run_job(&Job::Train(Box::new(job)), &mut |event| match event {
        WorkerEvent::Warning { message } => cx.services.warn(message.clone()),
        WorkerEvent::Continues { from, step, steps, epoch, epochs } => {
            cx.services.note(continues(*from, (*step, *steps), (*epoch, *epochs)));
        }
        event => {
            if let Some((step, values)) = display.values(event) {
                cx.services.values(step, values);
            }
            if let Some(progress) = display.hear(event) {
                cx.services.progress(progress);
            }
        }
    })?;
    let mut produced = Produced::new(summary(&result, spec.epochs));
    produced.metrics = metrics(&result);
    let trained = ModelType { trained: true, ..untrained.clone() };
    let produced = produced.port(MODEL, ArtifactType::Model(trained));
    let produced = if spec.extendable { produced.port(STATE, ArtifactType::State) } else { produced };
    let names = names(spec, Some(&target.task));
    let produced = frame::write_table(cx, HISTORY, history(&display.epochs, &names)?, produced)?;
    let mut produced = frame::write_table(cx, TRACE, trace(&display.trace)?, produced)?;
    if spec.gradient_norms {
        produced = frame::write_table(cx, GRADIENTS, gradients(&display.gradients)?, produced)?;
    }
    let picture = cx.out(CURVES)?.join("curves.svg");
    let best = result.values.get("best_epoch").copied();
    std::fs::write(&picture, curves(&display.epochs, &names, best))
        .map_err(|error| StageError::io("write", &picture, &error))?;
    Ok(produced.port(CURVES, ArtifactType::Report))
}

/// Two encoders that were fitted on different rows give the same shapes and mean different things by them. A model that learnt from the
/// one would carry the other, and misread whatever it is asked.
fn same_encoder(spec: &TrainSpec, model: &Input, cx: &RunCx<'_>) -> Result<(), StageError> {
    let own = Encoder::of(model)?;
    let data = (
        "data",
        &spec.data,
        "name it as `data` of the model's stage too; `base` of a `model` stage takes the layers of a trained one over",
    );
    let validation = spec.validate.as_ref();
    let validation = validation.map(|reference| {
        ("validate", reference, "encode training and validation data by one stage: `fit` the one, `apply` to the other")
    });
    for (field, reference, hint) in std::iter::once(data).chain(validation) {
        if Encoder::of(cx.input(reference)?)? != own {
            let message =
                format!("`{reference}` was encoded by another encoder than the one that `{}` was made for", spec.model);
            return Err(StageError::data(message)
                .note("its means, categories or classes differ, and the model carries the encoder that it was made for")
                .hint(hint)
                .at(path![field]));
        }
    }
    Ok(())
}

/// What the worker is asked for.
fn job(spec: &TrainSpec, model: &Input, target: &TargetType, cx: &RunCx<'_>) -> Result<TrainJob, StageError> {
    Ok(TrainJob {
        setting: Setting { threads: size(spec.threads), numerics: spec.numerics, device: spec.device.device() },
        architecture: path(model, "architecture.json")?,
        weights: model.file("model.safetensors").map(|file| file.path.clone()),
        base: model.file(BASE_WEIGHTS).map(|file| file.path.clone()),
        data: path(cx.input(&spec.data)?, "data.safetensors")?,
        validate: spec.validate.as_ref().map(|data| path(cx.input(data)?, "data.safetensors")).transpose()?,
        target: target.name.clone(),
        task: target.task.clone(),
        loss: spec.loss.clone(),
        optimizer: spec.optimizer.clone(),
        schedule: spec.schedule.clone(),
        epochs: spec.epochs,
        batch_size: size(spec.batch_size),
        shuffle: spec.shuffle,
        drop_last: spec.drop_last,
        accumulate: spec.accumulate,
        precision: spec.precision,
        deterministic: spec.deterministic,
        graph: spec.graph,
        ema: spec.ema,
        gradient_norms: spec.gradient_norms,
        clip: spec.clip,
        early_stop: spec.early_stop.clone(),
        augment: spec.augment.filter(|augment| !augment.is_nothing()),
        seed: cx.seed.number("train"),
        checkpoints: checkpoints(spec, cx),
        earlier: cx.onward.earlier.as_ref().map(files),
        state: spec.extendable.then(|| cx.out(STATE)).transpose()?,
        out: cx.out(MODEL)?.join("model.safetensors"),
    })
}

fn checkpoints(spec: &TrainSpec, cx: &RunCx<'_>) -> Option<Checkpoints> {
    let every = spec.checkpoint_every.map(|limit| limit.0.as_secs_f64());
    let folder = cx.onward.checkpoints.clone()?;
    Some(Checkpoints { folder, readable: cx.onward.readable.clone(), every })
}

fn files(input: &Input) -> BTreeMap<String, PathBuf> {
    input.files.iter().map(|file| (file.name.clone(), file.path.clone())).collect()
}

/// `continues at step 4,000 of 4,680 (epoch 9 of 10)`
fn continues(from: Start, (step, steps): (u64, u64), (epoch, epochs): (u64, u64)) -> String {
    let count = numbers::count;
    match from {
        Start::Checkpoint => {
            format!(
                "continues at step {} of {} (epoch {} of {})",
                count(step),
                count(steps),
                count(epoch),
                count(epochs)
            )
        }
        Start::Result => format!("continues from epoch {} of {}, an earlier result", count(epoch), count(epochs)),
    }
}

/// The losses over the epochs; beside them the accuracy, which has the same scale. Errors in the target's unit would not.
fn curves(epochs: &[(u64, BTreeMap<String, f64>)], names: &[&str], best: Option<f64>) -> String {
    let shown = names.iter().filter(|name| ["loss", "val_loss", "val_accuracy"].contains(name));
    let lines: Vec<Curve> = shown
        .map(|name| Curve {
            name: (*name).to_owned(),
            points: epochs.iter().filter_map(|(epoch, values)| Some((*epoch as f64, *values.get(*name)?))).collect(),
        })
        .collect();
    plot::curves("Training", "epoch", "", &lines, best.map(|epoch| (epoch, "best")))
}

/// The target that the model learns, as the data has it.
fn target<'a>(model: &Input, data: &'a Input) -> Result<&'a TargetType, StageError> {
    match (&model.ty, &data.ty) {
        (ArtifactType::Model(ModelType { target: Some(target), .. }), ArtifactType::Dataset(dataset)) => {
            dataset.target(&target.name)
        }
        _ => None,
    }
    .ok_or_else(|| StageError::bug("the training data has no target"))
}

fn path(input: &Input, name: &str) -> Result<PathBuf, StageError> {
    let file = input.file(name).ok_or_else(|| StageError::bug(format!("an input lacks its `{name}`")))?;
    Ok(file.path.clone())
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// What of the job's values is worth comparing between runs: nothing that depends on the machine's speed.
fn metrics(result: &JobResult) -> BTreeMap<String, f64> {
    let speed = ["rows_per_second", "data_wait", "lr"];
    result.values.iter().filter(|(name, _)| !speed.contains(&name.as_str())).map(|(k, v)| (k.clone(), *v)).collect()
}

/// `10 epochs · val accuracy 0.978 · val loss 0.071 · loss 0.041`
fn summary(result: &JobResult, planned: u64) -> String {
    let value = |name: &str| result.values.get(name).copied();
    let ran = value("epochs").unwrap_or(planned as f64) as u64;
    let mut parts = vec![match value("best_epoch") {
        Some(best) => format!("{ran} of {planned} epochs, best {best}"),
        None => numbers::counted(size(ran), "epoch"),
    }];
    let told = ["val_accuracy", "val_rmse", "val_f1_micro", "val_pair_accuracy", "val_perplexity", "val_loss", "loss"];
    for name in told {
        parts.extend(value(name).map(|value| format!("{} {}", name.replace('_', " "), number(value))));
    }
    parts.join(" · ")
}

/// A frame with a row per epoch.
fn history(epochs: &[(u64, BTreeMap<String, f64>)], names: &[&str]) -> Result<DataFrame, StageError> {
    let numbers: Vec<i64> = epochs.iter().map(|(epoch, _)| epoch.cast_signed()).collect();
    let mut columns = vec![Column::new("epoch".into(), numbers)];
    for name in names {
        let values: Vec<Option<f64>> = epochs.iter().map(|(_, values)| values.get(*name).copied()).collect();
        columns.push(Column::new((*name).into(), values));
    }
    DataFrame::new(epochs.len(), columns).map_err(|error| frame::failed("make the history", &error))
}

/// A row of the trace.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    step: u64,
    epoch: u64,
    loss: f32,
    grad_norm: Option<f32>,
    digest: String,
}

/// A frame with a row per traced step.
fn trace(rows: &[Row]) -> Result<DataFrame, StageError> {
    fn column<T>(rows: &[Row], of: impl Fn(&Row) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    let columns = vec![
        Column::new("step".into(), column(rows, |row| row.step.cast_signed())),
        Column::new("epoch".into(), column(rows, |row| row.epoch.cast_signed())),
        Column::new("loss".into(), column(rows, |row| row.loss)),
        Column::new("grad_norm".into(), column(rows, |row| row.grad_norm)),
        Column::new("digest".into(), column(rows, |row| row.digest.clone())),
    ];
    DataFrame::new(rows.len(), columns).map_err(|error| frame::failed("make the trace", &error))
}

/// The norm of a layer's gradients at a step.
#[derive(Clone, Debug, PartialEq)]
struct GradientRow {
    step: u64,
    epoch: u64,
    layer: String,
    norm: Option<f32>,
}

/// A frame with a row per traced step and layer.
fn gradients(rows: &[GradientRow]) -> Result<DataFrame, StageError> {
    let columns = vec![
        Column::new("step".into(), rows.iter().map(|row| row.step.cast_signed()).collect::<Vec<_>>()),
        Column::new("epoch".into(), rows.iter().map(|row| row.epoch.cast_signed()).collect::<Vec<_>>()),
        Column::new("layer".into(), rows.iter().map(|row| row.layer.as_str()).collect::<Vec<_>>()),
        Column::new("norm".into(), rows.iter().map(|row| row.norm).collect::<Vec<_>>()),
    ];
    DataFrame::new(rows.len(), columns).map_err(|error| frame::failed("make the table of gradients", &error))
}

/// What was heard of the job so far.
#[derive(Default)]
struct Display {
    planned: u64,
    epochs: Vec<(u64, BTreeMap<String, f64>)>,
    losses: Vec<f64>,
    trace: Vec<Row>,
    gradients: Vec<GradientRow>,
}

impl Display {
    /// What an event tells of what is watched, and at which step.
    fn values(&self, event: &WorkerEvent) -> Option<(u64, BTreeMap<String, f64>)> {
        match event {
            WorkerEvent::Trace { step, loss, grad_norm, .. } => {
                let values = [("train/loss", Some(*loss)), ("train/grad_norm", *grad_norm)];
                let known = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), f64::from(value?))));
                Some((*step, known.collect()))
            }
            WorkerEvent::Gradients { step, norms, .. } => {
                let known =
                    |(layer, norm): (&String, &Option<f32>)| Some((format!("gradients/{layer}"), f64::from((*norm)?)));
                Some((*step, norms.iter().filter_map(known).collect()))
            }
            WorkerEvent::Epoch { epoch, values, .. } => {
                // The last step of an epoch is traced.
                let last = self.trace.iter().rev().find(|row| row.epoch == *epoch)?;
                let named = |(name, value): (&String, &f64)| match name.strip_prefix("val_") {
                    Some(metric) => (format!("val/{metric}"), *value),
                    None => (format!("epoch/{name}"), *value),
                };
                Some((last.step, values.iter().map(named).collect()))
            }
            _ => None,
        }
    }

    /// Notes an event; gives what there is to show.
    fn hear(&mut self, event: &WorkerEvent) -> Option<Progress> {
        match event {
            WorkerEvent::Epoch { epoch, values, .. } => {
                self.epochs.push((*epoch, values.clone()));
                None
            }
            WorkerEvent::Step { epoch, step, steps, loss, rows_per_second } => {
                self.losses.push(*loss);
                let mut detail = format!(
                    "epoch {epoch}/{} · {} · loss {} {}",
                    self.planned,
                    rate(*rows_per_second, "rows"),
                    sparkline(&self.losses, 8),
                    number(*loss)
                );
                if let Some(accuracy) = self.epochs.last().and_then(|(_, values)| values.get("val_accuracy")) {
                    detail.push_str(&format!(" · val accuracy {}", number(*accuracy)));
                }
                Some(Progress { done: *step, total: Some(*steps), unit: "step", detail })
            }
            WorkerEvent::Trace { epoch, step, loss, grad_norm, digest } => {
                let (step, epoch, digest) = (*step, *epoch, digest.clone());
                self.trace.push(Row { step, epoch, loss: *loss, grad_norm: *grad_norm, digest });
                None
            }
            WorkerEvent::Gradients { epoch, step, norms } => {
                let row = |(layer, norm): (&String, &Option<f32>)| GradientRow {
                    step: *step,
                    epoch: *epoch,
                    layer: layer.clone(),
                    norm: *norm,
                };
                self.gradients.extend(norms.iter().map(row));
                None
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_one_line_of_what_counts() {
        let values = [("epochs", 10.0), ("val_accuracy", 0.978), ("loss", 0.0412), ("rows_per_second", 1e4)];
        let mut result = JobResult::default();
        result.values.extend(values.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(summary(&result, 10), "10 epochs · val accuracy 0.978 · loss 0.041");
        assert_eq!(metrics(&result).into_keys().collect::<Vec<_>>(), ["epochs", "loss", "val_accuracy"]);
        result.values.insert("best_epoch".to_owned(), 7.0);
        assert!(summary(&result, 20).starts_with("10 of 20 epochs, best 7 · "));
        let values = BTreeMap::from([("epochs".to_owned(), 1.0), ("val_pair_accuracy".to_owned(), 0.75)]);
        let ranks = JobResult { values, ..JobResult::default() };
        assert_eq!(summary(&ranks, 1), "1 epoch · val pair accuracy 0.750");
    }

    #[test]
    fn the_trace_has_a_row_per_traced_step() {
        let mut display = Display::default();
        for (step, grad_norm) in [(1, Some(0.5)), (2, None)] {
            let event = WorkerEvent::Trace { epoch: 1, step, loss: 2.25, grad_norm, digest: format!("{step:016}") };
            assert_eq!(display.hear(&event), None);
        }
        let frame = trace(&display.trace).unwrap();
        assert_eq!(frame.get_column_names(), ["step", "epoch", "loss", "grad_norm", "digest"]);
        assert_eq!(frame.column("grad_norm").unwrap().f32().unwrap().to_vec(), [Some(0.5), None]);
        assert!(frame.column("loss").unwrap().f32().is_ok());
    }

    #[test]
    fn what_is_watched_has_a_step_and_an_owner() {
        let mut display = Display::default();
        let trace = WorkerEvent::Trace { epoch: 1, step: 24, loss: 0.5, grad_norm: None, digest: String::new() };
        assert_eq!(display.values(&trace), Some((24, BTreeMap::from([("train/loss".to_owned(), 0.5)]))));
        display.hear(&trace);
        let values = BTreeMap::from([("lr".to_owned(), 0.1), ("val_loss".to_owned(), 0.25)]);
        let epoch = WorkerEvent::Epoch { epoch: 1, epochs: 2, values };
        let told = [("epoch/lr", 0.1), ("val/loss", 0.25)].map(|(name, value)| (name.to_owned(), value));
        assert_eq!(display.values(&epoch), Some((24, BTreeMap::from(told))));
    }

    #[test]
    fn the_history_has_a_row_per_epoch_in_the_declared_order() {
        let row = |loss: f64| BTreeMap::from([("loss".to_owned(), loss), ("lr".to_owned(), 0.1)]);
        let frame = history(&[(1, row(2.0)), (2, row(1.0))], &["loss", "lr"]).unwrap();
        assert_eq!(frame.get_column_names(), ["epoch", "loss", "lr"]);
        assert_eq!(frame.column("loss").unwrap().f64().unwrap().to_vec(), [Some(2.0), Some(1.0)]);
    }
}
