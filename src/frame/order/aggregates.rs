//! Aggregates of values that are fixed, and exact where that is asked for.

use super::super::functions::{self, one_zero};
use super::super::sums::{FloatSums, exact_aggregate};
use super::{Fixer, Scope, constants, has_selector, numbers};
use polars::prelude::*;
use std::sync::Arc;

impl Fixer<'_> {
    pub(super) fn aggregate(&self, aggregate: &AggExpr, scope: &Scope<'_>) -> PolarsResult<Expr> {
        use AggExpr as A;
        let ordered =
            matches!(aggregate, A::First(_) | A::Last(_) | A::FirstNonNull(_) | A::LastNonNull(_) | A::Implode { .. });
        let before = self.in_order.replace(ordered && self.in_order.get());
        let aggregate = self.aggregate_of(aggregate, scope);
        self.in_order.set(before);
        aggregate
    }

    fn aggregate_of(&self, aggregate: &AggExpr, scope: &Scope<'_>) -> PolarsResult<Expr> {
        let one = |expr: &Arc<Expr>| {
            let input = self.scalars.by_rows(|| self.expr(expr, scope))?;
            Ok::<_, PolarsError>(Arc::new(constants::of_rows(input, scope)))
        };
        let of_population = functions::of_population(aggregate);
        let aggregate = match of_population.as_ref().unwrap_or(aggregate) {
            AggExpr::Sum(input) => match self.sum(one(input)?.as_ref(), scope)? {
                Expr::Agg(sum) => sum,
                fitted => return Ok(fitted),
            },
            AggExpr::Mean(input) => AggExpr::Mean(one(input)?),
            AggExpr::Var(input, ddof) => AggExpr::Var(one(input)?, *ddof),
            AggExpr::Std(input, ddof) => AggExpr::Std(one(input)?, *ddof),
            AggExpr::Median(input) => AggExpr::Median(one(input)?),
            AggExpr::First(input) => AggExpr::First(one(input)?),
            AggExpr::Last(input) => AggExpr::Last(one(input)?),
            AggExpr::FirstNonNull(input) => AggExpr::FirstNonNull(one(input)?),
            AggExpr::LastNonNull(input) => AggExpr::LastNonNull(one(input)?),
            AggExpr::NUnique(input) => AggExpr::NUnique(one(input)?),
            AggExpr::Min { input, .. } => return Ok(extreme(one(input)?.as_ref(), Expr::min, scope)),
            AggExpr::Max { input, .. } => return Ok(extreme(one(input)?.as_ref(), Expr::max, scope)),
            AggExpr::Count { input, include_nulls } => {
                AggExpr::Count { input: one(input)?, include_nulls: *include_nulls }
            }
            AggExpr::Implode { input, maintain_order } => {
                AggExpr::Implode { input: one(input)?, maintain_order: *maintain_order }
            }
            AggExpr::Item { input, allow_empty } => AggExpr::Item { input: one(input)?, allow_empty: *allow_empty },
            AggExpr::AggGroups(input) => AggExpr::AggGroups(one(input)?),
        };
        if matches!(aggregate, AggExpr::Median(_)) {
            return Ok(one_of_its_values(Expr::Agg(aggregate), scope));
        }
        let moment = matches!(aggregate, AggExpr::Sum(_) | AggExpr::Mean(_) | AggExpr::Var(..) | AggExpr::Std(..));
        if self.sums == FloatSums::Fast || !moment {
            return Ok(Expr::Agg(aggregate));
        }
        let (AggExpr::Sum(input) | AggExpr::Mean(input) | AggExpr::Var(input, _) | AggExpr::Std(input, _)) = &aggregate
        else {
            return Ok(Expr::Agg(aggregate));
        };
        if has_selector(input) {
            polars_bail!(InvalidOperation: "an aggregate of `COLUMNS(...)` cannot be summed exactly: name the columns one by one");
        }
        let dtype = input.to_field(scope.schema()?)?.dtype;
        Ok(exact_aggregate(&aggregate, &dtype).unwrap_or(Expr::Agg(aggregate)))
    }

    /// A sum that has room.
    fn sum(&self, input: &Expr, scope: &Scope<'_>) -> PolarsResult<Expr> {
        if has_selector(input) {
            return Ok(input.clone().sum());
        }
        Ok(numbers::sum(input.clone(), &input.to_field(scope.schema()?)?.dtype, Expr::sum))
    }
}

/// The smallest or the largest. What is wrong with the values is told where they are used.
fn extreme(input: &Expr, take: fn(Expr) -> Expr, scope: &Scope<'_>) -> Expr {
    let field = scope.schema().and_then(|schema| input.to_field(schema));
    match field.map(|field| field.dtype) {
        Ok(DataType::Float32 | DataType::Float64 | DataType::Unknown(UnknownKind::Float)) => {
            functions::extreme(input.clone(), take)
        }
        _ => take(input.clone()),
    }
}

/// What is one of several values, or between two of them: of equal ones it is always the same.
pub(super) fn one_of_its_values(value: Expr, scope: &Scope<'_>) -> Expr {
    if has_selector(&value) {
        return value;
    }
    // What is wrong with it is told where it is used.
    match scope.schema().and_then(|schema| value.to_field(schema)) {
        Ok(field) => one_zero(value, &field.dtype),
        Err(_) => value,
    }
}
