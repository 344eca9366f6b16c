//! The kind `evaluate`: metrics with 95 % confidence intervals, gates, predictions and plots.

use super::compatible::{check_dataset, check_trained};
use super::forward::{Asked, Compute, answers};
use super::measure::{measure, summary};
use super::metrics_file::METRICS_FILE;
use super::ranking::Ranking;
use super::{predictions, ranking, report};
use crate::diag::{codes, did_you_mean, list};
use crate::frame;
use crate::job::{DeviceChoice, Numerics};
use crate::metrics::{METRICS, TaskKind, metric};
use crate::numbers::counted;
use crate::path;
use crate::stage::{CheckCx, Family, Input, Kind, Outputs, Port, Produced, Ref, RunCx, StageError, StageInfo};
use crate::stages::encode::{DATA_FILE, Encoder, read_characters, read_target, write_json};
use crate::types::{ArtifactType, DatasetType, ModelType, TableSchema, TargetType, Task};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Judges a trained model on data that it was not trained on.
pub struct Evaluate;

/// The fields of an `evaluate` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluateSpec {
    /// The trained model.
    pub model: Ref,
    /// The dataset to judge it on; encoded by the same `encode` stage that the model was made for.
    pub data: Ref,
    /// What to compute: `accuracy`, `f1_macro`, `roc_auc`, `log_loss`, `calibration_error`, `rmse`, `r2`, … The reference
    /// says which are for which targets.
    pub metrics: Vec<String>,
    /// Demands: `require.accuracy = { min = 0.928 }`. Where one does not hold, the run fails and says so; the result is kept.
    #[serde(default)]
    pub require: BTreeMap<String, Limits>,
    /// What `hit_rate`, `ndcg` and `mrr` judge: `ranking = { by = ["user"], top = 10 }` ranks the rows of each user against each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<Ranking>,
    /// Rows in a forward pass.
    #[serde(default = "default_batch_size")]
    pub batch_size: u64,
    /// Compute threads. It is part of the numbers, because it decides the order of additions.
    #[serde(default = "default_threads")]
    pub threads: u64,
    /// `native`: fastest here, bit-identical on the same class of processor; `portable`: pinned to AVX2, bit-identical on
    /// any x86-64 that has it.
    #[serde(default)]
    pub numerics: Numerics,
    /// `auto` (a GPU where there is one), `cpu`, `cuda`, or one GPU of several: `cuda:1`.
    #[serde(default)]
    pub device: DeviceChoice,
}

/// What a metric is allowed to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// The least.
    pub min: Option<f64>,
    /// The most.
    pub max: Option<f64>,
}

pub(super) fn default_batch_size() -> u64 {
    256
}

pub(super) fn default_threads() -> u64 {
    2
}

const METRICS_PORT: &str = "metrics";
const PREDICTIONS_PORT: &str = "predictions";
const REPORT_PORT: &str = "report";

impl Kind for Evaluate {
    type Spec = EvaluateSpec;

    const INFO: StageInfo = StageInfo {
        name: "evaluate",
        family: Family::Judge,
        version: 3,
        summary: "Judges a model: metrics with confidence intervals, gates, plots",
        ports: &[
            Port { name: METRICS_PORT, about: "metrics.json: values, confidence intervals, confusion matrix, gates" },
            Port {
                name: PREDICTIONS_PORT,
                about: "a row per row of the data: `row`, `target`, `prediction` and probabilities",
            },
            Port {
                name: REPORT_PORT,
                about: "plots: confusion matrix, calibration, ROC; or predictions and residuals",
            },
        ],
        example: r#"
[stage.evaluate]
kind = "evaluate"
model = "train.model"
data = "encode.test"
metrics = ["accuracy", "f1_macro", "log_loss"]
require.accuracy = { min = 0.928 }
"#,
        seeded: true,
        numeric: true,
    };

    fn check(spec: &EvaluateSpec, cx: &mut CheckCx<'_>) -> Outputs {
        let model = cx.model(&spec.model, path!["model"]);
        let data = cx.dataset(&spec.data, path!["data"]);
        if let Some(model) = model {
            check_trained(model, &spec.model, cx);
        }
        if let (Some(model), Some(data)) = (model, data) {
            check_dataset(model, &spec.model, data, &spec.data, cx);
        }
        if let Some(data) = data
            && data.targets.is_empty()
        {
            cx.error(path!["data"], codes::NO_TARGET, format!("`{}` has no target to judge by", spec.data))
                .label("only features")
                .from_stage(&spec.data, "encoded here")
                .hint("for rows without a target, use `predict`");
        }
        if data.is_some_and(|data| data.rows == Some(0)) {
            cx.error(path!["data"], codes::BAD_DATA, no_rows(spec))
                .from_stage(&spec.data, "encoded here")
                .hint(NO_ROWS_HINT);
        }
        let target = data.and_then(|data| target_in(model, data));
        check_metrics(spec, target, cx);
        ranking::check(spec, data, target.map(|target| TaskKind::from(&target.task)), cx);
        check_limits(spec, cx);
        check_compute(spec.batch_size, spec.threads, cx);
        let rows = data.and_then(|data| data.rows);
        Outputs::none()
            .and(METRICS_PORT, ArtifactType::Metrics)
            .and(PREDICTIONS_PORT, predictions_type(target.map(|target| &target.task), rows))
            .and(REPORT_PORT, ArtifactType::Report)
    }

