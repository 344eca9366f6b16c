//! PostgreSQL servers. A query runs in a transaction that can only read and sees one state of the database; its rows come
//! as the server's own csv, in which a missing value and an empty text differ, and are read as every csv is.

use super::interrupt::ended_when;
use super::tls::Protection;
use super::{BadQuery, Spec, declared, numeric, one_of_each};
use crate::env;
use crate::frame::file::{Format, Layout, TypeRules, read_text};
use crate::numbers;
use crate::path;
use crate::stage::{ErrorKind, Progress, RunCx, StageError};
use crate::types::DType;
use ::postgres::error::{ErrorPosition, SqlState};
use ::postgres::types::Type;
use ::postgres::{Client, Config};
use polars::prelude::{DataFrame, SortMultipleOptions};
use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, Instant};

/// How values are written, whatever the server's settings are.
const SETTINGS: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL TimeZone = 'UTC'; SET LOCAL IntervalStyle = 'iso_8601'; \
    SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; SET LOCAL client_encoding = 'UTF8'";

/// Bytes between two looks at whether the run was interrupted.
const BLOCK: u64 = 1 << 20;

/// What a column needs after the csv was read.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Nothing,
    Decimals,
    Bytes,
}

/// Whether an address holds a password.
///
/// # Errors
/// What is wrong with it.
pub(super) fn address(url: &str) -> Result<bool, String> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err("it does not begin with `postgres://`".to_owned());
    }
    let config: Config = url.parse().map_err(|error: ::postgres::Error| words(&error))?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err("it names no host".to_owned());
    }
    Ok(config.get_password().is_some())
}

/// The rows of a query.
pub(super) fn read(url: &str, spec: &Spec, cx: &RunCx<'_>) -> Result<DataFrame, StageError> {
    super::super::fetch::need_network(cx)?;
    let protection = Protection::of(spec, cx)?;
    let mut client = connect(url, spec, &protection)?;
    let (token, cancel) = (client.cancel_token(), cx.cancel);
    let asked = ended_when(
        move || cancel.is_set(),
        // Where the server cannot be told, the query goes on until the connection ends.
        move || drop(token.cancel_query(protection.connector.clone())),
        || ask(&mut client, spec, cx),
    );
    // What the server says of a query that it was told to end is not why there are no rows.
    asked.map_err(|error| cx.check_cancelled().err().unwrap_or(error))
}

fn ask(client: &mut Client, spec: &Spec, cx: &RunCx<'_>) -> Result<DataFrame, StageError> {
    client.batch_execute(SETTINGS).map_err(|error| failed(&error, &spec.query, 0))?;
    let query = spec.query.trim().trim_end_matches(';');
    let lead = spec.query.len() - spec.query.trim_start().len();
    let statement = client.prepare(query).map_err(|error| failed(&error, &spec.query, lead))?;
    if !statement.params().is_empty() || statement.columns().is_empty() {
        let (message, hint) = if statement.columns().is_empty() {
            ("it returns no columns", "a query is one `SELECT`, `VALUES`, `TABLE` or `WITH … SELECT`")
        } else {
            ("it has placeholders, and nothing fills them", "write values out, or as `${param}`")
        };
        let bad = BadQuery { message: message.to_owned(), at: None, hint: Some(hint.to_owned()) };
        return Err(bad.failure(&spec.query));
    }
    let columns: Vec<(String, DType, After)> = statement.columns().iter().map(typed).collect();
    one_of_each(&columns.iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>())
        .map_err(|bad| bad.failure(&spec.query))?;
    let text = copy(client, query, lead, spec, cx)?;
    let df = table(&text, &columns, spec)?;
    if is_ordered(query) { Ok(df) } else { sorted(&df) }
}

fn connect(url: &str, spec: &Spec, protection: &Protection) -> Result<Client, StageError> {
    let mut config: Config =
        url.parse().map_err(|error: ::postgres::Error| StageError::data(words(&error)).at(path!["url"]))?;
    let variable = spec.password_variable.as_deref();
    match (env::var(variable.unwrap_or("PGPASSWORD")), variable) {
        (Some(password), _) => {
            config.password(password);
        }
        (None, Some(name)) => {
            return Err(StageError::data(format!(
                "the environment variable `{name}`, which holds the password, is not set"
            ))
            .hint(format!("set `{name}` where kilter runs"))
            .at(path!["password_variable"]));
        }
        (None, None) => {}
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(30));
    }
    // What `url` says with `?sslmode=` counts where the field says nothing.
    if spec.ssl_mode.is_some() || spec.ssl_root_cert.is_some() {
        config.ssl_mode(protection.mode);
    }
    config.application_name("kilter").connect(protection.connector.clone()).map_err(|error| unreachable(&error, spec))
}

