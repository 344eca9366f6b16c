//! The kind `encode`: what it will output, and its run.

use super::encoder::{NO_ROWS_HINT, no_rows};
use super::features::Tokenizers;
use super::ports::{ENCODER, dataset_ports};
use super::spec::EncodeSpec;
use super::{Encoder, Feature, Target};
use crate::diag::{codes, did_you_mean};
use crate::numbers;
use crate::path;
use crate::stage::{
    CheckCx, Family, InputTypes, Kind, Outputs, Path, Port, Produced, Progress, Reads, Ref, RunCx, StageError,
    StageInfo,
};
use crate::stages::text::TextTokenizer;
use crate::types::{ArtifactType, DType, DatasetType, Lookup, TableSchema, TargetType, Task};

/// Fits an encoder on one table and encodes that and others.
pub struct Encode;

impl Kind for Encode {
    type Spec = EncodeSpec;

    const INFO: StageInfo = StageInfo {
        name: "encode",
        family: Family::Encode,
        version: 6,
        summary: "Turns tables into tensors, with statistics from the training table alone",
        ports: &[
            Port {
                name: "*",
                about: "a dataset for each table, called like the table's output (`split.train` gives `train`), or like its stage where that is written without one or two would have one name",
            },
            Port { name: ENCODER, about: "the fitted encoder" },
        ],
        example: r#"
[stage.encode]
kind = "encode"
fit = "split.train"
apply = ["split.val", "split.test"]
features.sizes = { numeric = ["bill_*", "body_mass_g"], impute = "median" }
features.island = "category"
target.species = "category"
"#,
        seeded: false,
        numeric: false,
    };

    const TAKES_VIEWS: bool = true;

    fn check(spec: &EncodeSpec, cx: &mut CheckCx<'_>) -> Outputs {
        let names = match dataset_ports(&spec.tables()) {
            Ok(names) => names,
            Err(index) => {
                let place = if index == 0 { path!["fit"] } else { path!["apply", index - 1] };
                let table = spec.tables()[index];
                cx.error(place, codes::CONFLICT, format!("`{table}` would give a dataset whose name is taken"))
                    .label("datasets are called after their tables")
                    .hint("encode each table once; the name `encoder` is the encoder's own");
                return Outputs::none().and(ENCODER, ArtifactType::Encoder);
            }
        };
        if spec.features.is_empty() {
            cx.error(path!["features"], codes::MISSING_FIELD, "there is no feature to encode")
                .hint("features.NAME = \"numeric\" encodes the column NAME");
        }
        let Some(fit) = cx.table(&spec.fit, path!["fit"]) else {
            return unknown_outputs(&names);
        };
        if fit.rows == Some(0) {
            cx.error(path!["fit"], codes::BAD_DATA, no_rows(&spec.fit))
                .from_stage(&spec.fit, "the table comes from here")
                .hint(NO_ROWS_HINT);
            return unknown_outputs(&names);
        }
        let (dataset, columns) = check_fit(spec, &fit, cx);
        let mut outputs = Outputs::none();
        for (index, (name, table)) in names.into_iter().zip(spec.tables()).enumerate() {
            let packed =
                spec.features.values().any(|feature| matches!(feature, Feature::Tokens(tokens) if tokens.layout.pack));
            let rows = if index == 0 {
                fit.rows
            } else {
                let Some(schema) = cx.table(table, path!["apply", index - 1]) else {
                    outputs = outputs.and(name, ArtifactType::Unknown);
                    continue;
                };
                check_apply(spec, &columns, (&fit, &schema), table, path!["apply", index - 1], cx);
                schema.rows
            };
            let rows = rows.filter(|_| !packed);
            outputs = outputs.and(name, ArtifactType::Dataset(DatasetType { rows, ..dataset.clone() }));
        }
        outputs.and(ENCODER, ArtifactType::Encoder)
    }

    fn names(spec: &EncodeSpec) -> Vec<String> {
        dataset_ports(&spec.tables()).unwrap_or_default()
    }

    fn reads(spec: &EncodeSpec, inputs: &InputTypes<'_>) -> Reads {
        super::reads::reads(spec, inputs)
    }

