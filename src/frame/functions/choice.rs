//! `CASE WHEN` of which no branch is a column. polars' optimizer takes such a one for a value without an order (its condition does not count
//! there), and leaves out the sorts before it: so the choice becomes a function of its condition.

use super::{by_rows, called};
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// `yes` where the condition is true, else `no`, as values of one type.
pub(in crate::frame) fn of(condition: Expr, yes: Expr, no: Expr, dtype: &DataType) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        let call = |columns: &[Column]| {
            let [yes, no] = [&columns[0], &columns[1]].map(Column::as_materialized_series);
            Ok(yes.zip_with(columns[2].bool()?, no)?.into_column())
        };
        by_rows("choice", call, |fields| Ok(fields[0].dtype().clone()))
    });
    let [yes, no] = [yes, no].map(|branch| branch.strict_cast(dtype.clone()));
    called(&FUNCTION, vec![yes, no, condition])
}

/// Whether an expression has a value for each row, by which polars knows their order.
pub(in crate::frame) fn gives_rows(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Over { .. } => true,
        Expr::Literal(_) | Expr::Len | Expr::Agg(_) => false,
        Expr::Alias(inner, _) | Expr::Cast { expr: inner, .. } => gives_rows(inner),
        Expr::BinaryExpr { left, right, .. } => gives_rows(left) || gives_rows(right),
        Expr::Ternary { truthy, falsy, .. } => gives_rows(truthy) || gives_rows(falsy),
        Expr::Function { input, .. } | Expr::AnonymousFunction { input, .. } => input.iter().any(gives_rows),
        _ => true,
    }
}
