//! Tables out of the store.

use super::apart::joined;
use super::projection::ROWS;
use super::view::VIEW_FILE;
use super::write::TABLE_FILE;
use super::{failed, to_polars};
use crate::stage::{Columns, Input, InputFile, StageError};
use crate::types::TableSchema;
use polars::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// A stored table, whole.
///
/// # Errors
/// When it cannot be read.
pub fn read_table(input: &Input) -> Result<DataFrame, StageError> {
    super::collect(scan_table(input)?).map_err(|error| not_read(input, &error))
}

/// Why a table was not read. Where it is not kept, what it is made of may be to blame.
fn not_read(input: &Input, error: &PolarsError) -> StageError {
    let of_view = input.views().into_iter().find_map(|input| {
        let (view, lf) = (input.view()?, scan_by_itself(input).ok()?);
        let error = super::collect(lf).err()?;
        Some(failed("compute the table", &error).note(view.note()))
    });
    of_view.unwrap_or_else(|| failed("read the table", error))
}

/// A stored table, lazily: only what a plan uses is read. Of a table of which the stage reads some columns, the others
/// are not there, or have no values: a plan that asks for them all the same fails, for its key does not know them.
///
/// # Errors
/// When it cannot be opened.
pub fn scan_table(input: &Input) -> Result<LazyFrame, StageError> {
    Ok(joined(scan(input, &refused)?, false))
}

/// The same for a plan of which a table that is not kept is a leaf: see `apart.rs`. It is to be run by
/// [`run_plan`](super::run_plan).
///
/// # Errors
/// When it cannot be opened.
pub fn table_apart(input: &Input) -> Result<LazyFrame, StageError> {
    scan(input, &refused)
}

/// The same with nulls for the values that are not there: to look at a part of a plan that failed, which may use more than the
/// whole.
///
/// # Errors
/// When it cannot be opened.
pub fn scan_to_blame(input: &Input) -> Result<LazyFrame, StageError> {
    Ok(joined(scan(input, &|_, _, dtype| lit(NULL).cast(dtype))?, false))
}

/// A table that is not kept, to see whether it fails by itself. Filters stay where they are written: pushed to a file they ask its
/// statistics first, and fail with names that only those have.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn scan_by_itself(input: &Input) -> Result<LazyFrame, StageError> {
    Ok(scan_to_blame(input)?.with_predicate_pushdown(false))
}

/// What stands in the place of a column without values, by a column that is there, its name and its type.
type Absent<'a> = &'a dyn Fn(Expr, PlSmallStr, DataType) -> Expr;

fn scan(input: &Input, absent: Absent<'_>) -> Result<LazyFrame, StageError> {
    let (files, seen) = input.stored_table();
    let whole = || match input.view() {
        Some(view) => super::view::plan_of(view),
        None => scan_files(files),
    };
    match seen {
        Some((schema, columns)) => narrowed(whole, schema, columns, absent),
        None => whole(),
    }
}

/// What is seen of a table, whose columns of that `schema` gives.
pub(super) fn narrowed(
    whole: impl FnOnce() -> Result<LazyFrame, StageError>,
    schema: &TableSchema,
    columns: &Columns,
    absent: Absent<'_>,
) -> Result<LazyFrame, StageError> {
    let read: Vec<String> = columns.read().map(str::to_owned).collect();
    let lf = match schema.rows {
        // No column at all: nothing but the number of rows is read, and that is known.
        Some(rows) if read.is_empty() => rows_alone(rows).map_err(|error| failed("count the rows", &error))?.lazy(),
        _ => with_columns_alone(whole()?, &read),
    };
    Ok(with_unread(lf, schema, columns, absent))
}

/// So many rows of the made-up column.
fn rows_alone(rows: u64) -> PolarsResult<DataFrame> {
    let height = usize::try_from(rows).map_err(|_| polars_err!(ComputeError: "more rows than memory has places"))?;
    DataFrame::new(height, vec![Series::full_null(ROWS.into(), height, &DataType::Null).into_column()])
}

/// A plan of which these columns are used, or where there are none, how many rows it gives.
pub fn with_columns_alone(lf: LazyFrame, columns: &[String]) -> LazyFrame {
    match columns {
        [] => counted(lf),
        columns => lf.select(columns.iter().map(|name| col(name.as_str())).collect::<Vec<_>>()),
    }
}

/// As many rows of the made-up column as a plan gives.
fn counted(lf: LazyFrame) -> LazyFrame {
    let rows = |df: DataFrame| rows_alone(df.column(ROWS)?.cast(&DataType::UInt64)?.u64()?.get(0).unwrap_or_default());
    let schema = |_: &Schema| Ok(Arc::new(Schema::from_iter([(ROWS.into(), DataType::Null)])));
    lf.select([len().alias(ROWS)]).map(rows, AllowedOptimizations::empty(), Some(Arc::new(schema)), Some("rows"))
}

/// The columns that are read, or none but the made-up one, and between them those that must be there and have no values.
fn with_unread(lf: LazyFrame, schema: &TableSchema, columns: &Columns, absent: Absent<'_>) -> LazyFrame {
    let read = columns.read().next();
    let unread = schema.columns.iter().filter(|column| !columns.reads(&column.name)).map(|column| {
        let dtype = to_polars(&column.dtype).unwrap_or(DataType::Null);
        let name = PlSmallStr::from(column.name.as_str());
        absent(col(read.unwrap_or(ROWS)), name.clone(), dtype).alias(name)
    });
    let mut added: Vec<Expr> = unread.collect();
    if columns.counts() && read.is_some() {
        added.push(lit(NULL).alias(ROWS));
    }
    if added.is_empty() {
        return lf;
    }
    let counter = columns.counts().then_some(ROWS);
    lf.with_columns(added)
        .select(columns.names().iter().map(String::as_str).chain(counter).map(col).collect::<Vec<_>>())
}

/// Fails where it is computed.
pub(super) fn refused(there: Expr, name: PlSmallStr, dtype: DataType) -> Expr {
    let field = Field::new(name.clone(), dtype);
    let refuse = move |_: Column| -> PolarsResult<Column> {
        polars_bail!(ComputeError: "a bug in kilter: column `{name}` is read, and was not said to be")
    };
    there.map(refuse, move |_, _| Ok(field.clone()))
}

fn scan_files(files: &[InputFile]) -> Result<LazyFrame, StageError> {
    if files.iter().any(|file| file.name == VIEW_FILE) {
        return Err(StageError::data("the table is not kept: it is computed where it is used")
            .hint("remove `keep = false` from its stage to have it"));
    }
    let file = files
        .iter()
        .find(|file| file.name == TABLE_FILE)
        .ok_or_else(|| StageError::bug(format!("an input that should be a table has no `{TABLE_FILE}`")))?;
    scan_parquet(&file.path).map_err(|error| failed("open the table", &error))
}

/// A parquet file, lazily, taken as exactly one file: no patterns, no partitions read from its path.
///
/// # Errors
/// When it cannot be opened or is no parquet file.
pub fn scan_parquet(path: &Path) -> PolarsResult<LazyFrame> {
    let hive_options = HiveOptions { enabled: Some(false), ..HiveOptions::default() };
    let args = ScanArgsParquet { glob: false, hive_options, ..ScanArgsParquet::default() };
    LazyFrame::scan_parquet(PlRefPath::try_from_path(path)?, args)
}
