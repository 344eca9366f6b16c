//! `table`: one table changed step by step.

use super::input_of;
use super::reads::Planned;
use super::steps::{Step, Tables, unconverted};
use crate::diag::codes;
use crate::frame::view::blame;
use crate::frame::{FloatSums, PlanFailure, scan_to_blame, table_apart, try_plan, write_plan, write_view};
use crate::path;
use crate::stage::{
    CheckCx, Family, Input, InputTypes, Kind, Outputs, Plan, Port, Produced, Reads, Ref, RunCx, Seed, StageError,
    StageInfo,
};
use crate::types::ArtifactType;
use polars::prelude::LazyFrame;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The kind.
pub struct Table;

/// The only output.
const TABLE: &str = "table";

/// A table and what is done to it, in order.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The table.
    pub from: Ref,
    /// What is done to it, one step after the other; each is a table with one key, such as
    /// `{ filter = "dep_delay IS NOT NULL" }`.
    pub steps: Vec<Step>,
    /// How float aggregates add: `exact` (the default) gives the same bits with any number of threads.
    #[serde(default)]
    pub float_sums: FloatSums,
    /// Whether the table is kept. With `false` it is never written: its plan becomes a part of the plan of each `sql`,
    /// `table`, `split`, `expect`, `profile`, `redact` or `encode` that uses it, so that filters reach through it, and
    /// columns that nobody uses are not read. Results are the same.
    #[serde(default = "super::kept")]
    pub keep: bool,
}

impl Kind for Table {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "table",
        family: Family::Table,
        version: 11,
        summary: "Changes a table by steps: filter, derive, cast, clean, rename, names, select, drop, fill, dedupe, sort, join, concat, group, window, complete, explode, pivot, unpivot, sample.",
        ports: &[Port { name: TABLE, about: "the changed table" }],
        example: r#"[stage.clean]
kind = "table"
from = "raw_table"
steps = [
  { filter = "sex IS NOT NULL" },
  { derive = { bill_ratio = "bill_length_mm / bill_depth_mm" } },
  { fill = { "*_mm" = "median" } },
  { drop = ["year"] },
]
"#,
        seeded: false,
        numeric: false,
    };

    const CHECKS_BY_TYPES: bool = true;

    const TAKES_VIEWS: bool = true;

    fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
        let Some(mut schema) = cx.table(&spec.from, path!["from"]) else {
            return Outputs::one(TABLE, ArtifactType::Unknown);
        };
        schema.rows = None;
        for (index, step) in spec.steps.iter().enumerate() {
            schema = step.check(schema, spec.float_sums, &path!["steps", index, step.name()], cx);
        }
        if schema.complete && schema.columns.is_empty() {
            cx.error(path!["steps"], codes::EMPTY_SELECTION, "the table would have no columns left")
                .label("nothing is left after these steps");
        }
        Outputs::one(TABLE, ArtifactType::Table(schema))
    }

    fn reads(spec: &Spec, inputs: &InputTypes<'_>) -> Reads {
        planned(spec, &|tables| over(spec, tables)).reads(inputs)
    }

    fn reads_for(spec: &Spec, inputs: &InputTypes<'_>, columns: &[String]) -> Reads {
        planned(spec, &|tables| over(spec, tables)).reads_for(inputs, columns)
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let spec = &seeded(spec, cx.seed);
        let tables = |reference: &Ref| table_apart(cx.input(reference)?);
        let lf = apply(spec, spec.steps.len(), &tables)?;
        if !spec.keep {
            return write_view::<Self>(cx, TABLE, spec, lf);
        }
        match write_plan(cx, TABLE, lf) {
            Ok(written) => Ok(written.alone(TABLE)),
            Err(PlanFailure::Stage(error)) => Err(error),
            Err(PlanFailure::Plan(_)) => Err(first_failure(spec, cx, &|reference| scan_to_blame(cx.input(reference)?))),
        }
    }

    fn is_view(spec: &Spec) -> bool {
        !spec.keep
    }

    fn seeded(spec: &Spec) -> bool {
        spec.steps.iter().any(Step::needs_seed)
    }

    fn plan(spec: &Spec, inputs: &BTreeMap<String, Input>, seed: Seed) -> Result<Plan, StageError> {
        let tables = |reference: &Ref| table_apart(input_of(inputs, reference)?);
        let spec = &seeded(spec, seed);
        Ok(Plan(Box::new(apply(spec, spec.steps.len(), &tables)?)))
    }

    fn bitwise(spec: &Spec) -> bool {
        spec.float_sums == FloatSums::Exact
    }
}

/// The steps, each random one with a seed of its own, which steps that make no choice do not shift.
fn seeded(spec: &Spec, seed: Seed) -> Spec {
    let mut spec = spec.clone();
    for (index, step) in spec.steps.iter_mut().filter(|step| step.needs_seed()).enumerate() {
        step.take_seed(seed.number(&format!("random step {index}")));
    }
    spec
}

fn planned<'a>(spec: &'a Spec, plan: &'a dyn Fn(Tables<'_>) -> Option<LazyFrame>) -> Planned<'a> {
    let others = spec.steps.iter().flat_map(Step::others);
    let text = serde_json::to_string(&spec.steps).unwrap_or_default();
    Planned { references: std::iter::once(&spec.from).chain(others).collect(), text, plan }
}

/// The plan of all steps over these tables; `None` where it cannot be made, which is told elsewhere.
fn over(spec: &Spec, tables: Tables<'_>) -> Option<LazyFrame> {
    apply(spec, spec.steps.len(), tables).ok()
}

/// The plan of the first `count` steps.
fn apply(spec: &Spec, count: usize, tables: Tables<'_>) -> Result<LazyFrame, StageError> {
    let mut lf = tables(&spec.from)?;
    for (index, step) in spec.steps.iter().take(count).enumerate() {
        lf = step.apply(lf, spec.float_sums, tables).map_err(|error| error.at(path!["steps", index, step.name()]))?;
    }
    Ok(lf)
}

/// A plan fails as a whole; run again with one step more each time, it tells which one is to blame.
fn first_failure(spec: &Spec, cx: &RunCx<'_>, tables: Tables<'_>) -> StageError {
    if let Some(error) = blame(cx, cx.inputs.values()) {
        return unconverted(error).at(path!["from"]);
    }
    for count in 1..=spec.steps.len() {
        let step = &spec.steps[count - 1];
        let result = apply(spec, count, tables).and_then(|lf| {
            try_plan(cx, lf).map_err(|failure| {
                let doing = format!("do step {count}, `{}`", step.name());
                let told = step.blame(cx, || apply(spec, count - 1, tables).ok(), spec.float_sums, tables);
                let error = match (told, failure) {
                    (Some(told), PlanFailure::Plan(_)) => StageError::data(format!("cannot {doing}: {told}")),
                    (_, failure) => failure.while_doing(&doing),
                };
                step.explain(error).at(path!["steps", count - 1, step.name()])
            })
        });
        if let Err(error) = result {
            return error;
        }
    }
    StageError::bug("the steps failed together, but not one by one")
}
