//! Comparisons between the tables of a join. polars finds pairs by conditions on columns of one type alone.

use super::decimal::MOST_DIGITS;
use polars::prelude::*;

/// A condition on rows of two tables, whose columns stand in one schema, with numbers and times compared in the type that they have
/// in common.
///
/// # Errors
/// Where a type in the condition cannot be resolved.
pub fn alike(condition: Expr, both: &Schema) -> PolarsResult<Expr> {
    condition.try_map_expr(|expr| match expr {
        Expr::BinaryExpr { left, op, right } if op.is_comparison() => {
            let (a, b) = (left.to_field(both)?.dtype, right.to_field(both)?.dtype);
            let Some(dtype) = common(&a, &b) else { return Ok(Expr::BinaryExpr { left, op, right }) };
            let cast = |side: Arc<Expr>, from: &DataType| match *from == dtype {
                true => side,
                false => Arc::new(Arc::unwrap_or_clone(side).strict_cast(dtype.clone())),
            };
            Ok(Expr::BinaryExpr { left: cast(left, &a), op, right: cast(right, &b) })
        }
        other => Ok(other),
    })
}

/// The type in which values of two different ones are compared; `None` where they are of one type, or nothing fits.
pub fn common(a: &DataType, b: &DataType) -> Option<DataType> {
    let number = |dtype: &DataType| dtype.is_primitive_numeric() || dtype.is_decimal();
    let moment = |dtype: &DataType| matches!(dtype, DataType::Date | DataType::Datetime(..));
    let mixed = |a: &DataType, b: &DataType| *a == DataType::UInt64 && b.is_signed_integer();
    match (a, b) {
        _ if a == b => None,
        // Their own would be a float, which does not hold all of them.
        _ if mixed(a, b) || mixed(b, a) => Some(DataType::Int128),
        // polars takes the most digits and the most of them after the point, for which there may be no room.
        (DataType::Decimal(p, s), DataType::Decimal(q, t)) => {
            let (before, after) = (p.saturating_sub(*s).max(q.saturating_sub(*t)), (*s).max(*t));
            Some(DataType::Decimal((before + after).min(MOST_DIGITS), after))
        }
        _ if (number(a) && number(b)) || (moment(a) && moment(b)) => {
            let schema = Schema::from_iter([("a".into(), a.clone()), ("b".into(), b.clone())]);
            let either = when(lit(true)).then(col("a")).otherwise(col("b"));
            either.to_field(&schema).ok().map(|field| field.dtype)
        }
        _ => None,
    }
}
