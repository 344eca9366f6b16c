//! The kind `predict`: a model's answers for raw rows, encoded by the encoder that the model carries.

use super::compatible::check_trained;
use super::evaluate::{check_compute, default_batch_size, default_threads};
use super::forward::{Asked, Compute, answers};
use super::predictions;
use crate::diag::{codes, did_you_mean};
use crate::frame;
use crate::job::{DeviceChoice, Numerics};
use crate::numbers::counted;
use crate::path;
use crate::stage::{
    CheckCx, Family, InputTypes, Kind, Outputs, Port, Produced, Reads, Ref, RunCx, StageError, StageInfo,
};
use crate::stages::encode::{DATA_FILE, ENCODER_FILE, Encoder, Names, check_names, ordered, patterns};
use crate::types::{ArtifactType, Column, Lookup, ModelType, TableSchema, Task, matches_pattern};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Asks a trained model about raw rows.
pub struct Predict;

/// The fields of a `predict` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PredictSpec {
    /// The trained model.
    pub model: Ref,
    /// A table of raw rows with the columns that the model's features are made of. The model's own encoder encodes it; a
    /// target is not needed.
    pub data: Ref,
    /// Columns of the table to carry over, before the predictions: names or patterns.
    #[serde(default)]
    pub keep: Names,
    /// Whether the logarithms of the odds, `logit`, stand beside the probabilities: what sorts rows also where probabilities round
    /// to 1.
    // Left out of keys where it says nothing, so that it could be added without emptying anybody's cache.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub logits: bool,
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

const PORT: &str = "table";

impl Kind for Predict {
    type Spec = PredictSpec;

    const INFO: StageInfo = StageInfo {
        name: "predict",
        family: Family::Judge,
        version: 2,
        summary: "Predicts for raw rows with a trained model",
        ports: &[Port {
            name: PORT,
            about: "the kept columns, `prediction`, and for classes `probability` and `p_CLASS`, for yes or no `probability`; with `logits` also `logit` and `logit_CLASS`",
        }],
        example: r#"
[stage.predict]
kind = "predict"
model = "train.model"
data = "new_rows"
keep = ["id"]
"#,
        seeded: false,
        numeric: true,
    };

    fn check(spec: &PredictSpec, cx: &mut CheckCx<'_>) -> Outputs {
        let model = cx.model(&spec.model, path!["model"]);
        let table = cx.table(&spec.data, path!["data"]);
        if let Some(model) = model {
            check_trained(model, &spec.model, cx);
        }
        if let (Some(model), Some(table)) = (model, &table) {
            check_columns(spec, model, table, cx);
        }
        check_compute(spec.batch_size, spec.threads, cx);
        let task = model.and_then(|model| model.target.as_ref()).map(|target| &target.task);
        if spec.logits && matches!(task, Some(Task::Number { .. })) {
            cx.error(
                path!["logits"],
                codes::CONFLICT,
                format!("`{}` predicts a number, which has no odds", spec.model),
            )
            .hint("leave `logits` out: the prediction itself sorts")
            .from_stage(&spec.model, "the model comes from here");
        }
        if task.is_some_and(Task::is_tokens) {
            let message = format!("`{}` predicts tokens, and not an answer for each row", spec.model);
            cx.error(path!["model"], codes::MODEL_TASK, message)
                .label("a language model")
                .hint("`generate` goes on with texts; `evaluate` judges how well it predicts them")
                .from_stage(&spec.model, "the model comes from here");
            return Outputs::one(PORT, ArtifactType::Unknown);
        }
        let Some(table) = table else { return Outputs::one(PORT, ArtifactType::Unknown) };
        Outputs::one(PORT, ArtifactType::Table(schema(spec, &table, task, cx)))
    }

    fn reads(spec: &PredictSpec, inputs: &InputTypes<'_>) -> Reads {
        let types = (inputs.get(spec.model.0.as_str()), inputs.get(spec.data.0.as_str()));
        let (Some(ArtifactType::Model(model)), Some(ArtifactType::Table(table))) = types else {
            return Reads::everything();
        };
        let kept = spec.keep.select(&table.names().collect::<Vec<_>>());
        let mut read: BTreeSet<&str> = kept.iter().copied().collect();
        read.extend(model.inputs.iter().flat_map(|input| input.columns.iter().map(String::as_str)));
        Reads::everything().only(&spec.data, ordered(table, &read, &patterns(&spec.keep, &kept)))
    }

