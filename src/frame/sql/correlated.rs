//! Aggregates over the rows that belong to the row around them, `(SELECT avg(b.n) FROM t b WHERE b.k = a.k)`: the inner query makes groups by
//! what it compares, and each row is joined with its own.

use super::exists::{Pairs, Scope, Whose, conjuncts, is_plain_but_one, join_of, whose};
use super::groups::{has, is_aggregate, is_window};
use super::parse_expr;
use super::sets::of_body;
use sqlparser::ast::{
    BinaryOperator, ExcludeSelectItem, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query,
    Select, SelectItem, SetExpr, VisitMut, VisitorMut, visit_expressions,
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
pub(super) fn value(query: &Query, made: usize, inner: &Scope, outer: &Scope) -> Option<Value> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let [SelectItem::UnnamedExpr(projected) | SelectItem::ExprWithAlias { expr: projected, .. }] =
        select.projection.as_slice()
    else {
        return None;
    };
    if query.with.is_some() || query.limit_clause.is_some() || query.fetch.is_some() || !is_plain_but_one(select) {
        return None;
    }
    let mut pairs = Pairs::new(inner, outer, made);
    let mut local = Vec::new();
    for part in select.selection.clone().map(conjuncts).unwrap_or_default() {
        match (whose(&part, inner, outer), &part) {
            (Whose::Inner, _) => local.push(part),
            (_, Expr::BinaryOp { op: BinaryOperator::Eq, .. }) => pairs.add(&part)?,
            _ => return None,
        }
    }
    let item = pairs.item?;
    let keys: Vec<Expr> = pairs
        .columns
        .iter()
        .filter_map(|item| match item {
            SelectItem::ExprWithAlias { expr, .. } => Some(expr.clone()),
            _ => None,
        })
        .collect();
    let mut value = projected.clone();
    let mut taken = Aggregates { made, inner, outer, items: Vec::new() };
    if !has(projected, is_aggregate) || VisitMut::visit(&mut value, &mut taken).is_break() {
        return None;
    }
    let and = |left, right| Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) };
    let projection: Vec<SelectItem> = pairs.columns.into_iter().chain(taken.items).collect();
    let names = projection.iter().filter_map(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        _ => None,
    });
    let names = names.collect();
    let grouped = Select {
        distinct: None,
        projection,
        selection: local.into_iter().reduce(and),
        group_by: GroupByExpr::Expressions(keys, Vec::new()),
        ..select.as_ref().clone()
    };
    let join_operator = JoinOperator::Left(JoinConstraint::On(pairs.on.into_iter().reduce(and)?));
    let join = join_of(made, of_body(SetExpr::Select(Box::new(grouped))), Vec::new(), join_operator);
    Some(Value { item, join, value: Expr::Nested(Box::new(value)), names })
}

/// Leaves the joined columns out of a query's `*`.
pub(super) fn left_out(select: &mut Select, value: &Value) {
    for item in &mut select.projection {
        let SelectItem::Wildcard(options) = item else { continue };
        let names = value.names.iter().cloned().map(ObjectName::from);
        let before = match options.opt_exclude.take() {
            None => Vec::new(),
            Some(ExcludeSelectItem::Single(name)) => vec![name],
            Some(ExcludeSelectItem::Multiple(names)) => names,
        };
        options.opt_exclude = Some(ExcludeSelectItem::Multiple(before.into_iter().chain(names).collect()));
    }
}

/// Puts columns in the places of aggregates.
struct Aggregates<'a> {
    made: usize,
    inner: &'a Scope,
    outer: &'a Scope,
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
        let alias = Ident::new(format!("__kilter_value_{}_{}", self.made, self.items.len()));
        let counts = matches!(&*expr, Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("count"));
        let column = if counts { parse_expr(&format!("COALESCE({alias}, 0)")).ok() } else { None };
        let column = column.unwrap_or_else(|| Expr::Identifier(alias.clone()));
        self.items.push(SelectItem::ExprWithAlias { expr: std::mem::replace(expr, column), alias });
        ControlFlow::Continue(())
    }
}

fn has_column(expr: &Expr) -> bool {
    visit_expressions(expr, |expr| match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}
