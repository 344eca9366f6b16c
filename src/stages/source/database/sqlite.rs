//! SQLite files, opened so that nothing in or beside them changes.

use super::{BadQuery, Spec, declared, one_of_each};
use crate::frame::file::{BadFile, TypeRules};
use crate::numbers;
use crate::path;
use crate::stage::{Progress, RunCx, StageError};
use crate::types::DType;
use polars::prelude::*;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Instant;

/// After so many rows it is told how far it is, and looked whether the run goes on.
const SOME_ROWS: usize = 65_536;

/// Why there is no answer.
pub(super) enum Wrong {
    /// The file is no database.
    File(BadFile),
    /// The query is no query of it.
    Query(BadQuery),
}

/// The names of the columns that a query returns.
pub(super) fn columns(place: &Path, query: &str) -> Result<Vec<String>, Wrong> {
    let connection = open(place).map_err(Wrong::File)?;
    let statement = connection.prepare(query).map_err(|error| wrong(&error))?;
    names(&statement).map_err(Wrong::Query)
}

/// The rows of a query.
pub(super) fn read(place: &Path, spec: &Spec, cx: &RunCx<'_>) -> Result<DataFrame, StageError> {
    let failure = |wrong| match wrong {
        Wrong::File(bad) => StageError::from(bad),
        Wrong::Query(bad) => bad.failure(&spec.query),
    };
    let connection = open(place).map_err(|bad| failure(Wrong::File(bad)))?;
    let mut statement = connection.prepare(&spec.query).map_err(|error| failure(wrong(&error)))?;
    let names = names(&statement).map_err(|bad| failure(Wrong::Query(bad)))?;
    let rules = TypeRules::new(spec.types.clone());
    let mut columns: Vec<Values> = names
        .iter()
        .map(|name| if rules.get(name) == Some(&DType::Str) { Values::Texts(Vec::new()) } else { Values::Nothing(0) })
        .collect();
    let mut rows = statement.query([]).map_err(|error| failure(wrong(&error)))?;
    let (mut height, begin) = (0, Instant::now());
    let tell = |rows: usize| {
        let rate = numbers::rate(rows as f64 / begin.elapsed().as_secs_f64(), "rows");
        cx.services.progress(Progress { done: rows as u64, total: None, unit: "row", detail: rate });
    };
    loop {
        if height % SOME_ROWS == 0 {
            cx.check_cancelled()?;
            if height > 0 {
                tell(height);
            }
        }
        let Some(row) = rows.next().map_err(|error| failure(wrong(&error)))? else { break };
        height += 1;
        for (index, values) in columns.iter_mut().enumerate() {
            let value = row.get_ref(index).map_err(|error| failure(wrong(&error)))?;
            let text = rules.get(&names[index]) == Some(&DType::Str);
            values.push(value, text).map_err(|mixed| mixed.failure(height, &names[index]))?;
        }
    }
    tell(height);
    let columns = names.iter().zip(columns).map(|(name, values)| values.column(name)).collect();
    let df = DataFrame::new(height, columns);
    declared(df.map_err(|error| StageError::from(BadFile::polars("make a table of the rows", &error)))?, spec)
}

fn open(place: &Path) -> Result<Connection, BadFile> {
    let name = place.file_name().unwrap_or(place.as_os_str()).to_string_lossy();
    let mut log = place.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(&log).is_ok_and(|meta| meta.len() > 0) {
        return Err(BadFile::new(format!("`{name}` has changes that are not in it yet, but in `{name}-wal`"))
            .hint("close the program that writes to it, or run `PRAGMA wal_checkpoint(TRUNCATE)` in it"));
    }
    let text = place.to_str().ok_or_else(|| BadFile::new(format!("the path of `{name}` is not UTF-8")))?;
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    // `immutable`: no lock is taken and no file made beside it; the copy in the store could not have one.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let bad = |error: &rusqlite::Error| {
        BadFile::new(format!("`{name}` cannot be read as an SQLite database: {}", words(error)))
            .hint("is it another file? a stage of kind `read` reads csv, parquet and others")
    };
    let connection =
        Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).map_err(|error| bad(&error))?;
    // A file that is none is found out by the first look into it.
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(())).map_err(|error| bad(&error))?;
    Ok(connection)
}

