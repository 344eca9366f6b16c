//! What a training stage will output, and what is wrong with it.

use super::kind::{CURVES, HISTORY, MODEL};
use super::spec::TrainSpec;
use crate::diag::{codes, did_you_mean, list};
use crate::job::{TRACE, validation_metrics};
use crate::nn::choice::Problem;
use crate::nn::losses::{CrossEntropy, Loss};
use crate::path;
use crate::stage::{CheckCx, Outputs};
use crate::types::{ArtifactType, Column, DType, DatasetType, ModelType, TableSchema, Task};

/// See [`crate::stage::Kind::check`].
pub(super) fn check(spec: &TrainSpec, cx: &mut CheckCx<'_>) -> Outputs {
    numbers(spec, cx);
    let model = cx.model(&spec.model, path!["model"]);
    let data = cx.dataset(&spec.data, path!["data"]);
    let validation = spec.validate.as_ref().and_then(|reference| cx.dataset(reference, path!["validate"]));
    let task = data.and_then(|data| target(spec, model, data, cx));
    if let Some(task) = task {
        loss_fits(spec, task, cx);
    }
    metric(spec, task, cx);
    if let (Some(model), Some(data)) = (model, data) {
        data_fits(spec, model, data, cx);
    }
    if let (Some(model), Some(validation)) = (model, validation) {
        validation_fits(spec, model, validation, cx);
    }
    if let Some(data) = data {
        batch_fits(spec, data, cx);
        images(spec, data, cx);
    }
    let trained =
        model.map_or(ArtifactType::Unknown, |model| ArtifactType::Model(ModelType { trained: true, ..model.clone() }));
    let history = ArtifactType::Table(history(spec, task));
    let trace = ArtifactType::Table(trace());
    Outputs::none().and(MODEL, trained).and(HISTORY, history).and(TRACE, trace).and(CURVES, ArtifactType::Report)
}

/// The columns of the trace.
fn trace() -> TableSchema {
    let columns = [
        ("step", DType::I64),
        ("epoch", DType::I64),
        ("loss", DType::F32),
        ("grad_norm", DType::F32),
        ("digest", DType::Str),
    ];
    TableSchema::new(columns.into_iter().map(|(name, dtype)| Column::new(name, dtype)).collect())
}

/// The columns of the history; open while the target is not known.
fn history(spec: &TrainSpec, task: Option<&Task>) -> TableSchema {
    let mut columns = vec![Column::new("epoch", DType::I64)];
    columns.extend(names(spec, task).into_iter().map(|name| Column::new(name, DType::F64)));
    let mut schema = TableSchema::new(columns);
    schema.complete = spec.validate.is_none() || task.is_some();
    schema.rows = spec.early_stop.is_none().then_some(spec.epochs);
    schema
}

/// The history's columns beside `epoch`, in order.
pub(super) fn names(spec: &TrainSpec, task: Option<&Task>) -> Vec<&'static str> {
    let mut names = vec!["loss", "lr"];
    if spec.validate.is_some() {
        names.push("val_loss");
        names.extend(task.map_or(&[][..], validation_metrics));
    }
    names
}

/// Numbers that are out of range whatever the inputs are.
fn numbers(spec: &TrainSpec, cx: &mut CheckCx<'_>) {
    for (field, value) in [("epochs", spec.epochs), ("batch_size", spec.batch_size), ("threads", spec.threads)] {
        if value == 0 {
            cx.error(path![field], codes::OUT_OF_RANGE, format!("{field} is at least 1, found 0"));
        }
    }
    if spec.threads > 1024 {
        let message = format!("threads is at most 1,024, found {}", spec.threads);
        cx.error(path!["threads"], codes::OUT_OF_RANGE, message);
    }
    choice("loss", spec.loss.name(), spec.loss.problems(), cx);
    choice("optimizer", spec.optimizer.name(), spec.optimizer.problems(), cx);
    choice("schedule", spec.schedule.name(), spec.schedule.problems(), cx);
    if let Some(clip) = spec.clip {
        let bound = clip.bound();
        if !(bound > 0.0 && bound.is_finite()) {
            cx.error(path!["clip"], codes::OUT_OF_RANGE, format!("the bound of clip is above 0, found {bound}"));
        }
    }
    if let Some(stop) = &spec.early_stop
        && !(stop.min_delta >= 0.0 && stop.min_delta.is_finite())
    {
        let message = format!("min_delta is at least 0, found {}", stop.min_delta);
        cx.error(path!["early_stop", "min_delta"], codes::OUT_OF_RANGE, message);
    }
}

fn choice(field: &str, name: &str, problems: Vec<Problem>, cx: &mut CheckCx<'_>) {
    for problem in problems {
        cx.error(path![field, name, problem.field], codes::OUT_OF_RANGE, problem.message);
    }
}

fn target<'a>(
    spec: &TrainSpec,
    model: Option<&ModelType>,
    data: &'a DatasetType,
    cx: &mut CheckCx<'_>,
) -> Option<&'a Task> {
    let chosen = model.and_then(|model| data.target(&model.target.as_ref()?.name));
    match chosen.or(data.only_target()) {
        Some(target) => Some(&target.task),
        None if !data.targets.is_empty() => None,
        None => {
            cx.error(path!["data"], codes::NO_TARGET, format!("`{}` has no target to learn", spec.data))
                .label("only features")
                .from_stage(&spec.data, "encoded here")
                .hint(
                    "`target.COLUMN = \"category\"`, `\"binary\"` or `\"number\"` in that stage says what to predict",
                );
            None
        }
    }
}

