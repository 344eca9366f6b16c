//! Conditions, put together and taken apart.

use sqlparser::ast::{BinaryOperator, Expr, visit_expressions};
use std::ops::ControlFlow;

/// `left op right`
pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// That both are true.
pub(super) fn and(left: Expr, right: Expr) -> Expr {
    binary(left, BinaryOperator::And, right)
}

/// In brackets.
pub(super) fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

/// Whether there is a column in an expression.
pub(super) fn has_column(expr: &Expr) -> bool {
    visit_expressions(expr, |expr| match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// The parts of a condition that all have to be true. They need no brackets beside each other.
pub(super) fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => [conjuncts(left), conjuncts(right)].concat(),
        Expr::Nested(inner) if needs_none(inner) => conjuncts(inner),
        one => vec![one],
    }
}

/// Whether something needs no brackets beside an AND.
fn needs_none(expr: &Expr) -> bool {
    use BinaryOperator as B;
    match expr {
        Expr::BinaryOp { op, .. } => {
            matches!(op, B::And | B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq)
        }
        Expr::Nested(_) | Expr::Between { .. } | Expr::Exists { .. } | Expr::InSubquery { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_expr;
    use super::conjuncts;

    #[test]
    fn what_all_has_to_be_true_is_taken_apart() {
        let expr =
            parse_expr("a = 1 AND ((b = 2 AND (c OR d)) AND (e BETWEEN 1 AND 2)) AND NOT f").expect("a condition");
        let parts: Vec<String> = conjuncts(&expr).into_iter().map(ToString::to_string).collect();
        assert_eq!(parts, ["a = 1", "b = 2", "(c OR d)", "e BETWEEN 1 AND 2", "NOT f"]);
    }
}
