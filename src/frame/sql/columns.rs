//! The columns that the tables made inside of a query certainly have, as far as its text tells: what is not told here may be
//! there all the same.

use crate::types::TableSchema;
use sqlparser::ast::{
    Expr, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor,
    WildcardAdditionalOptions,
};
use std::collections::{BTreeMap, BTreeSet};

/// Names of columns.
pub(super) type Columns = BTreeSet<String>;

/// The tables that a query can name: its inputs, and those of `WITH`.
#[derive(Clone)]
pub(super) struct Tables<'a> {
    inputs: &'a BTreeMap<String, TableSchema>,
    made: BTreeMap<String, Columns>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(inputs: &'a BTreeMap<String, TableSchema>) -> Self {
        Self { inputs, made: BTreeMap::new() }
    }

    /// Adds the tables of a query's `WITH`.
    pub(super) fn learn(&mut self, query: &Query) {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = renamed(self.of_query(&table.query), Some(&table.alias));
            self.made.insert(table.alias.name.value.clone(), columns);
        }
    }

    /// Whether a table of `WITH` has this name.
    pub(super) fn makes(&self, name: &str) -> bool {
        self.made.contains_key(name)
    }

    /// What a query calls a table that it selects from, and its columns.
    pub(super) fn of_factor(&self, factor: &TableFactor) -> Option<(String, Columns)> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let table = &name.0.first()?.as_ident()?.value;
                let columns = match self.made.get(table) {
                    Some(columns) => columns.clone(),
                    None => self.inputs.get(table)?.names().map(str::to_owned).collect(),
                };
                let called = alias.as_ref().map_or_else(|| table.clone(), |alias| alias.name.value.clone());
                Some((called, renamed(columns, alias.as_ref())))
            }
            TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                Some((alias.name.value.clone(), renamed(self.of_query(subquery), Some(alias))))
            }
            _ => None,
        }
    }

    fn of_query(&self, query: &Query) -> Columns {
        let mut inside = self.clone();
        inside.learn(query);
        inside.of_body(&query.body)
    }

    fn of_body(&self, body: &SetExpr) -> Columns {
        match body {
            SetExpr::Select(select) => self.of_select(select),
            SetExpr::Query(query) => self.of_query(query),
            SetExpr::SetOperation { left, .. } => self.of_body(left),
            _ => Columns::new(),
        }
    }

    fn of_select(&self, select: &Select) -> Columns {
        let factors = select
            .from
            .iter()
            .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
        let tables: Vec<(String, Columns)> = factors.filter_map(|factor| self.of_factor(factor)).collect();
        let mut columns = Columns::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(Expr::Identifier(name)) => {
                    columns.insert(name.value.clone());
                }
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                    columns.extend(parts.last().map(|name| name.value.clone()));
                }
                SelectItem::ExprWithAlias { alias, .. } => {
                    columns.insert(alias.value.clone());
                }
                SelectItem::Wildcard(options) if takes_all(options) => {
                    columns.extend(tables.iter().flat_map(|(_, columns)| columns.iter().cloned()));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
                    if takes_all(options) =>
                {
                    let of_it = tables.iter().filter(|(called, _)| *called == name.to_string());
                    columns.extend(of_it.flat_map(|(_, columns)| columns.iter().cloned()));
                }
                _ => {}
            }
        }
        columns
    }
}

/// Whether a `*` leaves no column out and gives none another name.
fn takes_all(options: &WildcardAdditionalOptions) -> bool {
    options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_rename.is_none()
        && options.opt_ilike.is_none()
}

/// The columns under the names that an alias gives them, `t (a, b)`.
fn renamed(columns: Columns, alias: Option<&TableAlias>) -> Columns {
    match alias {
        Some(alias) if !alias.columns.is_empty() => {
            alias.columns.iter().map(|column| column.name.value.clone()).collect()
        }
        _ => columns,
    }
}
