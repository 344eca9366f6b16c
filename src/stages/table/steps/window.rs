//! New columns from the rows around each row.

use super::super::columns::{OneOrMany, column};
use super::super::report::report_expr;
use super::frame::{self, RangeFrame, RowFrame};
use super::{Rule, Tables};
use crate::frame::sql::{Problem, check_expr, function_problems, plan_expr};
use crate::frame::{FloatSums, failed};
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::{Expr, LazyFrame, PolarsResult, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// SQL window functions over groups of rows: the same as `… OVER (PARTITION BY by ORDER BY order)`. The rows stay as they
/// are; new columns come last, sorted by name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// The columns whose values make a group; all rows are one group without it.
    #[serde(default)]
    pub by: OneOrMany,
    /// The columns that order the rows of a group; rows that are equal in them keep their order, and missing values are the largest.
    /// Aggregates then are of the rows up to each row and those that are equal to it.
    #[serde(default)]
    pub order: OneOrMany,
    /// The largest first.
    #[serde(default)]
    pub descending: bool,
    /// Only the rows near each row count, by their number: `{ from = -6, to = 0 }` are the six before it and itself. Then
    /// the functions are count, sum, avg, min, max, stddev, variance, first_value and last_value; those of no row are missing.
    pub rows: Option<RowFrame>,
    /// Only the rows near each row count, by how far their value of `order` lies from its own:
    /// `{ from = "-6h", to = "-2h" }`, or numbers where the order is one of numbers.
    pub range: Option<RangeFrame>,
    /// Window functions by the name of the column they give: `{ before = "lag(delay)", total = "sum(delay)" }`.
    pub columns: BTreeMap<String, String>,
}

impl Window {
    /// The expression as SQL. What the user wrote stands at its beginning, so that places in it stay as they are.
    fn text(&self, function: &str) -> String {
        let quoted = |names: &OneOrMany, after: &str| -> String {
            let names: Vec<String> =
                names.0.iter().map(|name| format!("\"{}\"{after}", name.replace('"', "\"\""))).collect();
            names.join(", ")
        };
        let mut parts = Vec::new();
        if !self.by.0.is_empty() {
            parts.push(format!("PARTITION BY {}", quoted(&self.by, "")));
        }
        if !self.order.0.is_empty() {
            parts.push(format!("ORDER BY {}", quoted(&self.order, if self.descending { " DESC" } else { "" })));
        }
        let frame = frame::sql(self.rows.as_ref(), self.range.as_ref());
        format!("{function} OVER ({}{frame})", parts.join(" "))
    }
}

/// A problem of a function of this length and what the step adds to it, in words of the step.
fn in_step(mut problem: Problem, length: usize) -> Problem {
    problem.range = problem.range.take().filter(|range| range.end <= length);
    problem.message = problem
        .message
        .replace("write `OVER (ORDER BY …)`", "give the step an `order`")
        .replace("needs an interval: `INTERVAL '6 hours'`", "needs lengths of time: `from = \"-6h\"`");
    problem
}

impl Rule for Window {
    fn check(&self, input: TableSchema, sums: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let before = cx.count();
        for (field, names) in [("by", &self.by), ("order", &self.order)] {
            for (name, place) in names.with_paths(&[at.clone(), vec![field.into()]].concat()) {
                column(&input, name, place, cx);
            }
        }
        frame::check(self.rows.as_ref(), self.range.as_ref(), &self.order, at, cx);
        let known = cx.count() == before;
        let mut output = input.clone();
        for (name, function) in &self.columns {
            let wrong = function_problems(function);
            let checked = match (known, wrong.is_empty()) {
                (_, false) => Err(wrong),
                (true, true) => check_expr(&self.text(function), &input, sums),
                (false, true) => Ok(None),
            };
            let dtype = checked.unwrap_or_else(|problems| {
                for problem in problems {
                    let place = [at.clone(), vec!["columns".into(), name.into()]].concat();
                    report_expr(vec![in_step(problem, function.len())], &input, &place, cx);
                }
                None
            });
            output.set(name, dtype.unwrap_or(DType::Unknown));
        }
        output
    }

    fn apply(
        &self,
        lf: LazyFrame,
        schema: &SchemaRef,
        sums: FloatSums,
        _: Tables<'_>,
    ) -> Result<LazyFrame, StageError> {
        let one = |(name, function): (&String, &String)| {
            plan_expr(&self.text(function), schema, sums).map(|expr| expr.alias(name.as_str()))
        };
        let exprs: PolarsResult<Vec<Expr>> = self.columns.iter().map(one).collect();
        Ok(lf.with_columns(exprs.map_err(|error| failed("read the window functions", &error))?))
    }
}
