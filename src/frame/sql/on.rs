//! Conditions of joins. polars knows comparisons of a column of each table. An equality that is not between the two tables it takes for a
//! pair of keys all the same (`b.k = 'x'` becomes `a.k = 'x'`): written as two comparisons it says what it means. Any other condition on
//! one table becomes a comparison with TRUE, and one on both, of an inner join, a condition of `WHERE`.

use super::conditions::{and, binary, conjuncts, nested};
use super::place::of_expr;
use super::smallest::{constraint, constraint_mut};
use super::using::called;
use super::{Problem, walks};
use sqlparser::ast::{
    BinaryOperator, Expr, Ident, JoinConstraint, JoinOperator, Select, TableWithJoins, Value, Visit, VisitMut,
    visit_expressions,
};
use std::ops::ControlFlow;

/// Writes them so; says whether there was one.
pub(super) fn written<T: VisitMut>(ast: &mut T) -> bool {
    let mut any = false;
    walks::selects_mut(ast, |select| any |= written_in(select));
    any
}

/// What is wrong with them.
pub(super) fn problems<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    let mut found = Vec::new();
    walks::selects(ast, |select| {
        for (from, number) in select.from.iter().flat_map(|from| (0..from.joins.len()).map(move |at| (from, at))) {
            let join = &from.joins[number];
            let Some(right) = called(&join.relation) else { continue };
            let Some(JoinConstraint::On(condition)) = constraint(&join.join_operator) else { continue };
            if keeps_pairs(from, number) {
                continue;
            }
            for part in parts(condition) {
                if let Part::Both(part) = sort(part, right) {
                    let message = "a join that keeps rows without a pair compares columns of one table with columns of the other, \
                                   or asks of one table: other conditions are of an inner JOIN alone";
                    found.push(Problem::syntax(message, of_expr(text, &part)));
                }
            }
        }
    });
    found
}

fn written_in(select: &mut Select) -> bool {
    let (mut any, mut of_where) = (false, Vec::new());
    for from in &mut select.from {
        for number in 0..from.joins.len() {
            let may_move = keeps_pairs(from, number);
            let join = &mut from.joins[number];
            let Some(right) = called(&join.relation).cloned() else { continue };
            let Some(JoinConstraint::On(condition)) = constraint_mut(&mut join.join_operator) else { continue };
            let mut kept = Vec::new();
            for part in parts(condition) {
                match sort(part, &right) {
                    Part::Of(written) => kept.extend(written),
                    Part::Both(part) if may_move => of_where.push(part),
                    Part::Known(part) | Part::Both(part) => kept.push(part),
                }
            }
            let all = kept.into_iter().reduce(and);
            any |= all.as_ref() != Some(condition);
            match all {
                Some(all) => *condition = all,
                None => join.join_operator = JoinOperator::CrossJoin(JoinConstraint::None),
            }
        }
    }
    if !of_where.is_empty() {
        let asked = select.selection.take().map(nested);
        select.selection = of_where.into_iter().map(nested).chain(asked).reduce(and);
    }
    any
}

/// Whether a join and those after it keep pairs alone, so that `WHERE` may ask what it asks.
fn keeps_pairs(from: &TableWithJoins, number: usize) -> bool {
    use JoinOperator as J;
    let inner = matches!(from.joins[number].join_operator, J::Join(_) | J::Inner(_));
    let mut after = from.joins[number + 1..].iter().map(|join| &join.join_operator);
    inner && !after.any(|join| matches!(join, J::Right(_) | J::RightOuter(_) | J::FullOuter(_)))
}

/// The parts of a condition that all have to be true.
fn parts(condition: &Expr) -> Vec<Expr> {
    let part = |part: &Expr| match part {
        Expr::Between { expr, negated: false, low, high } => {
            let side = |op, end: &Expr| binary(expr.as_ref().clone(), op, end.clone());
            vec![side(BinaryOperator::GtEq, low), side(BinaryOperator::LtEq, high)]
        }
        one => vec![one.clone()],
    };
    conjuncts(condition).into_iter().flat_map(part).collect()
}

/// A part of a condition.
enum Part {
    /// Known to polars.
    Known(Expr),
    /// Written otherwise it is.
    Of(Vec<Expr>),
    /// On both tables, and no comparison of the one with the other.
    Both(Expr),
}

fn sort(part: Expr, right: &Ident) -> Part {
    use BinaryOperator as B;
    let truth = |part: Expr| {
        let truth = Expr::value(Value::Boolean(true));
        Part::Of(vec![binary(nested(part), B::GtEq, truth)])
    };
    let Expr::BinaryOp { left, op: op @ (B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq), right: other } = &part
    else {
        return match whose(&part, right) {
            // Of columns that have no table before them it cannot be told whose they are.
            Whose::Both | Whose::Unknown | Whose::Nobody => Part::Both(part),
            Whose::Right | Whose::Others => truth(part),
        };
    };
    match (whose(left, right), whose(other, right)) {
        (Whose::Both, _) | (_, Whose::Both) | (Whose::Nobody, Whose::Nobody) => Part::Both(part),
        (a, b) if *op == B::Eq && is_of_one(a, b) => {
            let compare = |op| binary(left.as_ref().clone(), op, other.as_ref().clone());
            Part::Of(vec![compare(B::LtEq), compare(B::GtEq)])
        }
        _ => Part::Known(part),
    }
}

/// Whose columns an expression has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Nobody,
    Right,
    Others,
    /// Of both.
    Both,
    /// It cannot be told.
    Unknown,
}

fn is_of_one(one: Whose, other: Whose) -> bool {
    use Whose as W;
    match (one, other) {
        (W::Nobody, W::Nobody) => false,
        (W::Nobody, _) | (_, W::Nobody) | (W::Right, W::Right) | (W::Others, W::Others) => true,
        _ => false,
    }
}

fn whose(expr: &Expr, right: &Ident) -> Whose {
    let (mut of_right, mut of_others, mut bare) = (false, false, false);
    let _ = visit_expressions(expr, |expr| {
        match expr {
            Expr::CompoundIdentifier(parts) if parts.len() == 2 => {
                let is_right = parts[0].value == right.value;
                of_right |= is_right;
                of_others |= !is_right;
            }
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => bare = true,
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => bare = true,
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    match (of_right, of_others, bare) {
        (true, true, _) | (true, _, true) => Whose::Both,
        (false, false, false) => Whose::Nobody,
        (true, false, false) => Whose::Right,
        (false, true, false) => Whose::Others,
        _ => Whose::Unknown,
    }
}
