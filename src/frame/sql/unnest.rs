//! `UNNEST`: of an empty or a missing list there is no row, where polars gives one with a missing value.

use super::around::{all_from, derived, of_select};
use super::calls::{arguments, is_one_of};
use super::conditions::{and, nested};
use super::place::range;
use super::{Problem, parse_expr, walks};
use sqlparser::ast::{
    Expr, Ident, JoinOperator, ObjectName, TableFactor, TableWithJoins, Visit, VisitMut, visit_expressions,
    visit_relations,
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
                && !super::groups::has(list, super::groups::is_aggregate)
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

/// What is wrong with them: the rows that have something in their list are a table of their own, under the name of the whole.
pub(super) fn problems<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
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
