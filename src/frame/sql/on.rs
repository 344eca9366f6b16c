//! Conditions of joins: an equality that is not between the two tables. polars takes every one for a pair of keys, the first of the
//! left table, whatever it is of: `b.k = 'x'` becomes `a.k = 'x'`. Written as two comparisons it says what it means.

use super::smallest::constraint_mut;
use super::using::called;
use sqlparser::ast::{BinaryOperator, Expr, Ident, JoinConstraint, Select, VisitMut, VisitorMut, visit_expressions};
use std::ops::ControlFlow;

/// Writes them so; says whether there was one.
pub(super) fn written<T: VisitMut>(ast: &mut T) -> bool {
    let mut writer = Writer { any: false };
    let _ = VisitMut::visit(ast, &mut writer);
    writer.any
}

struct Writer {
    any: bool,
}

impl VisitorMut for Writer {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for join in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            let Some(right) = called(&join.relation).cloned() else { continue };
            if let Some(JoinConstraint::On(condition)) = constraint_mut(&mut join.join_operator) {
                self.any |= compared(condition, &right);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Writes the equalities of a condition as comparisons that are not between the table of this name and others.
fn compared(condition: &mut Expr, right: &Ident) -> bool {
    match condition {
        Expr::Nested(inner) => compared(inner, right),
        Expr::BinaryOp { left, op: BinaryOperator::And, right: other } => {
            compared(left, right) | compared(other, right)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right: other } if is_of_one(left, other, right) => {
            let compare = |op| Expr::BinaryOp { left: left.clone(), op, right: other.clone() };
            let (most, least) = (compare(BinaryOperator::LtEq), compare(BinaryOperator::GtEq));
            *condition = Expr::BinaryOp { left: Box::new(most), op: BinaryOperator::And, right: Box::new(least) };
            true
        }
        _ => false,
    }
}

/// Whose columns an expression has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Nobody,
    Right,
    Others,
    /// Of both, or it cannot be told.
    Unknown,
}

fn is_of_one(one: &Expr, other: &Expr, right: &Ident) -> bool {
    use Whose as W;
    match (whose(one, right), whose(other, right)) {
        (W::Nobody, W::Nobody) => false,
        (W::Nobody, _) | (_, W::Nobody) | (W::Right, W::Right) | (W::Others, W::Others) => true,
        _ => false,
    }
}

fn whose(expr: &Expr, right: &Ident) -> Whose {
    let mut found = Whose::Nobody;
    let mut add = |whose: Whose| {
        found = match found {
            Whose::Nobody => whose,
            before if before == whose => before,
            _ => Whose::Unknown,
        };
    };
    let _ = visit_expressions(expr, |expr| {
        match expr {
            Expr::CompoundIdentifier(parts) if parts.len() == 2 => {
                add(if parts[0].value == right.value { Whose::Right } else { Whose::Others });
            }
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => add(Whose::Unknown),
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => add(Whose::Unknown),
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    found
}
