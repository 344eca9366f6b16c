//! Numbers as SQL has them, where polars computes otherwise.

use super::super::functions::Arithmetic;
use super::super::{decimal, from_polars, functions};
use super::Scope;
use polars::prelude::*;
use std::sync::Arc;

/// `left op right` as SQL has it.
pub(super) fn binary(left: Expr, op: Operator, right: Expr, scope: &Scope<'_>) -> Expr {
    // What is wrong with an operand is told where it is used.
    let dtype = |expr: &Expr| Some(expr.to_field(scope.schema().ok()?).ok()?.dtype);
    let computed = whole(decimal::arithmetic(left, op, right, dtype), dtype);
    let Expr::BinaryExpr { left, op: Operator::Modulus, right } = &computed else { return computed };
    let field = scope.schema().and_then(|schema| computed.to_field(schema));
    match field.and_then(|field| field.dtype.materialize_unknown(true)) {
        Ok(dtype) if functions::has_sign(&dtype) => {
            functions::remainder(left.as_ref().clone(), right.as_ref().clone(), &dtype)
        }
        _ => computed,
    }
}

/// Refuses other types than those of numbers.
pub(super) fn are_numbers(what: &str, types: &[DataType]) -> PolarsResult<()> {
    let fits = |dtype: &DataType| {
        dtype.is_primitive_numeric()
            || dtype.is_decimal()
            || matches!(dtype, DataType::Boolean | DataType::Null | DataType::Unknown(_))
    };
    match types.iter().find(|dtype| !fits(dtype)) {
        Some(other) => polars_bail!(InvalidOperation: "{what} need numbers, found {}", from_polars(other)),
        None => Ok(()),
    }
}

/// How many bits a whole number has beside its sign, and whether it may be below zero.
fn bits(dtype: &DataType) -> Option<(u32, bool)> {
    Some(match dtype {
        DataType::Int8 => (7, true),
        DataType::Int16 => (15, true),
        DataType::Int32 => (31, true),
        DataType::Int64 => (63, true),
        DataType::UInt8 => (8, false),
        DataType::UInt16 => (16, false),
        DataType::UInt32 => (32, false),
        DataType::UInt64 => (64, false),
        DataType::Int128 => (127, true),
        DataType::Unknown(UnknownKind::Int(value)) => (128 - value.unsigned_abs().leading_zeros(), *value < 0),
        _ => return None,
    })
}

/// Whole numbers are computed with 64 bits, and looked at where that may not be enough: polars begins again from the other end.
fn whole(computed: Expr, dtype: impl Fn(&Expr) -> Option<DataType>) -> Expr {
    let Expr::BinaryExpr { left, op: operator, right } = &computed else { return computed };
    let operator = *operator;
    let Some(op) = Arithmetic::of(operator) else { return computed };
    let sides = (dtype(left).as_ref().and_then(bits), dtype(right).as_ref().and_then(bits));
    let (Some((x, x_signed)), Some((y, y_signed))) = sides else { return computed };
    let (left, right) = (left.as_ref().clone(), right.as_ref().clone());
    let most = if op == Arithmetic::Multiply { x + y } else { x.max(y) + 1 };
    if most < 64 {
        let wide = |side: Expr, bits: u32| if bits == 63 { side } else { side.cast(DataType::Int64) };
        let (left, right) = (Arc::new(wide(left, x)), Arc::new(wide(right, y)));
        return Expr::BinaryExpr { left, op: operator, right };
    }
    match x.max(y) {
        65.. => functions::whole(left, op, right, &DataType::Int128),
        64 if !x_signed && !y_signed && op != Arithmetic::Minus => functions::whole(left, op, right, &DataType::UInt64),
        64 => functions::narrowed(functions::whole(left, op, right, &DataType::Int128), &DataType::Int64),
        _ => functions::whole(left, op, right, &DataType::Int64),
    }
}

/// A sum, which `add` makes, so that it has room: polars' sum of an `i32` is an `i32`.
pub(super) fn sum(input: Expr, dtype: &DataType, add: impl Fn(Expr) -> Expr) -> Expr {
    match dtype {
        DataType::Int32 | DataType::UInt32 => add(input.cast(DataType::Int64)),
        DataType::Int64 | DataType::UInt64 => functions::narrowed(add(input.cast(DataType::Int128)), dtype),
        dtype => functions::decimal_sum(input, dtype, add),
    }
}
