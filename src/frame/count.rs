//! Counting the rows of a plan.

use polars::prelude::*;
use polars_plan::plans::FunctionIR;
use polars_plan::prelude::DslFunction;

/// The expressions of a selection from `input`. Where it only counts rows, polars' optimizer pushes that down, and adds up the
/// counts of a union in a type that it was not built with: there it must not see that rows are counted.
pub(super) fn of_rows(exprs: Vec<Expr>, input: &DslPlan) -> Vec<Expr> {
    let counts = |expr: &Expr| match expr {
        Expr::Alias(inner, _) => matches!(**inner, Expr::Len),
        expr => matches!(expr, Expr::Len),
    };
    let [expr] = exprs.as_slice() else { return exprs };
    if !counts(expr) || !adds_up(input) {
        return exprs;
    }
    let hidden = || len().max();
    vec![match expr {
        Expr::Alias(_, name) => hidden().alias(name.clone()),
        _ => hidden(),
    }]
}

/// Whether there is a union that the optimizer can push a count to. It looks into no function that it does not know: so the rows
/// of a table that is not kept are counted there as they were when its columns were told.
fn adds_up(plan: &DslPlan) -> bool {
    match plan {
        DslPlan::Union { .. } => true,
        DslPlan::MapFunction { function: DslFunction::FunctionIR(FunctionIR::Opaque { .. }), .. } => false,
        DslPlan::MapFunction { input, .. }
        | DslPlan::Filter { input, .. }
        | DslPlan::Select { input, .. }
        | DslPlan::HStack { input, .. }
        | DslPlan::GroupBy { input, .. }
        | DslPlan::Distinct { input, .. }
        | DslPlan::Sort { input, .. }
        | DslPlan::Slice { input, .. }
        | DslPlan::Cache { input, .. } => adds_up(input),
        DslPlan::IR { dsl, .. } => adds_up(dsl),
        DslPlan::HConcat { inputs, .. } => inputs.iter().any(adds_up),
        DslPlan::Join { input_left, input_right, .. } => adds_up(input_left) || adds_up(input_right),
        _ => false,
    }
}
