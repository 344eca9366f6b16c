//! The columns that the tables of a query have, those made inside of it as far as its text tells.

use crate::types::TableSchema;
use sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    TableAlias, TableFactor, TableWithJoins, WildcardAdditionalOptions,
};
use std::collections::{BTreeMap, BTreeSet};

/// The columns that a table certainly has, or several tables together.
#[derive(Clone, Default)]
pub(super) struct Columns<'a> {
    inputs: Vec<&'a TableSchema>,
    named: BTreeSet<String>,
    /// Whether there can be others, of names that are not told.
    pub(super) open: bool,
}

impl<'a> Columns<'a> {
    pub(super) fn contains(&self, name: &str) -> bool {
        self.named.contains(name) || self.inputs.iter().any(|schema| schema.names().any(|column| column == name))
    }

    fn of_input(schema: &'a TableSchema) -> Self {
        Self { inputs: vec![schema], named: BTreeSet::new(), open: !schema.complete }
    }

    fn unknown() -> Self {
        Self { open: true, ..Self::default() }
    }

    fn add(&mut self, others: Self) {
        self.inputs.extend(others.inputs);
        self.named.extend(others.named);
        self.open |= others.open;
    }

    /// The columns under the names that an alias gives them, `t (a, b)`.
    fn renamed(self, alias: Option<&TableAlias>) -> Self {
        match alias {
            Some(alias) if !alias.columns.is_empty() => {
                let named = alias.columns.iter().map(|column| column.name.value.clone()).collect();
                Self { named, ..Self::default() }
            }
            _ => self,
        }
    }
}

/// What a `SELECT` is over.
pub(super) fn factors(select: &Select) -> impl Iterator<Item = &TableFactor> {
    select.from.iter().flat_map(joined)
}

/// The tables that are joined.
pub(super) fn joined(from: &TableWithJoins) -> impl Iterator<Item = &TableFactor> {
    std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
}

/// The tables that a query can name: its inputs, and those of `WITH`.
#[derive(Clone)]
pub(super) struct Tables<'a> {
    inputs: &'a BTreeMap<String, TableSchema>,
    made: BTreeMap<String, Columns<'a>>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(inputs: &'a BTreeMap<String, TableSchema>) -> Self {
        Self { inputs, made: BTreeMap::new() }
    }

    /// Adds the tables of a query's `WITH`.
    pub(super) fn learn(&mut self, query: &Query) {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = self.of_query(&table.query).renamed(Some(&table.alias));
            self.made.insert(table.alias.name.value.clone(), columns);
        }
    }

    /// Whether a table of `WITH` has this name.
    pub(super) fn makes(&self, name: &str) -> bool {
        self.made.contains_key(name)
    }

    /// What a query calls a table that it selects from, and its columns.
    pub(super) fn of_factor(&self, factor: &TableFactor) -> Option<(String, Columns<'a>)> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let table = &name.0.first()?.as_ident()?.value;
                let columns = match self.made.get(table) {
                    Some(columns) => columns.clone(),
                    None => Columns::of_input(self.inputs.get(table)?),
                };
                let called = alias.as_ref().map_or_else(|| table.clone(), |alias| alias.name.value.clone());
                Some((called, columns.renamed(alias.as_ref())))
            }
            TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                Some((alias.name.value.clone(), self.of_query(subquery).renamed(Some(alias))))
            }
            _ => None,
        }
    }

    /// The columns of all tables that a `SELECT` is over.
    pub(super) fn of_all(&self, select: &Select) -> Columns<'a> {
        let mut all = Columns::default();
        for factor in factors(select) {
            all.add(self.of_factor(factor).map_or_else(Columns::unknown, |(_, columns)| columns));
        }
        all
    }

    fn of_query(&self, query: &Query) -> Columns<'a> {
        if query.with.is_none() {
            return self.of_body(&query.body);
        }
        let mut inside = self.clone();
        inside.learn(query);
        inside.of_body(&query.body)
    }

    fn of_body(&self, body: &SetExpr) -> Columns<'a> {
        match body {
            SetExpr::Select(select) => self.of_select(select),
            SetExpr::Query(query) => self.of_query(query),
            SetExpr::SetOperation { left, .. } => self.of_body(left),
            _ => Columns::unknown(),
        }
    }

    fn of_select(&self, select: &Select) -> Columns<'a> {
        let mut columns = Columns::default();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(Expr::Identifier(name)) => {
                    columns.named.insert(name.value.clone());
                }
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                    columns.named.extend(parts.last().map(|name| name.value.clone()));
                }
                // It has a name that nobody counts on.
                SelectItem::UnnamedExpr(_) => {}
                SelectItem::ExprWithAlias { alias, .. } => {
                    columns.named.insert(alias.value.clone());
                }
                SelectItem::Wildcard(options) if takes_all(options) => columns.add(self.of_all(select)),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
                    if takes_all(options) =>
                {
                    let name = name.to_string();
                    let mut tables = factors(select).filter_map(|factor| self.of_factor(factor));
                    let table = tables.find(|(called, _)| *called == name);
                    columns.add(table.map_or_else(Columns::unknown, |(_, columns)| columns));
                }
                _ => columns.open = true,
            }
        }
        columns
    }
}

/// Leaves columns out of a `*`.
pub(super) fn leave_out(options: &mut WildcardAdditionalOptions, names: impl Iterator<Item = Ident>) {
    if let Some(except) = &mut options.opt_except {
        except.additional_elements.extend(names);
        return;
    }
    let before = match options.opt_exclude.take() {
        None => Vec::new(),
        Some(ExcludeSelectItem::Single(name)) => vec![name],
        Some(ExcludeSelectItem::Multiple(names)) => names,
    };
    let all = before.into_iter().chain(names.map(ObjectName::from)).collect();
    options.opt_exclude = Some(ExcludeSelectItem::Multiple(all));
}

/// Whether a `*` leaves no column out and gives none another name.
fn takes_all(options: &WildcardAdditionalOptions) -> bool {
    options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_rename.is_none()
        && options.opt_ilike.is_none()
}
