//! SQLite files, opened so that nothing in or beside them changes.

use super::affinity::Affinity;
use super::interrupt::ended_when;
use super::rounded::Rounded;
use super::{BadQuery, Spec, declared, one_of_each};
use crate::frame::file::{BadFile, PROBE_WHOLE, TypeRules, cut_in_rows};
use crate::frame::from_polars;
use crate::numbers;
use crate::path;
use crate::stage::{Progress, RunCx, StageError};
use crate::types::DType;
use polars::prelude::*;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// After so many rows it is told how far it is, and looked whether the run goes on.
const SOME_ROWS: usize = 65_536;

/// So many rows are looked at before a run, to tell their types, of a file that is no larger than [`PROBE_WHOLE`], and for no longer than this.
const MOST_LOOKED_AT: usize = 1_000_000;
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// What a journal begins with that has to be played back.
const JOURNAL: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Why there is no answer.
pub(super) enum Wrong {
    /// The file is no database.
    File(BadFile),
    /// The query is no query of it.
    Query(BadQuery),
    /// A row holds what a table cannot.
    Row(StageError),
}

/// The columns that a query returns, and their types where all of its rows could be looked at.
pub(super) fn columns(place: &Path, spec: &Spec) -> Result<Vec<(String, Option<DType>)>, Wrong> {
    let connection = open(place).map_err(Wrong::File)?;
    let mut statement = connection.prepare(&spec.query).map_err(|error| wrong(&error))?;
    let names = names(&statement).map_err(Wrong::Query)?;
    let rules = TypeRules::new(spec.types.clone());
    let unknown = || names.iter().map(|name| (name.clone(), None)).collect();
    let small = std::fs::metadata(place).is_ok_and(|meta| meta.len() <= PROBE_WHOLE);
    if !small || names.iter().all(|name| rules.get(name).is_some()) {
        return Ok(unknown());
    }
    let (interrupt, begin) = (connection.get_interrupt_handle(), Instant::now());
    let found = ended_when(
        move || begin.elapsed() >= LONGEST_LOOK,
        move || interrupt.interrupt(),
        || {
            gather(&mut statement, &names, &rules, &mut |height, columns| {
                columns.iter_mut().for_each(Values::forget);
                Ok(height < MOST_LOOKED_AT)
            })
        },
    );
    match found {
        Ok(Some(Gathered { columns, .. })) => {
            Ok(names.iter().zip(columns).map(|(name, values)| (name.clone(), Some(values.dtype()))).collect())
        }
        Ok(None) => Ok(unknown()),
        Err(Failure::Row(error)) => Err(Wrong::Row(error)),
        Err(Failure::Asking(rusqlite::Error::SqliteFailure(error, _)))
            if error.code == rusqlite::ErrorCode::OperationInterrupted =>
        {
            Ok(unknown())
        }
        Err(Failure::Asking(error)) => Err(wrong(&error)),
    }
}

/// Why there are no rows.
enum Failure {
    Row(StageError),
    Asking(rusqlite::Error),
}

/// What is told of rows: how many there are, and what is in them; whether it is to go on.
type Told<'a> = &'a mut dyn FnMut(usize, &mut [Values]) -> Result<bool, StageError>;

/// All rows of a query.
struct Gathered {
    height: usize,
    columns: Vec<Values>,
    /// What is to be said of whole numbers that lost digits.
    rounded: Option<String>,
}

/// All rows of a query; `None` where `told` wanted no more. It is asked before each row.
fn gather(
    statement: &mut rusqlite::Statement<'_>,
    names: &[String],
    rules: &TypeRules,
    told: Told<'_>,
) -> Result<Option<Gathered>, Failure> {
    let is_text = |name: &String| rules.get(name) == Some(&DType::Str);
    let mut columns: Vec<Values> =
        names.iter().map(|name| if is_text(name) { Values::Texts(Vec::new()) } else { Values::Nothing(0) }).collect();
    let declared: Vec<Option<Affinity>> =
        statement.columns().map(|column| column.decl_type().and_then(Affinity::of)).collect();
    let mut rows = statement.query([]).map_err(Failure::Asking)?;
    let mut height = 0;
    let mut whole = vec![Rounded::default(); names.len()];
    loop {
        if !told(height, &mut columns).map_err(Failure::Row)? {
            return Ok(None);
        }
        let Some(row) = rows.next().map_err(Failure::Asking)? else { break };
        height += 1;
        for (index, values) in columns.iter_mut().enumerate() {
            let value = row.get_ref(index).map_err(Failure::Asking)?;
            let name = &names[index];
            if let ValueRef::Integer(number) = value {
                whole[index].see(height, number);
            }
            values.push(value, is_text(name)).map_err(|odd| Failure::Row(odd.failure(height, name)))?;
        }
    }
    Ok(Some(typed(columns, names, rules, &declared, &whole, height)))
}

