//! Comparisons of two types in conditions of joins and in `IN` over a query. There polars knows equal types alone, and looks at them
//! where it reads a query: so both sides are floats to it, and in the plan again what they are, where they get the type that they have in
//! common (see `frame/order/keys.rs`).

use super::super::functions::COMPARED;
use super::super::polars_words;
use super::conditions::has_column;
use super::forms::{marked, typed};
use super::holds::is_grouped;
use super::parse_expr;
use super::smallest::constraint_mut;
use polars::prelude::PolarsError;
use sqlparser::ast::{
    BinaryOperator, Expr, JoinConstraint, Query, Select, SelectItem, SetExpr, Statement, Value, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Whether polars refuses a query for such a comparison.
pub(super) fn are_refused(error: &PolarsError) -> bool {
    let words = polars_words(error);
    ["datatypes of join keys don't match", "a join does not compare ", "'is_in' cannot check for "]
        .iter()
        .any(|refusal| words.starts_with(refusal))
}

/// Writes them so; says whether there was one.
pub(super) fn written(statement: &mut Statement) -> bool {
    let mut writer = Writer { any: false };
    let _ = VisitMut::visit(statement, &mut writer);
    writer.any
}

struct Writer {
    any: bool,
}

impl VisitorMut for Writer {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for join in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            if let Some(JoinConstraint::On(condition)) = constraint_mut(&mut join.join_operator) {
                self.condition(condition);
            }
        }
        // Of tables side by side, `FROM a, b`, the conditions of the join stand here.
        if let Some(condition) = &mut select.selection
            && select.from.len() > 1
        {
            self.condition(condition);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::InSubquery { expr, subquery, .. } = expr
            && let Some(column) = only_column(subquery)
            && !matches!(**expr, Expr::Tuple(_))
        {
            self.sides(expr, column);
        }
        ControlFlow::Continue(())
    }
}

impl Writer {
    fn condition(&mut self, condition: &mut Expr) {
        use BinaryOperator as B;
        match condition {
            Expr::Nested(inner) => self.condition(inner),
            Expr::BinaryOp { left, op: B::And, right } => {
                self.condition(left);
                self.condition(right);
            }
            Expr::BinaryOp { left, op: B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq, right }
                if has_column(left) && has_column(right) =>
            {
                self.sides(left, right);
            }
            _ => {}
        }
    }

    fn sides(&mut self, left: &mut Expr, right: &mut Expr) {
        for side in [left, right] {
            if let Ok(float) = parse_expr(&format!("CAST({side} AS DOUBLE)")) {
                let value = std::mem::replace(side, Expr::value(Value::Null));
                *side = typed(marked(vec![value], COMPARED.to_owned()), float);
                self.any = true;
            }
        }
    }
}

/// The column of a query that gives one, of each of its rows.
fn only_column(query: &mut Query) -> Option<&mut Expr> {
    let SetExpr::Select(select) = &mut *query.body else { return None };
    if is_grouped(select) {
        return None;
    }
    match select.projection.as_mut_slice() {
        [SelectItem::UnnamedExpr(column) | SelectItem::ExprWithAlias { expr: column, .. }] => Some(column),
        _ => None,
    }
}
