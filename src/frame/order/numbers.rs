//! Numbers as SQL has them: what polars computes otherwise, and casts that lose a part of values without saying so.

use super::super::{decimal, from_polars, functions};
use super::{Scope, has_column, has_selector};
use polars::prelude::*;
use std::sync::Arc;

/// `left op right` as SQL has it.
pub(super) fn binary(left: Expr, op: Operator, right: Expr, scope: &Scope<'_>) -> Expr {
    // The number of rows has a type as a column has one.
    let typed = |expr: &Expr| has_column(expr) || expr.into_iter().any(|node| matches!(node, Expr::Len));
    let known = typed(&left) || typed(&right);
    // What is wrong with an operand is told where it is used.
    let dtype = |expr: &Expr| known.then(|| Some(expr.to_field(scope.schema().ok()?).ok()?.dtype)).flatten();
    let computed = signed(decimal::arithmetic(left, op, right, dtype), dtype);
    let Expr::BinaryExpr { left, op: Operator::Modulus, right } = &computed else { return computed };
    let field = scope.schema().and_then(|schema| computed.to_field(schema));
    match field.and_then(|field| field.dtype.materialize_unknown(true)) {
        Ok(dtype) if functions::has_sign(&dtype) => {
            functions::remainder(left.as_ref().clone(), right.as_ref().clone(), &dtype)
        }
        _ => computed,
    }
}

/// A difference of numbers without a sign, such as counts, may be below zero, where polars begins again from above.
fn signed(computed: Expr, dtype: impl Fn(&Expr) -> Option<DataType>) -> Expr {
    let unsigned = |dtype: &DataType| matches!(dtype, DataType::UInt8 | DataType::UInt16 | DataType::UInt32);
    match &computed {
        Expr::BinaryExpr { left, op: op @ Operator::Minus, right }
            if dtype(&computed).is_some_and(|of| unsigned(&of)) =>
        {
            let left = left.as_ref().clone().cast(DataType::Int64);
            Expr::BinaryExpr { left: Arc::new(left), op: *op, right: right.clone() }
        }
        _ => computed,
    }
}

/// Refuses a cast that loses a part of values and does not say what becomes of it.
pub(super) fn keeps_values(inner: &Expr, to: &DataTypeExpr, scope: &Scope<'_>) -> PolarsResult<()> {
    let DataTypeExpr::Literal(to) = to else { return Ok(()) };
    let rounded = match inner {
        Expr::Function { function, .. } => {
            matches!(function.to_string().as_str(), "round" | "floor" | "ceil" | "truncate" | "round_sig_figs" | "sign")
        }
        _ => false,
    };
    let may_lose = to.is_integer() || matches!(to, DataType::Float32 | DataType::Date | DataType::Decimal(..));
    if !may_lose || has_selector(inner) || !has_column(inner) {
        return Ok(());
    }
    let from = inner.to_field(scope.schema()?)?.dtype;
    let Some((loses, says_how)) = loses(&from, to).filter(|_| !rounded || matches!(to, DataType::Float32)) else {
        return Ok(());
    };
    let (from, to) = (from_polars(&from), from_polars(to));
    polars_bail!(InvalidOperation: "`CAST` of {from} to {to} {loses} without saying so: {says_how}");
}

/// What a cast leaves out, and how to say that it is meant. That a date has no time of day, and an `f32` fewer digits than an
/// `f64`, is what one casts to them for.
fn loses(from: &DataType, to: &DataType) -> Option<(&'static str, &'static str)> {
    use DataType as D;
    let cut = Some(("cuts fractions off", "ROUND, FLOOR, CEIL or TRUNC before it, or TRY_CAST"));
    match (from, to) {
        (D::Float32 | D::Float64 | D::Decimal(..), to) if to.is_integer() => cut,
        (D::Decimal(_, before), D::Decimal(_, after)) if after < before => cut,
        (D::Int32 | D::Int64 | D::Int128 | D::UInt32 | D::UInt64 | D::Decimal(..), D::Float32) => {
            Some(("rounds to 24 bits", "CAST to DOUBLE, or TRY_CAST"))
        }
        _ => None,
    }
}