fn loss_fits(spec: &TrainSpec, task: &Task, cx: &mut CheckCx<'_>) {
    if !spec.loss.fits(task) {
        let fitting = Loss::fitting(task);
        let message = format!(
            "`{}` is a loss for a {} target, and this target is a {}",
            spec.loss.name(),
            spec.loss.task(),
            task.name()
        );
        cx.error(path!["loss"], codes::LOSS_TASK, message)
            .label(format!("for a {} target", spec.loss.task()))
            .from_stage(&spec.data, format!("the target is a {}", task.name()))
            .hint(format!("for this target there is {}", list(fitting, 6)));
    }
    if let Loss::CrossEntropy(CrossEntropy { weight: Some(_), .. }) = &spec.loss
        && task.is_tokens()
    {
        let message = "tokens of a vocabulary all count the same: `weight` is for classes";
        cx.error(path!["loss", "cross_entropy", "weight"], codes::LOSS_TASK, message)
            .label("not for tokens")
            .hint("leave it out");
    }
}

/// The early stop's metric is one that the history will have.
fn metric(spec: &TrainSpec, task: Option<&Task>, cx: &mut CheckCx<'_>) {
    let Some(stop) = &spec.early_stop else { return };
    let metric = stop.metric.as_str();
    let mut known = names(spec, task);
    known.retain(|name| *name != "lr");
    if known.contains(&metric) || (task.is_none() && spec.validate.is_some()) {
        return;
    }
    let message = format!("early_stop watches `{metric}`, which is not computed");
    let finding = cx.error(path!["early_stop", "metric"], codes::EARLY_STOP, message);
    if spec.validate.is_none() && (metric.starts_with("val_") || metric == "validation") {
        finding.hint("name a dataset as `validate`: without one there is only `loss`");
    } else {
        finding
            .maybe_hint(did_you_mean(metric, known.iter().copied()))
            .hint(format!("there is {}", list(known.iter().copied(), 6)));
    }
}

fn data_fits(spec: &TrainSpec, model: &ModelType, data: &DatasetType, cx: &mut CheckCx<'_>) {
    if let Some(why) = model.misfit(data) {
        let message = format!("`{}` is not the data that the model was made for: {why}", spec.data);
        cx.error(path!["data"], codes::DATASETS_DIFFER, message)
            .from_stage(&spec.model, "the model")
            .from_stage(&spec.data, "the data")
            .hint("give the `model` stage this dataset as its `data`");
    }
}

fn validation_fits(spec: &TrainSpec, model: &ModelType, data: &DatasetType, cx: &mut CheckCx<'_>) {
    let Some(reference) = &spec.validate else { return };
    if *reference == spec.data {
        cx.error(path!["validate"], codes::VALIDATE_ON_TRAIN, "the model is validated on the data that it learns from")
            .label("the same as `data`")
            .hint("its numbers will look better than they are; hold out a part of the rows with a `split` stage");
        return;
    }
    let why = if data.targets.is_empty() { Some("it has no target".to_owned()) } else { model.misfit(data) };
    if let Some(why) = why {
        let message = format!("`{reference}` is not the data that the model was made for: {why}");
        cx.error(path!["validate"], codes::DATASETS_DIFFER, message)
            .from_stage(reference, "the data")
            .hint("encode training and validation data by one stage: `fit` the one, `apply` to the other");
    }
}

/// A batch that is dropped because it is never full leaves nothing.
fn batch_fits(spec: &TrainSpec, data: &DatasetType, cx: &mut CheckCx<'_>) {
    let Some(rows) = data.rows else { return };
    if rows == 0 {
        cx.error(path!["data"], codes::BAD_DATA, format!("`{}` has no rows to learn from", spec.data))
            .from_stage(&spec.data, "encoded here");
    } else if spec.drop_last && spec.batch_size > rows {
        let message =
            format!("a batch of {} is never full with {rows} rows, and drop_last leaves it out", spec.batch_size);
        cx.error(path!["batch_size"], codes::OUT_OF_RANGE, message).hint("use a smaller batch_size, or no drop_last");
    }
}

fn images(spec: &TrainSpec, data: &DatasetType, cx: &mut CheckCx<'_>) {
    let Some(augment) = spec.augment else { return };
    let mut images = data.features.iter().filter(|feature| feature.shape.rank() == 3).peekable();
    if images.peek().is_none() {
        if data.complete {
            cx.error(path!["augment"], codes::AUGMENT, format!("`{}` has no image to vary", spec.data))
                .hint("augment changes features of the shape [channels, height, width]");
        }
        return;
    }
    for image in images {
        let sides = image.shape.0.iter().skip(1).filter_map(crate::types::Dim::size).min();
        for (field, value) in [("shift", augment.shift), ("erase", augment.erase)] {
            if let Some(side) = sides.filter(|side| value >= *side) {
                let message = format!("{field} is below the image's {side} pixels, found {value}");
                cx.error(path!["augment", field], codes::OUT_OF_RANGE, message);
            }
        }
    }
}
