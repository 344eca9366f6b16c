//! `database`: what a query returns becomes a table. SQLite files and PostgreSQL servers are read, never written.

mod affinity;
mod interrupt;
mod numeric;
mod postgres;
mod rounded;
mod spec;
mod sqlite;
#[cfg(test)]
mod tests;
mod tls;

pub use spec::Spec;

use crate::diag::codes;
use crate::frame::file::{BadFile, TypeRules};
use crate::frame::{rows_by_columns, write_table};
use crate::path;
use crate::stage::{CheckCx, Family, Kind, Outputs, Port, Produced, RunCx, StageError, StageInfo};
use crate::types::{ArtifactType, Column, DType, TableSchema};
use polars::prelude::DataFrame;
use std::path::PathBuf;

/// The kind.
pub struct Database;

/// The only output.
const TABLE: &str = "table";

/// A query that cannot be run: what the database says, and where in the query, in bytes, where it says that.
struct BadQuery {
    message: String,
    at: Option<usize>,
    hint: Option<String>,
}

impl BadQuery {
    /// The same as a failure of the stage.
    fn failure(self, query: &str) -> StageError {
        let mut error = StageError::data(format!("the query cannot be run: {}", self.message)).at(path!["query"]);
        if let Some(at) = self.at.filter(|at| query.is_char_boundary(*at)) {
            let line = query[..at].matches('\n').count() + 1;
            let from = query[..at].rfind('\n').map_or(0, |end| end + 1);
            let whole = query[from..].lines().next().unwrap_or_default();
            let column = query[from..at].chars().count() + 1;
            error = error.note(format!("line {line}, column {column} of the query: {}", whole.trim()));
        }
        error.hints.extend(self.hint);
        error
    }
}

impl Kind for Database {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "database",
        family: Family::Source,
        version: 4,
        summary: "Makes a table of what a query of an SQLite file or a PostgreSQL server returns.",
        ports: &[Port { name: TABLE, about: "the query's rows" }],
        example: r#"[stage.orders]
kind = "database"
url = "postgres://reader@db.example.org/shop"
password_variable = "SHOP_PASSWORD"
query = "SELECT id, placed_at, total FROM orders WHERE placed_at < '2026-01-01' ORDER BY id"
refresh = "1d"
"#,
        seeded: false,
        numeric: false,
    };

    fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
        let declared = || Outputs::one(TABLE, ArtifactType::Table(spec.declared()));
        if !spec.check_values(cx) {
            return declared();
        }
        let place = match (&spec.from, &spec.path) {
            (Some(from), _) => match cx.input(from) {
                ArtifactType::File | ArtifactType::Unknown => {
                    cx.files(from).and_then(<[_]>::first).map(|(_, place)| place.clone())
                }
                other => {
                    cx.wrong_artifact(from, path!["from"], "file", other.name());
                    None
                }
            },
            (None, Some(path)) => cx.workspace_file(path, path!["path"]),
            (None, None) => None,
        };
        let Some(place) = place else { return declared() };
        match sqlite::columns(&place, spec) {
            Ok(columns) => Outputs::one(TABLE, ArtifactType::Table(promised(spec, &columns, cx))),
            Err(wrong) => {
                report(spec, wrong, cx);
                declared()
            }
        }
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let df = match (&spec.url, place(spec, cx)?) {
            (_, Some(place)) => sqlite::read(&place, spec, cx)?,
            (Some(url), None) => postgres::read(url, spec, cx)?,
            (None, None) => return Err(StageError::bug("a database without exactly one place was not refused")),
        };
        cx.check_cancelled()?;
        let summary = rows_by_columns(&df);
        if df.height() == 0 {
            cx.services.warn("the query returned no rows".to_owned());
        }
        write_table(cx, TABLE, df, Produced::new(summary))
    }

    fn refresh(spec: &Spec) -> Option<u64> {
        spec.refresh.as_deref().and_then(crate::numbers::parse_seconds)
    }
}

