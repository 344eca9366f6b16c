//! Places of rows among those that are equal to them, by which `EXCEPT ALL` and `INTERSECT ALL` count.

use super::super::functions::PLACE;
use super::Scope;
use super::scalars::is_value;
use polars::prelude::*;

/// Whether a call stands for the place of each row.
pub(super) fn are_meant(function: &FunctionExpr, input: &[Expr]) -> bool {
    match (function, input) {
        (FunctionExpr::Coalesce, [Expr::Literal(text)]) => text.extract_str() == Some(PLACE),
        _ => false,
    }
}

/// The place of each row, from 1 on, among those before it that are equal to it in all columns.
pub(super) fn of(scope: &Scope<'_>) -> PolarsResult<Expr> {
    let columns: Vec<Expr> = scope.schema()?.iter_names().filter(|name| !is_value(name)).cloned().map(col).collect();
    let Some(first) = columns.first() else { return Ok(lit(1)) };
    // Whether it is missing is never missing, so that every row counts.
    first.clone().is_null().cum_count(false).over(columns)
}
