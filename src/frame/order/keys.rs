//! What tables can be joined by.

use super::super::alike::common;
use super::super::from_polars;
use super::Scope;
use polars::prelude::*;

/// The keys of both tables.
type Keys = (Vec<Expr>, Vec<Expr>);

/// Keys in the types that they have in common, as they are compared elsewhere: polars joins by equal types alone, and by whole numbers
/// of different sizes. Where both are to become one column (`as_one`) they stay as they are.
///
/// # Errors
/// Where they have no type in common, or one that polars is not built to join by: it would panic.
pub(super) fn alike(mut on: Keys, left: &Scope<'_>, right: &Scope<'_>, as_one: bool) -> PolarsResult<Keys> {
    for (left_key, right_key) in on.0.iter_mut().zip(&mut on.1) {
        let (a, b) = (field(left_key, left)?, field(right_key, right)?);
        let common = common(&a.dtype, &b.dtype);
        let is_wide = |dtype: &DataType| *dtype == DataType::Int128;
        if is_wide(&a.dtype) || is_wide(&b.dtype) || common.as_ref().is_some_and(is_wide) {
            return Err(different(&a, &b));
        }
        let by_polars = a.dtype.is_integer() && b.dtype.is_integer() || a.dtype.is_float() && b.dtype.is_float();
        if as_one || by_polars || a.dtype == b.dtype {
            continue;
        }
        let Some(dtype) = common else { return Err(different(&a, &b)) };
        for (key, before) in [(left_key, &a.dtype), (right_key, &b.dtype)] {
            if *before != dtype {
                *key = key.clone().strict_cast(dtype.clone());
            }
        }
    }
    Ok(on)
}

fn field(key: &Expr, scope: &Scope<'_>) -> PolarsResult<Field> {
    let field = key.to_field(scope.schema()?)?;
    Ok(Field::new(field.name, field.dtype.materialize_unknown(true)?))
}

fn different(a: &Field, b: &Field) -> PolarsError {
    let (x, y) = (from_polars(&a.dtype), from_polars(&b.dtype));
    polars_err!(InvalidOperation: "{} is {x}, but {} of the other table is {y}: CAST one of them to the type of the other", said(&a.name), said(&b.name))
}

/// A key as it is called; one that is made has no name.
fn said(name: &str) -> String {
    if name.starts_with("__kilter_") { "what is compared".to_owned() } else { format!("`{name}`") }
}