    fn run(spec: &EncodeSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let names = dataset_ports(&spec.tables()).map_err(|_| StageError::bug("two datasets of one name"))?;
        let mut encoder: Option<Encoder> = None;
        let mut produced = Produced::default();
        for (name, table) in names.iter().zip(spec.tables()) {
            cx.check_cancelled()?;
            cx.services.progress(Progress {
                done: produced.ports.len() as u64,
                total: Some(names.len() as u64),
                unit: "table",
                detail: table.to_string(),
            });
            let frame = crate::frame::read_table(cx.input(table)?)?;
            let (encoder, encoded) = match &encoder {
                Some(encoder) => (encoder, encoder.apply(&frame, &table.0, true)?),
                None => {
                    let fitted: &Encoder = encoder.insert(Encoder::fit_with(spec, &frame, &tokenizers(spec, cx)?)?);
                    super::leaks::look(spec, fitted, &frame, cx)?;
                    (fitted, fitted.apply_training(&frame, &table.0)?)
                }
            };
            encoded.write(encoder, &cx.out(name)?)?;
            let ty = encoder.dataset_type(Some(encoded.rows as u64), true);
            produced = produced.port(name.clone(), ArtifactType::Dataset(ty));
        }
        let encoder = encoder.ok_or_else(|| StageError::bug("no table to fit on"))?;
        encoder.write(&cx.out(ENCODER)?)?;
        produced.summary = summary(&encoder);
        Ok(produced.port(ENCODER, ArtifactType::Encoder))
    }
}

/// The tokenizers that features name.
fn tokenizers(spec: &EncodeSpec, cx: &RunCx<'_>) -> Result<Tokenizers, StageError> {
    let mut tokenizers = Tokenizers::new();
    for feature in spec.features.values() {
        if let Feature::Tokens(tokens) = feature {
            let files = TextTokenizer::files(cx.input(&tokens.tokenizer)?)?;
            tokenizers.insert(tokens.tokenizer.0.clone(), files);
        }
    }
    Ok(tokenizers)
}

fn unknown_outputs(names: &[String]) -> Outputs {
    let datasets = names.iter().fold(Outputs::none(), |outputs, name| outputs.and(name.clone(), ArtifactType::Unknown));
    datasets.and(ENCODER, ArtifactType::Encoder)
}

/// Features, their columns where known, of the training table.
type Selected<'a> = Vec<(&'a str, &'a Feature, Vec<String>)>;

/// Checks everything against the training table; gives the dataset's type (without rows).
fn check_fit<'a>(spec: &'a EncodeSpec, schema: &TableSchema, cx: &mut CheckCx<'_>) -> (DatasetType, Selected<'a>) {
    let mut features = Vec::new();
    let mut selected: Selected<'a> = Vec::new();
    for (name, feature) in &spec.features {
        let (ty, columns) = feature.check(name, schema, &spec.fit, &spec.target, cx);
        features.push(ty);
        if let Some(columns) = columns {
            selected.push((name, feature, columns));
        }
    }
    super::token_targets::check(spec, cx);
    let targets = spec
        .target
        .iter()
        .map(|(column, target)| match target.is_tokens() {
            true => super::token_targets::target_type(column, target, spec, cx),
            false => check_target(column, target, spec, schema, &selected, cx),
        })
        .collect();
    (DatasetType { features, targets, rows: None, complete: true }, selected)
}

fn check_target(
    column: &str,
    target: &Target,
    spec: &EncodeSpec,
    schema: &TableSchema,
    selected: &Selected<'_>,
    cx: &mut CheckCx<'_>,
) -> TargetType {
    let mut dtypes = Vec::new();
    for (index, name) in target.columns(column).into_iter().enumerate() {
        let place = target.column_path(column, index);
        dtypes.push(match schema.lookup(name) {
            Lookup::Found(found) => found.dtype.clone(),
            Lookup::Unknown => DType::Unknown,
            Lookup::Missing => {
                missing_target(name, schema, &spec.fit, place.clone(), cx);
                DType::Unknown
            }
        });
        shown_to_the_model(name, place, spec, selected, cx);
    }
    TargetType { name: column.to_owned(), task: target.check(column, &dtypes, cx) }
}

/// Reports a feature that holds a column of the target.
fn shown_to_the_model(column: &str, target: Path, spec: &EncodeSpec, selected: &Selected<'_>, cx: &mut CheckCx<'_>) {
    let leaking = spec.features.iter().filter(|(_, feature)| feature.shows_its_row()).find(|(name, feature)| {
        let exact = feature.columns().0.iter().any(|entry| entry == column);
        exact || selected.iter().any(|(other, _, columns)| other == name && columns.iter().any(|name| name == column))
    });
    let Some((name, feature)) = leaking else { return };
    let mut place = feature.columns_path(name);
    if feature.columns().0.iter().any(|entry| entry == column) && feature.columns().0.len() == 1 && name == column {
        place = path!["features", name];
    }
    cx.error(place, codes::TARGET_AS_FEATURE, format!("the target `{column}` is also part of feature `{name}`"))
        .label("the model would be shown what it is to predict")
        .related(target, "the target")
        .hint(match feature.columns().0.iter().any(|entry| entry == column) {
            true => format!("take `{column}` out of the feature"),
            false => format!("leave it out of the pattern with \"!{column}\""),
        });
}

