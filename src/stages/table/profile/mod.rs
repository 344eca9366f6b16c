//! `profile`: a picture of a table: what its columns hold, how they go together, and what is odd about them.

mod correlate;
mod measure;
mod observe;
mod page;
mod summary;
#[cfg(test)]
mod tests;
mod words;

use super::columns::{OneOrMany, column, select};
use crate::diag::codes;
use crate::frame::{read_table, write_table};
use crate::numbers;
use crate::path;
use crate::stage::{
    CheckCx, Family, InputTypes, Kind, Outputs, Port, Produced, Reads, Ref, RunCx, StageError, StageInfo,
};
use crate::types::{ArtifactType, Column, TableSchema, matches_pattern};
use correlate::Correlations;
use measure::Measured;
use polars::prelude::DataFrame;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind.
pub struct Profile;

const COLUMNS: &str = "columns";
const METRICS: &str = "metrics";
const REPORT: &str = "report";

/// The page of the report.
const PAGE: &str = "profile.html";

/// A table and how closely to look at it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The table.
    pub from: Ref,
    /// The columns to look at, by name or pattern; all without it.
    pub columns: Option<OneOrMany>,
    /// A column of classes, whose balance is shown.
    pub target: Option<String>,
    /// The steps of histograms, at most: those of integers are whole.
    #[serde(default = "usual_bins")]
    pub bins: u64,
    /// So many of the most frequent values are shown. They are the data's own: 0 where the page is for others.
    /// The classes of `target` are shown all the same.
    #[serde(default = "usual_top")]
    pub top: u64,
    /// Correlations are computed between so many columns of numbers at most, the first ones.
    #[serde(default = "usual_correlations")]
    pub correlations: u64,
}

fn usual_bins() -> u64 {
    30
}

fn usual_top() -> u64 {
    10
}

fn usual_correlations() -> u64 {
    30
}

impl Spec {
    fn wants(&self, name: &str) -> bool {
        let fits = |rule: &String| rule == name || matches_pattern(rule, name);
        self.columns.as_ref().is_none_or(|columns| columns.0.iter().any(fits)) || self.target.as_deref() == Some(name)
    }
}

/// Everything that is known of a table after it was looked at.
struct Picture {
    rows: usize,
    /// Rows that repeat an earlier one; `None` where not all columns are looked at, or have types that cannot be compared.
    repeated: Option<usize>,
    columns: Vec<Measured>,
    correlations: Correlations,
}

impl Kind for Profile {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "profile",
        family: Family::Table,
        version: 5,
        summary: "Draws a picture of a table: types, missing and frequent values, quantiles, histograms, correlations, class balance.",
        ports: &[
            Port { name: COLUMNS, about: "a row for each column: `kilter show` makes a view of it for the terminal" },
            Port {
                name: METRICS,
                about: "metrics.json: the numbers of the table and of each column; histograms and counts of values are in the page, dates and times in `columns`",
            },
            Port { name: REPORT, about: "profile.html: one page that needs nothing else" },
        ],
        example: r#"[stage.picture]
kind = "profile"
from = "table"
target = "species"
"#,
        seeded: false,
        numeric: false,
    };

    const TAKES_VIEWS: bool = true;

    fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
        let schema = cx.table(&spec.from, path!["from"]);
        if let Some(schema) = &schema {
            check_columns(spec, schema, cx);
        }
        for (field, value, least, most) in
            [("bins", spec.bins, 2, 1000), ("top", spec.top, 0, 1000), ("correlations", spec.correlations, 0, 500)]
        {
            if !(least..=most).contains(&value) {
                let message = format!("`{field}` is {least} to {}, found {value}", numbers::count(most));
                cx.error(path![field], codes::OUT_OF_RANGE, message);
            }
        }
        let count = schema
            .as_ref()
            .filter(|schema| schema.complete)
            .map(|schema| schema.columns.iter().filter(|column| spec.wants(&column.name)).count() as u64);
        let columns = TableSchema { rows: count, ..summary::schema() };
        Outputs::one(COLUMNS, ArtifactType::Table(columns))
            .and(METRICS, ArtifactType::Metrics)
            .and(REPORT, ArtifactType::Report)
    }

    fn reads(spec: &Spec, inputs: &InputTypes<'_>) -> Reads {
        let Some(ArtifactType::Table(schema)) = inputs.get(spec.from.0.as_str()) else { return Reads::everything() };
        let read = |column: &&Column| spec.wants(&column.name);
        let names = schema.columns.iter().filter(read).map(|column| column.name.clone()).collect();
        Reads::everything().only(&spec.from, names)
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let df = read_table(cx.input(&spec.from)?)?;
        let picture = look(spec, &df, cx)?;
        let mut produced = Produced::new(words(&picture));
        produced.metrics = summary::overview(&picture, spec.target.as_deref());
        let out = |port: &str, name: &str, bytes: &[u8]| {
            let path = cx.out(port)?.join(name);
            std::fs::write(&path, bytes).map_err(|error| StageError::io("write", &path, &error))
        };
        let json = serde_json::to_vec_pretty(&summary::numbers(&picture, spec.target.as_deref()))
            .map_err(|error| StageError::bug(format!("the metrics cannot be written: {error}")))?;
        out(METRICS, "metrics.json", &json)?;
        out(REPORT, PAGE, page::page(&picture, spec).as_bytes())?;
        let produced = write_table(cx, COLUMNS, summary::table(&picture)?, produced)?;
        Ok(produced.port(METRICS, ArtifactType::Metrics).port(REPORT, ArtifactType::Report))
    }
}

fn check_columns(spec: &Spec, schema: &TableSchema, cx: &mut CheckCx<'_>) {
    for (rule, at) in spec.columns.iter().flat_map(|columns| columns.with_paths(&path!["columns"])) {
        select(schema, rule, at, cx);
    }
    if let Some(target) = &spec.target {
        column(schema, target, path!["target"], cx);
    }
}

fn look(spec: &Spec, df: &DataFrame, cx: &RunCx<'_>) -> Result<Picture, StageError> {
    let mut columns = Vec::new();
    for column in df.columns().iter().filter(|column| spec.wants(column.name())) {
        cx.check_cancelled()?;
        let is_target = spec.target.as_deref() == Some(column.name().as_str());
        columns.push(measure::measure(column, spec.bins as usize, spec.top as usize, is_target)?);
    }
    // Rows that are the same in some columns alone do not repeat each other.
    let repeated = if spec.columns.is_none() { measure::repeated_rows(df) } else { None };
    cx.check_cancelled()?;
    let correlations = correlate::correlations(df, &columns, spec.correlations as usize)?;
    Ok(Picture { rows: df.height(), repeated, columns, correlations })
}

/// `344 rows x 8 columns · 19 values missing · 3 observations`
fn words(picture: &Picture) -> String {
    let missing: usize = picture.columns.iter().map(|column| column.missing).sum();
    let mut parts = vec![format!(
        "{} x {}",
        numbers::counted(picture.rows, "row"),
        numbers::counted(picture.columns.len(), "column")
    )];
    if missing > 0 {
        parts.push(format!("{} missing", numbers::counted(missing, "value")));
    }
    let observations = observe::observations(picture, None).len();
    if observations > 0 {
        parts.push(numbers::counted(observations, "observation"));
    }
    parts.join(" · ")
}
