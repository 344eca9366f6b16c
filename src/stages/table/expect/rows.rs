//! The rows that failed, as a table.

use super::MARKS;
use super::judge::Verdict;
use crate::frame::failed;
use crate::stage::StageError;
use polars::prelude::*;

/// At most `keep` failing rows of each column of each check: check by check, column by column, in the order of the rows.
pub(super) fn table(df: &DataFrame, verdicts: &[Verdict], keep: usize) -> Result<DataFrame, StageError> {
    let mut checks: Vec<&str> = Vec::new();
    let mut columns: Vec<Option<&str>> = Vec::new();
    let mut rows: Vec<IdxSize> = Vec::new();
    for verdict in verdicts {
        for part in &verdict.parts {
            let failing = part.fails.iter().enumerate().filter(|(_, fails)| *fails == Some(true)).map(|(row, _)| row);
            for row in failing.take(keep) {
                checks.push(&verdict.name);
                columns.push(part.column.as_deref());
                rows.push(row as IdxSize);
            }
        }
    }
    build(df, checks, columns, rows).map_err(|error| failed("take the rows that failed", &error))
}

fn build(df: &DataFrame, checks: Vec<&str>, columns: Vec<Option<&str>>, rows: Vec<IdxSize>) -> PolarsResult<DataFrame> {
    let taken = df.take(&IdxCa::from_slice("row".into(), &rows))?;
    let [(check, _), (column, _), (row, _)] = MARKS;
    let numbers: Vec<i64> = rows.iter().map(|row| i64::from(*row) + 1).collect();
    let mut all = vec![
        StringChunked::from_iter_values(check.into(), checks.into_iter()).into_column(),
        StringChunked::from_iter_options(column.into(), columns.into_iter()).into_column(),
        Column::new(row.into(), numbers),
    ];
    all.extend(taken.into_columns());
    DataFrame::new(rows.len(), all)
}
