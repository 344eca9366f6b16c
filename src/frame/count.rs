//! Counting the rows of a plan.

use polars::prelude::*;

/// The expressions of a selection from `input`. Where it only counts rows, polars' optimizer pushes that down, and adds up the
/// counts of a union in a type that it was not built with: there it must not see that rows are counted.
pub(super) fn of_rows(exprs: Vec<Expr>, input: &DslPlan) -> Vec<Expr> {
    let counts = |expr: &Expr| match expr {
        Expr::Alias(inner, _) => matches!(**inner, Expr::Len),
        expr => matches!(expr, Expr::Len),
    };
    let [expr] = exprs.as_slice() else { return exprs };
    if !counts(expr) || !input.into_iter().any(|node| matches!(node, DslPlan::Union { .. })) {
        return exprs;
    }
    let hidden = || len().max();
    vec![match expr {
        Expr::Alias(_, name) => hidden().alias(name.clone()),
        _ => hidden(),
    }]
}
