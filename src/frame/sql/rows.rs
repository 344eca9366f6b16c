//! Rows of values that are compared, `(a, b) < (c, d)`, `(a, b) IN ((1, 'x'), (2, 'y'))`, and lists of `IN` that hold more than constants:
//! `a IN (b, 3)`.

use super::parse_expr;
use sqlparser::ast::{BinaryOperator, Expr};

/// So many rows are looked through one by one.
const MOST: usize = 100;

/// What a comparison of rows means, in comparisons of their values; `None` of any other expression.
pub(super) fn meant(expr: &Expr) -> Result<Option<Expr>, String> {
    let text = match expr {
        Expr::BinaryOp { left, op, right } => match (values(left), values(right)) {
            (Some(left), Some(right)) => compared(left, op, right)?,
            _ => return Ok(None),
        },
        Expr::InList { expr, list, negated } => {
            let Some(row) = values(expr) else { return Ok(among(expr, list, *negated)) };
            if list.len() > MOST {
                return Err(format!(
                    "a row is looked for among {MOST} rows at most, found {}: join with a table of them, or write `IN (SELECT …)`",
                    list.len()
                ));
            }
            let equal = |other: &Expr| match values(other) {
                Some(other) => compared(row, &BinaryOperator::Eq, other).map(Option::unwrap_or_default),
                None => Err(unequal(row.len(), 1)),
            };
            let any = list.iter().map(equal).collect::<Result<Vec<_>, _>>()?.join(" OR ");
            Some(format!("{}({any})", if *negated { "NOT " } else { "" }))
        }
        _ => None,
    };
    Ok(text.and_then(|text| parse_expr(&format!("({text})")).ok()))
}

/// A value that is looked for among others of which one is no constant, in comparisons; `None` where all are, or there are many.
fn among(value: &Expr, list: &[Expr], negated: bool) -> Option<Expr> {
    let casts = list.iter().filter(|one| matches!(one, Expr::Cast { .. })).count();
    let is_known = list.iter().all(is_constant) && (casts == 0 || casts == list.len());
    if is_known || list.len() > MOST || list.iter().any(|one| values(one).is_some()) {
        return None;
    }
    let any: Vec<String> = list.iter().map(|one| format!("({value}) = ({one})")).collect();
    parse_expr(&format!("({}({}))", if negated { "NOT " } else { "" }, any.join(" OR "))).ok()
}

/// Whether polars reads a value of a list so.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Cast { expr, .. } => is_constant(expr),
        Expr::UnaryOp { expr, .. } => matches!(expr.as_ref(), Expr::Value(_)),
        Expr::Value(_) | Expr::TypedString(_) | Expr::Interval(_) | Expr::Array(_) => true,
        _ => false,
    }
}

/// The values of a row.
fn values(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Nested(inner) => values(inner),
        Expr::Tuple(values) => Some(values),
        _ => None,
    }
}

fn unequal(left: usize, right: usize) -> String {
    format!("a row of {left} values is compared with one of {right}: both have as many")
}

fn compared(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Result<Option<String>, String> {
    use BinaryOperator as B;
    if !matches!(op, B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq) {
        return Ok(None);
    }
    if left.len() != right.len() {
        return Err(unequal(left.len(), right.len()));
    }
    let each = |op: &str| left.iter().zip(right).map(|(a, b)| format!("({a}) {op} ({b})")).collect::<Vec<_>>();
    Ok(Some(match op {
        B::Eq => format!("({})", each("=").join(" AND ")),
        B::NotEq => format!("({})", each("<>").join(" OR ")),
        op => {
            // The first values that differ decide; where none does, it is the last ones'.
            let strictly = if matches!(op, B::Lt | B::LtEq) { "<" } else { ">" };
            let (equal, before) = (each("="), each(strictly));
            let mut last = each(&op.to_string()).pop().unwrap_or_default();
            for at in (0..left.len().saturating_sub(1)).rev() {
                last = format!("({} OR ({} AND {last}))", before[at], equal[at]);
            }
            last
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::super::parse_expr;
    use super::meant;

    #[test]
    fn rows_are_compared_value_by_value() {
        let of =
            |text: &str| meant(&parse_expr(text).expect("an expression")).map(|expr| expr.map(|expr| expr.to_string()));
        for (text, means) in [
            ("(a, b) = (1, c)", "(((a) = (1) AND (b) = (c)))"),
            ("(a, b) <> (1, c)", "(((a) <> (1) OR (b) <> (c)))"),
            ("(a, b) <= (c, d)", "(((a) < (c) OR ((a) = (c) AND (b) <= (d))))"),
            ("(a, b) IN ((1, 'x'), (2, 'y'))", "((((a) = (1) AND (b) = ('x')) OR ((a) = (2) AND (b) = ('y'))))"),
            ("(a, b) NOT IN ((1, 'x'))", "(NOT (((a) = (1) AND (b) = ('x'))))"),
            ("a IN (b, 3)", "(((a) = (b) OR (a) = (3)))"),
            ("a NOT IN (1.5, CAST('nan' AS DOUBLE))", "(NOT ((a) = (1.5) OR (a) = (CAST('nan' AS DOUBLE))))"),
        ] {
            assert_eq!(of(text), Ok(Some(means.to_owned())), "{text}");
        }
        for other in ["a = 1", "a IN (1, -2, NULL)", "a IN (DATE '2024-01-31')", "(a) = (b)", "(a, b) IS NULL"] {
            assert_eq!(of(other), Ok(None), "{other}");
        }
        assert!(
            of("(a, b) = (1, 2, 3)").is_err_and(|said| said.contains("a row of 2 values is compared with one of 3"))
        );
        assert!(of("(a, b) IN ((1, 2), 3)").is_err());
    }
}
