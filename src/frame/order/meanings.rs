//! Functions that databases compute otherwise than polars.

use super::Scope;
use polars::prelude::*;
use polars_plan::dsl::TemporalFunction;

/// A function of these arguments as SQL has it.
pub(super) fn of(mut input: Vec<Expr>, function: &FunctionExpr, scope: &Scope<'_>) -> Expr {
    let function = match function {
        // Halves go away from zero, and not to the even neighbour.
        FunctionExpr::Round { decimals, .. } => {
            FunctionExpr::Round { decimals: *decimals, mode: RoundMode::HalfAwayFromZero }
        }
        FunctionExpr::TemporalExpr(TemporalFunction::OffsetBy) => {
            if let [from, by] = input.as_mut_slice()
                && is_date(from, scope)
                && has_time_of_day(by)
            {
                // A date and some hours are a moment; polars forgets the hours.
                *from = from.clone().cast(DataType::Datetime(TimeUnit::Microseconds, None));
            }
            function.clone()
        }
        other => other.clone(),
    };
    Expr::Function { input, function }
}

fn is_date(expr: &Expr, scope: &Scope<'_>) -> bool {
    scope.schema().and_then(|schema| expr.to_field(schema)).is_ok_and(|field| field.dtype == DataType::Date)
}

fn has_time_of_day(by: &Expr) -> bool {
    let Expr::Literal(text) = by else { return false };
    let by = text.extract_str().and_then(|text| Duration::try_parse(text).ok());
    by.is_some_and(|by| by.nanoseconds() % 86_400_000_000_000 != 0)
}