fn unreachable(error: &::postgres::Error, spec: &Spec) -> StageError {
    let failure = StageError::new(ErrorKind::Network, format!("cannot connect to the server: {}", words(error)));
    let wrong_password = error.code() == Some(&SqlState::INVALID_PASSWORD) || words(error).contains("password");
    let failure = match (wrong_password, &spec.password_variable) {
        (true, None) => {
            failure.hint("put the password into an environment variable, and name that by `password_variable`")
        }
        (true, Some(name)) => failure.hint(format!("is the password in `{name}` right?")),
        (false, _) if words(error).contains("certificate") => failure.hint(
            "the host in `url` must be one that the certificate names, and whoever signed it must be trusted: \
             `ssl_root_cert = \"ca.pem\"` names the authority's file",
        ),
        (false, _) if words(error).contains("TLS") => {
            failure.hint("let the server offer TLS, or say `ssl_mode = \"disable\"` where the way to it is safe")
        }
        (false, _) => failure.hint("is the server running, and do host, port and database stand right in `url`?"),
    };
    failure.at(path!["url"])
}

/// The whole result, as csv with a header.
fn copy(client: &mut Client, query: &str, lead: usize, spec: &Spec, cx: &RunCx<'_>) -> Result<Vec<u8>, StageError> {
    // The line end closes a comment at the query's end.
    let before = "COPY (";
    let command = format!("{before}{query}\n) TO STDOUT WITH (FORMAT csv, HEADER true, ENCODING 'UTF8')");
    let mut reader = client.copy_out(command.as_str()).map_err(|error| {
        let mut failure = failed(&error, &spec.query, lead);
        if matches!(place(&error), Some(at) if at < before.len()) {
            failure.notes.clear();
        }
        failure
    })?;
    let (mut text, begin) = (Vec::new(), Instant::now());
    loop {
        cx.check_cancelled()?;
        let got = (&mut reader).take(BLOCK).read_to_end(&mut text).map_err(|error| {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<::postgres::Error>());
            inner.map_or_else(
                || StageError::new(ErrorKind::Network, format!("the connection broke off: {error}")),
                |inner| failed(inner, &spec.query, lead),
            )
        })?;
        // Behind its end the reader is not asked again: what comes then belongs to the next command.
        if (got as u64) < BLOCK {
            return Ok(text);
        }
        let detail = numbers::rate(text.len() as f64 / begin.elapsed().as_secs_f64(), "bytes");
        cx.services.progress(Progress { done: text.len() as u64, total: None, unit: "bytes", detail });
    }
}

/// What is wrong with a value of a column whose type is the server's: it has dates and times that no table has.
fn of_server(mut error: StageError, columns: &[(String, DType, After)], declared: &TypeRules) -> StageError {
    let is_told = |name: &str| error.message.contains(&format!("column `{name}`"));
    let Some((name, dtype, _)) =
        columns.iter().find(|(name, dtype, _)| dtype.is_temporal() && declared.get(name).is_none() && is_told(name))
    else {
        return error;
    };
    error.notes.retain(|note| !note.contains("`types` says"));
    error.hints.clear();
    let key = crate::diag::toml_key(name);
    error.note(format!("the column is {dtype} on the server")).hint(format!(
        "leave such values out in the query, as with `NULLIF({name}, 'infinity')`, or take the column as text: `types = {{ {key} = \"str\" }}`"
    ))
}

