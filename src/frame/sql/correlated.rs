//! Aggregates over the rows that belong to the row around them, `(SELECT avg(b.n) FROM t b WHERE b.k = a.k)`: the inner query makes groups by
//! what it compares, and each row is joined with its own.

use super::around::of_select;
use super::calls::is_one_of;
use super::columns::leave_out;
use super::conditions::{and, conjuncts, has_column, nested};
use super::exists::{is_plain_but_one, join_of};
use super::groups::{has, is_aggregate, is_window};
use super::parse_expr;
use super::scope::{Pairs, Scope, Whose, whose};
use sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, Query, Select, SelectItem, SetExpr,
    VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// What a subquery in the place of a value becomes.
pub(super) struct Value {
    /// What the joined table stands beside.
    pub(super) item: usize,
    pub(super) join: Join,
    /// The value, over the columns that were joined.
    pub(super) value: Expr,
    /// The columns of the joined table, which no `*` has.
    names: Vec<Ident>,
}

/// The value of a subquery that compares columns of its tables with such of the row around it; `None` of any other.
pub(super) fn value(query: &Query, number: usize, inner: &Scope<'_>, outer: &Scope<'_>) -> Option<Value> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let [SelectItem::UnnamedExpr(projected) | SelectItem::ExprWithAlias { expr: projected, .. }] =
        select.projection.as_slice()
    else {
        return None;
    };
    if query.with.is_some() || query.limit_clause.is_some() || query.fetch.is_some() || !is_plain_but_one(select) {
        return None;
    }
    let mut pairs = Pairs::new(inner, outer, number);
    let mut local = Vec::new();
    for part in select.selection.iter().flat_map(conjuncts) {
        match (whose(part, inner, outer), part) {
            (Whose::Inner, _) => local.push(part.clone()),
            (_, Expr::BinaryOp { op: BinaryOperator::Eq, .. }) => pairs.add(part)?,
            _ => return None,
        }
    }
    let item = pairs.item?;
    let mut value = projected.clone();
    let mut taken = Aggregates { number, inner, outer, items: Vec::new() };
    if !has(projected, is_aggregate) || VisitMut::visit(&mut value, &mut taken).is_break() {
        return None;
    }
    // By what they are called here: they may be called alike in their tables.
    let keys = pairs.columns.iter().filter_map(alias).cloned().map(Expr::Identifier).collect();
    let projection: Vec<SelectItem> = pairs.columns.into_iter().chain(taken.items).collect();
    let names = projection.iter().filter_map(alias).cloned().collect();
    let grouped = Select {
        distinct: None,
        projection,
        selection: local.into_iter().reduce(and),
        group_by: GroupByExpr::Expressions(keys, Vec::new()),
        ..select.as_ref().clone()
    };
    let how = JoinOperator::Left(JoinConstraint::On(pairs.on.into_iter().reduce(and)?));
    let join = join_of(number, of_select(grouped), Vec::new(), how);
    Some(Value { item, join, value: nested(value), names })
}

fn alias(item: &SelectItem) -> Option<&Ident> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias),
        _ => None,
    }
}

/// Leaves the joined columns out of a query's `*`.
pub(super) fn left_out(select: &mut Select, value: &Value) {
    for item in &mut select.projection {
        if let SelectItem::Wildcard(options) = item {
            leave_out(options, value.names.iter().cloned());
        }
    }
}

/// Puts columns in the places of aggregates.
struct Aggregates<'a> {
    number: usize,
    inner: &'a Scope<'a>,
    outer: &'a Scope<'a>,
    items: Vec<SelectItem>,
}

impl VisitorMut for Aggregates<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let is_column = matches!(expr, Expr::Identifier(name) if !name.value.starts_with("__kilter_"))
            || matches!(expr, Expr::CompoundIdentifier(_));
        if is_column || is_window(expr) {
            return ControlFlow::Break(());
        }
        if !is_aggregate(expr) {
            return ControlFlow::Continue(());
        }
        if has_column(expr) && whose(expr, self.inner, self.outer) != Whose::Inner {
            return ControlFlow::Break(());
        }
        let alias = Ident::new(format!("__kilter_value_{}_{}", self.number, self.items.len()));
        // Of no rows there are none, and not no number of them.
        let column = if matches!(&*expr, Expr::Function(call) if is_one_of(call, COUNTS)) {
            parse_expr(&format!("COALESCE({alias}, 0)")).ok()
        } else {
            None
        };
        let column = column.unwrap_or_else(|| Expr::Identifier(alias.clone()));
        self.items.push(SelectItem::ExprWithAlias { expr: std::mem::replace(expr, column), alias });
        ControlFlow::Continue(())
    }
}

/// Aggregates that count.
const COUNTS: &[&str] = &["approx_count_distinct", "count", "count_if"];
