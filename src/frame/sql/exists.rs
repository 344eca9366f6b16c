//! `EXISTS` and `IN` over a query that asks of the row around it: each is a join that keeps the rows with a pair, or those without, on
//! what the inner query compares. An `EXISTS` that asks of no row counts. polars knows equal columns alone, and no column that both
//! tables have. Values of such queries are joined as well (`correlated`).

use super::columns::{Columns, Tables};
use super::correlated;
use super::groups::{has, is_aggregate, is_window};
use super::parse_expr;
use crate::types::TableSchema;
use sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, Query, Select, SelectItem, SetExpr,
    TableAlias, TableFactor, Visit, VisitMut, Visitor, VisitorMut, visit_expressions,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Whether there can be any.
pub(super) fn may_be_in<T: Visit>(ast: &T) -> bool {
    let found = visit_expressions(ast, |expr| match expr {
        Expr::Exists { .. } | Expr::InSubquery { .. } | Expr::Subquery(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// Writes them so; says whether there was one.
pub(super) fn written<T: VisitMut>(ast: &mut T, inputs: &BTreeMap<String, TableSchema>) -> bool {
    let mut writer = Writer { tables: Tables::new(inputs), made: 0, any: false };
    let _ = VisitMut::visit(ast, &mut writer);
    writer.any
}

struct Writer<'a> {
    tables: Tables<'a>,
    /// How many joins were made.
    made: usize,
    any: bool,
}

impl VisitorMut for Writer<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.tables.learn(query);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let outer = Scope::of(select, &self.tables);
        self.values(select, &outer);
        let Some(condition) = select.selection.take() else { return ControlFlow::Continue(()) };
        let mut kept = Vec::new();
        for part in conjuncts(condition) {
            match self.join(&part, &outer) {
                Some((item, join)) if item < select.from.len() => {
                    select.from[item].joins.push(join);
                    self.made += 1;
                    self.any = true;
                }
                _ => kept.push(part),
            }
        }
        select.selection = kept.into_iter().reduce(and);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Exists { subquery, negated } = expr
            && !self.is_of_around(subquery)
            && let Some(counted) = counted(subquery, *negated)
        {
            *expr = counted;
            self.any = true;
        }
        ControlFlow::Continue(())
    }
}

/// The parts of a condition that all have to be true.
pub(super) fn conjuncts(condition: Expr) -> Vec<Expr> {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => [conjuncts(*left), conjuncts(*right)].concat(),
        Expr::Nested(inner) if matches!(*inner, Expr::Exists { .. } | Expr::InSubquery { .. }) => vec![*inner],
        one => vec![one],
    }
}

/// How many rows there are, compared with none.
fn counted(query: &Query, negated: bool) -> Option<Expr> {
    let mut query = query.clone();
    query.order_by = None;
    if let SetExpr::Select(select) = &mut *query.body
        && is_plain(select)
    {
        let one = parse_expr("1").ok()?;
        select.projection = vec![SelectItem::ExprWithAlias { expr: one, alias: Ident::new("__kilter_one") }];
    }
    let compared = if negated { "=" } else { ">" };
    parse_expr(&format!("((SELECT count(*) FROM ({query}) AS __kilter_exists) {compared} 0)")).ok()
}

/// Whether a `SELECT` has a row for each row that it is of, as far as `WHERE` keeps it.
fn is_plain(select: &Select) -> bool {
    is_plain_but_one(select) && !has(&select.projection, is_aggregate)
}

/// The same, or that it has one value of all of them.
pub(super) fn is_plain_but_one(select: &Select) -> bool {
    let grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(keys, modifiers) => !keys.is_empty() || !modifiers.is_empty(),
    };
    let asks = select.having.is_some() || select.qualify.is_some() || select.top.is_some();
    let by_columns = matches!(select.distinct, Some(sqlparser::ast::Distinct::On(_)));
    !(grouped || asks || by_columns || select.from.is_empty() || has(&select.projection, is_window))
}

/// The tables of a `SELECT`, each with the number of what it stands in.
pub(super) struct Scope(Vec<(usize, String, Columns)>);

impl Scope {
    fn of(select: &Select, tables: &Tables<'_>) -> Self {
        let mut found = Vec::new();
        for (item, from) in select.from.iter().enumerate() {
            let factors = std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation));
            let known = factors.filter_map(|factor| tables.of_factor(factor));
            found.extend(known.map(|(name, columns)| (item, name, columns)));
        }
        Self(found)
    }

    /// Where the table of a column stands.
    fn place(&self, expr: &Expr) -> Option<usize> {
        let found = match expr {
            Expr::CompoundIdentifier(parts) => {
                self.0.iter().find(|(_, name, _)| parts.first().is_some_and(|first| first.value == *name))
            }
            Expr::Identifier(column) => self.0.iter().find(|(_, _, columns)| columns.contains(&column.value)),
            _ => None,
        };
        found.map(|(item, ..)| *item)
    }
}

/// Whose columns a part of an inner query has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Inner,
    /// Of the query around, in what stands at this place of its `FROM`.
    Outer(usize),
    Mixed,
}