    fn run(spec: &EvaluateSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let (model, data) = (cx.input(&spec.model)?, cx.input(&spec.data)?);
        same_encoder(spec, model, data)?;
        let target = target_of(model, data)?;
        let right = right(data, target)?;
        let rows = if target.task.is_tokens() { rows_of(data)? } else { right.len() / target.task.targets() };
        if rows == 0 {
            return Err(StageError::data(no_rows(spec)).hint(NO_ROWS_HINT).at(path!["data"]));
        }
        let tensors = data.file(DATA_FILE).ok_or_else(|| StageError::bug("a dataset without its tensors"))?;
        let compute = Compute {
            batch_size: spec.batch_size,
            threads: spec.threads,
            numerics: spec.numerics,
            device: spec.device.device(),
        };
        let asked = Asked { target: &target.name, task: &target.task, seed: cx.seed.number("mask") };
        let answers = answers(&compute, model, &tensors.path, rows, asked, cx)?;
        let columns = predictions::columns(&answers, &target.task);
        let ranked = ranking::judged(spec.ranking.as_ref(), data, &answers, &right)?;
        let judged = answers.judged(&right, &target.task);
        let found = measure(spec, target, &judged, ranked.as_ref(), cx)?;
        write_json(&found, &cx.out(METRICS_PORT)?.join(METRICS_FILE))?;
        report::write(&judged, &found.classes, &target.name, &cx.out(REPORT_PORT)?)?;
        let mut all = predictions::row_and_target(&judged, &target.task);
        all.extend(columns);
        let over = ranked.map(|ranked| format!(" · over {}", counted(ranked.rows(), "ranking"))).unwrap_or_default();
        let mut produced = Produced::new(summary(spec, &found) + &over).port(METRICS_PORT, ArtifactType::Metrics);
        produced.metrics =
            found.metrics.iter().filter_map(|(name, metric)| Some((name.clone(), metric.value?))).collect();
        produced.gates = found.gates;
        let produced = frame::write_table(cx, PREDICTIONS_PORT, predictions::frame_of(judged.rows(), all)?, produced)?;
        Ok(produced.port(REPORT_PORT, ArtifactType::Report))
    }
}

/// What is said of data without rows.
fn no_rows(spec: &EvaluateSpec) -> String {
    format!("`{}` has no rows to judge on", spec.data)
}

/// What to do about it.
const NO_ROWS_HINT: &str = "look at the stages before it: a `filter` or a `split` may leave no row for it";

/// What is right, row by row; of next tokens the characters that they stand for, of hidden ones nothing: the worker knows both.
fn right(data: &Input, target: &TargetType) -> Result<Vec<f64>, StageError> {
    match target.task {
        Task::NextToken { .. } => read_characters(data, &target.name),
        Task::MaskedToken { .. } => Ok(Vec::new()),
        _ => read_target(data, &target.name),
    }
}

/// How many rows a dataset has.
fn rows_of(data: &Input) -> Result<usize, StageError> {
    match &data.ty {
        ArtifactType::Dataset(DatasetType { rows: Some(rows), .. }) => Ok(usize::try_from(*rows).unwrap_or(usize::MAX)),
        _ => Err(StageError::bug("a dataset that does not know its rows")),
    }
}

fn predictions_type(task: Option<&Task>, rows: Option<u64>) -> ArtifactType {
    let mut schema = TableSchema::unknown();
    if let Some(task) = task {
        let first = predictions::row_and_target_schema(task);
        schema = TableSchema::new(first.into_iter().chain(predictions::schema(task)).collect());
        schema.complete = predictions::schema_is_complete(task);
    }
    schema.rows = rows;
    ArtifactType::Table(schema)
}

