//! What a training stage will output, and what is wrong with it.

use super::batch;
use super::kind::{CURVES, GRADIENTS, HISTORY, MODEL, STATE};
use super::logits;
use super::single_row;
use super::spec::TrainSpec;
use crate::diag::{codes, did_you_mean, list};
use crate::job::{Accumulate, TRACE, validation_metrics};
use crate::nn::choice::Problem;
use crate::nn::losses::Loss;
use crate::numbers::count;
use crate::path;
use crate::stage::{CheckCx, Outputs, Path};
use crate::types::{ArtifactType, Column, DType, DatasetType, ModelType, TableSchema, Task, TensorType};

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
    if let Some(ranking) = spec.loss.ranking() {
        super::ranking::check(spec, ranking, data, cx);
    }
    watched(spec, task, cx);
    if let (Some(model), Some(data)) = (model, data) {
        data_fits(spec, model, data, cx);
        single_row::check(spec, model, data, cx);
        logits::check(spec, model, cx);
    }
    if let (Some(model), Some(validation)) = (model, validation) {
        validation_fits(spec, model, validation, cx);
    }
    if let Some(data) = data {
        batch::check(spec, data, cx);
        images(spec, data, cx);
    }
    let trained =
        model.map_or(ArtifactType::Unknown, |model| ArtifactType::Model(ModelType { trained: true, ..model.clone() }));
    let history = ArtifactType::Table(history(spec, task));
    let trace = ArtifactType::Table(trace());
    let outputs = Outputs::none().and(MODEL, trained).and(HISTORY, history).and(TRACE, trace);
    let outputs = if spec.extendable { outputs.and(STATE, ArtifactType::State) } else { outputs };
    let outputs = if spec.gradient_norms { outputs.and(GRADIENTS, ArtifactType::Table(gradients())) } else { outputs };
    outputs.and(CURVES, ArtifactType::Report)
}

/// The columns of the norms of gradients.
fn gradients() -> TableSchema {
    let columns = [("step", DType::I64), ("epoch", DType::I64), ("layer", DType::Str), ("norm", DType::F32)];
    TableSchema::new(columns.into_iter().map(|(name, dtype)| Column::new(name, dtype)).collect())
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
        names.extend(task.map_or(&[][..], |task| validation_metrics(task, &spec.loss)));
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
    let lr = spec.optimizer.lr();
    if let Some(least) = spec.schedule.min_lr().filter(|least| *least > lr && lr > 0.0) {
        let message = format!("min_lr is at most the optimizer's lr, {lr}, found {least}");
        cx.error(path!["schedule", spec.schedule.name(), "min_lr"], codes::OUT_OF_RANGE, message)
            .hint("a schedule falls to it; with this one the rate would rise");
    }
    warm_up_ends(spec, cx);
    if let Some(clip) = spec.clip {
        let bound = clip.bound();
        if !(bound > 0.0 && bound.is_finite()) {
            cx.error(path!["clip"], codes::OUT_OF_RANGE, format!("the bound of clip is above 0, found {bound}"));
        }
    }
    computing(spec, cx);
    if let Some(stop) = &spec.early_stop
        && !(stop.min_delta >= 0.0 && stop.min_delta.is_finite())
    {
        let message = format!("min_delta is at least 0, found {}", stop.min_delta);
        cx.error(path!["early_stop", "min_delta"], codes::OUT_OF_RANGE, message);
    }
}

/// Warns of a rate that rises for longer than there are epochs. A warning: the first part of a training that is to be extended may
/// end before its warm-up does.
fn warm_up_ends(spec: &TrainSpec, cx: &mut CheckCx<'_>) {
    let (warm, horizon) = (spec.schedule.warmup_epochs(), spec.schedule.horizon());
    let epochs = horizon.unwrap_or(spec.epochs);
    if epochs == 0 || !warm.is_finite() || warm <= epochs as f64 {
        return;
    }
    let (end, follows, or) = match horizon {
        None => ("in a training of", "the rate stays below lr", "more epochs"),
        Some(_) => ("before a horizon of", "nothing is left for its fall", "a later horizon"),
    };
    let message = format!("a warm-up of {warm} epochs does not end {end} {}", count(epochs));
    cx.error(path!["schedule", spec.schedule.name(), "warmup_epochs"], codes::WARM_UP, message)
        .label(follows)
        .hint(format!("take a shorter warm-up, or {or}"));
}

/// How steps are computed.
fn computing(spec: &TrainSpec, cx: &mut CheckCx<'_>) {
    if let Accumulate::Parts(parts) = spec.accumulate
        && !(1..=spec.batch_size.max(1)).contains(&parts)
    {
        let message = format!("a batch of {} is computed in 1 to {0} parts, found {parts}", spec.batch_size);
        cx.error(path!["accumulate"], codes::OUT_OF_RANGE, message);
    }
    if let Some(ema) = spec.ema
        && !(ema.decay > 0.0 && ema.decay < 1.0)
    {
        let message = format!("decay is above 0 and below 1, found {}", ema.decay);
        cx.error(path!["ema", "decay"], codes::OUT_OF_RANGE, message);
    }
    if spec.graph {
        recorded(spec, cx);
    }
    let mixup = spec.augment.map_or(0.0, |augment| augment.mixup);
    if !(0.0..=1.0).contains(&mixup) {
        cx.error(path!["augment", "mixup"], codes::OUT_OF_RANGE, format!("mixup is between 0 and 1, found {mixup}"));
    }
}