    fn run(spec: &PredictSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let model = cx.input(&spec.model)?;
        let ArtifactType::Model(ModelType { target: Some(target), .. }) = &model.ty else {
            return Err(StageError::data(format!("`{}` predicts nothing: it was made without a target", spec.model))
                .at(path!["model"]));
        };
        let encoder = Encoder::of(model)?;
        let table = frame::read_table(cx.input(&spec.data)?)?;
        let encoded = encoder.apply(&table, &spec.data.0, false).map_err(|failure| failure.at(path!["data"]))?;
        let tensors = cx.scratch.join(DATA_FILE);
        encoded.write_data(&tensors)?;
        let compute = Compute {
            batch_size: spec.batch_size,
            threads: spec.threads,
            numerics: spec.numerics,
            device: spec.device.device(),
        };
        let asked = Asked { target: &target.name, task: &target.task, seed: 0 };
        let answers = answers(&compute, model, &tensors, encoded.rows, asked, cx)?;
        let names: Vec<&str> = table.get_column_names().into_iter().map(|name| name.as_str()).collect();
        let kept = spec.keep.select(&names);
        let kept = kept.into_iter().map(|name| table.column(name).cloned()).collect::<Result<Vec<_>, _>>();
        let mut columns = kept.map_err(|error| frame::failed("keep columns", &error))?;
        columns.extend(predictions::columns(&answers, &target.task));
        if spec.logits {
            columns.extend(predictions::logits(&answers, &target.task));
        }
        let summary = format!("{} predicted", counted(encoded.rows, "row"));
        let produced = Produced::new(summary);
        frame::write_table(cx, PORT, predictions::frame_of(encoded.rows, columns)?, produced)
    }
}

/// The output's columns. Reports kept columns that do not exist or would stand twice.
fn schema(spec: &PredictSpec, table: &TableSchema, task: Option<&Task>, cx: &mut CheckCx<'_>) -> TableSchema {
    let selected = match spec.keep.0.is_empty() {
        true => Some(Vec::new()),
        false => check_names(&spec.keep, table, &spec.data, &path!["keep"], cx),
    };
    let mut columns: Vec<Column> = Vec::new();
    for name in selected.iter().flatten() {
        columns.extend(table.columns.iter().find(|column| column.name == *name).cloned());
    }
    let mut new = task.map(predictions::schema).unwrap_or_default();
    if spec.logits {
        new.extend(task.map(predictions::logits_schema).unwrap_or_default());
    }
    if let Some(twice) = new.iter().find(|new| columns.iter().any(|column| column.name == new.name)) {
        cx.error(path!["keep"], codes::DUPLICATE_COLUMN, format!("column `{}` would stand twice", twice.name))
            .label("kept, and also what the prediction is called")
            .hint("rename it in a `table` stage before, or do not keep it");
    }
    columns.extend(new);
    let complete = selected.is_some() && task.is_some_and(predictions::schema_is_complete);
    TableSchema { columns, complete, rows: table.rows }
}

/// Reports the first column that the model needs and the table lacks, or has with another kind of type.
fn check_columns(spec: &PredictSpec, model: &ModelType, table: &TableSchema, cx: &mut CheckCx<'_>) {
    let lacking = model.inputs.iter().find_map(|input| {
        let lacks = |column: &&String| {
            let there = table.names().any(|name| matches_pattern(column, name));
            !column.starts_with('!') && !there && table.complete
        };
        input.columns.iter().find(lacks).map(|column| (input.name.as_str(), column))
    });
    if let Some((feature, column)) = lacking {
        cx.error(path!["data"], codes::UNKNOWN_COLUMN, format!("`{}` has no column `{column}`", spec.data))
            .label(format!("feature `{feature}` of the model needs it"))
            .maybe_hint(did_you_mean(column, table.names()))
            .from_stage(&spec.data, "the table comes from here")
            .from_stage(&spec.model, "the model comes from here");
        return;
    }
    let files = cx.files(&spec.model).and_then(|files| files.iter().find(|(name, _)| name == ENCODER_FILE));
    let Some(encoder) = files.and_then(|(_, path)| Encoder::read(path).ok()) else { return };
    let wrong = encoder.columns().find_map(|(column, feature, fitted)| match table.lookup(column) {
        Lookup::Found(found) if !fitted.accepts(column, &found.dtype) => Some((column, feature, found.dtype.clone())),
        _ => None,
    });
    if let Some((column, feature, dtype)) = wrong {
        cx.error(path!["data"], codes::COLUMN_TYPE, format!("column `{column}` of `{}` is {dtype}", spec.data))
            .label(format!("feature `{feature}` of the model cannot be made of it"))
            .hint("read it with the type that it had in training: `types` and `null_values` of a `read` stage")
            .from_stage(&spec.data, "the table comes from here");
    }
}