fn table(text: &[u8], columns: &[(String, DType, After)], spec: &Spec) -> Result<DataFrame, StageError> {
    let declared_types = TypeRules::new(spec.types.clone());
    let mut types = BTreeMap::new();
    for (name, dtype, _) in columns {
        // What the csv reader can read as declared, it reads; the rest is cast from the database's own type.
        let dtype = match declared_types.get(name) {
            Some(wanted) if *dtype == DType::Str => wanted,
            _ => dtype,
        };
        types.insert(name.clone(), dtype.clone());
    }
    let layout = Layout {
        types: TypeRules::new(types),
        true_values: vec!["t".to_owned()],
        false_values: vec!["f".to_owned()],
        // The server tells an empty text from a missing value by its quotes.
        null_in_quotes: false,
        ..Layout::new(Format::Csv)
    };
    let mut df = read_text(text, &layout).map_err(|bad| {
        let error = of_server(StageError::from(bad), columns, &declared_types);
        error.note("lines are those of the result as csv, the first of which holds the names")
    })?;
    for (name, _, after) in columns {
        if *after == After::Nothing || declared_types.get(name).is_some() {
            continue;
        }
        let column = df.column(name).map_err(|error| crate::frame::failed("read the column", &error))?;
        let column = if *after == After::Decimals { numeric::decimals(column) } else { numeric::bytes(column) }?;
        df.with_column(column).map_err(|error| crate::frame::failed("read the column", &error))?;
    }
    declared(df, spec)
}

/// The type of a column as tables have it; what they do not have is text, as the server writes it.
fn typed(column: &::postgres::Column) -> (String, DType, After) {
    let name = column.name().to_owned();
    let plain = |dtype| (name.clone(), dtype, After::Nothing);
    match *column.type_() {
        Type::BOOL => plain(DType::Bool),
        Type::INT2 => plain(DType::I16),
        Type::INT4 => plain(DType::I32),
        Type::INT8 => plain(DType::I64),
        Type::OID => plain(DType::U32),
        Type::FLOAT4 => plain(DType::F32),
        Type::FLOAT8 => plain(DType::F64),
        Type::DATE => plain(DType::Date),
        Type::TIME => plain(DType::Time),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => plain(DType::Datetime),
        Type::NUMERIC => match scale(column.type_modifier()) {
            Some((precision, scale)) => plain(DType::Decimal(precision, scale)),
            None => (name.clone(), DType::Str, After::Decimals),
        },
        Type::BYTEA => (name.clone(), DType::Str, After::Bytes),
        _ => plain(DType::Str),
    }
}

/// Precision and scale of `numeric(p, s)`, where tables have such decimals.
fn scale(modifier: i32) -> Option<(usize, usize)> {
    let packed = usize::try_from(modifier.checked_sub(4)?).ok()?;
    let (precision, scale) = (packed >> 16 & 0xffff, packed & 0x7ff);
    (precision <= 38 && scale <= precision).then_some((precision, scale))
}

/// Whether the query ends with an `ORDER BY` of its own.
fn is_ordered(query: &str) -> bool {
    match Parser::parse_sql(&PostgreSqlDialect {}, query).as_deref() {
        Ok([Statement::Query(query)]) => query.order_by.is_some(),
        _ => query.to_ascii_lowercase().contains("order by"),
    }
}

fn sorted(df: &DataFrame) -> Result<DataFrame, StageError> {
    let options = SortMultipleOptions::default().with_maintain_order(true);
    df.sort(df.get_column_names_owned(), options).map_err(|error| {
        crate::frame::failed("sort the rows", &error).hint("give the query an `ORDER BY` that leaves no two rows equal")
    })
}

/// The place in what was sent, in characters, counted from 0.
fn place(error: &::postgres::Error) -> Option<usize> {
    match error.as_db_error()?.position()? {
        ErrorPosition::Original(at) => usize::try_from(*at).ok()?.checked_sub(1),
        ErrorPosition::Internal { .. } => None,
    }
}

/// A query that the server refuses; `lead` bytes of it were not sent.
fn failed(error: &::postgres::Error, query: &str, lead: usize) -> StageError {
    let Some(said) = error.as_db_error() else {
        return StageError::new(ErrorKind::Network, format!("the server did not answer: {}", words(error)));
    };
    let at = place(error).and_then(|at| Some(lead + query[lead..].char_indices().nth(at)?.0));
    // A database of no encoding holds any bytes.
    let bytes = said.message().starts_with("invalid byte sequence").then(|| {
        "the database holds texts of another encoding: `convert_from(a::bytea, 'LATIN1')` in the query reads them"
            .to_owned()
    });
    let hint = said.hint().map(str::to_owned).or(bytes);
    let mut failure = BadQuery { message: said.message().to_owned(), at, hint }.failure(query);
    failure.notes.extend(said.detail().map(str::to_owned));
    failure
}

/// What the client says, with what the server said and nothing twice.
fn words(error: &::postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}
