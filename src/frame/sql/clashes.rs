//! Names of a query that polars takes for others, and says nothing: each is refused, with what to write instead.

use super::Problem;
use super::columns::Tables;
use super::groups::AGGREGATES;
use super::place::range;
use crate::types::TableSchema;
use sqlparser::ast::{
    Expr, GroupByExpr, Ident, ObjectName, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Spanned,
    TableFactor, Visit, Visitor, WindowType, visit_relations,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What is wrong with the names of a query over these tables.
pub(super) fn problems<T: Visit>(text: &str, ast: &T, inputs: &BTreeMap<String, TableSchema>) -> Vec<Problem> {
    let mut judge = Judge { text, inputs, tables: Tables::new(inputs), relations: relations(ast), found: Vec::new() };
    let _ = ast.visit(&mut judge);
    judge.found
}

/// The tables that are named, as often as they are.
fn relations<T: Visit>(ast: &T) -> Vec<String> {
    let mut found = Vec::new();
    let _ = visit_relations(ast, |name: &ObjectName| {
        found.extend(name.0.first().and_then(|part| part.as_ident()).map(|name| name.value.clone()));
        ControlFlow::<()>::Continue(())
    });
    found
}

struct Judge<'a> {
    text: &'a str,
    inputs: &'a BTreeMap<String, TableSchema>,
    tables: Tables<'a>,
    relations: Vec<String>,
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
        let by: &[OrderByExpr] = match query.order_by.as_ref().map(|order| &order.kind) {
            Some(OrderByKind::Expressions(by)) => by,
            _ => &[],
        };
        if groups(select) {
            return;
        }
        let factors = select
            .from
            .iter()
            .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
        let columns: Vec<_> = factors.filter_map(|factor| self.tables.of_factor(factor)).collect();
        let is_both = |name: &Ident| {
            let made = select.projection.iter().any(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } => alias.value == name.value && !is_column(expr, &name.value),
                _ => false,
            });
            made && columns.iter().any(|(_, columns)| columns.contains(&name.value))
        };
        let named = by.iter().map(|by| &by.expr).filter(|by| !matches!(by, Expr::Identifier(_)));
        let named = named.chain(&select.qualify).flat_map(Names::of);
        let both: Vec<Ident> = named.filter(is_both).collect();
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
    if groups(select) {
        return None;
    }
    let mut whole = Whole::default();
    let _ = select.projection.visit(&mut whole);
    let is_wild = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    whole.first.filter(|_| !whole.rows && !select.projection.iter().any(is_wild))
}

fn groups(select: &Select) -> bool {
    match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
    }
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
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = &table.alias.name;
            if self.inputs.contains_key(&name.value) {
                let message = format!("`{}` is an input already: call the table of WITH otherwise", name.value);
                self.tell(name, message);
            }
        }
        self.no_with_in(&query.body);
        self.order(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if let Some(call) = alone(select) {
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
                    let is_it = |name: &&String| **name == alias.name.value;
                    let inside = relations(&**subquery).iter().filter(is_it).count();
                    if self.relations.iter().filter(is_it).count() > inside {
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
struct Names {
    inside: usize,
    found: Vec<Ident>,
}

impl Names {
    fn of(expr: &Expr) -> Vec<Ident> {
        let mut names = Self { inside: 0, found: Vec::new() };
        let _ = expr.visit(&mut names);
        names.found
    }
}

impl Visitor for Names {
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
        if let (0, Expr::Identifier(name)) = (self.inside, expr) {
            self.found.push(name.clone());
        }
        ControlFlow::Continue(())
    }
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
        !of_rows && AGGREGATES.contains(&call.name.to_string().to_ascii_lowercase().as_str())
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
