//! Groups of which more is asked than polars knows: windows over them, an order by an aggregate, `HAVING` of all rows, keys of one name,
//! `ROLLUP`, `CUBE` and `GROUPING SETS`. Each becomes a query over the groups, which have their keys and aggregates as columns.

use super::around::{all_of, nothing, of_body};
use super::calls::{arguments, is_one_of};
use super::columns::{Columns, Tables};
use super::groups::{has, is_aggregate, is_window, keys, meant, named, same};
use super::holds::is_grouped;
use super::walks;
use crate::types::TableSchema;
use sqlparser::ast::{
    Expr, GroupByExpr, GroupByWithModifier, Ident, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr,
    SetOperator, SetQuantifier, Value, Visit, VisitMut, Visitor, VisitorMut, visit_expressions, visit_expressions_mut,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// So many sets of keys are made at most.
const MOST_SETS: usize = 64;

/// Writes them so; says whether there was one.
pub(super) fn written<T: VisitMut>(ast: &mut T, inputs: &BTreeMap<String, TableSchema>) -> Result<bool, String> {
    let mut writer = Writer { tables: Tables::new(inputs), any: false };
    match VisitMut::visit(ast, &mut writer) {
        ControlFlow::Continue(()) => Ok(writer.any),
        ControlFlow::Break(message) => Err(message),
    }
}

/// Whether there is one.
pub(super) fn is_needed<T: Visit>(ast: &T, inputs: &BTreeMap<String, TableSchema>) -> bool {
    struct Search<'a>(Tables<'a>);
    impl Search<'_> {
        fn body(&self, body: &SetExpr, order: Option<&OrderBy>) -> bool {
            match body {
                SetExpr::Select(select) if is_grouped(select) => {
                    has_sets(select) || asks_more(select, order, &keys(select, &self.0.of_all(select)))
                }
                SetExpr::Select(select) => select.having.is_some(),
                SetExpr::SetOperation { left, right, .. } => self.body(left, None) || self.body(right, None),
                _ => false,
            }
        }
    }
    impl Visitor for Search<'_> {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            self.0.learn(query);
            match self.body(&query.body, query.order_by.as_ref()) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
    ast.visit(&mut Search(Tables::new(inputs))).is_break()
}

/// Whether more is asked of the groups that have these keys than polars knows.
fn asks_more(select: &Select, order: Option<&OrderBy>, keys: &[Expr]) -> bool {
    if keys.is_empty() {
        return select.having.is_some();
    }
    has(&select.projection, is_window)
        || has(&select.qualify, is_window)
        || order.is_some_and(|order| has(order, is_aggregate) || has(order, is_window))
        || are_called_alike(keys)
        || select.having.as_ref().is_some_and(|having| is_key_in(having, select, keys))
        || are_renamed(select, keys)
}

/// Whether a condition names a key of the groups, which polars takes for the list of all that the rows have there.
fn is_key_in(condition: &Expr, select: &Select, keys: &[Expr]) -> bool {
    let is_key = |expr: &Expr| keys.iter().any(|key| same(key, expr));
    let look = |expr: &Expr| match expr {
        Expr::Identifier(name) if named(select, name).is_some_and(is_key) => ControlFlow::Break(()),
        expr if is_key(expr) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    walks::own(condition, look).is_break()
}

/// Whether a key of one of several tables is given another name: polars looks for it by the name that it had before.
fn are_renamed(select: &Select, keys: &[Expr]) -> bool {
    let is_one = select.from.len() == 1 && select.from.iter().all(|from| from.joins.is_empty());
    let renamed = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { expr: expr @ Expr::CompoundIdentifier(_), alias } => {
            name_of(expr) != alias.value && keys.iter().any(|key| same(key, expr))
        }
        _ => false,
    };
    !is_one && select.projection.iter().any(renamed)
}

/// Whether polars would call two of these keys by one name.
fn are_called_alike(keys: &[Expr]) -> bool {
    let mut known = BTreeSet::new();
    !keys.iter().all(|key| known.insert(name_of(key)))
}

