//! Names of a query that polars takes for others, and says nothing: each is refused, with what to write instead.

use super::calls::is_one_of;
use super::columns::{Tables, factors};
use super::groups::AGGREGATES;
use super::holds::{Holds, is_grouped};
use super::place::range;
use super::{Problem, walks};
use crate::types::TableSchema;
use sqlparser::ast::{
    Expr, Ident, ObjectName, OrderByKind, Query, Select, SelectItem, SetExpr, Spanned, Statement, TableFactor, Visit,
    Visitor, WindowType, visit_relations,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// What is wrong with the names of a query over these tables.
pub(super) fn problems(
    text: &str,
    statement: &Statement,
    holds: Holds,
    inputs: &BTreeMap<String, TableSchema>,
) -> Vec<Problem> {
    let mut judge = Judge { text, statement, holds, inputs, tables: Tables::new(inputs), found: Vec::new() };
    let _ = statement.visit(&mut judge);
    judge.found
}

/// How often a table is named.
fn named<T: Visit>(ast: &T, table: &str) -> usize {
    let mut count = 0;
    let _ = visit_relations(ast, |name: &ObjectName| {
        let is_it = name.0.first().and_then(|part| part.as_ident()).is_some_and(|name| name.value == table);
        count += usize::from(is_it);
        ControlFlow::<()>::Continue(())
    });
    count
}

struct Judge<'a> {
    text: &'a str,
    statement: &'a Statement,
    holds: Holds,
    inputs: &'a BTreeMap<String, TableSchema>,
    tables: Tables<'a>,
    found: Vec<Problem>,
}

impl Judge<'_> {
    fn tell(&mut self, name: &Ident, message: String) {
        self.found.push(Problem::syntax(message, range(self.text, name.span)));
    }

    /// `WITH` where polars does not look for one.
    fn no_with(&mut self, query: &Query) {
        if let Some(table) = query.with.as_ref().and_then(|with| with.cte_tables.first()) {
            let message = "a WITH stands at the beginning of the whole query: put this table there".to_owned();
            self.tell(&table.alias.name, message);
        }
    }

    fn no_with_in(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Query(query) => self.no_with(query),
            SetExpr::SetOperation { left, right, .. } => {
                self.no_with_in(left);
                self.no_with_in(right);
            }
            _ => {}
        }
    }

    /// Expressions in `ORDER BY` and `QUALIFY` that name what is a column and a new name at once.
    fn order(&mut self, query: &Query) {
        let SetExpr::Select(select) = &*query.body else { return };
        if is_grouped(select) {
            return;
        }
        let by = match query.order_by.as_ref().map(|order| &order.kind) {
            Some(OrderByKind::Expressions(by)) => by.as_slice(),
            _ => &[],
        };
        let by = by.iter().map(|by| &by.expr).filter(|by| !matches!(by, Expr::Identifier(_)));
        let named = by.chain(&select.qualify).flat_map(names_of);
        let is_made = |name: &Ident| {
            select.projection.iter().any(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } => alias.value == name.value && !is_column(expr, &name.value),
                _ => false,
            })
        };
        let mut both: Vec<Ident> = named.filter(is_made).collect();
        if both.is_empty() {
            return;
        }
        let columns: Vec<_> = factors(select).filter_map(|factor| self.tables.of_factor(factor)).collect();
        both.retain(|name| columns.iter().any(|(_, columns)| columns.contains(&name.value)));
        for name in both {
            let message = format!(
                "`{}` is a column and what the query makes: call what it makes otherwise, to say which of them is meant",
                name.value
            );
            self.tell(&name, message);
        }
    }
}

/// What is said of a window over all rows that nothing stands beside.
pub(super) const ALONE: &str =
    "a window over all rows stands beside a column: select one too, or leave OVER () out for one row";

/// A window over all rows that nothing stands beside, of which polars gives one row.
pub(super) fn alone(select: &Select) -> Option<sqlparser::tokenizer::Span> {
    if is_grouped(select) {
        return None;
    }
    let mut whole = Whole::default();
    let _ = select.projection.visit(&mut whole);
    let is_wild = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    whole.first.filter(|_| !whole.rows && !select.projection.iter().any(is_wild))
}

fn is_column(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Identifier(column) => column.value == name,
        Expr::CompoundIdentifier(parts) => parts.last().is_some_and(|column| column.value == name),
        _ => false,
    }
}

impl Visitor for Judge<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.tables.learn(query);
        let mut made = BTreeSet::new();
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = &table.alias.name;
            if self.inputs.contains_key(&name.value) {
                let message = format!("`{}` is an input already: call the table of WITH otherwise", name.value);
                self.tell(name, message);
            } else if !made.insert(name.value.as_str()) {
                let message = format!("WITH makes a table `{}` already: call this one otherwise", name.value);
                self.tell(name, message);
            }
        }
        self.no_with_in(&query.body);
        self.order(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if let Some(call) = Some(select).filter(|_| self.holds.windows).and_then(alone) {
            self.found.push(Problem::syntax(ALONE, range(self.text, call)));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, alias: Some(alias), .. } => {
                let itself = name.0.first().and_then(|part| part.as_ident()).map(|name| name.value.as_str());
                let other = &alias.name.value;
                if itself != Some(other.as_str()) && (self.inputs.contains_key(other) || self.tables.makes(other)) {
                    self.tell(&alias.name, format!("`{other}` is another table already: call this one otherwise"));
                }
            }
            TableFactor::Derived { subquery, alias, .. } => {
                self.no_with(subquery);
                if let Some(alias) = alias.as_ref().filter(|alias| self.inputs.contains_key(&alias.name.value)) {
                    let name = &alias.name.value;
                    if named(self.statement, name) > named(&**subquery, name) {
                        let message = format!(
                            "`{}` is an input that the query uses too: call this one otherwise",
                            alias.name.value
                        );
                        self.tell(&alias.name, message);
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::InSubquery { subquery: query, .. } | Expr::Exists { subquery: query, .. } = expr {
            self.no_with(query);
        }
        ControlFlow::Continue(())
    }
}

/// The names of an expression, not those of queries inside of it.
fn names_of(expr: &Expr) -> Vec<Ident> {
    let mut found = Vec::new();
    let _ = walks::own(expr, |expr| {
        if let Expr::Identifier(name) = expr {
            found.push(name.clone());
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// Looks whether a projection has something of each row, and the first window over all of them.
#[derive(Default)]
struct Whole {
    inside: usize,
    rows: bool,
    first: Option<sqlparser::tokenizer::Span>,
}

impl Whole {
    fn is_whole(expr: &Expr) -> bool {
        let Expr::Function(call) = expr else { return false };
        let of_rows = match &call.over {
            None => false,
            Some(WindowType::WindowSpec(window)) => {
                window.window_name.is_some() || !window.partition_by.is_empty() || !window.order_by.is_empty()
            }
            Some(WindowType::NamedWindow(_)) => true,
        };
        !of_rows && is_one_of(call, AGGREGATES)
    }
}

impl Visitor for Whole {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            _ if Self::is_whole(expr) => {
                if let (0, Expr::Function(call)) = (self.inside, expr)
                    && call.over.is_some()
                {
                    self.first.get_or_insert(call.name.span());
                }
                self.inside += 1;
            }
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => self.rows |= self.inside == 0,
            Expr::Function(call) => self.rows |= self.inside == 0 && call.over.is_some(),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.inside -= usize::from(Self::is_whole(expr));
        ControlFlow::Continue(())
    }
}
