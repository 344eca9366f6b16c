//! Names in a query: tables and columns that do not exist, each with its place. What stays unresolved here (names
//! through subqueries and aliases are taken on trust) is left to polars.

use super::columns::{Columns, Tables, joined};
use super::place::range;
use super::smallest::constraint;
use super::{Problem, ProblemKind};
use crate::types::TableSchema;
use sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind,
    Statement, TableFactor, TableWithJoins, Visit, Visitor, visit_expressions,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Collects names in one walk, then judges them.
pub(super) struct Names<'a> {
    text: &'a str,
    tables: &'a BTreeMap<String, TableSchema>,
    /// The inputs, and the tables of every `WITH`.
    known: Tables<'a>,
    /// Aliases of tables, and the inputs that each stands for in one place or another; `None` where it is no input.
    aliases: BTreeMap<String, Vec<Option<String>>>,
    /// Names given to columns anywhere in the query.
    made: BTreeSet<String>,
    used: BTreeSet<String>,
    relations: Vec<ObjectName>,
    columns: Vec<(Option<String>, Ident)>,
    problems: Vec<Problem>,
    opaque: bool,
}

impl<'a> Names<'a> {
    pub(super) fn new(text: &'a str, tables: &'a BTreeMap<String, TableSchema>) -> Self {
        Self {
            text,
            tables,
            known: Tables::new(tables),
            aliases: BTreeMap::new(),
            made: BTreeSet::new(),
            used: BTreeSet::new(),
            relations: Vec::new(),
            columns: Vec::new(),
            problems: Vec::new(),
            opaque: false,
        }
    }

    pub(super) fn check(mut self, statement: &Statement) -> Vec<Problem> {
        let _ = statement.visit(&mut self);
        self.judge_tables();
        self.judge_columns();
        self.sorted()
    }

    /// For an expression: its table is the one input, and nothing else can be named.
    pub(super) fn check_expr(mut self, expr: &Expr) -> Vec<Problem> {
        let _ = expr.visit(&mut self);
        self.used = self.tables.keys().cloned().collect();
        if let Some(relation) = self.relations.first() {
            let place =
                relation.0.first().and_then(|part| part.as_ident()).and_then(|ident| range(self.text, ident.span));
            self.problems.push(Problem::syntax(super::NO_QUERY, place));
            return self.sorted();
        }
        self.judge_columns();
        self.sorted()
    }

