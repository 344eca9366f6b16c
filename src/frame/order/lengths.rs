//! Lengths of time. polars writes those of a query in nanoseconds, of which an `i64` holds 292 years, and moves and multiplies without looking
//! whether there is room.

use super::super::functions;
use super::{Scope, has_column, numbers};
use polars::prelude::*;
use polars_plan::dsl::TemporalFunction;

/// A number times a length of time; `None` of anything else.
pub(super) fn product(
    left: &Expr,
    op: Operator,
    right: &Expr,
    dtype: impl Fn(&Expr) -> Option<DataType>,
) -> Option<Expr> {
    if op != Operator::Multiply {
        return None;
    }
    let types = (dtype(left)?, dtype(right)?);
    let (unit, number) = match &types {
        (DataType::Duration(unit), other) | (other, DataType::Duration(unit)) => (*unit, other),
        _ => return None,
    };
    let is_whole = number.is_integer() || matches!(number, DataType::Unknown(UnknownKind::Int(_)));
    let is_real = number.is_float() || matches!(number, DataType::Unknown(UnknownKind::Float));
    if !is_whole && !is_real {
        return None;
    }
    let of_query = [left, right].into_iter().any(in_microseconds);
    let unit = if of_query { TimeUnit::Microseconds } else { unit };
    let wide = if is_whole { DataType::Int128 } else { DataType::Float64 };
    let [left, right] = [(left, &types.0), (right, &types.1)].map(|(side, dtype)| match dtype {
        DataType::Duration(_) => side.clone().cast(DataType::Duration(unit)).cast(DataType::Int64).cast(wide.clone()),
        _ => side.clone().cast(wide.clone()),
    });
    let is_written = !has_column(&left) && !has_column(&right);
    let product = left * right;
    let product = if is_whole { product } else { product.round(0, RoundMode::HalfAwayFromZero) };
    Some(match is_written {
        // Computed before anything runs, so that a filter by it reaches the files.
        true => product.strict_cast(DataType::Int64).cast(DataType::Duration(unit)),
        false => functions::length(product.strict_cast(DataType::Int128), unit),
    })
}

/// Whether it is a length that is written in the query, of microseconds.
fn in_microseconds(side: &Expr) -> bool {
    let Expr::Literal(LiteralValue::Scalar(scalar)) = side else { return false };
    matches!(scalar.value(), AnyValue::Duration(length, TimeUnit::Nanoseconds) if length % 1_000 == 0)
}

/// The sides of a sum or difference, of which a moment that a length of time moves is looked at: whether there is room.
pub(super) fn movable(
    left: Expr,
    op: Operator,
    right: Expr,
    dtype: impl Fn(&Expr) -> Option<DataType>,
) -> (Expr, Expr) {
    let minus = op == Operator::Minus;
    // What is written out is known before anything runs.
    if !(minus || op == Operator::Plus) || !(has_column(&left) || has_column(&right)) {
        return (left, right);
    }
    let is_moment = |dtype: &Option<DataType>| matches!(dtype, Some(DataType::Date | DataType::Datetime(..)));
    let is_length = |dtype: &Option<DataType>| matches!(dtype, Some(DataType::Duration(_)));
    let (x, y) = (dtype(&left), dtype(&right));
    if is_moment(&x) && is_length(&y) {
        return (functions::movable(left, right.clone(), minus), right);
    }
    if is_length(&x) && is_moment(&y) && !minus {
        let right = functions::movable(right, left.clone(), false);
        return (left, right);
    }
    (left, right)
}

/// A moment that an interval is added to, looked at in the same way. What is written out and moved by years is found to lie nowhere before
/// anything runs.
pub(super) fn offset(moment: Expr, by: &Expr) -> Expr {
    let Expr::Literal(text) = by else { return functions::movable(moment, by.clone(), false) };
    let Some(by) = text.extract_str().and_then(|text| Duration::try_parse(text).ok()) else { return moment };
    // Ten thousand years are always there.
    let is_long = by.weeks().saturating_mul(7).saturating_add(by.days()) > 3_652_500;
    match has_column(&moment) || (is_long && by.months() == 0) {
        true => functions::movable(moment, Expr::Literal(text.clone()), false),
        false => moment,
    }
}

/// Of what seconds since 1970 are asked, where polars was asked for them: it computes them of nanoseconds, of which there is room from 1677 to
/// 2262 alone.
pub(super) fn epoch_of(expr: &Expr) -> Option<&Expr> {
    let Expr::BinaryExpr { left, op: Operator::Plus, right } = expr else { return None };
    let of = part_of(left.as_ref(), |part| matches!(part, TemporalFunction::TimeStamp(TimeUnit::Nanoseconds)))?;
    part_of(right.as_ref(), |part| matches!(part, TemporalFunction::Nanosecond)).filter(|other| *other == of)
}

/// Of what a quotient of such a part is.
fn part_of(quotient: &Expr, is: fn(&TemporalFunction) -> bool) -> Option<&Expr> {
    let Expr::BinaryExpr { left, .. } = quotient else { return None };
    match left.as_ref() {
        Expr::Function { input, function: FunctionExpr::TemporalExpr(part) } if is(part) => input.first(),
        _ => None,
    }
}

/// The seconds since 1970 of what is a datetime.
pub(super) fn epoch(of: Expr, scope: &Scope<'_>) -> Option<Expr> {
    let dtype = scope.schema().and_then(|schema| of.to_field(schema)).ok()?.dtype;
    let micros = || of.dt().timestamp(TimeUnit::Microseconds).cast(DataType::Float64);
    matches!(dtype, DataType::Datetime(..)).then(|| numbers::binary(micros(), Operator::TrueDivide, lit(1e6), scope))
}
