//! `EXISTS` and `IN` over a query that asks of the row around it: each is a join that keeps the rows with a pair, or those without, on
//! what the inner query compares. An `EXISTS` that asks of no row counts, and one that is not a part of `WHERE` by itself
//! counts for each row. polars knows equal columns alone, and no column that both tables have. Values of such queries are joined as well
//! (`correlated`).

use super::around::of_select;
use super::columns::Tables;
use super::conditions::{and, binary, conjuncts, nested};
use super::groups::{has, is_aggregate, is_window};
use super::holds::is_grouped;
use super::regroup::name_of;
use super::scope::{CALLED, Pairs, Scope, Whose, called, whose};
use super::smallest::constraint;
use super::{correlated, parse_expr, using, walks};
use crate::types::TableSchema;
use sqlparser::ast::{
    BinaryOperator, Distinct, Expr, Ident, Join, JoinConstraint, JoinOperator, LimitClause, ObjectName, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableAliasColumnDef, TableFactor, UnaryOperator,
    Value, VisitMut, VisitorMut,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

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
        self.join_conditions(select, &outer);
        self.join_values(select, &outer);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Exists { subquery, negated } = expr
            && has_one_row(subquery)
        {
            *expr = Expr::value(Value::Boolean(!*negated));
            self.any = true;
        } else if let Expr::Exists { subquery, negated } = expr
            && !Scope::is_of_around(subquery, &self.tables)
            && let Some(counted) = counted(subquery, *negated)
        {
            *expr = counted;
            self.any = true;
        }
        ControlFlow::Continue(())
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

/// Whether a query has one row whatever it is of, as an aggregate has it of no rows too.
fn has_one_row(query: &Query) -> bool {
    let SetExpr::Select(select) = &*query.body else { return false };
    is_plain_but_one(select) && has(&select.projection, is_aggregate) && !is_cut(query, true)
}

/// Whether a `SELECT` has a row for each row that it is of, as far as `WHERE` keeps it.
fn is_plain(select: &Select) -> bool {
    is_plain_but_one(select) && !has(&select.projection, is_aggregate)
}

/// The same, or that it has one value of all of them.
pub(super) fn is_plain_but_one(select: &Select) -> bool {
    let asks = select.having.is_some() || select.qualify.is_some() || select.top.is_some();
    let by_columns = matches!(select.distinct, Some(Distinct::On(_)));
    !(is_grouped(select) || asks || by_columns || select.from.is_empty() || has(&select.projection, is_window))
}

/// Whether a query ends after some rows; one that is asked of `any` row may end after the first.
fn is_cut(query: &Query, any: bool) -> bool {
    let keeps_one = match &query.limit_clause {
        None => true,
        Some(LimitClause::LimitOffset { limit: Some(Expr::Value(limit)), offset: None, .. }) => {
            any && matches!(&limit.value, Value::Number(count, _) if count != "0")
        }
        Some(_) => false,
    };
    query.fetch.is_some() || !keeps_one
}

/// A query that is asked of the row around it.
struct Asked<'q, 'a> {
    select: &'q Select,
    inner: Scope<'a>,
    /// What it asks of its own rows.
    local: Vec<Expr>,
    /// What it compares with the row around.
    around: Vec<Expr>,
}

impl<'q, 'a> Asked<'q, 'a> {
    /// Of a query that gives rows of its tables; `None` of any other.
    fn of(query: &'q Query, any: bool, tables: &Tables<'a>, outer: &Scope<'_>) -> Option<Self> {
        let SetExpr::Select(select) = &*query.body else { return None };
        if query.with.is_some() || is_cut(query, any) || !is_plain(select) {
            return None;
        }
        let inner = Scope::of(select, tables);
        let (mut local, mut around) = (Vec::new(), Vec::new());
        for part in select.selection.iter().flat_map(conjuncts).flat_map(ends) {
            let parts = if whose(&part, &inner, outer) == Whose::Inner { &mut local } else { &mut around };
            parts.push(part);
        }
        Some(Self { select, inner, local, around })
    }

    /// What it gives, so many columns.
    fn columns(&self, count: usize) -> Option<Vec<&'q Expr>> {
        let column = |item: &'q SelectItem| match item {
            SelectItem::UnnamedExpr(column) | SelectItem::ExprWithAlias { expr: column, .. } => Some(column),
            _ => None,
        };
        let columns = self.select.projection.iter().map(column).collect::<Option<Vec<_>>>()?;
        Some(columns).filter(|columns| columns.len() == count)
    }
}

/// A condition; one that asks whether a value lies between two as a comparison with each.
fn ends(condition: &Expr) -> Vec<Expr> {
    let compared = |expr: &Expr, op, end: &Expr| binary(expr.clone(), op, end.clone());
    match condition {
        Expr::Between { expr, negated: false, low, high } => {
            vec![compared(expr, BinaryOperator::GtEq, low), compared(expr, BinaryOperator::LtEq, high)]
        }
        other => vec![other.clone()],
    }
}

/// How a join keeps its rows.
type How = fn(JoinConstraint) -> JoinOperator;

