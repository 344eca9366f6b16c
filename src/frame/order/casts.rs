//! Casts as SQL has them: what polars makes otherwise of values, and what loses a part of them without saying so.

use super::super::{decimal, from_polars, functions, is_no_moment};
use super::{Scope, has_column, has_selector};
use polars::chunked_array::cast::CastOptions;
use polars::prelude::*;
use std::sync::Arc;

/// A cast of an expression that is fixed.
pub(super) fn of(inner: Expr, to: &DataTypeExpr, options: CastOptions, scope: &Scope<'_>) -> PolarsResult<Expr> {
    let cast = |inner: Expr| Expr::Cast { expr: Arc::new(inner), dtype: to.clone(), options };
    let DataTypeExpr::Literal(to) = to else { return Ok(cast(inner)) };
    if let DataType::Decimal(digits, after) = to
        && (!(1..=decimal::MOST_DIGITS).contains(digits) || after > digits)
    {
        polars_bail!(InvalidOperation: "a decimal has 1 to {} digits, as many of them after the point at most, found DECIMAL({digits}, {after})", decimal::MOST_DIGITS);
    }
    has_meaning(&inner, to, options.is_strict(), scope)?;
    if options.is_strict() {
        keeps_values(&inner, to, scope)?;
    }
    if has_selector(&inner) || !is_other(to) {
        return Ok(cast(inner));
    }
    // What is wrong with what is cast is told where it is used.
    let Some(from) = scope.schema().and_then(|schema| inner.to_field(schema)).ok().map(|field| field.dtype) else {
        return Ok(cast(inner));
    };
    Ok(match (&from, to) {
        (DataType::String, DataType::Datetime(unit, None)) => functions::of_text(inner, *unit, options.is_strict()),
        (from, DataType::String) => functions::as_text(inner.clone(), from).unwrap_or_else(|| cast(inner)),
        (from, to) => cast(rounded(inner, from, to, options)),
    })
}

/// Whether anything becomes such a type otherwise than by polars.
fn is_other(to: &DataType) -> bool {
    to.is_integer() || to.is_decimal() || matches!(to, DataType::String | DataType::Datetime(_, None))
}

/// Numbers rounded to the digits of another type: decimals and halves away from zero, as databases do. Floats become whole numbers
/// by the even neighbour of a half, as there.
fn rounded(inner: Expr, from: &DataType, to: &DataType, options: CastOptions) -> Expr {
    use RoundMode::{HalfAwayFromZero, HalfToEven};
    let is_real = from.is_float() || matches!(from, DataType::Unknown(UnknownKind::Float));
    match (from, to) {
        (DataType::Decimal(_, before), DataType::Decimal(_, after)) if after < before => {
            inner.round(*after as u32, HalfAwayFromZero)
        }
        (_, DataType::Decimal(_, after)) if is_real => inner.round(*after as u32, HalfAwayFromZero),
        (DataType::String, DataType::Decimal(digits, after)) => {
            // As many digits after the point as have room are read first.
            let room = decimal::MOST_DIGITS - digits.saturating_sub(*after);
            let dtype = DataTypeExpr::Literal(DataType::Decimal(decimal::MOST_DIGITS, room));
            Expr::Cast { expr: Arc::new(inner), dtype, options }.round(*after as u32, HalfAwayFromZero)
        }
        (DataType::Decimal(..), to) if to.is_integer() => inner.round(0, HalfAwayFromZero),
        // A number that is written out is a decimal to databases.
        (_, to) if is_real && to.is_integer() => {
            let mode = if has_column(&inner) { HalfToEven } else { HalfAwayFromZero };
            inner.round(0, mode)
        }
        _ => inner,
    }
}

/// Refuses a number as a date or time: which unit it counts, and since when, a cast does not say. A constant that is tried as one is a text
/// that was read.
fn has_meaning(inner: &Expr, to: &DataType, strict: bool, scope: &Scope<'_>) -> PolarsResult<()> {
    let is_moment = matches!(to, DataType::Date | DataType::Time | DataType::Datetime(..) | DataType::Duration(_));
    if !is_moment || has_selector(inner) || !(strict || has_column(inner)) {
        return Ok(());
    }
    let Ok(from) = inner.to_field(scope.schema()?)?.dtype.materialize_unknown(true) else { return Ok(()) };
    let (from, to) = (from_polars(&from), from_polars(to));
    if is_no_moment(&from, &to) {
        polars_bail!(InvalidOperation: "a number is no date or time by itself, found a cast of {from} to {to}: `to_timestamp(a)` is of seconds since 1970, `strptime(CAST(a AS VARCHAR), '%Y%m%d')` of numbers such as 20240131, `a * INTERVAL '1 day'` a length of time");
    }
    Ok(())
}

/// Refuses a cast that loses a part of values and does not say what becomes of it.
fn keeps_values(inner: &Expr, to: &DataType, scope: &Scope<'_>) -> PolarsResult<()> {
    let rounded = match inner {
        Expr::Function { function, .. } => {
            matches!(function.to_string().as_str(), "round" | "floor" | "ceil" | "truncate" | "round_sig_figs" | "sign")
        }
        _ => false,
    };
    let may_lose = to.is_integer() || matches!(to, DataType::Float32 | DataType::Decimal(..));
    if !may_lose || has_selector(inner) || !has_column(inner) {
        return Ok(());
    }
    let from = inner.to_field(scope.schema()?)?.dtype;
    let Some((loses, says_how)) = loses(&from, to).filter(|_| !rounded || matches!(to, DataType::Float32)) else {
        return Ok(());
    };
    let (from, to) = (from_polars(&from.materialize_unknown(true)?), from_polars(to));
    polars_bail!(InvalidOperation: "`CAST` of {from} to {to} {loses} without saying so: {says_how}");
}

/// What a cast leaves out or counts from, and how to say that it is meant; databases know no casts between numbers and dates. That a date
/// has no time of day, and an `f32` fewer digits than an `f64`, is what one casts to them for.
fn loses(from: &DataType, to: &DataType) -> Option<(&'static str, &'static str)> {
    use DataType as D;
    let cut = Some(("cuts fractions off", "ROUND, FLOOR, CEIL or TRUNC before it, or TRY_CAST"));
    match (from, to) {
        (D::Float32 | D::Float64 | D::Decimal(..), to) if to.is_integer() => cut,
        (D::Decimal(_, before), D::Decimal(_, after)) if after < before => cut,
        (D::Date, to) if to.is_integer() => {
            Some(("gives days since 1970", "`date_diff('day', DATE '1970-01-01', d)`, or `EXTRACT(year FROM d)`"))
        }
        (D::Datetime(..), to) if to.is_integer() => {
            Some(("gives microseconds since 1970", "`epoch(t)` gives seconds, `EXTRACT(year FROM t)` the year"))
        }
        (D::Int32 | D::Int64 | D::Int128 | D::UInt32 | D::UInt64 | D::Decimal(..), D::Float32) => {
            Some(("rounds to 24 bits", "CAST to DOUBLE, or TRY_CAST"))
        }
        _ => None,
    }
}
