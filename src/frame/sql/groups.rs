//! What makes a group, what is of a whole one, and columns that are neither: polars gives the one value beside every row, or the
//! list of all.

use super::calls::is_one_of;
use super::columns::{Columns, Tables};
use super::holds::is_grouped;
use super::place::range;
use super::{Problem, parse_expr, walks};
use crate::types::TableSchema;
use sqlparser::ast::{
    Expr, GroupByExpr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, Spanned, Value, Visit, Visitor,
    visit_expressions,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Functions that give one value of all rows; also those that are not known, so that this is what is said of them.
pub(super) const AGGREGATES: &[&str] = &[
    "any_value",
    "approx_count_distinct",
    "arg_max",
    "arg_min",
    "array_agg",
    "average",
    "avg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "count_if",
    "covar",
    "covar_pop",
    "covar_samp",
    "entropy",
    "every",
    "first",
    "geometric_mean",
    "group_concat",
    "histogram",
    "kurtosis",
    "last",
    "listagg",
    "max",
    "max_by",
    "mean",
    "median",
    "min",
    "min_by",
    "mode",
    "percentile_cont",
    "percentile_disc",
    "product",
    "quantile_cont",
    "quantile_disc",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "skewness",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "stdev",
    "stdev_samp",
    "string_agg",
    "sum",
    "total",
    "var",
    "var_pop",
    "var_samp",
    "variance",
];

/// Whether this is one value of the rows of a group.
pub(super) fn is_aggregate(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(call) if call.over.is_none() && is_one_of(call, AGGREGATES))
}

pub(super) fn is_window(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(call) if call.over.is_some())
}

/// Whether a part, not one of a query inside of it, is such a one.
pub(super) fn has<T: Visit>(part: &T, is: fn(&Expr) -> bool) -> bool {
    first(part, is).is_some()
}

/// The first part of which this is true, not in a query inside of it.
pub(super) fn first<T: Visit>(part: &T, is: fn(&Expr) -> bool) -> Option<Box<Expr>> {
    let look = |expr: &Expr| match is(expr) {
        true => ControlFlow::Break(Box::new(expr.clone())),
        false => ControlFlow::Continue(()),
    };
    walks::own(part, look).break_value()
}

/// The keys by which a `SELECT` makes groups, as they are meant: an expression for a number or a name that the query gives.
pub(super) fn keys(select: &Select, columns: &Columns<'_>) -> Vec<Expr> {
    match &select.group_by {
        GroupByExpr::All(_) => {
            let of_rows = |expr: &&Expr| !has(*expr, is_aggregate) && !has(*expr, is_window);
            select.projection.iter().filter_map(projected).filter(of_rows).cloned().collect()
        }
        GroupByExpr::Expressions(keys, _) => keys.iter().map(|key| meant(key, select, columns)).collect(),
    }
}

/// What a key of a `GROUP BY` is.
pub(super) fn meant(key: &Expr, select: &Select, columns: &Columns<'_>) -> Expr {
    let at = |number: usize| select.projection.get(number.checked_sub(1)?).and_then(projected);
    let found = match key {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok().and_then(at),
            _ => None,
        },
        // A column of a table comes before one that the query makes.
        Expr::Identifier(name) if !columns.contains(&name.value) => named(select, name),
        _ => None,
    };
    found.unwrap_or(key).clone()
}

fn projected(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

/// What a query gives under this name.
pub(super) fn named<'a>(select: &'a Select, name: &Ident) -> Option<&'a Expr> {
    select.projection.iter().find_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } if alias.value == name.value => Some(expr),
        _ => None,
    })
}

/// Whether both are the same to a query; a column may be named with its table or without.
pub(super) fn same(one: &Expr, other: &Expr) -> bool {
    match (one, other) {
        (Expr::Nested(inner), other) => same(inner, other),
        (one, Expr::Nested(inner)) => same(one, inner),
        _ => match (column(one), column(other)) {
            (Some(a), Some(b)) => {
                let named = |(a, b): (&Ident, &Ident)| a.value == b.value;
                let alike = a.iter().rev().zip(b.iter().rev()).all(named);
                alike && (a.len() == b.len() || a.len() == 1 || b.len() == 1)
            }
            _ => one == other,
        },
    }
}

/// The parts of a column's name.
fn column(expr: &Expr) -> Option<&[Ident]> {
    match expr {
        Expr::Identifier(name) => Some(std::slice::from_ref(name)),
        Expr::CompoundIdentifier(parts) => Some(parts),
        _ => None,
    }
}

/// What is wrong with groups and with what stands beside them.
pub(super) fn problems<T: Visit>(text: &str, ast: &T, inputs: &BTreeMap<String, TableSchema>) -> Vec<Problem> {
    let mut judge = Judge { text, tables: Tables::new(inputs), found: Vec::new() };
    let _ = ast.visit(&mut judge);
    judge.found.extend(inside(text, ast));
    judge.found
}

/// Whether this is made of more than one row.
fn is_of_rows(expr: &Expr) -> bool {
    is_aggregate(expr) || is_window(expr)
}