/// The columns in their types: where there are nulls alone, in that which is declared in the database.
fn typed(
    columns: Vec<Values>,
    names: &[String],
    rules: &TypeRules,
    declared: &[Option<Affinity>],
    whole: &[Rounded],
    height: usize,
) -> Gathered {
    let mut rounded = None;
    let typed = columns.into_iter().enumerate().map(|(index, values)| {
        let rule = rules.get(&names[index]);
        if matches!(values, Values::Floats(_)) && !rule.is_some_and(DType::is_float) && rounded.is_none() {
            rounded = whole[index].words(&names[index]);
        }
        // What `types` says is made of text more surely than of numbers.
        values.or_nulls_of(declared[index].filter(|_| rule.is_none()))
    });
    let columns = typed.collect();
    Gathered { height, columns, rounded }
}

/// The rows of a query.
pub(super) fn read(place: &Path, spec: &Spec, cx: &RunCx<'_>) -> Result<DataFrame, StageError> {
    let failure = |wrong| match wrong {
        Wrong::File(bad) => StageError::from(bad),
        Wrong::Query(bad) => bad.failure(&spec.query),
        Wrong::Row(error) => error,
    };
    let connection = open(place).map_err(|bad| failure(Wrong::File(bad)))?;
    let mut statement = connection.prepare(&spec.query).map_err(|error| failure(wrong(&error)))?;
    let names = names(&statement).map_err(|bad| failure(Wrong::Query(bad)))?;
    let rules = TypeRules::new(spec.types.clone());
    let Gathered { height, columns, rounded } = match all_rows(&connection, &mut statement, &names, &rules, cx) {
        Ok(gathered) => gathered,
        Err(Failure::Row(error)) => return Err(error),
        Err(Failure::Asking(error)) => {
            // What SQLite says of a query that it was told to end is not why there are no rows.
            cx.check_cancelled()?;
            return Err(failure(wrong(&error)));
        }
    };
    if let Some(words) = rounded {
        cx.services.warn(words);
    }
    let columns = names.iter().zip(columns).map(|(name, values)| values.column(name)).collect();
    let df = DataFrame::new(height, columns);
    let df = df.map_err(|error| StageError::from(BadFile::polars("make a table of the rows", &error)))?;
    if let Some(words) = cut_in_rows(df.columns(), &rules) {
        cx.services.warn(words);
    }
    declared(df, spec)
}

/// What is gathered before the run ends; it is told how far that is.
fn all_rows(
    connection: &Connection,
    statement: &mut rusqlite::Statement<'_>,
    names: &[String],
    rules: &TypeRules,
    cx: &RunCx<'_>,
) -> Result<Gathered, Failure> {
    let begin = Instant::now();
    let tell = |rows: usize| {
        let rate = numbers::rate(rows as f64 / begin.elapsed().as_secs_f64(), "rows");
        cx.services.progress(Progress { done: rows as u64, total: None, unit: "row", detail: rate });
    };
    let mut told = |height: usize, _: &mut [Values]| -> Result<bool, StageError> {
        if height.is_multiple_of(SOME_ROWS) {
            cx.check_cancelled()?;
            if height > 0 {
                tell(height);
            }
        }
        Ok(true)
    };
    let (interrupt, cancel) = (connection.get_interrupt_handle(), cx.cancel);
    let gathered = ended_when(
        move || cancel.is_set(),
        move || interrupt.interrupt(),
        || gather(statement, names, rules, &mut told),
    )?;
    let gathered = gathered.ok_or_else(|| Failure::Row(StageError::bug("a query stopped by itself")))?;
    tell(gathered.height);
    Ok(gathered)
}

/// An error where the database is more than its file: opened so that nothing changes, SQLite does not look at what lies beside it.
fn alone(place: &Path, name: &str) -> Result<(), BadFile> {
    let beside = |ending: &str| {
        let mut path = place.as_os_str().to_owned();
        path.push(ending);
        path
    };
    if std::fs::metadata(beside("-wal")).is_ok_and(|meta| meta.len() > 0) {
        return Err(BadFile::new(format!("`{name}` has changes that are not in it yet, but in `{name}-wal`"))
            .hint("close the program that writes to it, or run `PRAGMA wal_checkpoint(TRUNCATE)` in it"));
    }
    // One that is done with is removed, cut to nothing or begins with zeros.
    let mut head = [0; JOURNAL.len()];
    let journal = std::fs::File::open(beside("-journal")).and_then(|mut file| file.read_exact(&mut head));
    if journal.is_ok() && head == JOURNAL {
        return Err(BadFile::new(format!(
            "`{name}` has half a transaction in it, and what it was before in `{name}-journal`"
        ))
        .hint("let the program that writes to it end its transaction")
        .hint(
            "after a crash open it once with a program that may write to it, such as `sqlite3`: it takes the half back",
        ));
    }
    Ok(())
}