/// Where the file of the database is.
fn place(spec: &Spec, cx: &RunCx<'_>) -> Result<Option<PathBuf>, StageError> {
    Ok(match (&spec.from, &spec.path) {
        (Some(from), _) => Some(cx.input_file(from)?.path.clone()),
        (None, Some(path)) => Some(cx.base.join(&path.0)),
        (None, None) => None,
    })
}

/// The columns that the query names, with the types that are declared, and those that were found.
fn promised(spec: &Spec, columns: &[(String, Option<DType>)], cx: &mut CheckCx<'_>) -> TableSchema {
    let rules = TypeRules::new(spec.types.clone());
    let names = || columns.iter().map(|(name, _)| name.as_str());
    for unfitting in rules.unfitting(names()) {
        let message = format!("the query returns no column `{}`", unfitting.rule);
        cx.error(path!["types", &unfitting.rule], codes::UNKNOWN_COLUMN, message)
            .at_key()
            .label("not in the query's result")
            .maybe_hint(crate::diag::did_you_mean(&unfitting.rule, names()));
    }
    let column = |(name, found): &(String, Option<DType>)| {
        let dtype = rules.get(name).or(found.as_ref()).cloned();
        Column::new(name.as_str(), dtype.unwrap_or(DType::Unknown))
    };
    TableSchema::new(columns.iter().map(column).collect())
}

fn report(spec: &Spec, wrong: sqlite::Wrong, cx: &mut CheckCx<'_>) {
    match wrong {
        sqlite::Wrong::Query(bad) => {
            let finding = cx.error(path!["query"], codes::SQL_SYNTAX, bad.message);
            finding.label("here").maybe_hint(bad.hint);
            if let Some(at) = bad.at {
                let rest = &spec.query[at..];
                let end = match rest.strip_prefix('"') {
                    Some(quoted) => quoted.find('"').map_or(rest.len(), |end| end + 2),
                    None => rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()).max(1),
                };
                finding.part(at..(at + end).min(spec.query.len()));
            }
        }
        sqlite::Wrong::Row(error) => {
            let finding = cx.error(path!["query"], codes::BAD_DATA, error.message);
            finding.label("gives this row");
            for hint in error.notes.into_iter().chain(error.hints) {
                finding.hint(hint);
            }
        }
        sqlite::Wrong::File(bad) => {
            let field = if spec.from.is_some() { "from" } else { "path" };
            let finding = cx.error(path![field], codes::BAD_DATA, bad.message);
            finding.label("this file");
            for hint in bad.notes.into_iter().chain(bad.hints) {
                finding.hint(hint);
            }
        }
    }
}

/// Two columns of one name are an error of the query.
fn one_of_each(names: &[String]) -> Result<(), BadQuery> {
    let mut seen = std::collections::BTreeSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        None => Ok(()),
        Some(twice) => Err(BadQuery {
            message: format!("it returns two columns of the name `{twice}`"),
            at: None,
            hint: Some(format!("name one of them otherwise: `… AS {twice}_2`")),
        }),
    }
}

/// Casts what has a declared type.
fn declared(df: DataFrame, spec: &Spec) -> Result<DataFrame, StageError> {
    let rules = TypeRules::new(spec.types.clone());
    let names: Vec<String> = df.get_column_names().into_iter().map(ToString::to_string).collect();
    if let Some(unfitting) = rules.unfitting(names.iter().map(String::as_str)).first() {
        let has = crate::diag::list(names.iter().map(String::as_str), 12);
        return Err(StageError::data(format!("the query returns no column `{}`", unfitting.rule))
            .note(format!("it returns {has}"))
            .at(path!["types", &unfitting.rule]));
    }
    let height = df.height();
    let columns = crate::frame::file::cast_declared(df.into_columns(), &rules);
    let columns = columns.map_err(|bad| StageError::from(bad).at(path!["types"]))?;
    let df = DataFrame::new(height, columns);
    df.map_err(|error| StageError::from(BadFile::polars("make a table of the rows", &error)))
}