fn names(statement: &rusqlite::Statement<'_>) -> Result<Vec<String>, BadQuery> {
    let told =
        |message: &str, hint: &str| BadQuery { message: message.to_owned(), at: None, hint: Some(hint.to_owned()) };
    if !statement.readonly() || statement.column_count() == 0 {
        return Err(told("it does not read", "a query is one `SELECT`, `VALUES` or `WITH … SELECT`"));
    }
    if statement.parameter_count() > 0 {
        return Err(told("it has placeholders, and nothing fills them", "write values out, or as `${param}`"));
    }
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    one_of_each(&names)?;
    Ok(names)
}

fn wrong(error: &rusqlite::Error) -> Wrong {
    let at = match error {
        rusqlite::Error::SqlInputError { offset, .. } => usize::try_from(*offset).ok(),
        _ => None,
    };
    Wrong::Query(BadQuery { message: words(error), at, hint: None })
}

fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}

/// The values of one column, in the type of those so far.
enum Values {
    /// So many nulls.
    Nothing(usize),
    Whole(Vec<Option<i64>>),
    Floats(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

/// A value of another type than those before it.
struct Mixed {
    before: &'static str,
    now: &'static str,
}

impl Mixed {
    fn failure(&self, row: usize, column: &str) -> StageError {
        StageError::data(format!("row {row}, column `{column}`: found {}, and {} before", self.now, self.before))
            .note("SQLite lets a column hold values of several types; a column of a table has one")
            .hint(format!("cast it in the query, or take it as text: `types = {{ \"{column}\" = \"str\" }}`"))
            .at(path!["query"])
    }
}

impl Values {
    fn what(&self) -> &'static str {
        match self {
            Self::Nothing(_) => "null",
            Self::Whole(_) | Self::Floats(_) => "a number",
            Self::Texts(_) => "a text",
            Self::Bytes(_) => "bytes",
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "whole numbers among fractions are floats, as SQLite compares them")]
    fn push(&mut self, value: ValueRef<'_>, as_text: bool) -> Result<(), Mixed> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if let Self::Nothing(rows) = *self {
            *self = match value {
                ValueRef::Null => Self::Nothing(rows),
                ValueRef::Integer(_) => Self::Whole(vec![None; rows]),
                ValueRef::Real(_) => Self::Floats(vec![None; rows]),
                ValueRef::Text(_) => Self::Texts(vec![None; rows]),
                ValueRef::Blob(_) => Self::Bytes(vec![None; rows]),
            };
        }
        if let (Self::Whole(values), ValueRef::Real(_)) = (&mut *self, value) {
            *self = Self::Floats(values.iter().map(|value| value.map(|value| value as f64)).collect());
        }
        match (&mut *self, value) {
            (Self::Nothing(rows), _) => *rows += 1,
            (Self::Whole(values), ValueRef::Null) => values.push(None),
            (Self::Floats(values), ValueRef::Null) => values.push(None),
            (Self::Texts(values), ValueRef::Null) => values.push(None),
            (Self::Bytes(values), ValueRef::Null) => values.push(None),
            (Self::Whole(values), ValueRef::Integer(value)) => values.push(Some(value)),
            (Self::Floats(values), ValueRef::Integer(value)) => values.push(Some(value as f64)),
            (Self::Floats(values), ValueRef::Real(value)) => values.push(Some(value)),
            (Self::Texts(values), ValueRef::Text(value)) => values.push(Some(text(value))),
            (Self::Texts(values), ValueRef::Integer(value)) if as_text => values.push(Some(value.to_string())),
            (Self::Texts(values), ValueRef::Real(value)) if as_text => values.push(Some(value.to_string())),
            (Self::Bytes(values), ValueRef::Blob(value)) => values.push(Some(value.to_vec())),
            (before, now) => {
                let now = match now {
                    ValueRef::Null => "null",
                    ValueRef::Integer(_) | ValueRef::Real(_) => "a number",
                    ValueRef::Text(_) => "a text",
                    ValueRef::Blob(_) => "bytes",
                };
                return Err(Mixed { before: before.what(), now });
            }
        }
        Ok(())
    }

    fn column(self, name: &str) -> Column {
        let name = PlSmallStr::from(name);
        match self {
            Self::Nothing(rows) => Series::full_null(name, rows, &DataType::String),
            Self::Whole(values) => Series::new(name, values),
            Self::Floats(values) => Series::new(name, values),
            Self::Texts(values) => Series::new(name, values),
            Self::Bytes(values) => BinaryChunked::from_iter_options(name, values.into_iter()).into_series(),
        }
        .into_column()
    }
}
