//! Numbers that are written out and added, subtracted or multiplied: `0.1 + 0.2`. A number with a point is a float here, and a decimal to
//! databases; computed as decimals before they become floats, they give the same number.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

/// The digits of a number, and how many of them stand after its point.
type Decimal = (i128, u32);

/// So many digits after the point are computed.
const MOST_AFTER: u32 = 18;

/// What an operation on two numbers gives, one of which has a point.
pub(super) fn folded(expr: &Expr) -> Option<Expr> {
    let Expr::BinaryOp { left, op, right } = expr else { return None };
    let ((a, x), (b, y)) = (number(left)?, number(right)?);
    if x.max(y) == 0 {
        return None;
    }
    let same = |digits: i128, after: u32| digits.checked_mul(10_i128.checked_pow(x.max(y) - after)?);
    let (digits, after) = match op {
        BinaryOperator::Plus => (same(a, x)?.checked_add(same(b, y)?)?, x.max(y)),
        BinaryOperator::Minus => (same(a, x)?.checked_sub(same(b, y)?)?, x.max(y)),
        BinaryOperator::Multiply => (a.checked_mul(b)?, x + y),
        _ => return None,
    };
    if after > MOST_AFTER {
        return None;
    }
    let one = 10_u128.pow(after);
    let value = digits.unsigned_abs();
    let text = format!("{}.{:0width$}", value / one, value % one, width = after as usize);
    let number = Expr::value(Value::Number(text, false));
    if digits >= 0 {
        return Some(number);
    }
    let negative = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number) };
    Some(Expr::Nested(Box::new(negative)))
}

fn number(expr: &Expr) -> Option<Decimal> {
    match expr {
        Expr::Nested(inner) => number(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => number(expr).map(|(digits, after)| (-digits, after)),
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => {
                let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
                let after = u32::try_from(fraction.len()).ok().filter(|after| *after <= MOST_AFTER)?;
                Some((format!("{whole}{fraction}").parse().ok()?, after))
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_expr;
    use super::folded;

    #[test]
    fn constants_are_computed_as_decimals() {
        let of = |text: &str| folded(&parse_expr(text).expect("an expression")).map(|expr| expr.to_string());
        for (text, expected) in [
            ("0.1 + 0.2", "0.3"),
            ("0.06 - 0.01", "0.05"),
            ("0.05 - 1", "(-0.95)"),
            ("1.1 * 1.1", "1.21"),
            ("2 * (-0.5)", "(-1.0)"),
            (".5 + 1.", "1.5"),
        ] {
            assert_eq!(of(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!((of("1 + 2"), of("0.1 / 3"), of("x + 0.1"), of("1e3 + 0.1")), (None, None, None, None));
    }
}