fn check_metrics(spec: &EvaluateSpec, target: Option<&TargetType>, cx: &mut CheckCx<'_>) {
    if spec.metrics.is_empty() {
        cx.error(path!["metrics"], codes::OUT_OF_RANGE, "there is no metric to compute")
            .label("an empty list")
            .hint("metrics = [\"accuracy\", \"log_loss\"], or [\"rmse\", \"r2\"] for a number");
    }
    let task = target.map(|target| TaskKind::from(&target.task));
    let fitting =
        || METRICS.iter().filter(|metric| task.is_none_or(|task| metric.fits(task))).map(|metric| metric.name);
    for (index, name) in spec.metrics.iter().enumerate() {
        let place = path!["metrics", index];
        match (metric(name), task) {
            (None, _) => {
                let near = did_you_mean(name, fitting());
                let has_near = near.is_some();
                let finding = cx.error(place, codes::UNKNOWN_METRIC, format!("there is no metric `{name}`"));
                finding.label("no such metric").maybe_hint(near);
                if !has_near {
                    finding.hint(format!("there are {}", list(fitting(), 20)));
                }
            }
            (Some(metric), Some(task)) if !metric.fits(task) => {
                let for_tasks = list(metric.tasks.iter().map(|task| task.name()), 3);
                let macro_of = format!("{name}_macro");
                let instead = METRICS.iter().find(|other| other.name == macro_of && other.fits(task));
                cx.error(
                    place,
                    codes::METRIC_TASK,
                    format!("`{name}` is for {for_tasks} targets, and this target is `{}`", task.name()),
                )
                .label(format!("not for `{}`", task.name()))
                .from_stage(&spec.data, "the target is declared here")
                .hint(match instead {
                    Some(instead) => format!("for several classes there is `{}`", instead.name),
                    None => format!("for this target there are {}", list(fitting(), 20)),
                });
            }
            _ => {}
        }
    }
}

fn check_limits(spec: &EvaluateSpec, cx: &mut CheckCx<'_>) {
    for (name, limits) in &spec.require {
        if !spec.metrics.contains(name) {
            cx.error(path!["require", name], codes::GATE_METRIC, format!("`require.{name}` is not among `metrics`"))
                .at_key()
                .label("not computed here")
                .related(path!["metrics"], "these are computed")
                // A metric that there is, is meant as it stands, however near it is to another: `mse` to `mae`.
                .hint(match did_you_mean(name, spec.metrics.iter().map(String::as_str)) {
                    Some(near) if metric(name).is_none() => near,
                    _ => format!("add \"{name}\" to `metrics`"),
                });
        }
        let place = path!["require", name];
        match (limits.min, limits.max) {
            (None, None) => {
                cx.error(place, codes::MISSING_FIELD, format!("`require.{name}` demands nothing"))
                    .label("neither `min` nor `max`")
                    .hint(format!("require.{name} = {{ min = 0.9 }}"));
            }
            (Some(min), Some(max)) if min > max => {
                cx.error(place, codes::OUT_OF_RANGE, format!("nothing is at least {min} and at most {max}"))
                    .label("`min` is above `max`");
            }
            (min, max) => {
                let Some(metric) = metric(name) else { continue };
                let (least, most) = metric.range;
                let out = min.filter(|min| *min > most).or(max.filter(|max| *max < least));
                if let Some(bound) = out {
                    cx.error(
                        place,
                        codes::OUT_OF_RANGE,
                        format!("{name} is never beyond {bound}: it lies between {least} and {most}"),
                    )
                    .label("can never hold");
                }
            }
        }
    }
}

/// Reports sizes of 0.
pub(super) fn check_compute(batch_size: u64, threads: u64, cx: &mut CheckCx<'_>) {
    for (field, value) in [("batch_size", batch_size), ("threads", threads)] {
        if value == 0 {
            cx.error(path![field], codes::OUT_OF_RANGE, format!("{field} is at least 1, found 0"));
        }
    }
    if threads > 1024 {
        cx.error(path!["threads"], codes::OUT_OF_RANGE, format!("threads is at most 1,024, found {threads}"));
    }
}

/// The target of the data that the model predicts; while the model is not known, the only one.
fn target_in<'a>(model: Option<&ModelType>, data: &'a DatasetType) -> Option<&'a TargetType> {
    match model.and_then(|model| model.target.as_ref()) {
        Some(target) => data.target(&target.name),
        None => data.only_target(),
    }
}

fn target_of<'a>(model: &Input, data: &'a Input) -> Result<&'a TargetType, StageError> {
    let target = match (&model.ty, &data.ty) {
        (ArtifactType::Model(model), ArtifactType::Dataset(dataset)) => target_in(Some(model), dataset),
        _ => None,
    };
    target.ok_or_else(|| StageError::bug("a dataset without a target"))
}

/// Two encoders that were fitted on different rows give the same shapes and mean different things by them.
fn same_encoder(spec: &EvaluateSpec, model: &Input, data: &Input) -> Result<(), StageError> {
    if Encoder::of(model)? == Encoder::of(data)? {
        return Ok(());
    }
    Err(StageError::data(format!(
        "`{}` was encoded by another encoder than the one that `{}` was trained with",
        spec.data, spec.model
    ))
    .note("its means, categories or classes differ, so the model would misread it")
    .hint("add the table to `apply` of the `encode` stage that the model was made for, and name its dataset here")
    .at(path!["data"]))
}
