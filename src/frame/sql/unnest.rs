//! `UNNEST`: of an empty or a missing list there is no row, where polars gives one with a missing value; and where it cannot stand.

use super::around::{all_from, derived, of_select};
use super::calls::{arguments, is_one_of};
use super::conditions::{and, nested};
use super::groups::{first, has, is_aggregate, is_window};
use super::place::range;
use super::{Problem, parse_expr, walks};
use sqlparser::ast::{
    Expr, Ident, JoinOperator, ObjectName, Query, Select, Spanned, TableFactor, TableWithJoins, Visit, VisitMut,
    Visitor, visit_expressions, visit_relations,
};
use std::ops::ControlFlow;

/// Writes them so; says whether there was one.
pub(super) fn written<T: VisitMut>(ast: &mut T) -> bool {
    let mut any = false;
    walks::selects_mut(ast, |select| {
        for from in &mut select.from {
            any |= within(from);
        }
        let mut lists: Vec<Expr> = Vec::new();
        let _ = visit_expressions(&select.projection, |expr| {
            if let Expr::Function(call) = expr
                && is_one_of(call, &["unnest"])
                && let Some(&[list]) = arguments(call).as_deref()
            {
                lists.push(list.clone());
            }
            ControlFlow::<()>::Continue(())
        });
        if let Some(condition) = not_empty(&lists) {
            let asked = select.selection.take().map(nested);
            select.selection = asked.into_iter().chain([condition]).reduce(and);
            any = true;
        }
    });
    any
}

/// What is wrong with them.
pub(super) fn problems<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    let mut places = Places { text, found: names(text, ast) };
    let _ = ast.visit(&mut places);
    places.found
}

/// The rows that have something in their list are a table of their own, under the name of the whole.
fn names<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    let mut named: Vec<Ident> = Vec::new();
    let _ = visit_relations(ast, |name: &ObjectName| {
        named.extend(name.0.first().and_then(|part| part.as_ident()).cloned());
        ControlFlow::<()>::Continue(())
    });
    let mut found = Vec::new();
    walks::selects(ast, |select| {
        for from in &select.from {
            let Some((TableFactor::Table { name, alias: None, .. }, _)) = unnested(from) else { continue };
            let Some(name) = name.0.first().and_then(|part| part.as_ident()) else { continue };
            if named.iter().filter(|other| other.value == name.value).count() > 1 {
                let message = format!(
                    "`{0}` is used elsewhere too: call it otherwise where its list is taken apart, `{0} AS rows`",
                    name.value
                );
                found.push(Problem::syntax(message, range(text, name.span)));
            }
        }
    });
    found
}

fn is_unnest(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(call) if is_one_of(call, &["unnest"]))
}

/// Places where rows cannot be made, or would be made too early: polars takes lists apart before anything else of a `SELECT`.
struct Places<'t> {
    text: &'t str,
    found: Vec<Problem>,
}

impl Places<'_> {
    fn tell(&mut self, part: Option<Box<Expr>>, message: &str) {
        if let Some(Expr::Function(call)) = part.as_deref() {
            self.found.push(Problem::syntax(message, range(self.text, call.name.span())));
        }
    }
}

impl Visitor for Places<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.tell(first(&query.order_by, is_unnest), BY_NAME);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.tell(first(&select.group_by, is_unnest), BY_NAME);
        for condition in [&select.selection, &select.having, &select.qualify] {
            self.tell(
                first(condition, is_unnest),
                "`unnest` makes rows of those that a condition has kept: take the list apart in a `WITH` first",
            );
        }
        if has(&select.projection, is_unnest) {
            self.tell(
                first(&select.projection, is_window),
                "a window is made before `unnest` makes rows of its row: compute one of them in a `WITH` first",
            );
        }
        let _ = walks::own(&select.projection, |expr| {
            if let Expr::Function(call) = expr {
                let of_groups = is_unnest(expr) && has(&call.args, is_aggregate);
                let of_rows = is_aggregate(expr) && has(&call.args, is_unnest);
                let part = (of_groups || of_rows).then(|| Box::new(expr.clone()));
                self.tell(
                    part,
                    "`unnest` and an aggregate are not one in the other: make the list, or the rows, in a `WITH` first",
                );
            }
            ControlFlow::<()>::Continue(())
        });
        ControlFlow::Continue(())
    }
}

const BY_NAME: &str =
    "`unnest` makes rows in SELECT: call it there by a name, `unnest(list) AS item`, and write the name here";

/// That one of these lists has something in it.
fn not_empty(lists: &[Expr]) -> Option<Expr> {
    let parts: Vec<String> = lists.iter().map(|list| format!("COALESCE(array_length({list}), 0) > 0")).collect();
    if parts.is_empty() { None } else { parse_expr(&format!("({})", parts.join(" OR "))).ok() }
}

/// The table and the lists of `t CROSS JOIN UNNEST(list)`, where these are columns.
fn unnested(from: &TableWithJoins) -> Option<(&TableFactor, &[Expr])> {
    let [join] = from.joins.as_slice() else { return None };
    match (&join.join_operator, &join.relation) {
        (JoinOperator::CrossJoin(_), TableFactor::UNNEST { array_exprs, .. }) => {
            let is_column = |expr: &Expr| matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            array_exprs.iter().all(is_column).then_some((&from.relation, array_exprs.as_slice()))
        }
        _ => None,
    }
}

/// Such a join over the rows that have something in the list.
fn within(from: &mut TableWithJoins) -> bool {
    let filtered = || {
        let (table, lists) = unnested(from)?;
        let name = super::using::called(table)?.clone();
        let mut all = all_from(TableWithJoins { relation: table.clone(), joins: Vec::new() });
        all.selection = Some(not_empty(lists)?);
        Some(derived(of_select(all), name))
    };
    let Some(table) = filtered() else { return false };
    from.relation = table;
    true
}
