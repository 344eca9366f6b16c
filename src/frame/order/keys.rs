//! What tables can be joined by.

use super::super::from_polars;
use super::Scope;
use polars::prelude::*;

/// Refuses keys whose common type polars is not built to join by: it would panic.
pub(super) fn joinable(left_on: &[Expr], left: &Scope<'_>, right_on: &[Expr], right: &Scope<'_>) -> PolarsResult<()> {
    if left_on.is_empty() {
        return Ok(());
    }
    for (a, b) in left_on.iter().zip(right_on) {
        let (a, b) = (a.to_field(left.schema()?)?, b.to_field(right.schema()?)?);
        let mixed = |a: &DataType, b: &DataType| *a == DataType::UInt64 && b.is_signed_integer();
        let wide = a.dtype == DataType::Int128 || b.dtype == DataType::Int128;
        if wide || mixed(&a.dtype, &b.dtype) || mixed(&b.dtype, &a.dtype) {
            let (x, y) = (from_polars(&a.dtype), from_polars(&b.dtype));
            polars_bail!(InvalidOperation: "`{}` is {x}, but `{}` of the other table is {y}: cast one of them before joining", a.name, b.name);
        }
    }
    Ok(())
}
