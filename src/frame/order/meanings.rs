//! Functions that databases compute otherwise than polars.

use super::super::functions;
use super::{Scope, has_column, lengths};
use polars::prelude::*;
use polars_plan::dsl::{ListFunction, StringFunction, TemporalFunction};

/// A function of these arguments as SQL has it.
pub(super) fn of(mut input: Vec<Expr>, function: &FunctionExpr, scope: &Scope<'_>) -> Expr {
    let function = match function {
        FunctionExpr::Pow(PowFunction::Generic) => return power(input, function, scope),
        // Halves go away from zero, and not to the even neighbour.
        FunctionExpr::Round { decimals, .. } => {
            FunctionExpr::Round { decimals: *decimals, mode: RoundMode::HalfAwayFromZero }
        }
        FunctionExpr::TemporalExpr(TemporalFunction::OffsetBy) => {
            if let [from, by] = input.as_mut_slice()
                && dtype_of(from, scope) == Some(DataType::Date)
                && has_time_of_day(by)
            {
                // A date and some hours are a moment; polars forgets the hours.
                *from = from.clone().cast(DataType::Datetime(TimeUnit::Microseconds, None));
            }
            if let [from, by] = input.as_mut_slice() {
                *from = lengths::offset(from.clone(), by);
            }
            function.clone()
        }
        FunctionExpr::Abs
            if input.first().and_then(|of| dtype_of(of, scope)).is_some_and(|of| of.is_signed_integer()) =>
        {
            return functions::absolute(Expr::Function { input, function: function.clone() });
        }
        // Of no values there is no sum.
        FunctionExpr::ListExpr(ListFunction::Sum) => {
            let Some(list) = input.first().cloned() else {
                return Expr::Function { input, function: function.clone() };
            };
            let sum = list_sum(list.clone(), dtype_of(&list, scope));
            return when(list.list().max().is_not_null()).then(sum).otherwise(lit(NULL));
        }
        // As they are written by themselves.
        FunctionExpr::StringExpr(StringFunction::ConcatHorizontal { .. }) => {
            for part in &mut input {
                if let Some(text) = dtype_of(part, scope).and_then(|dtype| functions::as_text(part.clone(), &dtype)) {
                    *part = text;
                }
            }
            function.clone()
        }
        other => other.clone(),
    };
    Expr::Function { input, function }
}

/// The sum of each list, with room as the sum of a column has it.
fn list_sum(list: Expr, dtype: Option<DataType>) -> Expr {
    let of = |item: DataType| list.clone().cast(DataType::List(Box::new(item))).list().sum();
    match dtype.as_ref().and_then(DataType::inner_dtype) {
        Some(DataType::Int32 | DataType::UInt32) => of(DataType::Int64),
        Some(item @ (DataType::Int64 | DataType::UInt64)) => functions::narrowed(of(DataType::Int128), item),
        _ => list.list().sum(),
    }
}

/// Few powers of whole numbers have room in one, and those of negative exponents none: databases give floats.
fn power(mut input: Vec<Expr>, function: &FunctionExpr, scope: &Scope<'_>) -> Expr {
    for side in &mut input {
        if dtype_of(side, scope).is_some_and(|dtype| dtype.is_integer()) {
            *side = side.clone().cast(DataType::Float64);
        }
    }
    let own = match input.as_slice() {
        [base, exponent] if has_column(exponent) => {
            let is_number = dtype_of(exponent, scope).is_some_and(|dtype| dtype.is_primitive_numeric());
            match dtype_of(base, scope).filter(|_| is_number) {
                Some(DataType::Float32) => Some(DataType::Float32),
                Some(DataType::Float64 | DataType::Unknown(UnknownKind::Float)) => Some(DataType::Float64),
                _ => None,
            }
            .map(|dtype| functions::power(base.clone(), exponent.clone(), &dtype))
        }
        _ => None,
    };
    own.unwrap_or_else(|| Expr::Function { input, function: function.clone() })
}

fn dtype_of(expr: &Expr, scope: &Scope<'_>) -> Option<DataType> {
    scope.schema().and_then(|schema| expr.to_field(schema)).ok().map(|field| field.dtype)
}

fn has_time_of_day(by: &Expr) -> bool {
    let Expr::Literal(text) = by else { return false };
    let by = text.extract_str().and_then(|text| Duration::try_parse(text).ok());
    by.is_some_and(|by| by.nanoseconds() % 86_400_000_000_000 != 0)
}
