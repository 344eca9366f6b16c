//! Numbers as SQL has them, where polars computes otherwise.

use super::super::functions::Arithmetic;
use super::super::{decimal, from_polars, functions};
use super::{Scope, lengths};
use polars::prelude::*;
use polars_plan::plans::DynLiteralValue;
use std::sync::Arc;

/// `left op right` as SQL has it.
pub(super) fn binary(left: Expr, op: Operator, right: Expr, scope: &Scope<'_>) -> Expr {
    // What is wrong with an operand is told where it is used.
    let dtype = |expr: &Expr| Some(expr.to_field(scope.schema().ok()?).ok()?.dtype);
    if let Some(product) = lengths::product(&left, op, &right, dtype) {
        return product;
    }
    let (left, right) = lengths::movable(left, op, right, dtype);
    let computed = whole(decimal::arithmetic(left, op, right, dtype), dtype);
    let computed = divided(real(computed, dtype, scope), dtype);
    let Expr::BinaryExpr { left, op: Operator::Modulus, right } = &computed else { return computed };
    let field = scope.schema().and_then(|schema| computed.to_field(schema));
    match field.and_then(|field| field.dtype.materialize_unknown(true)) {
        Ok(dtype) if functions::has_sign(&dtype) => {
            functions::remainder(left.as_ref().clone(), right.as_ref().clone(), &dtype)
        }
        _ => computed,
    }
}

/// Floats as they are computed of one row. With one value for all rows polars takes other ways, which show in the last bits and in the
/// sign of a zero; so how many rows come together would show.
fn real(computed: Expr, dtype: impl Fn(&Expr) -> Option<DataType>, scope: &Scope<'_>) -> Expr {
    let Expr::BinaryExpr { left, op, right } = &computed else { return computed };
    let (Some(x), Some(y)) = (dtype(left), dtype(right)) else { return computed };
    let is_float = |dtype: &DataType| matches!(dtype, DataType::Float32 | DataType::Float64);
    match op {
        // Of what is written out the optimizer makes the quotient.
        Operator::TrueDivide | Operator::FloorDivide if !(is_literal(left) && is_literal(right)) => {
            let Some(dtype) = quotient_type(&computed, *op, &x, &y, scope) else { return computed };
            let quotient = functions::quotient(left.as_ref().clone(), right.as_ref().clone(), &dtype);
            if *op == Operator::FloorDivide { quotient.floor() } else { quotient }
        }
        // A sign is written as a difference from 0.
        Operator::Minus if is_zero(left) && is_float(&y) => {
            functions::negative(left.as_ref().clone(), right.as_ref().clone())
        }
        Operator::Plus if is_zero(right) && is_float(&x) => left.as_ref().clone(),
        _ => computed,
    }
}

/// The type of a quotient of numbers, where it is one of floats.
fn quotient_type(computed: &Expr, op: Operator, x: &DataType, y: &DataType, scope: &Scope<'_>) -> Option<DataType> {
    let is_whole = |dtype: &DataType| dtype.is_integer() || matches!(dtype, DataType::Unknown(UnknownKind::Int(_)));
    let is_real = |dtype: &DataType| matches!(dtype, DataType::Float64 | DataType::Unknown(UnknownKind::Float));
    match (is_whole(x), is_whole(y)) {
        (true, true) => return (op == Operator::TrueDivide).then_some(DataType::Float64),
        (x_whole, y_whole) if (x_whole || is_real(x)) && (y_whole || is_real(y)) => return Some(DataType::Float64),
        _ => {}
    }
    let is_number = |dtype: &DataType| is_whole(dtype) || dtype.is_float() || dtype.is_decimal();
    if !is_number(x) || !is_number(y) {
        return None;
    }
    // Which one it is of floats with fewer bits, and of decimals, follows the other side.
    planned_float(computed, scope)
}

/// The type that polars plans for an expression, where it is one of floats.
fn planned_float(expr: &Expr, scope: &Scope<'_>) -> Option<DataType> {
    let mut planned = DataFrame::empty_with_schema(scope.schema().ok()?).lazy().select([expr.clone()]);
    let dtype = planned.collect_schema().ok()?.iter_values().next().cloned();
    dtype.filter(|dtype| matches!(dtype, DataType::Float32 | DataType::Float64))
}

/// The largest or the smallest of several values in a row.
pub(super) fn extreme(input: Vec<Expr>, function: &FunctionExpr, scope: &Scope<'_>) -> Expr {
    let is_float = |value: &Expr| {
        scope.schema().and_then(|schema| value.to_field(schema)).is_ok_and(|field| field.dtype.is_float())
    };
    let polars = Expr::Function { input: input.clone(), function: function.clone() };
    match input.iter().any(is_float).then(|| planned_float(&polars, scope)).flatten() {
        Some(dtype) => functions::greatest(input, matches!(function, FunctionExpr::MaxHorizontal), &dtype),
        None => polars,
    }
}

/// A whole quotient that may have no room: that of the least number by -1.
fn divided(computed: Expr, dtype: impl Fn(&Expr) -> Option<DataType>) -> Expr {
    let Expr::BinaryExpr { op: Operator::FloorDivide, right, .. } = &computed else { return computed };
    let by_other = match right.as_ref() {
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Int(value))) => *value != -1,
        _ => false,
    };
    let is_signed = |dtype: DataType| dtype.is_signed_integer();
    if by_other || !dtype(&computed).is_some_and(is_signed) {
        return computed;
    }
    let right = right.as_ref().clone();
    functions::divided(computed, right)
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(_))
}

/// Whether an expression is a 0 that is written out.
fn is_zero(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Int(value))) => *value == 0,
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Float(value))) => *value == 0.0,
        _ => false,
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
pub(super) fn bits(dtype: &DataType) -> Option<(u32, bool)> {
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
