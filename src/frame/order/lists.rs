//! Lists of `IN (…)`.

use polars::prelude::*;

/// The list of `IN (…)` as a literal. As SQL is planned it is an aggregate of a literal, for the sake of which the optimizer would
/// move no condition of that filter down to the files.
pub(super) fn whole(expr: Expr) -> Expr {
    literal(&expr).unwrap_or(expr)
}

fn literal(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Alias(inner, _) => literal(inner),
        Expr::Agg(AggExpr::Implode { input, .. }) => match input.as_ref() {
            Expr::Literal(LiteralValue::Series(values)) => {
                let list = values.implode().ok()?.into_series();
                Some(Expr::Literal(LiteralValue::Series(SpecialEq::new(list))))
            }
            _ => None,
        },
        _ => None,
    }
}
