//! Mistakes in queries and expressions, as findings of a stage.

use super::columns::wrong_type;
use crate::diag::{codes, did_you_mean, list};
use crate::frame::FloatSums;
use crate::frame::sql::{Problem, ProblemKind, check_expr};
use crate::numbers;
use crate::stage::{CheckCx, Path, Ref};
use crate::types::{DType, TableSchema};
use std::collections::BTreeMap;

/// Where the tables of a query come from; empty for an expression over one table.
pub(super) type Sources = BTreeMap<String, Ref>;

/// Reports every problem of the text at `at`.
pub(super) fn report(
    problems: Vec<Problem>,
    at: &Path,
    sources: &Sources,
    tables: &BTreeMap<String, TableSchema>,
    cx: &mut CheckCx<'_>,
) {
    for problem in problems {
        one(problem, at, sources, tables, cx);
    }
}

/// The type that an expression over one table gives, its problems reported; `None` where it cannot be told.
pub(super) fn expr_type(
    text: &str,
    table: &TableSchema,
    sums: FloatSums,
    at: &Path,
    cx: &mut CheckCx<'_>,
) -> Option<DType> {
    check_expr(text, table, sums).unwrap_or_else(|problems| {
        report_expr(problems, table, at, cx);
        None
    })
}

/// Reports every problem of an expression over one table.
pub(super) fn report_expr(problems: Vec<Problem>, table: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) {
    report(problems, at, &Sources::new(), &BTreeMap::from([(String::new(), table.clone())]), cx);
}

/// Checks an expression that must be true or false for each row of a table; `needs` says who wants it so.
pub(super) fn condition(
    text: &str,
    table: &TableSchema,
    sums: FloatSums,
    needs: &str,
    at: &Path,
    cx: &mut CheckCx<'_>,
) {
    match expr_type(text, table, sums, at, cx) {
        None | Some(DType::Bool | DType::Unknown) => {}
        Some(dtype) => {
            wrong_type(cx, at.clone(), "the expression", &dtype, "bool").diagnostic.message =
                format!("the expression gives {dtype}, but {needs} needs bool");
        }
    }
}

fn one(problem: Problem, at: &Path, sources: &Sources, tables: &BTreeMap<String, TableSchema>, cx: &mut CheckCx<'_>) {
    let code = match problem.kind {
        ProblemKind::Syntax => codes::SQL_SYNTAX,
        ProblemKind::UnknownColumn { .. } => codes::UNKNOWN_COLUMN,
        ProblemKind::UnknownTable { .. } => codes::SQL_TABLE,
        ProblemKind::Type => codes::COLUMN_TYPE,
        ProblemKind::Duplicate => codes::DUPLICATE_COLUMN,
    };
    let compares = problem.message.starts_with("cannot compare") && !problem.message.contains(": ");
    let length = problem.range.as_ref().map(ExactSizeIterator::len);
    let finding = cx.error(at.clone(), code, problem.message);
    if let Some(range) = problem.range {
        finding.part(range);
    }
    match &problem.kind {
        ProblemKind::UnknownColumn { name, table, candidates } => {
            let here = tables.len() == 1;
            let table = table.as_ref().or_else(|| tables.keys().next().filter(|_| here)).filter(|t| !t.is_empty());
            let schema = table.and_then(|table| tables.get(table));
            match (table, schema.map(|schema| schema.columns.len())) {
                (Some(table), Some(_)) if schema.is_some_and(|schema| schema.names().any(|known| known == name)) => {
                    finding.diagnostic.message = format!("column `{name}` is not known at this place");
                    finding
                        .label(format!("`{table}` has it, but it is not selected"))
                        .hint("select it too, where this takes its columns from");
                    return;
                }
                (Some(table), Some(count)) => {
                    finding.label(format!("`{table}` has {}; none of this name", numbers::counted(count, "column")));
                    if let Some(source) = sources.get(table) {
                        finding.from_stage(source, format!("`{table}` comes from here"));
                    }
                }
                _ => {
                    finding.label("no column of this name");
                }
            }
            let all: Vec<&str> = match candidates.is_empty() {
                false => candidates.iter().map(String::as_str).collect(),
                true => tables.values().flat_map(TableSchema::names).collect(),
            };
            let meant = did_you_mean(name, all.iter().copied());
            let told = meant.or_else(|| text_hint(name, &all, length == Some(name.len() + 2)));
            // Of several tables that is too much to say.
            let there = (!all.is_empty() && (here || !candidates.is_empty()))
                .then(|| format!("the columns here are {}", list(all.iter().copied(), 8)));
            finding.maybe_hint(told.or(there));
        }
        ProblemKind::UnknownTable { name } => {
            let names = tables.keys().map(String::as_str);
            finding
                .label("not among `inputs`")
                .maybe_hint(did_you_mean(name, names.clone()))
                .hint(format!("the inputs are {}", list(names, 8)));
        }
        ProblemKind::Syntax => {
            finding.label("here");
        }
        ProblemKind::Type => {
            finding
                .label("types that do not go together")
                .maybe_hint(compares.then(|| "cast one side: `CAST(a AS DOUBLE)`, `CAST(a AS VARCHAR)`".to_owned()));
        }
        ProblemKind::Duplicate => {
            finding.label("give one of them another name with `AS`");
        }
    }
}

/// In SQL double quotes enclose names: `species = "Adelie"` looks for a column `Adelie`.
fn text_hint(name: &str, columns: &[&str], quoted: bool) -> Option<String> {
    let looks_like_a_name = did_you_mean(name, columns.iter().copied()).is_some();
    let odd = name.contains(|c: char| !(c.is_alphanumeric() || c == '_')) || name.starts_with(char::is_uppercase);
    (!looks_like_a_name && (odd || quoted)).then(|| format!("if `{name}` is text, write it in single quotes: '{name}'"))
}
