//! `QUALIFY` becomes a condition over a query that has it as a column: polars asks it of the columns that are selected, and knows no others.

use super::groups::named;
use super::sets::{all_of_a_subquery, nothing, of_body};
use sqlparser::ast::{
    Distinct, ExcludeSelectItem, Expr, GroupByExpr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, Statement,
    TableFactor, VisitMut, VisitorMut, visit_expressions, visit_expressions_mut,
};
use std::ops::ControlFlow;

/// What the column is called.
const KEPT: &str = "__kilter_qualify";

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

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = &*query.body
            && let Some(condition) = condition(select)
        {
            self.any |= around(query, condition);
        }
        ControlFlow::Continue(())
    }
}

/// The condition of a `SELECT` without groups, with what its own names stand for.
fn condition(select: &Select) -> Option<Expr> {
    let mut condition = select.qualify.clone()?;
    let grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
    };
    if grouped || matches!(select.distinct, Some(Distinct::On(_))) {
        return None;
    }
    let _ = visit_expressions_mut(&mut condition, |expr| {
        if let Expr::Identifier(name) = expr
            && let Some(named) = named(select, name)
        {
            *expr = Expr::Nested(Box::new(named.clone()));
        }
        ControlFlow::<()>::Continue(())
    });
    let has_window = visit_expressions(&condition, |expr| match expr {
        Expr::Function(call) if call.over.is_some() => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    has_window.is_break().then_some(condition)
}

/// `SELECT * EXCLUDE (kept) FROM (SELECT …, condition AS kept …) WHERE kept`
fn around(query: &mut Query, condition: Expr) -> bool {
    let Some(mut outer) = all_of_a_subquery() else { return false };
    let SetExpr::Select(all) = &mut *outer.body else { return false };
    let kept = || Ident::with_quote('"', KEPT);
    if let Some(SelectItem::Wildcard(options)) = all.projection.first_mut() {
        options.opt_exclude = Some(ExcludeSelectItem::Multiple(vec![ObjectName::from(kept())]));
    }
    all.selection = Some(Expr::Identifier(kept()));
    let mut body = std::mem::replace(&mut *query.body, nothing());
    if let SetExpr::Select(select) = &mut body {
        select.qualify = None;
        select.projection.push(SelectItem::ExprWithAlias { expr: condition, alias: kept() });
        all.distinct = select.distinct.take();
    }
    let Some(TableFactor::Derived { subquery, .. }) = all.from.first_mut().map(|from| &mut from.relation) else {
        return false;
    };
    **subquery = Query { order_by: query.order_by.take(), ..of_body(body) };
    query.body = outer.body;
    true
}