/// The keys inside of `ROLLUP` and its like.
pub(super) fn in_sets(keys: &[Expr]) -> Vec<Expr> {
    let inside = |key: &Expr| match key {
        Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => sets.concat(),
        Expr::Tuple(keys) => keys.clone(),
        _ => Vec::new(),
    };
    keys.iter().flat_map(inside).flat_map(|key| if let Expr::Tuple(keys) = key { keys } else { vec![key] }).collect()
}

struct Writer<'a> {
    tables: Tables<'a>,
    any: bool,
}

impl VisitorMut for Writer<'_> {
    type Break = String;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        self.tables.learn(query);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        match self.body(&mut query.body, query.order_by.as_mut()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(message) => ControlFlow::Break(message),
        }
    }
}

impl Writer<'_> {
    fn body(&mut self, body: &mut SetExpr, order: Option<&mut OrderBy>) -> Result<(), String> {
        match body {
            SetExpr::Select(select) => {
                let columns = self.tables.of_all(select);
                self.any |= regrouped(select, order, &columns)?;
                Ok(())
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left, None)?;
                self.body(right, None)
            }
            _ => Ok(()),
        }
    }
}

/// Makes two queries of a `SELECT` that asks more of its groups than polars knows.
fn regrouped(select: &mut Select, order: Option<&mut OrderBy>, columns: &Columns<'_>) -> Result<bool, String> {
    if !is_grouped(select) && select.having.is_none() {
        return Ok(false);
    }
    if !has_sets(select) && !asks_more(select, order.as_deref(), &keys(select, columns)) {
        return Ok(false);
    }
    let (all, sets) = sets_of(select, columns)?;
    name_all(select);
    let mut having = select.having.take();
    if let Some(having) = &mut having {
        let _ = visit_expressions_mut(having, |expr| {
            if let Expr::Identifier(name) = expr
                && !columns.contains(&name.value)
                && let Some(made) = named(select, name)
            {
                *expr = Expr::Nested(Box::new(made.clone()));
            }
            ControlFlow::<()>::Continue(())
        });
    }
    let mut parts = Parts { keys: &all, aggregates: Vec::new(), groupings: Vec::new() };
    if let Some(OrderByKind::Expressions(by)) = order.map(|order| &mut order.kind) {
        // A name alone is first of all what the query gives.
        let given = |by: &Expr| matches!(by, Expr::Identifier(name) if named(select, name).is_some());
        for by in by.iter_mut().filter(|by| !given(&by.expr)) {
            parts.take(&mut by.expr)?;
        }
    }
    parts.take(&mut select.projection)?;
    parts.take(&mut having)?;
    parts.take(&mut select.qualify)?;
    select.from = all_of(of_body(parts.inner(select, &sets))).from;
    select.selection = having;
    select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    match super::clashes::alone(select) {
        None => Ok(true),
        Some(_) => Err(super::clashes::ALONE.to_owned()),
    }
}

/// Whether keys are said to be in sets.
fn has_sets(select: &Select) -> bool {
    let GroupByExpr::Expressions(keys, modifiers) = &select.group_by else { return false };
    let is_set = |key: &Expr| matches!(key, Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_) | Expr::Tuple(_));
    !modifiers.is_empty() || keys.iter().any(is_set)
}