/// `NOT EXISTS (…)` and `a NOT IN (…)` where NOT stands before the whole.
fn turned(condition: &Expr) -> Cow<'_, Expr> {
    let Expr::UnaryOp { op: UnaryOperator::Not, expr } = condition else { return Cow::Borrowed(condition) };
    let mut inner = expr.as_ref();
    while let Expr::Nested(nested) = inner {
        inner = nested;
    }
    let mut asked = inner.clone();
    match &mut asked {
        Expr::Exists { negated, .. } | Expr::InSubquery { negated, .. } => *negated = !*negated,
        _ => return Cow::Borrowed(condition),
    }
    Cow::Owned(asked)
}

impl Writer<'_> {
    /// Joins what the parts of a condition ask.
    fn join_conditions(&mut self, select: &mut Select, outer: &Scope<'_>) {
        let Some(condition) = select.selection.take() else { return };
        let (mut kept, mut any, mut beside) = (Vec::new(), false, false);
        for part in conjuncts(&condition) {
            match self.joins(&turned(part), outer) {
                Some((item, joins)) => {
                    beside |= joins.iter().any(is_on_more);
                    select.from[item].joins.extend(joins);
                    any = true;
                }
                None => kept.push(part.clone()),
            }
        }
        if beside {
            of_its_table(select);
        }
        self.any |= any;
        select.selection = if any { kept.into_iter().reduce(and) } else { Some(condition) };
    }

    /// The joins that a condition is, and what of the `FROM` they stand beside; `None` of other conditions.
    fn joins(&mut self, condition: &Expr, outer: &Scope<'_>) -> Option<(usize, Vec<Join>)> {
        match condition {
            Expr::Exists { subquery, negated } => {
                let asked = Asked::of(subquery, true, &self.tables, outer)?;
                let how: How = if *negated { JoinOperator::Anti } else { JoinOperator::Semi };
                let (item, join) = self.join(&asked, outer, how, None, |_| Some(()))?;
                Some((item, vec![join]))
            }
            Expr::InSubquery { expr, subquery, negated: false } => {
                let given = members(expr);
                if given.len() > 1 && subquery.with.is_none() && !Scope::is_of_around(subquery, &self.tables) {
                    return self.member(&given, subquery, outer);
                }
                let asked = Asked::of(subquery, false, &self.tables, outer)?;
                if given.len() == 1 && asked.around.is_empty() {
                    // A plain IN is polars' own.
                    return None;
                }
                let columns = asked.columns(given.len())?;
                let (item, join) = self.join(&asked, outer, JoinOperator::Semi, None, |pairs| {
                    given.iter().zip(&columns).try_for_each(|(value, column)| pairs.equal(value, column))
                })?;
                Some((item, vec![join]))
            }
            Expr::InSubquery { expr, subquery, negated: true } => {
                let asked = Asked::of(subquery, false, &self.tables, outer)?;
                match (members(expr).as_slice(), asked.columns(1).as_deref()) {
                    (&[value], Some(&[column])) if !asked.around.is_empty() => {
                        self.without(value, column, &asked, outer)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// A join with the rows that a query has for the row around, of which `also` is asked, and on what `more` compares.
    fn join(
        &mut self,
        asked: &Asked<'_, '_>,
        outer: &Scope<'_>,
        how: How,
        also: Option<Expr>,
        more: impl FnOnce(&mut Pairs<'_>) -> Option<()>,
    ) -> Option<(usize, Join)> {
        let mut pairs = Pairs::new(&asked.inner, outer, self.made);
        asked.around.iter().try_for_each(|part| pairs.add(part))?;
        more(&mut pairs)?;
        let (item, on) = (pairs.item?, pairs.on.into_iter().reduce(and)?);
        let inside = Select {
            distinct: None,
            projection: pairs.columns,
            selection: asked.local.iter().cloned().chain(also).reduce(and),
            ..asked.select.clone()
        };
        let join = join_of(self.made, of_select(inside), Vec::new(), how(JoinConstraint::On(on)));
        self.made += 1;
        Some((item, join))
    }

    /// A value that is certainly not among those of a query: none of them is equal to it, none is missing, and where it is missing itself
    /// there is none at all.
    fn without(
        &mut self,
        value: &Expr,
        column: &Expr,
        asked: &Asked<'_, '_>,
        outer: &Scope<'_>,
    ) -> Option<(usize, Vec<Join>)> {
        let is_missing = |of: &Expr| Expr::IsNull(Box::new(nested(of.clone())));
        let (item, equal) = self.join(asked, outer, JoinOperator::Anti, None, |pairs| pairs.equal(value, column))?;
        let (_, missing) = self.join(asked, outer, JoinOperator::Anti, Some(is_missing(column)), |_| Some(()))?;
        let (_, none) = self.join(asked, outer, JoinOperator::Anti, None, |pairs| {
            let truth = pairs.column(&Expr::value(Value::Boolean(true)));
            pairs.beside(&nested(is_missing(value)), truth)
        })?;
        Some((item, vec![equal, missing, none]))
    }

    /// Several values that are together among the rows of a query by itself.
    fn member(&mut self, given: &[&Expr], query: &Query, outer: &Scope<'_>) -> Option<(usize, Vec<Join>)> {
        let inner = Scope::default();
        let mut pairs = Pairs::new(&inner, outer, self.made);
        let mut names = Vec::new();
        for (at, value) in given.iter().enumerate() {
            let name = Ident::new(format!("__kilter_on_{}_{at}", self.made));
            pairs.beside(value, Expr::CompoundIdentifier(vec![called(self.made), name.clone()]))?;
            names.push(TableAliasColumnDef { name, data_type: None });
        }
        let on = JoinConstraint::On(pairs.on.into_iter().reduce(and)?);
        let join = join_of(self.made, query.clone(), names, JoinOperator::Semi(on));
        self.made += 1;
        Some((pairs.item?, vec![join]))
    }

    /// Joins what subqueries in the place of a value are.
    fn join_values(&mut self, select: &mut Select, outer: &Scope<'_>) {
        let of_rows = is_plain(select);
        let mut values = Values { tables: &self.tables, outer, made: self.made, found: Vec::new() };
        values.take(&mut select.selection);
        for item in select.projection.iter_mut().filter(|_| of_rows) {
            let before = values.found.len();
            values.take(item);
            if let SelectItem::UnnamedExpr(expr) = item
                && values.found.len() > before
                && name_of(expr).starts_with("__kilter_")
            {
                // It is called what other values of subqueries are called.
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::new("literal") };
            }
        }
        for value in values.found {
            correlated::left_out(select, &value);
            select.from[value.item].joins.push(value.join);
            self.made += 1;
            self.any = true;
        }
    }
}

/// Whether a join is on more than equal columns: polars then gives those of both tables in a `*`.
fn is_on_more(join: &Join) -> bool {
    let is_equal = |part: &&Expr| matches!(part, Expr::BinaryOp { op: BinaryOperator::Eq, .. });
    match constraint(&join.join_operator) {
        Some(JoinConstraint::On(condition)) => !conjuncts(condition).iter().all(is_equal),
        _ => false,
    }
}

/// Writes a `*` as that of the table that a `SELECT` was of before its joins, where it was one.
fn of_its_table(select: &mut Select) {
    let [from] = select.from.as_slice() else { return };
    let is_ours = |join: &Join| matches!(&join.relation, TableFactor::Derived { alias: Some(alias), .. } if alias.name.value.starts_with(CALLED));
    let Some(table) = using::called(&from.relation).filter(|_| from.joins.iter().all(is_ours)).cloned() else { return };
    for item in &mut select.projection {
        if let SelectItem::Wildcard(options) = item {
            let name = ObjectName::from(Ident::with_quote('"', &table.value));
            *item = SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(name),
                std::mem::take(options),
            );
        }
    }
}

/// A join with a query.
pub(super) fn join_of(number: usize, query: Query, columns: Vec<TableAliasColumnDef>, how: JoinOperator) -> Join {
    let alias = Some(TableAlias { explicit: true, name: called(number), columns, at: None });
    let relation = TableFactor::Derived { lateral: false, subquery: Box::new(query), alias, sample: None };
    Join { relation, global: false, join_operator: how }
}

fn members(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Tuple(parts) => parts.iter().collect(),
        Expr::Nested(inner) => members(inner),
        one => vec![one],
    }
}

/// Puts the values of joined tables in the places of subqueries.
struct Values<'a> {
    tables: &'a Tables<'a>,
    outer: &'a Scope<'a>,
    made: usize,
    found: Vec<correlated::Value>,
}

impl Values<'_> {
    fn take<T: VisitMut>(&mut self, part: &mut T) {
        let _ = walks::own_mut(part, |expr| {
            let found = match &*expr {
                Expr::Subquery(query) => self.value(query).map(|value| (value, None)),
                Expr::Exists { subquery, negated } => {
                    let compared = if *negated { BinaryOperator::Eq } else { BinaryOperator::Gt };
                    rows_of(subquery).and_then(|rows| self.value(&rows)).map(|value| (value, Some(compared)))
                }
                _ => None,
            };
            if let Some((found, compared)) = found {
                let value = found.value.clone();
                *expr = match compared {
                    None => value,
                    Some(op) => nested(binary(value, op, Expr::value(Value::Number("0".to_owned(), false)))),
                };
                self.found.push(found);
            }
            ControlFlow::<()>::Continue(())
        });
    }

    fn value(&self, query: &Query) -> Option<correlated::Value> {
        let SetExpr::Select(select) = &*query.body else { return None };
        let inner = Scope::of(select, self.tables);
        correlated::value(query, self.made + self.found.len(), &inner, self.outer)
    }
}

/// How many rows a query has.
fn rows_of(query: &Query) -> Option<Query> {
    let SetExpr::Select(select) = &*query.body else { return None };
    if is_cut(query, true) || !is_plain(select) {
        return None;
    }
    let mut counted = Query { order_by: None, limit_clause: None, ..query.clone() };
    if let SetExpr::Select(select) = &mut *counted.body {
        select.distinct = None;
        select.projection = vec![SelectItem::UnnamedExpr(parse_expr("count(*)").ok()?)];
    }
    Some(counted)
}