/// What a step that is recorded once cannot have: numbers that the processor changes from step to step.
fn recorded(spec: &TrainSpec, cx: &mut CheckCx<'_>) {
    let mut conflict = |message: &str| {
        cx.error(path!["graph"], codes::CONFLICT, message.to_owned()).hint("leave `graph` out");
    };
    if !spec.optimizer.is_fused() {
        conflict(
            "only steps of `sgd`, `adam` and `adamw` can be recorded: others take their learning rate from the processor",
        );
    }
    if spec.augment.is_some_and(|augment| augment.mixup > 0.0) {
        conflict("steps with mixup cannot be recorded: each mixes in another share");
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
    let (loss, name) = (&spec.loss, spec.loss.name());
    if !loss.fits(task) {
        let tasks = list(loss.tasks().iter().copied(), 6);
        let message = format!("`{name}` is a loss for {tasks} targets, and this target is `{}`", task.name());
        cx.error(path!["loss"], codes::LOSS_TASK, message)
            .label(format!("for {tasks} targets"))
            .from_stage(&spec.data, format!("the target is `{}`", task.name()))
            .hint(format!("for this target there is {}", list(Loss::fitting(task), 6)));
        return;
    }
    if let Some(field) = loss.idle_field(task) {
        let message = format!("`{field}` of `{name}` says nothing about a `{}` target", task.name());
        cx.error(path!["loss", name, field], codes::LOSS_TASK, message)
            .from_stage(&spec.data, format!("the target is `{}`", task.name()));
    }
    positive_weights_fit(spec, task, cx);
    let (Some(weight), Task::Category { classes: Some(classes) }) = (loss.class_weight(), task) else { return };
    if let Some(unknown) = weight.unknown(classes) {
        let names = || classes.iter().map(String::as_str);
        cx.error(
            path!["loss", name, "weight", unknown],
            codes::LOSS_TASK,
            format!("the target has no class `{unknown}`"),
        )
        .from_stage(&spec.data, "the target's classes come from here")
        .maybe_hint(did_you_mean(unknown, names()))
        .hint(format!("its classes are {}", list(names(), 8)));
    } else if weight.is_nothing(classes) {
        let message =
            format!("at least one class has a weight above 0, found 0 for all {}", count(classes.len() as u64));
        cx.error(path!["loss", name, "weight"], codes::OUT_OF_RANGE, message)
            .from_stage(&spec.data, "the target's classes come from here")
            .hint("a class that is not named counts 1");
    }
}

/// A list of weights has one for each label.
fn positive_weights_fit(spec: &TrainSpec, task: &Task, cx: &mut CheckCx<'_>) {
    let Some(why) = spec.loss.positive_weight().and_then(|weight| weight.misfit(task.targets())) else { return };
    let finding = cx.error(path!["loss", spec.loss.name(), "pos_weight"], codes::LOSS_TASK, why);
    let finding = finding.from_stage(&spec.data, "the target's labels come from here");
    if let Task::MultiLabel { labels } = task {
        finding.hint(format!("one for each, in their order: {}", list(labels.iter().map(String::as_str), 8)));
    } else {
        finding.hint("a target that is yes or no takes one number: pos_weight = 3.0");
    }
}

/// What the early stop and the schedule watch are columns that the history will have.
fn watched(spec: &TrainSpec, task: Option<&Task>, cx: &mut CheckCx<'_>) {
    if let Some(stop) = &spec.early_stop {
        metric("early_stop", &stop.metric, path!["early_stop", "metric"], spec, task, cx);
    }
    if let Some(followed) = spec.schedule.metric() {
        let name = spec.schedule.name();
        metric(&format!("schedule.{name}"), followed, path!["schedule", name, "metric"], spec, task, cx);
    }
}

fn metric(field: &str, metric: &str, place: Path, spec: &TrainSpec, task: Option<&Task>, cx: &mut CheckCx<'_>) {
    let mut known = names(spec, task);
    known.retain(|name| *name != "lr");
    if known.contains(&metric) || (task.is_none() && spec.validate.is_some()) {
        return;
    }
    let finding = cx.error(place, codes::EARLY_STOP, format!("{field} watches `{metric}`, which is not computed"));
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
        let other_target = ModelType { target: None, ..model.clone() }.misfit(data).is_none();
        let remedy = match (model.trained, other_target) {
            (false, _) => "give the `model` stage this dataset as its `data`".to_owned(),
            (true, true) => {
                format!(
                    "a `model` stage with these data and `base = \"{}\"` begins with its layers and weights",
                    spec.model
                )
            }
            (true, false) => "encode it with the sizes and the names that the model's data have".to_owned(),
        };
        cx.error(path!["data"], codes::DATASETS_DIFFER, message)
            .from_stage(&spec.model, "the model")
            .from_stage(&spec.data, "the data")
            .hint(remedy);
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
    if data.rows == Some(0) {
        cx.error(path!["validate"], codes::BAD_DATA, format!("`{reference}` has no rows to validate on"))
            .from_stage(reference, "encoded here")
            .hint("look at the stages before it, or leave `validate` out");
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

fn images(spec: &TrainSpec, data: &DatasetType, cx: &mut CheckCx<'_>) {
    let Some(augment) = spec.augment else { return };
    if augment.mixup > 0.0
        && let Some(index) =
            data.features.iter().find(|feature| matches!(feature.dtype, TensorType::I32 | TensorType::I64))
    {
        let what = if index.dtype == TensorType::I32 { "tokens" } else { "category indices" };
        let message = format!("`{}` holds {what}, and what is between two of them is none", index.name);
        cx.error(path!["augment", "mixup"], codes::AUGMENT, message).from_stage(&spec.data, "encoded here");
    }
    if !augment.changes_images() {
        return;
    }
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
