//! `IS DISTINCT FROM`. The parser takes all that follows for its right side, `a IS DISTINCT FROM (b AND c)`: it goes before AND and OR, and
//! is in brackets where polars reads it with the same parser.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Visit, VisitMut, visit_expressions, visit_expressions_mut};
use std::ops::ControlFlow;

/// Whether there is one in what was read from a text.
pub(super) fn is_in<T: Visit>(text: &str, ast: &T) -> bool {
    // Most texts have not even the word.
    let word = b"distinct";
    let is_it = |letters: &[u8]| letters[0].eq_ignore_ascii_case(&word[0]) && letters.eq_ignore_ascii_case(word);
    if !text.as_bytes().windows(word.len()).any(is_it) {
        return false;
    }
    let found = visit_expressions(ast, |expr| match expr {
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// Takes what follows out of their right sides.
pub(super) fn apart<T: VisitMut + Visit>(text: &str, ast: &mut T) {
    if !is_in(text, ast) {
        return;
    }
    let _ = visit_expressions_mut(ast, |expr| {
        if let Some(apart) = taken_apart(expr) {
            *expr = apart;
        }
        ControlFlow::<()>::Continue(())
    });
}

fn taken_apart(expr: &Expr) -> Option<Expr> {
    use BinaryOperator as B;
    let nested = |expr: Expr| Expr::Nested(Box::new(expr));
    Some(match expr {
        Expr::IsDistinctFrom(left, right) => with_first(right, &[B::And, B::Or], &|first| {
            nested(Expr::IsDistinctFrom(left.clone(), Box::new(first.clone())))
        }),
        Expr::IsNotDistinctFrom(left, right) => with_first(right, &[B::And, B::Or], &|first| {
            nested(Expr::IsNotDistinctFrom(left.clone(), Box::new(first.clone())))
        }),
        // Without brackets such a thing is what was taken out of a right side.
        Expr::BinaryOp { left, op: B::And, right } if matches!(**right, Expr::BinaryOp { op: B::Or, .. }) => {
            with_first(right, &[B::Or], &|first| Expr::BinaryOp {
                left: left.clone(),
                op: B::And,
                right: Box::new(first.clone()),
            })
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr }
            if matches!(**expr, Expr::BinaryOp { op: B::And | B::Or, .. }) =>
        {
            with_first(expr, &[B::And, B::Or], &|first| Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr: Box::new(first.clone()),
            })
        }
        _ => return None,
    })
}

/// A chain of these operators with another first part.
fn with_first(chain: &Expr, operators: &[BinaryOperator], made: &dyn Fn(&Expr) -> Expr) -> Expr {
    match chain {
        Expr::BinaryOp { left, op, right } if operators.contains(op) => {
            Expr::BinaryOp { left: Box::new(with_first(left, operators, made)), op: op.clone(), right: right.clone() }
        }
        first => made(first),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_expr;

    #[test]
    fn what_follows_is_not_its_right_side() {
        for (text, expected) in [
            ("a IS DISTINCT FROM b AND c", "(a IS DISTINCT FROM b) AND c"),
            ("x = 1 AND a IS DISTINCT FROM b OR c", "x = 1 AND (a IS DISTINCT FROM b) OR c"),
            ("NOT a IS NOT DISTINCT FROM b + 1 AND c AND d", "NOT (a IS NOT DISTINCT FROM b + 1) AND c AND d"),
            (
                "a IS DISTINCT FROM b OR c IS NOT DISTINCT FROM 'd' AND e",
                "(a IS DISTINCT FROM b) OR (c IS NOT DISTINCT FROM 'd') AND e",
            ),
            ("(a OR b) AND NOT (c AND d)", "(a OR b) AND NOT (c AND d)"),
        ] {
            let written = parse_expr(text).expect("an expression").to_string();
            assert_eq!(written, expected);
            assert_eq!(
                parse_expr(&written).expect("an expression").to_string().replace("((", "(").replace("))", ")"),
                expected
            );
        }
    }
}
