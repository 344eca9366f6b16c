//! `UNNEST`: of an empty or a missing list there is no row, where polars gives one with a missing value.

use super::place::range;
use super::{Problem, parse_expr};
use sqlparser::ast::{
    BinaryOperator, Expr, Ident, JoinOperator, ObjectName, Query, Select, TableAlias, TableFactor, TableWithJoins,
    Visit, VisitMut, Visitor, VisitorMut, visit_expressions, visit_relations,
};
use std::ops::ControlFlow;

/// Writes them so; says whether there was one.
pub(super) fn written<T: VisitMut>(ast: &mut T) -> bool {
    let mut writer = Writer { any: false };
    let _ = VisitMut::visit(ast, &mut writer);
    writer.any
}

/// What is wrong with them: the rows that have something in their list are a table of their own, under the name of the whole.
pub(super) fn problems<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    struct Judge<'a> {
        text: &'a str,
        named: Vec<Ident>,
        found: Vec<Problem>,
    }
    impl Visitor for Judge<'_> {
        type Break = ();

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
            for from in &select.from {
                let Some((TableFactor::Table { name, alias: None, .. }, _)) = unnested(from) else { continue };
                let Some(name) = name.0.first().and_then(|part| part.as_ident()) else { continue };
                if self.named.iter().filter(|other| other.value == name.value).count() > 1 {
                    let message = format!(
                        "`{0}` is used elsewhere too: call it otherwise where its list is taken apart, `{0} AS rows`",
                        name.value
                    );
                    self.found.push(Problem::syntax(message, range(self.text, name.span)));
                }
            }
            ControlFlow::Continue(())
        }
    }
    let mut named = Vec::new();
    let _ = visit_relations(ast, |name: &ObjectName| {
        named.extend(name.0.first().and_then(|part| part.as_ident()).cloned());
        ControlFlow::<()>::Continue(())
    });
    let mut judge = Judge { text, named, found: Vec::new() };
    let _ = ast.visit(&mut judge);
    judge.found
}

struct Writer {
    any: bool,
}

impl VisitorMut for Writer {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for from in &mut select.from {
            self.any |= within(from);
        }
        let mut lists: Vec<Expr> = Vec::new();
        let _ = visit_expressions(&select.projection, |expr| {
            if let Expr::Function(call) = expr
                && call.name.to_string().eq_ignore_ascii_case("unnest")
                && let Some([list]) = super::aggregates::arguments(call).as_deref()
                && !super::groups::has(list, super::groups::is_aggregate)
            {
                lists.push(list.clone());
            }
            ControlFlow::<()>::Continue(())
        });
        if let Some(condition) = not_empty(&lists) {
            let asked = select.selection.take().map(|asked| Expr::Nested(Box::new(asked)));
            let and = |asked| Expr::BinaryOp {
                left: Box::new(asked),
                op: BinaryOperator::And,
                right: Box::new(condition.clone()),
            };
            select.selection = Some(asked.map_or(condition.clone(), and));
            self.any = true;
        }
        ControlFlow::Continue(())
    }
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
        let alias = TableAlias { explicit: true, name, columns: Vec::new(), at: None };
        let subquery = Box::new(filtered(table, not_empty(lists)?)?);
        Some(TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None })
    };
    let Some(table) = filtered() else { return false };
    from.relation = table;
    true
}

/// `SELECT * FROM table WHERE condition`
fn filtered(table: &TableFactor, condition: Expr) -> Option<Query> {
    let mut query = super::sets::all_of_a_subquery()?;
    let sqlparser::ast::SetExpr::Select(select) = &mut *query.body else { return None };
    let from = select.from.first_mut()?;
    from.relation = table.clone();
    select.selection = Some(condition);
    Some(query)
}
