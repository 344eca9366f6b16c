//! `DISTINCT ON`, which polars knows of selected columns alone, as it does the order by which it chooses: others are selected in a query inside.

use super::around::{all_of, nothing, of_body};
use super::columns::leave_out;
use super::walks;
use sqlparser::ast::{
    Distinct, Expr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, Value, ValueWithSpan,
};

/// What the columns begin with that are selected for it.
const CHOSEN_BY: &str = "__kilter_chosen_by_";

/// Writes them so; says whether there was one.
pub(super) fn written(statement: &mut Statement) -> bool {
    let mut any = false;
    walks::queries_mut(statement, |query| any |= around(query));
    any
}

/// `SELECT * EXCLUDE (by) FROM (SELECT DISTINCT ON (by) …, a AS by … ORDER BY by)`
fn around(query: &mut Query) -> bool {
    let SetExpr::Select(select) = &mut *query.body else { return false };
    let Some(Distinct::On(mut on)) = select.distinct.take() else { return false };
    let mut chosen = Chosen { select, added: Vec::new() };
    on.iter_mut().for_each(|expr| chosen.select(expr));
    if let Some(OrderByKind::Expressions(order)) = query.order_by.as_mut().map(|order| &mut order.kind) {
        order.iter_mut().for_each(|by| chosen.select(&mut by.expr));
    }
    let added: Vec<Ident> = chosen.added.into_iter().map(|(_, name)| name).collect();
    select.distinct = Some(Distinct::On(on));
    if added.is_empty() {
        return false;
    }
    let body = std::mem::replace(&mut *query.body, nothing());
    let mut all = all_of(Query { order_by: query.order_by.take(), ..of_body(body) });
    if let Some(SelectItem::Wildcard(options)) = all.projection.first_mut() {
        leave_out(options, added.into_iter());
    }
    *query.body = SetExpr::Select(Box::new(all));
    true
}

struct Chosen<'a> {
    select: &'a mut Select,
    /// What is selected, and under which names.
    added: Vec<(Expr, Ident)>,
}

impl Chosen<'_> {
    /// Names it, where it is not the name or number of what is selected.
    fn select(&mut self, by: &mut Expr) {
        if is_number(by) || is_selected(self.select, by) {
            return;
        }
        let known = self.added.iter().find(|(expr, _)| expr == by).map(|(_, name)| name.clone());
        let name = known.unwrap_or_else(|| {
            let name = Ident::with_quote('"', format!("{CHOSEN_BY}{}", self.added.len()));
            self.select.projection.push(SelectItem::ExprWithAlias { expr: by.clone(), alias: name.clone() });
            self.added.push((by.clone(), name.clone()));
            name
        });
        *by = Expr::Identifier(name);
    }
}

fn is_number(by: &Expr) -> bool {
    matches!(by, Expr::Value(ValueWithSpan { value: Value::Number(..), .. }))
}

/// Whether a `SELECT` gives a column of this name: one that is selected by it, or called so.
fn is_selected(select: &Select, by: &Expr) -> bool {
    let Expr::Identifier(name) = by else { return false };
    select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(Expr::Identifier(column)) => column.value == name.value,
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            parts.last().is_some_and(|column| column.value == name.value)
        }
        SelectItem::ExprWithAlias { alias, .. } => alias.value == name.value,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::written;

    #[test]
    fn what_is_not_selected_is_selected_inside() {
        let text = |query: &str| {
            let mut statement = parse(query).expect("a query");
            written(&mut statement).then(|| statement.to_string())
        };
        assert_eq!(text("SELECT DISTINCT ON (a) a, x.b FROM t AS x ORDER BY a, b, 1"), None);
        assert_eq!(text("SELECT DISTINCT a FROM t ORDER BY a"), None);
        assert_eq!(
            text("SELECT DISTINCT ON (a) a FROM t ORDER BY a, b DESC LIMIT 2").as_deref(),
            Some(
                "SELECT * EXCLUDE (\"__kilter_chosen_by_0\") FROM (SELECT DISTINCT ON (a) a, \
                 b AS \"__kilter_chosen_by_0\" FROM t ORDER BY a, \"__kilter_chosen_by_0\" DESC) AS __kilter_rows LIMIT 2"
            )
        );
        let both = text("SELECT DISTINCT ON (upper(a)) b FROM t ORDER BY upper(a), a").expect("written");
        assert!(both.contains("ON (\"__kilter_chosen_by_0\") b, upper(a) AS \"__kilter_chosen_by_0\""), "{both}");
        assert!(both.contains("ORDER BY \"__kilter_chosen_by_0\", \"__kilter_chosen_by_1\""), "{both}");
    }
}
