//! Numbers as SQL has them: what polars computes otherwise, and casts that lose a part of values without saying so.

use super::super::from_polars;
use super::super::functions;
use super::{Scope, has_column, has_selector};
use polars::prelude::*;
use std::sync::Arc;

/// `left op right` as SQL has it.
pub(super) fn binary(left: Arc<Expr>, op: Operator, right: Arc<Expr>, scope: &Scope<'_>) -> Expr {
    let (left, right) = of_decimals(left, op, right, scope);
    let polars = Expr::BinaryExpr { left: left.clone(), op, right: right.clone() };
    if op != Operator::Modulus {
        return polars;
    }
    // What is wrong with an operand is told where it is used.
    let field = scope.schema().and_then(|schema| polars.to_field(schema));
    match field.and_then(|field| field.dtype.materialize_unknown(true)) {
        Ok(dtype) if functions::has_sign(&dtype) => {
            functions::remainder(Arc::unwrap_or_clone(left), Arc::unwrap_or_clone(right), &dtype)
        }
        _ => polars,
    }
}

/// Arithmetic of decimals as SQL has it. Of a decimal and a whole number polars tells another type than it computes: so both
/// become decimals. And it rounds a product to the digits of its factors: so one of them gets as many as the product has.
fn of_decimals(left: Arc<Expr>, op: Operator, right: Arc<Expr>, scope: &Scope<'_>) -> (Arc<Expr>, Arc<Expr>) {
    use Operator as O;
    let arithmetic = matches!(op, O::Plus | O::Minus | O::Multiply | O::RustDivide | O::TrueDivide | O::Modulus);
    if !arithmetic || !(has_column(&left) || has_column(&right)) {
        return (left, right);
    }
    // What is wrong with an operand is told where it is used.
    let dtype = |expr: &Expr| Some(expr.to_field(scope.schema().ok()?).ok()?.dtype);
    let (Some(x), Some(y)) = (dtype(&left), dtype(&right)) else { return (left, right) };
    let whole = |dtype: &DataType| dtype.is_integer() || matches!(dtype, DataType::Unknown(UnknownKind::Int(_)));
    let with_scale =
        |expr: Arc<Expr>, scale| Arc::new(expr.as_ref().clone().cast(DataType::Decimal(MOST_DIGITS, scale)));
    match (x, y) {
        (DataType::Decimal(..), y) if whole(&y) => (left, with_scale(right, 0)),
        (x, DataType::Decimal(..)) if whole(&x) => (with_scale(left, 0), right),
        (DataType::Decimal(_, a), DataType::Decimal(_, b)) if op == O::Multiply && a > 0 && b > 0 => {
            (with_scale(left, (a + b).min(MOST_DIGITS)), right)
        }
        _ => (left, right),
    }
}

/// The most digits that a decimal has.
const MOST_DIGITS: usize = 38;

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