    fn sorted(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.range.as_ref().map(|range| range.start));
        self.problems.dedup_by(|later, first| later.range == first.range);
        self.problems
    }

    fn judge_tables(&mut self) {
        for relation in std::mem::take(&mut self.relations) {
            let [part] = relation.0.as_slice() else {
                let place =
                    relation.0.first().and_then(|part| part.as_ident()).and_then(|part| range(self.text, part.span));
                self.problems.push(Problem::syntax(format!("`{relation}` is not the name of an input"), place));
                continue;
            };
            let Some(ident) = part.as_ident() else { continue };
            let name = &ident.value;
            if self.tables.contains_key(name) {
                self.used.insert(name.clone());
            } else if !self.known.makes(name) {
                self.opaque = true;
                self.problems.push(Problem {
                    kind: ProblemKind::UnknownTable { name: name.clone() },
                    message: format!("there is no table `{name}`"),
                    range: range(self.text, ident.span),
                });
            }
        }
    }

    fn judge_columns(&mut self) {
        let (columns, tables) = (std::mem::take(&mut self.columns), self.tables);
        let used: Vec<(&String, &TableSchema)> = tables.iter().filter(|(name, _)| self.used.contains(*name)).collect();
        for (table, ident) in columns {
            let problem = match table {
                Some(table) => self.judge_qualified(&table, &ident),
                None => self.judge_bare(&ident, &used),
            };
            self.problems.extend(problem);
        }
    }

    /// Columns that a join's condition names without their table, and that two of the joined tables have.
    fn judge_keys(&mut self, from: &TableWithJoins) {
        if from.joins.iter().all(|join| condition(&join.join_operator).is_none()) {
            return;
        }
        let tables: Vec<Option<(String, Columns<'_>)>> =
            joined(from).map(|factor| self.known.of_factor(factor)).collect();
        let mut found = Vec::new();
        for (number, join) in from.joins.iter().enumerate() {
            let Some(condition) = condition(&join.join_operator) else { continue };
            // Those that are joined later are not there yet.
            let there = || tables[..number + 2].iter().flatten();
            let _ = visit_expressions(condition, |expr| {
                if let Expr::Identifier(ident) = expr {
                    let has = |(_, columns): &&(String, Columns<'_>)| columns.contains(&ident.value);
                    if let [first, second, ..] = there().filter(has).collect::<Vec<_>>().as_slice() {
                        let (name, one, other) = (&ident.value, &first.0, &second.0);
                        let message = format!(
                            "`{name}` is in `{one}` and in `{other}`: write `{one}.{name}` or `{other}.{name}`"
                        );
                        found.push(Problem::syntax(message, range(self.text, ident.span)));
                    }
                }
                ControlFlow::<()>::Continue(())
            });
        }
        self.problems.extend(found);
    }

    /// `t.column`, where `t` is an input or an alias of one whose columns are all known.
    fn judge_qualified(&self, table: &str, ident: &Ident) -> Option<Problem> {
        let mut wrong = None;
        let itself = [Some(table.to_owned())];
        for input in self.aliases.get(table).map_or(itself.as_slice(), Vec::as_slice) {
            let input = input.as_deref()?;
            let schema = self.tables.get(input).filter(|schema| schema.complete)?;
            if schema.names().any(|name| name == ident.value) {
                return None;
            }
            wrong = Some((input, schema));
        }
        wrong.map(|(input, schema)| self.unknown(ident, Some(input), schema.names().map(str::to_owned).collect()))
    }

    /// A column of any table that is used, or a name made in the query.
    fn judge_bare(&self, ident: &Ident, used: &[(&String, &TableSchema)]) -> Option<Problem> {
        let known = |name: &str| used.iter().any(|(_, schema)| schema.names().any(|column| column == name));
        let blind = self.opaque || used.iter().any(|(_, schema)| !schema.complete);
        if blind || known(&ident.value) || self.made.contains(&ident.value) || self.aliases.contains_key(&ident.value) {
            return None;
        }
        let mut candidates: Vec<String> =
            used.iter().flat_map(|(_, schema)| schema.names().map(str::to_owned)).collect();
        candidates.extend(self.made.iter().cloned());
        let table = match used {
            [(name, _)] if !name.is_empty() => Some(name.as_str()),
            _ => None,
        };
        Some(self.unknown(ident, table, candidates))
    }

    fn unknown(&self, ident: &Ident, table: Option<&str>, candidates: Vec<String>) -> Problem {
        let name = ident.value.clone();
        Problem {
            message: format!("column `{name}` does not exist"),
            kind: ProblemKind::UnknownColumn { name, table: table.map(str::to_owned), candidates },
            range: range(self.text, ident.span),
        }
    }

    fn alias(&mut self, alias: &sqlparser::ast::TableAlias, input: Option<String>) {
        self.aliases.entry(alias.name.value.clone()).or_default().push(input);
        self.made.extend(alias.columns.iter().map(|column| column.name.value.clone()));
    }
}

/// The condition that a join is made by.
fn condition(join: &JoinOperator) -> Option<&Expr> {
    match constraint(join)? {
        JoinConstraint::On(condition) => Some(condition),
        _ => None,
    }
}

impl Visitor for Names<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.known.learn(query);
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.made.extend(cte.alias.columns.iter().map(|column| column.name.value.clone()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for from in &select.from {
            self.judge_keys(from);
        }
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { alias, .. } => {
                    self.made.insert(alias.value.clone());
                }
                SelectItem::ExprWithAliases { aliases, .. } => {
                    self.made.extend(aliases.iter().map(|alias| alias.value.clone()));
                }
                SelectItem::Wildcard(options)
                | SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), options) => {
                    // `* RENAME (a AS b)`, `* REPLACE (…)`: names made here.
                    self.opaque |= options.opt_rename.is_some() || options.opt_replace.is_some();
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, args: Some(_), .. } => {
                let place =
                    name.0.first().and_then(|part| part.as_ident()).and_then(|part| range(self.text, part.span));
                let message = match name.to_string().to_ascii_lowercase().as_str() {
                    "generate_series" | "range" => format!(
                        "`{name}(…)` is not known: days and numbers in a row come from a table that has them, `SELECT DISTINCT day FROM …`, or from a file"
                    ),
                    _ => format!("`{name}(…)` reads what is not declared: give it as an input instead"),
                };
                self.problems.push(Problem::syntax(message, place));
                self.opaque = true;
            }
            TableFactor::Table { name, alias: Some(alias), .. } => {
                let input = name.0.first().and_then(|part| part.as_ident()).map(|ident| ident.value.clone());
                self.alias(alias, input.filter(|input| self.tables.contains_key(input)));
            }
            TableFactor::Derived { alias: Some(alias), .. } => self.alias(alias, None),
            TableFactor::Table { .. } | TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => {}
            _ => self.opaque = true,
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.relations.push(relation.clone());
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.columns.push((None, ident.clone())),
            Expr::CompoundIdentifier(parts) => {
                if let [table, column] = parts.as_slice() {
                    self.columns.push((Some(table.value.clone()), column.clone()));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