fn missing_target(column: &str, schema: &TableSchema, table: &Ref, place: Path, cx: &mut CheckCx<'_>) {
    cx.error(place, codes::UNKNOWN_COLUMN, format!("column `{column}` does not exist"))
        .at_key()
        .label(format!("`{table}` has {}; none of this name", numbers::counted(schema.columns.len(), "column")))
        .maybe_hint(did_you_mean(column, schema.names()))
        .from_stage(table, "the table comes from here");
}

/// Reports the first column that a further table lacks, or has with another kind of type. What the training table has not
/// was said there.
fn check_apply(
    spec: &EncodeSpec,
    selected: &Selected<'_>,
    (fit, schema): (&TableSchema, &TableSchema),
    table: &Ref,
    place: Path,
    cx: &mut CheckCx<'_>,
) {
    for (name, feature, columns) in selected {
        for column in columns.iter().filter(|column| fits(fit, column, &|dtype| feature.accepts(dtype))) {
            let wanted = format!("feature `{name}`");
            if !has_column(column, &wanted, schema, table, &place, &|dtype| feature.accepts(dtype), cx) {
                return;
            }
        }
    }
    for (name, target) in &spec.target {
        let accepts = |dtype: &DType| target.accepts(dtype);
        for column in target.columns(name).into_iter().filter(|column| fits(fit, column, &accepts)) {
            has_column(column, "the target", schema, table, &place, &accepts, cx);
        }
    }
}

/// Whether a table has a column of a fitting type, as far as it is known.
fn fits(schema: &TableSchema, column: &str, accepts: &dyn Fn(&DType) -> bool) -> bool {
    match schema.lookup(column) {
        Lookup::Unknown => true,
        Lookup::Found(found) => accepts(&found.dtype),
        Lookup::Missing => false,
    }
}

/// Whether a table has a fitting column; reports where it has not.
fn has_column(
    column: &str,
    wanted: &str,
    schema: &TableSchema,
    table: &Ref,
    place: &Path,
    accepts: &dyn Fn(&DType) -> bool,
    cx: &mut CheckCx<'_>,
) -> bool {
    match schema.lookup(column) {
        Lookup::Unknown => true,
        Lookup::Found(found) if accepts(&found.dtype) => true,
        Lookup::Found(found) => {
            cx.error(place.clone(), codes::COLUMN_TYPE, format!("column `{column}` of `{table}` is {}", found.dtype))
                .label(format!("{wanted} cannot be made of it"))
                .from_stage(table, "the table comes from here");
            false
        }
        Lookup::Missing => {
            cx.error(place.clone(), codes::UNKNOWN_COLUMN, format!("`{table}` has no column `{column}`"))
                .label(format!("{wanted} needs it"))
                .maybe_hint(did_you_mean(column, schema.names()))
                .from_stage(table, "the table comes from here");
            false
        }
    }
}

/// `image [1, 28, 28] · 10 classes`
fn summary(encoder: &Encoder) -> String {
    let mut parts: Vec<String> = encoder
        .features
        .iter()
        .take(4)
        .map(|(name, feature)| {
            let sizes = feature.ty(name).shape.sizes().unwrap_or_default();
            format!("{name} {sizes:?}")
        })
        .collect();
    if encoder.features.len() > 4 {
        parts.push(format!("{} more features", encoder.features.len() - 4));
    }
    parts.extend(encoder.targets.iter().map(|target| match &target.task {
        Task::Category { classes } => format!("{} classes", classes.as_ref().map_or(0, Vec::len)),
        Task::Binary { positive } => format!("{} is {positive}", target.column),
        Task::Number { .. } => format!("target {}", target.column),
        Task::MultiLabel { labels } => numbers::counted(labels.len(), "label"),
        Task::NextToken { .. } => "next tokens".to_owned(),
        Task::MaskedToken { .. } => "hidden tokens".to_owned(),
    }));
    parts.join(" · ")
}
