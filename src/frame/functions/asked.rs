//! A condition that may fail, kept from the readers of files: they ask a condition on one column of that column's pages, where a failure stops
//! them as if by a mistake of their own. One that names several columns is asked of rows.

use super::{by_rows, called};
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// The same condition, which names one of its columns once more.
pub(in crate::frame) fn of(condition: Expr, column: PlSmallStr) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> =
        LazyLock::new(|| by_rows("asked", |columns| Ok(columns[0].clone()), |fields| Ok(fields[0].dtype().clone())));
    called(&FUNCTION, vec![condition, col(column)])
}
