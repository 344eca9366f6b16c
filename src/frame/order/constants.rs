//! Aggregates of constants, `sum(1)`. polars takes a constant for one value, however many rows there are: here each row has it.

use super::Scope;
use polars::prelude::*;

/// What an aggregate takes in: a constant as the value of each row, and all else as it is.
pub(super) fn of_rows(input: Expr, scope: &Scope<'_>) -> Expr {
    if !is_constant(&input) {
        return input;
    }
    // What is wrong with it is told where it is used. Nothing is missing however often it is there.
    let field = scope.schema().and_then(|schema| input.to_field(schema));
    match field.and_then(|field| field.dtype.materialize_unknown(true)) {
        Ok(dtype) if dtype != DataType::Null => {
            let rows = int_range(lit(0_i64), len(), 1, DataType::Int64);
            when(rows.gt_eq(lit(0_i64))).then(input.strict_cast(dtype)).otherwise(lit(NULL))
        }
        _ => input,
    }
}

/// Whether an expression is made of single values alone, so that it has no rows of its own.
fn is_constant(expr: &Expr) -> bool {
    expr.into_iter().all(|node| match node {
        Expr::Literal(value) => matches!(value, LiteralValue::Scalar(_) | LiteralValue::Dyn(_)),
        // The different ones of constants are as many as there are.
        Expr::Function { function: FunctionExpr::Unique(_), .. } => false,
        Expr::Function { input, .. } | Expr::AnonymousFunction { input, .. } => !input.is_empty(),
        Expr::Alias(..) | Expr::BinaryExpr { .. } | Expr::Cast { .. } | Expr::Ternary { .. } => true,
        _ => false,
    })
}