/// What is inside of an aggregate and is of more than one row itself: polars computes both for the same group.
fn inside<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    let mut found = Vec::new();
    let _ = visit_expressions(ast, |expr| {
        if let Expr::Function(outer) = expr
            && is_aggregate(expr)
            && let Some(inner) = first(&outer.args, is_of_rows).or_else(|| first(&outer.filter, is_of_rows))
            && let Expr::Function(call) = &*inner
        {
            let message = match call.over {
                Some(_) => {
                    "an aggregate is of rows, and a window is made after it: compute the window in a `WITH` first"
                        .to_owned()
                }
                None => format!(
                    "`{inner}` is an aggregate inside of another: compute it in a `WITH` first; over all groups it is `{expr} OVER ()`"
                ),
            };
            found.push(Problem::syntax(message, range(text, call.name.span())));
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// What is wrong with windows in an expression that gives one value for each group. What cannot be read is told elsewhere.
#[must_use]
pub fn window_problems(text: &str) -> Vec<Problem> {
    let Ok(expr) = parse_expr(text) else { return Vec::new() };
    let mut found = Vec::new();
    let _ = visit_expressions(&expr, |part| {
        if let Expr::Function(call) = part
            && call.over.is_some()
        {
            let message = "a window gives a value for each row, and here is one for each group: the step `window` before this one makes it a column";
            found.push(Problem::syntax(message, range(text, call.name.span())));
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

struct Judge<'a> {
    text: &'a str,
    tables: Tables<'a>,
    found: Vec<Problem>,
}

impl Judge<'_> {
    fn of_body(&mut self, body: &SetExpr, order: &[&Expr]) {
        match body {
            SetExpr::Select(select) => {
                self.rows(select);
                self.groups(select, order);
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.of_body(left, &[]);
                self.of_body(right, &[]);
            }
            _ => {}
        }
    }

    /// Conditions of rows.
    fn rows(&mut self, select: &Select) {
        let mut tell = |expr: Option<Box<Expr>>, message: &dyn Fn(&Expr) -> String| {
            let Some(expr) = expr else { return };
            if let Expr::Function(call) = &*expr {
                self.found.push(Problem::syntax(message(&expr), range(self.text, call.name.span())));
            }
        };
        tell(first(&select.selection, is_aggregate), &|expr| {
            format!(
                "WHERE asks of each row, and this is one value of many: write it into HAVING, or as `(SELECT {expr} FROM …)`"
            )
        });
        tell(first(&select.selection, is_window), &|_| {
            "a window is made of the rows that WHERE keeps: write QUALIFY instead".to_owned()
        });
        tell(first(&select.group_by, is_aggregate), &|_| {
            "a group is made by what each row has, and this is one value of many: compute it in a `WITH` first"
                .to_owned()
        });
    }

    fn groups(&mut self, select: &Select, order: &[&Expr]) {
        if matches!(select.group_by, GroupByExpr::All(_)) {
            return;
        }
        let grouped = is_grouped(select);
        let has_one = has(&select.projection, is_aggregate) || select.having.is_some();
        if !grouped && !has_one {
            return;
        }
        let columns = self.tables.of_all(select);
        let made: BTreeSet<&str> = select
            .projection
            .iter()
            .filter_map(|item| match item {
                SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.as_str()),
                _ => None,
            })
            .collect();
        let mut keys = keys(select, &columns);
        keys.extend(super::regroup::in_sets(&keys));
        let mut outside = Outside { keys: &keys, columns: &columns, made: &made, inside: 0, found: Vec::new() };
        let _ = select.projection.visit(&mut outside);
        let _ = select.having.visit(&mut outside);
        let _ = select.qualify.visit(&mut outside);
        // A name alone is first of all what the query gives.
        let given = |by: &&&Expr| matches!(by, Expr::Identifier(name) if made.contains(name.value.as_str()));
        for by in order.iter().filter(|by| grouped && !given(by)) {
            let _ = by.visit(&mut outside);
        }
        let found = outside.found;
        for expr in found {
            let message = if grouped {
                format!(
                    "`{expr}` is neither in GROUP BY nor inside of an aggregate: add it there, or write one such as `max({expr})`"
                )
            } else {
                format!(
                    "`{expr}` is of each row, beside one value of all: write `GROUP BY {expr}`, or an aggregate such as `max({expr})`"
                )
            };
            self.found.push(Problem::syntax(message, range(self.text, expr.span())));
        }
        for item in &select.projection {
            if let (false, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)) = (grouped, item) {
                let message = "`*` is of each row, beside one value of all: name the columns, and `GROUP BY` them";
                self.found.push(Problem::syntax(message, range(self.text, item.span())));
            }
        }
    }
}

impl Visitor for Judge<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.tables.learn(query);
        let order: Vec<&Expr> = match query.order_by.as_ref().map(|order| &order.kind) {
            Some(OrderByKind::Expressions(by)) => by.iter().map(|by| &by.expr).collect(),
            _ => Vec::new(),
        };
        self.of_body(&query.body, &order);
        ControlFlow::Continue(())
    }
}

/// Columns that stand outside of aggregates and keys.
struct Outside<'a> {
    keys: &'a [Expr],
    columns: &'a Columns<'a>,
    made: &'a BTreeSet<&'a str>,
    inside: usize,
    found: Vec<Expr>,
}

impl Outside<'_> {
    fn is_whole(&self, expr: &Expr) -> bool {
        is_aggregate(expr) || self.keys.iter().any(|key| same(key, expr))
    }
}

impl Visitor for Outside<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.inside += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.inside -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.is_whole(expr) {
            self.inside += 1;
            return ControlFlow::Continue(());
        }
        let of_row = match expr {
            Expr::Identifier(name) => self.columns.contains(&name.value) || !self.made.contains(name.value.as_str()),
            Expr::CompoundIdentifier(_) => true,
            _ => false,
        };
        if of_row && self.inside == 0 {
            self.found.push(expr.clone());
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.inside -= usize::from(self.is_whole(expr));
        ControlFlow::Continue(())
    }
}