pub(super) fn whose(expr: &Expr, inner: &Scope, outer: &Scope) -> Whose {
    let mut found: Option<Whose> = None;
    let _ = visit_expressions(expr, |expr| {
        let one = match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => match (inner.place(expr), outer.place(expr)) {
                (Some(_), _) => Whose::Inner,
                (None, Some(item)) => Whose::Outer(item),
                (None, None) => Whose::Mixed,
            },
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => Whose::Mixed,
            _ => return ControlFlow::<()>::Continue(()),
        };
        found = Some(match found {
            None => one,
            Some(before) if before == one => one,
            Some(_) => Whose::Mixed,
        });
        ControlFlow::Continue(())
    });
    // What has no column at all is asked inside.
    found.unwrap_or(Whose::Inner)
}

impl Writer<'_> {
    /// Joins what subqueries in the place of a value are.
    fn values(&mut self, select: &mut Select, outer: &Scope) {
        let mut selection = select.selection.take();
        let mut projection = std::mem::take(&mut select.projection);
        let of_rows = is_plain(&Select { projection: projection.clone(), ..select.clone() });
        let mut taker = Values { tables: &self.tables, outer, made: self.made, found: Vec::new(), inside: 0 };
        let _ = VisitMut::visit(&mut selection, &mut taker);
        if of_rows {
            let _ = VisitMut::visit(&mut projection, &mut taker);
        }
        let found = taker.found;
        (select.selection, select.projection) = (selection, projection);
        for value in found {
            correlated::left_out(select, &value);
            select.from[value.item].joins.push(value.join);
            self.made += 1;
            self.any = true;
        }
    }

    /// Whether a query asks of the row around it, or it cannot be told.
    fn is_of_around(&self, query: &Query) -> bool {
        struct Search<'a> {
            tables: Tables<'a>,
            scopes: Vec<Scope>,
        }
        impl Visitor for Search<'_> {
            type Break = ();

            fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
                self.tables.learn(query);
                ControlFlow::Continue(())
            }

            fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
                self.scopes.push(Scope::of(select, &self.tables));
                ControlFlow::Continue(())
            }

            fn post_visit_select(&mut self, _: &Select) -> ControlFlow<()> {
                self.scopes.pop();
                ControlFlow::Continue(())
            }

            fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
                let is_column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                let known = |scope: &Scope| scope.place(expr).is_some();
                if is_column && !self.scopes.is_empty() && !self.scopes.iter().any(known) {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            }
        }
        query.visit(&mut Search { tables: self.tables.clone(), scopes: Vec::new() }).is_break()
    }

    /// The join that a condition is, and where it stands; `None` of other conditions.
    fn join(&self, condition: &Expr, outer: &Scope) -> Option<(usize, Join)> {
        let (query, anti, given) = match condition {
            Expr::Exists { subquery, negated } => (subquery, *negated, Vec::new()),
            Expr::InSubquery { expr, subquery, negated: false } => (subquery, false, members(expr)),
            _ => return None,
        };
        if given.len() > 1 && query.with.is_none() && !self.is_of_around(query) {
            return self.member(&given, query, outer);
        }
        let SetExpr::Select(select) = &*query.body else { return None };
        let cut = query.fetch.is_some() || !(query.limit_clause.is_none() || given.is_empty() && keeps_one(query));
        if query.with.is_some() || cut || !is_plain(select) {
            return None;
        }
        let inner = Scope::of(select, &self.tables);
        let mut parts = Pairs::new(&inner, outer, self.made);
        let mut local = Vec::new();
        for part in select.selection.clone().map(conjuncts).unwrap_or_default() {
            match whose(&part, &inner, outer) {
                Whose::Inner => local.push(part),
                _ => parts.add(&part)?,
            }
        }
        let is_in = !given.is_empty();
        if is_in && given.len() == 1 && parts.on.is_empty() {
            // A plain IN is polars' own.
            return None;
        }
        for (at, value) in given.iter().enumerate() {
            let item = select.projection.get(at).filter(|_| select.projection.len() == given.len())?;
            let (SelectItem::UnnamedExpr(column) | SelectItem::ExprWithAlias { expr: column, .. }) = item else {
                return None;
            };
            parts.equal(value, column)?;
        }
        let item = parts.item?;
        let on = parts.on.into_iter().reduce(and)?;
        let inside = Select {
            distinct: None,
            projection: parts.columns,
            selection: local.into_iter().reduce(and),
            ..select.as_ref().clone()
        };
        let on = JoinConstraint::On(on);
        let join_operator = if anti { JoinOperator::Anti(on) } else { JoinOperator::Semi(on) };
        let inside = super::sets::of_body(SetExpr::Select(Box::new(inside)));
        Some((item, join_of(self.made, inside, Vec::new(), join_operator)))
    }

    /// Several values that are together among the rows of a query by itself.
    fn member(&self, given: &[Expr], query: &Query, outer: &Scope) -> Option<(usize, Join)> {
        let inner = Scope(Vec::new());
        let mut parts = Pairs::new(&inner, outer, self.made);
        let names = given.iter().map(|value| {
            let name = parts.name();
            parts.beside(value, Expr::CompoundIdentifier(vec![called(self.made), name.clone()]))?;
            parts.columns.push(SelectItem::UnnamedExpr(Expr::Identifier(name.clone())));
            Some(sqlparser::ast::TableAliasColumnDef { name, data_type: None })
        });
        let names = names.collect::<Option<Vec<_>>>()?;
        let on = JoinConstraint::On(parts.on.into_iter().reduce(and)?);
        Some((parts.item?, join_of(self.made, query.clone(), names, JoinOperator::Semi(on))))
    }
}

fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) }
}

/// Whether a `LIMIT` leaves a row where there is one.
fn keeps_one(query: &Query) -> bool {
    use sqlparser::ast::{LimitClause, Value};
    match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit: Some(Expr::Value(limit)), offset: None, .. }) => {
            matches!(&limit.value, Value::Number(count, _) if count != "0")
        }
        _ => false,
    }
}

/// A join with a query.
pub(super) fn join_of(
    number: usize,
    query: Query,
    columns: Vec<sqlparser::ast::TableAliasColumnDef>,
    join_operator: JoinOperator,
) -> Join {
    let alias = Some(TableAlias { explicit: true, name: called(number), columns, at: None });
    let relation = TableFactor::Derived { lateral: false, subquery: Box::new(query), alias, sample: None };
    Join { relation, global: false, join_operator }
}

/// Puts the values of joined tables in the places of subqueries.
struct Values<'a> {
    tables: &'a Tables<'a>,
    outer: &'a Scope,
    made: usize,
    found: Vec<correlated::Value>,
    /// How deep it is in queries, whose subqueries are their own.
    inside: usize,
}

impl VisitorMut for Values<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.inside += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.inside -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Subquery(query) = expr
            && self.inside == 0
            && let SetExpr::Select(select) = &*query.body
        {
            let inner = Scope::of(select, self.tables);
            if let Some(found) = correlated::value(query, self.made + self.found.len(), &inner, self.outer) {
                *expr = found.value.clone();
                self.found.push(found);
            }
        }
        ControlFlow::Continue(())
    }
}

fn members(expr: &Expr) -> Vec<Expr> {
    match expr {
        Expr::Tuple(parts) => parts.clone(),
        Expr::Nested(inner) => members(inner),
        one => vec![one.clone()],
    }
}

/// What the table of a join is called.
pub(super) fn called(number: usize) -> Ident {
    Ident::new(format!("__kilter_exists_{number}"))
}

/// What an inner query compares with the row around it.
pub(super) struct Pairs<'a> {
    inner: &'a Scope,
    outer: &'a Scope,
    /// What the outer columns stand in.
    pub(super) item: Option<usize>,
    pub(super) on: Vec<Expr>,
    /// What of the inner query is compared.
    pub(super) columns: Vec<SelectItem>,
    made: usize,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(inner: &'a Scope, outer: &'a Scope, made: usize) -> Self {
        Self { inner, outer, item: None, on: Vec::new(), columns: Vec::new(), made }
    }

    pub(super) fn add(&mut self, part: &Expr) -> Option<()> {
        use BinaryOperator as B;
        let Expr::BinaryOp { left, op: op @ (B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq), right } = part
        else {
            return None;
        };
        let sides = (whose(left, self.inner, self.outer), whose(right, self.inner, self.outer));
        let (item, left, right) = match sides {
            (Whose::Inner, Whose::Outer(item)) => (item, self.column(left), right.as_ref().clone()),
            (Whose::Outer(item), Whose::Inner) => (item, left.as_ref().clone(), self.column(right)),
            _ => return None,
        };
        if *self.item.get_or_insert(item) != item {
            return None;
        }
        self.on.push(Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) });
        Some(())
    }

    /// A value of the row around that is equal to a column of the inner query.
    fn equal(&mut self, value: &Expr, column: &Expr) -> Option<()> {
        if whose(column, self.inner, self.outer) != Whose::Inner {
            return None;
        }
        let column = self.column(column);
        self.beside(value, column)
    }

    /// A value of the row around that is equal to a column that is joined.
    fn beside(&mut self, value: &Expr, column: Expr) -> Option<()> {
        let Whose::Outer(item) = whose(value, &Scope(Vec::new()), self.outer) else { return None };
        if *self.item.get_or_insert(item) != item {
            return None;
        }
        self.on.push(Expr::BinaryOp { left: Box::new(value.clone()), op: BinaryOperator::Eq, right: Box::new(column) });
        Some(())
    }

    fn name(&self) -> Ident {
        Ident::new(format!("__kilter_on_{}_{}", self.made, self.columns.len()))
    }

    /// What stands for a part of the inner query where it is joined.
    fn column(&mut self, expr: &Expr) -> Expr {
        let name = self.name();
        self.columns.push(SelectItem::ExprWithAlias { expr: expr.clone(), alias: name.clone() });
        Expr::CompoundIdentifier(vec![called(self.made), name])
    }
}
