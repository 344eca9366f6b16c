//! `sql`: one table from several, by a query.

use super::columns::all_named;
use super::input_of;
use super::reads::Planned;
use super::report::report;
use super::steps::{Tables, unconverted};
use crate::diag::codes;
use crate::frame::sql::{check_query, plan_query};
use crate::frame::view::blame;
use crate::frame::{FloatSums, Frames, failed, table_apart, write_plan, write_view};
use crate::path;
use crate::stage::{
    CheckCx, Family, Input, InputTypes, Kind, Outputs, Plan, Port, Produced, Reads, Ref, RunCx, Seed, StageError,
    StageInfo,
};
use crate::types::{ArtifactType, TableSchema};
use polars::prelude::LazyFrame;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The kind.
pub struct Sql;

/// The only output.
const TABLE: &str = "table";

/// A query and the tables that it is over.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The tables, under the names that the query calls them by.
    pub inputs: BTreeMap<String, Ref>,
    /// The query: one `SELECT`, with joins, groups, windows, `WITH` and subqueries; the guide lists what is known. A subquery in the
    /// place of a value, `n > (SELECT avg(n) FROM t)`, gives one column, and one row (more are an error, none is a missing value); it may
    /// ask of the row around it where it is an aggregate and compares columns with `=`. Names are case-sensitive; text is in single
    /// quotes, names in double quotes. Without an `ORDER BY` the rows of a `GROUP BY` come sorted by its keys, and every other
    /// query keeps the order of its inputs; rows that are equal in an `ORDER BY` keep the order from before it. Sums, differences and
    /// products of whole numbers are `i64` (with `u64` alone `u64`), powers and quotients `f64`; a whole number that has no room
    /// is an error.
    pub query: String,
    /// How float aggregates add: `exact` (the default) gives the same bits with any number of threads.
    #[serde(default)]
    pub float_sums: FloatSums,
    /// Whether the table is kept. With `false` it is never written: its plan becomes a part of the plan of each `sql`,
    /// `table`, `split`, `expect`, `profile`, `redact` or `encode` that uses it, so that filters reach through it, and
    /// columns that nobody uses are not read. Results are the same.
    #[serde(default = "super::kept")]
    pub keep: bool,
}

impl Kind for Sql {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "sql",
        family: Family::Table,
        version: 11,
        summary: "Makes a table of others by an SQL query, with a fixed row order and exact sums.",
        ports: &[Port { name: TABLE, about: "the query's result" }],
        example: r#"[stage.delays]
kind = "sql"
inputs = { flights = "flights", airlines = "airlines" }
query = """
SELECT name, avg(dep_delay) AS mean_delay
FROM flights JOIN airlines USING (carrier)
GROUP BY name
"""
"#,
        seeded: false,
        numeric: false,
    };

    const CHECKS_BY_TYPES: bool = true;

    const TAKES_VIEWS: bool = true;

    fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
        if spec.inputs.is_empty() {
            cx.error(path!["inputs"], codes::OUT_OF_RANGE, "a query needs at least one input")
                .label("names no table")
                .hint("name the tables of the query: `inputs = { flights = \"flights\" }`");
        }
        let mut tables = BTreeMap::new();
        for (name, reference) in &spec.inputs {
            if let Some(schema) = cx.table(reference, path!["inputs", name]) {
                tables.insert(name.clone(), schema);
            }
        }
        if tables.len() < spec.inputs.len() || tables.is_empty() {
            return Outputs::one(TABLE, ArtifactType::Unknown);
        }
        let ty = match check_query(&spec.query, &tables, spec.float_sums) {
            Ok(schema) => {
                all_named(tables.values(), &schema, path!["query"], cx);
                ArtifactType::Table(schema)
            }
            Err(problems) => {
                report(problems, &path!["query"], &spec.inputs, &tables, cx);
                ArtifactType::Table(TableSchema::unknown())
            }
        };
        Outputs::one(TABLE, ty)
    }

    fn reads(spec: &Spec, inputs: &InputTypes<'_>) -> Reads {
        planned(spec, &|tables| over(spec, tables)).reads(inputs)
    }

    fn reads_for(spec: &Spec, inputs: &InputTypes<'_>, columns: &[String]) -> Reads {
        planned(spec, &|tables| over(spec, tables)).reads_for(inputs, columns)
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let lf = query(spec, cx.inputs)?;
        if !spec.keep {
            return write_view::<Self>(cx, TABLE, spec, lf);
        }
        match write_plan(cx, TABLE, lf) {
            Ok(written) => Ok(written.alone(TABLE)),
            Err(failure) => {
                let error = blame(cx, cx.inputs.values()).unwrap_or_else(|| failure.while_doing("run the query"));
                Err(unconverted(error).at(path!["query"]))
            }
        }
    }

    fn is_view(spec: &Spec) -> bool {
        !spec.keep
    }

    fn plan(spec: &Spec, inputs: &BTreeMap<String, Input>, _: Seed) -> Result<Plan, StageError> {
        Ok(Plan(Box::new(query(spec, inputs)?)))
    }

    fn bitwise(spec: &Spec) -> bool {
        spec.float_sums == FloatSums::Exact
    }
}

fn planned<'a>(spec: &'a Spec, plan: &'a dyn Fn(Tables<'_>) -> Option<LazyFrame>) -> Planned<'a> {
    Planned { references: spec.inputs.values().collect(), text: spec.query.clone(), plan }
}

/// The query's plan over these tables; `None` where it cannot be made, which is told elsewhere.
fn over(spec: &Spec, tables: Tables<'_>) -> Option<LazyFrame> {
    plan_query(&spec.query, &named(spec, tables).ok()?, spec.float_sums).ok()
}

/// The query's plan.
fn query(spec: &Spec, inputs: &BTreeMap<String, Input>) -> Result<LazyFrame, StageError> {
    let tables = named(spec, &|reference| table_apart(input_of(inputs, reference)?))?;
    plan_query(&spec.query, &tables, spec.float_sums)
        .map_err(|error| failed("run the query", &error).at(path!["query"]))
}

/// The tables under the names that the query calls them by.
fn named(spec: &Spec, tables: Tables<'_>) -> Result<Frames, StageError> {
    spec.inputs.iter().map(|(name, reference)| Ok((name.clone(), tables(reference)?))).collect()
}