fn open(place: &Path) -> Result<Connection, BadFile> {
    let name = place.file_name().unwrap_or(place.as_os_str()).to_string_lossy();
    alone(place, &name)?;
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
    // A name in double quotes that no column has would be a text otherwise, and what is misspelt a value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).map_err(|error| bad(&error))?;
    // A file that is none is found out by the first look into it.
    if !defined_in_utf8(&connection).map_err(|error| bad(&error))? {
        return Err(BadFile::new(format!("`{name}` has tables whose definition is not UTF-8"))
            .hint("define them anew, with names in UTF-8"));
    }
    Ok(connection)
}

/// Whether all names and types that the database defines are UTF-8, as what reads them takes for granted.
fn defined_in_utf8(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare("SELECT sql FROM sqlite_master")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if matches!(row.get_ref(0)?, ValueRef::Text(text) if std::str::from_utf8(text).is_err()) {
            return Ok(false);
        }
    }
    Ok(true)
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

/// A value that its column cannot take.
enum Odd {
    /// It is of another type than those before it.
    Mixed { before: &'static str, now: &'static str },
    /// A text with bytes that are none.
    NoText { at: usize, byte: u8 },
}

impl Odd {
    fn failure(&self, row: usize, column: &str) -> StageError {
        let place = format!("row {row}, column `{column}`");
        match self {
            Self::Mixed { before, now } => StageError::data(format!("{place}: found {now}, and {before} before"))
                .note("SQLite lets a column hold values of several types; a column of a table has one")
                .hint(format!("cast it in the query, or take it as text: `types = {{ \"{column}\" = \"str\" }}`")),
            Self::NoText { at, byte } => StageError::data(format!(
                "{place}: the text is not UTF-8: found the byte {byte:#04x} after {at} others"
            ))
            .note("the program that wrote it stored texts in another encoding than SQLite's")
            .hint(format!("mend it in the database, or take its bytes in the query: `CAST({column} AS BLOB)`")),
        }
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
    fn push(&mut self, value: ValueRef<'_>, as_text: bool) -> Result<(), Odd> {
        let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(Odd::NoText { at: error.valid_up_to(), byte: bytes[error.valid_up_to()] }),
        };
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
            (Self::Texts(values), ValueRef::Text(value)) => values.push(Some(text(value)?)),
            (Self::Texts(values), ValueRef::Integer(value)) if as_text => values.push(Some(value.to_string())),
            // As a float is written elsewhere, and by SQLite: 2.0.
            (Self::Texts(values), ValueRef::Real(value)) if as_text => values.push(Some(format!("{value:?}"))),
            (Self::Bytes(values), ValueRef::Blob(value)) => values.push(Some(value.to_vec())),
            (before, now) => {
                let now = match now {
                    ValueRef::Null => "null",
                    ValueRef::Integer(_) | ValueRef::Real(_) => "a number",
                    ValueRef::Text(_) => "a text",
                    ValueRef::Blob(_) => "bytes",
                };
                return Err(Odd::Mixed { before: before.what(), now });
            }
        }
        Ok(())
    }

    /// Where there are nulls alone, those of a column that would hold this.
    fn or_nulls_of(self, declared: Option<Affinity>) -> Self {
        let Self::Nothing(rows) = self else { return self };
        match declared {
            None => self,
            Some(Affinity::Whole) => Self::Whole(vec![None; rows]),
            Some(Affinity::Float) => Self::Floats(vec![None; rows]),
            Some(Affinity::Text) => Self::Texts(vec![None; rows]),
            Some(Affinity::Bytes) => Self::Bytes(vec![None; rows]),
        }
    }

    /// Forgets the values, and not what they are.
    fn forget(&mut self) {
        match self {
            Self::Nothing(rows) => *rows = 0,
            Self::Whole(values) => values.clear(),
            Self::Floats(values) => values.clear(),
            Self::Texts(values) => values.clear(),
            Self::Bytes(values) => values.clear(),
        }
    }

    /// The type of the column.
    fn dtype(&self) -> DType {
        match self {
            Self::Whole(_) => DType::I64,
            Self::Floats(_) => DType::F64,
            Self::Nothing(_) | Self::Texts(_) => DType::Str,
            Self::Bytes(_) => from_polars(&DataType::Binary),
        }
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
