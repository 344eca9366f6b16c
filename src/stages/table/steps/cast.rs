//! Other column types.

use super::super::columns::{is_pattern, select};
use super::{Rule, Tables};
use crate::diag::{brief, codes, did_you_mean, list};
use crate::frame::{
    CastFault, FloatSums, cast_exactly, from_polars, is_no_moment, moment_as_text, needs_care, ordinary, run_plan,
    to_polars,
};
use crate::numbers;
use crate::stage::{CheckCx, Path, RunCx, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::{Column, Expr, Field, LazyFrame, PolarsError, PolarsResult, Scalar, SchemaRef, col};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What makes dates and times of numbers.
const OF_NUMBERS: &str = "expressions of a `derive` step say what a number counts: `to_timestamp(a)` of seconds since 1970, \
     `CAST(strptime(CAST(a AS VARCHAR), '%Y%m%d') AS DATE)` of numbers such as 20240131";

/// New types by column name or pattern. An exact name wins over a pattern, a longer pattern over a shorter one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Cast(BTreeMap<String, DType>);

impl Cast {
    /// Patterns first, shorter before longer, exact names last: later entries win.
    fn in_order(&self) -> Vec<(&str, &DType)> {
        let mut rules: Vec<(&str, &DType)> = self.0.iter().map(|(rule, dtype)| (rule.as_str(), dtype)).collect();
        rules.sort_by_key(|(rule, _)| (!is_pattern(rule), rule.len(), *rule));
        rules
    }
}

impl Rule for Cast {
    fn check(&self, input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let mut output = input.clone();
        for (rule, dtype) in self.in_order() {
            let at: Path = [at.clone(), vec![rule.into()]].concat();
            if let DType::Other(text) = dtype {
                cx.error(at.clone(), codes::UNKNOWN_DTYPE, format!("`{text}` is not a column type"))
                    .label("no such type")
                    .maybe_hint(did_you_mean(text, DType::names()))
                    .hint(format!("the types are {}, `decimal(p, s)` and `list(T)`", list(DType::names(), 20)));
                continue;
            }
            for name in select(&input, rule, at.clone(), cx) {
                let Some(column) = output.columns.iter_mut().find(|column| column.name == name) else { continue };
                let from = input.columns.iter().find(|column| column.name == name).map(|column| &column.dtype);
                if let Some(from) = from.filter(|from| !castable(from, dtype)) {
                    cx.error(
                        at.clone(),
                        codes::COLUMN_TYPE,
                        format!("column `{name}` is {from}, which has no form as {dtype}"),
                    )
                    .label(format!("from {from}"))
                    .maybe_hint(is_no_moment(from, dtype).then(|| OF_NUMBERS.to_owned()));
                }
                column.dtype = dtype.clone();
            }
        }
        output
    }

    fn apply(&self, lf: LazyFrame, schema: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        let exprs: Result<Vec<_>, _> =
            self.targets(schema).into_iter().map(|(name, dtype)| cast(name, dtype, schema)).collect();
        let exprs = exprs?;
        Ok(if exprs.is_empty() { lf } else { lf.with_columns(exprs) })
    }
}

fn cast(name: String, dtype: &DType, schema: &SchemaRef) -> Result<Expr, StageError> {
    let target = to_polars(dtype).ok_or_else(|| StageError::data(format!("`{dtype}` is not a column type")))?;
    let from = schema.get(&name).map_or(DType::Unknown, from_polars);
    let moment = |dtype| moment_as_text(col(name.as_str()), dtype);
    if let Some(text) = schema.get(&name).filter(|_| *dtype == DType::Str).and_then(moment) {
        return Ok(text);
    }
    if !needs_care(&from, dtype) {
        return Ok(col(name).strict_cast(target));
    }
    let dtype = dtype.clone();
    let exactly = move |column: Column| exactly(&column, &dtype);
    Ok(col(name).map(exactly, move |_, field| Ok(Field::new(field.name().clone(), target.clone()))))
}

fn exactly(column: &Column, dtype: &DType) -> PolarsResult<Column> {
    cast_exactly(column, dtype).map_err(|fault| PolarsError::ComputeError(told(column, dtype, &fault, None).into()))
}

/// What is wrong with a cast; the row, from 0, where it is known.
fn told(column: &Column, dtype: &DType, fault: &CastFault, row: Option<usize>) -> String {
    let (name, from) = (column.name(), from_polars(column.dtype()));
    match fault {
        CastFault::NoForm => format!("column `{name}` is {from}, which has no form as {dtype}"),
        CastFault::Lost { count, found, .. } => {
            let (all, found) = (numbers::count(column.len() as u64), brief(found));
            let (count, have) = (numbers::count(*count as u64), if *count == 1 { "has" } else { "have" });
            let row = row.map_or_else(String::new, |row| format!(" in row {}", numbers::count(row as u64 + 1)));
            format!("column `{name}`: {count} of {all} values {have} no form as {dtype}, the first is `{found}`{row}")
        }
    }
}

impl Cast {
    /// After the step failed: the first value of its table that a new type cannot hold, with its row.
    pub(super) fn blame(&self, cx: &RunCx<'_>, mut before: LazyFrame) -> Option<String> {
        let schema = before.collect_schema().ok()?;
        let targets = self.targets(&schema);
        let wanted: Vec<Expr> = targets.keys().map(|name| col(name.as_str())).collect();
        let mut lost: BTreeMap<&str, (usize, usize, String)> = BTreeMap::new();
        let (mut rows, mut wrong) = (0, None);
        let ran = run_plan(cx, before.select(wanted), &mut |df| {
            for (name, dtype) in &targets {
                let Ok(column) = df.column(name) else { continue };
                match cast_exactly(column, dtype) {
                    Ok(_) => {}
                    Err(CastFault::Lost { count, row, found }) => {
                        lost.entry(name.as_str()).or_insert((0, rows + row, found)).0 += count;
                    }
                    Err(fault) => wrong = wrong.take().or_else(|| Some(told(column, dtype, &fault, None))),
                }
            }
            rows += df.height();
            Ok(())
        });
        ran.ok()?;
        let first = lost.into_iter().min_by_key(|(_, (_, row, _))| *row);
        let found = first.and_then(|(name, (count, row, found))| {
            let fault = CastFault::Lost { count, row, found };
            let column = Column::new_scalar(name.into(), Scalar::null(schema.get(name)?.clone()), rows);
            Some(told(&column, targets.get(name)?, &fault, Some(row)))
        });
        found.or(wrong)
    }

    fn targets(&self, schema: &SchemaRef) -> BTreeMap<String, &DType> {
        let mut targets = BTreeMap::new();
        for (rule, dtype) in self.in_order() {
            targets.extend(super::matching(schema, rule).into_iter().map(|name| (name, dtype)));
        }
        targets
    }
}

/// Whether values of a type have a form as another; polars tells that of values alone.
fn castable(from: &DType, to: &DType) -> bool {
    match to_polars(from) {
        Some(from) => !matches!(cast_exactly(&ordinary(&from), to), Err(CastFault::NoForm)),
        None => true,
    }
}
