//! `QUALIFY` becomes a condition over a query that has it as a column: polars asks it of the columns that are selected, and knows no others.

use super::around::{all_of, nothing, of_body};
use super::columns::leave_out;
use super::conditions::nested;
use super::groups::{has, is_window, named};
use super::holds::is_grouped;
use super::walks;
use sqlparser::ast::{Distinct, Expr, Ident, Query, Select, SelectItem, SetExpr, Statement, visit_expressions_mut};
use std::ops::ControlFlow;

/// What the column is called.
const KEPT: &str = "__kilter_qualify";

/// Writes them so; says whether there was one.
pub(super) fn written(statement: &mut Statement) -> bool {
    let mut any = false;
    walks::queries_mut(statement, |query| {
        if let SetExpr::Select(select) = &*query.body
            && let Some(condition) = condition(select)
        {
            around(query, condition);
            any = true;
        }
    });
    any
}

/// The condition of a `SELECT` without groups, with what its own names stand for.
fn condition(select: &Select) -> Option<Expr> {
    if is_grouped(select) || matches!(select.distinct, Some(Distinct::On(_))) {
        return None;
    }
    let mut condition = select.qualify.clone()?;
    let _ = visit_expressions_mut(&mut condition, |expr| {
        if let Expr::Identifier(name) = expr
            && let Some(named) = named(select, name)
        {
            *expr = nested(named.clone());
        }
        ControlFlow::<()>::Continue(())
    });
    has(&condition, is_window).then_some(condition)
}

/// `SELECT * EXCLUDE (kept) FROM (SELECT …, condition AS kept …) WHERE kept`
fn around(query: &mut Query, condition: Expr) {
    let kept = || Ident::with_quote('"', KEPT);
    let mut body = std::mem::replace(&mut *query.body, nothing());
    let mut distinct = None;
    if let SetExpr::Select(select) = &mut body {
        select.qualify = None;
        select.projection.push(SelectItem::ExprWithAlias { expr: condition, alias: kept() });
        distinct = select.distinct.take();
    }
    let mut all = all_of(Query { order_by: query.order_by.take(), ..of_body(body) });
    if let Some(SelectItem::Wildcard(options)) = all.projection.first_mut() {
        leave_out(options, std::iter::once(kept()));
    }
    all.selection = Some(Expr::Identifier(kept()));
    all.distinct = distinct;
    *query.body = SetExpr::Select(Box::new(all));
}