/// Gives names to what a query gives without one, as they are without this.
fn name_all(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) = item {
            let alias = Ident::with_quote('"', name_of(expr));
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

/// What polars calls something that has no name: as the first column of it.
pub(super) fn name_of(expr: &Expr) -> String {
    if let Expr::Case { conditions, .. } = expr
        && let Some(first) = conditions.first()
    {
        return name_of(&first.result);
    }
    let name = visit_expressions(expr, |expr| match expr {
        Expr::Identifier(name) => ControlFlow::Break(name.value.clone()),
        Expr::CompoundIdentifier(parts) => match parts.last() {
            Some(name) => ControlFlow::Break(name.value.clone()),
            None => ControlFlow::Continue(()),
        },
        _ => ControlFlow::Continue(()),
    });
    let of_rows = visit_expressions(expr, |expr| match expr {
        Expr::Function(call) if is_one_of(call, &["count"]) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    name.break_value().unwrap_or_else(|| if of_rows.is_break() { "len" } else { "literal" }.to_owned())
}

/// All keys, and the sets of them (by their numbers) by which groups are made.
fn sets_of(select: &Select, columns: &Columns<'_>) -> Result<(Vec<Expr>, Vec<Vec<usize>>), String> {
    let written: &[Expr] = match &select.group_by {
        GroupByExpr::All(_) => {
            let all = keys(select, columns);
            let set = (0..all.len()).collect();
            return Ok((all, vec![set]));
        }
        GroupByExpr::Expressions(keys, _) => keys,
    };
    let modifier = match &select.group_by {
        GroupByExpr::Expressions(_, modifiers) => modifiers.first(),
        GroupByExpr::All(_) => None,
    };
    let mut all: Vec<Expr> = Vec::new();
    let mut number = |key: &Expr| {
        let key = meant(key, select, columns);
        let known = all.iter().position(|known| same(known, &key));
        known.unwrap_or_else(|| {
            all.push(key);
            all.len() - 1
        })
    };
    let mut sets = vec![Vec::new()];
    let mut times = |choices: Vec<Vec<usize>>| -> Result<(), String> {
        if sets.len() * choices.len() > MOST_SETS {
            return Err(format!(
                "so many sets of keys are more than {MOST_SETS}: write those that are wanted as GROUPING SETS"
            ));
        }
        let both =
            |set: &Vec<usize>| choices.iter().map(|choice| [set.as_slice(), choice].concat()).collect::<Vec<_>>();
        sets = sets.iter().flat_map(both).collect();
        Ok(())
    };
    if let Some(modifier) = modifier {
        let units: Vec<Vec<usize>> = written.iter().map(|key| vec![number(key)]).collect();
        let choices = match modifier {
            GroupByWithModifier::Rollup => rollup(&units),
            GroupByWithModifier::Cube => cube(&units)?,
            _ => return Err("GROUP BY goes with ROLLUP, CUBE and GROUPING SETS".to_owned()),
        };
        times(choices)?;
        return Ok((all, sets));
    }
    for key in written {
        let mut units = |sets: &[Vec<Expr>]| -> Vec<Vec<usize>> {
            let flat = |set: &Vec<Expr>| in_sets(&[Expr::GroupingSets(vec![set.clone()])]);
            sets.iter().map(|set| flat(set).iter().map(&mut number).collect()).collect()
        };
        let choices = match key {
            Expr::Rollup(sets) => rollup(&units(sets)),
            Expr::Cube(sets) => cube(&units(sets))?,
            Expr::GroupingSets(sets) => units(sets),
            Expr::Tuple(keys) => vec![keys.iter().map(&mut number).collect()],
            key => vec![vec![number(key)]],
        };
        times(choices)?;
    }
    Ok((all, sets))
}

fn rollup(units: &[Vec<usize>]) -> Vec<Vec<usize>> {
    (0..=units.len()).rev().map(|count| units[..count].concat()).collect()
}

fn cube(units: &[Vec<usize>]) -> Result<Vec<Vec<usize>>, String> {
    if units.len() > 6 {
        return Err("a CUBE of so many keys has too many sets: write those that are wanted as GROUPING SETS".to_owned());
    }
    let all = 1_usize << units.len();
    let set = |left_out: usize| {
        let is_in = |(at, _): &(usize, &Vec<usize>)| (left_out >> (units.len() - 1 - at)) & 1 == 0;
        units.iter().enumerate().filter(is_in).flat_map(|(_, unit)| unit.iter().copied()).collect()
    };
    Ok((0..all).map(set).collect())
}

/// Puts columns of the groups in the places of keys and aggregates.
struct Parts<'a> {
    keys: &'a [Expr],
    aggregates: Vec<Expr>,
    /// The keys of which a `GROUPING` tells whether they are in a set.
    groupings: Vec<Vec<usize>>,
}

fn column(sort: &str, number: usize) -> Ident {
    Ident::new(format!("__kilter_{sort}_{number}"))
}

impl Parts<'_> {
    fn take<T: VisitMut>(&mut self, part: &mut T) -> Result<(), String> {
        let taken = walks::own_mut(part, |expr| {
            match self.column(expr) {
                Ok(Some(column)) => *expr = Expr::Identifier(column),
                Ok(None) => {}
                Err(message) => return ControlFlow::Break(message),
            }
            ControlFlow::Continue(())
        });
        taken.break_value().map_or(Ok(()), Err)
    }

    /// The column that an expression is, if it is one.
    fn column(&mut self, expr: &Expr) -> Result<Option<Ident>, String> {
        if let Some(number) = self.keys.iter().position(|key| same(key, expr)) {
            return Ok(Some(column("key", number)));
        }
        if is_aggregate(expr) {
            let known = self.aggregates.iter().position(|known| known == expr);
            let number = known.unwrap_or_else(|| {
                self.aggregates.push(expr.clone());
                self.aggregates.len() - 1
            });
            return Ok(Some(column("aggregate", number)));
        }
        let Expr::Function(call) = expr else { return Ok(None) };
        if !is_one_of(call, &["grouping", "grouping_id"]) {
            return Ok(None);
        }
        let mut numbers = Vec::new();
        for argument in arguments(call).unwrap_or_default() {
            let number = self.keys.iter().position(|key| same(key, argument));
            numbers.push(number.ok_or_else(|| format!("GROUPING is of keys of the GROUP BY, found `{argument}`"))?);
        }
        self.groupings.push(numbers);
        Ok(Some(column("grouping", self.groupings.len() - 1)))
    }

    /// The groups: one `SELECT` for each set of keys.
    fn inner(&self, select: &Select, sets: &[Vec<usize>]) -> SetExpr {
        let of_set = |set: &Vec<usize>| {
            let item = |expr: Expr, alias: Ident| SelectItem::ExprWithAlias { expr, alias };
            let number = |of: usize| Expr::value(Value::Number(of.to_string(), false));
            let mut projection = Vec::new();
            for (at, key) in self.keys.iter().enumerate() {
                let key = if set.contains(&at) { key.clone() } else { Expr::value(Value::Null) };
                projection.push(item(key, column("key", at)));
            }
            for (at, aggregate) in self.aggregates.iter().enumerate() {
                projection.push(item(aggregate.clone(), column("aggregate", at)));
            }
            for (at, keys) in self.groupings.iter().enumerate() {
                let bits = keys.iter().fold(0, |bits, key| (bits << 1) | usize::from(!set.contains(key)));
                projection.push(item(number(bits), column("grouping", at)));
            }
            if self.aggregates.is_empty() {
                // Without any, all rows would stand for one group that has no keys.
                projection.extend(super::parse_expr("count(*)").ok().map(|count| item(count, column("rows", 0))));
            }
            // By what they are called here: two of them may have one name in their tables. None counts twice.
            let once = set.iter().enumerate().filter(|(place, at)| !set[..*place].contains(at));
            let keys = once.map(|(_, at)| Expr::Identifier(column("key", *at))).collect();
            SetExpr::Select(Box::new(Select {
                distinct: None,
                projection,
                group_by: GroupByExpr::Expressions(keys, Vec::new()),
                having: None,
                qualify: None,
                named_window: Vec::new(),
                ..select.clone()
            }))
        };
        let all = |left: SetExpr, right: SetExpr| SetExpr::SetOperation {
            left: Box::new(left),
            op: SetOperator::Union,
            set_quantifier: SetQuantifier::All,
            right: Box::new(right),
        };
        sets.iter().map(of_set).reduce(all).unwrap_or_else(nothing)
    }
}
