//! Files that carry their own types: parquet and arrow. Declared types are casts that must not lose a value.

use super::types::no_such_column;
use super::{BadFile, Format, Layout, TypeRules, width};
use crate::frame::schema::from_polars_schema;
use crate::frame::{CastFault, cast_exactly, collect, from_polars};
use crate::types::{Column as ColumnType, DType, TableSchema};
use polars::prelude::*;
use std::fs::File;
use std::path::Path;

pub(super) fn read_parquet(path: &Path, layout: &Layout) -> Result<DataFrame, BadFile> {
    probe_parquet(path, &Layout::new(Format::Parquet))?;
    let read = crate::frame::read::scan_parquet(path).and_then(collect);
    finish(read.map_err(|error| not_readable("parquet", path, &error))?, layout)
}

/// A parquet file as a plan, for what need not be looked at value by value; `None` where types are declared, or nested
/// fields are to be taken apart.
pub(super) fn scan_plain(path: &Path, layout: &Layout) -> Result<Option<LazyFrame>, BadFile> {
    if layout.flatten || !layout.types.is_empty() {
        return Ok(None);
    }
    let scan = || {
        let mut lf = crate::frame::read::scan_parquet(path)?;
        let schema = lf.collect_schema()?;
        let casts = schema.iter().filter(|(_, dtype)| plain(dtype) != **dtype);
        let casts: Vec<Expr> = casts.map(|(name, dtype)| col(name.clone()).cast(plain(dtype))).collect();
        Ok(if casts.is_empty() { lf } else { lf.with_columns(casts) })
    };
    unpanicked(scan).map(Some).map_err(|error| not_readable("parquet", path, &error))
}

pub(super) fn probe_parquet(path: &Path, layout: &Layout) -> Result<TableSchema, BadFile> {
    let schema = unpanicked(|| crate::frame::read::scan_parquet(path)?.collect_schema());
    let schema = schema.map_err(|error| not_readable("parquet", path, &error))?;
    declared(&schema, layout)
}

pub(super) fn read_arrow(path: &Path, layout: &Layout) -> Result<DataFrame, BadFile> {
    probe_arrow(path, &Layout::new(Format::Arrow))?;
    let file = File::open(path).map_err(|error| BadFile::io(path, &error))?;
    let read = unpanicked(|| IpcReader::new(file).finish());
    finish(read.map_err(|error| not_readable("arrow", path, &error))?, layout)
}

pub(super) fn probe_arrow(path: &Path, layout: &Layout) -> Result<TableSchema, BadFile> {
    let file = File::open(path).map_err(|error| BadFile::io(path, &error))?;
    let schema = unpanicked(|| IpcReader::new(file).schema());
    let schema = schema.map_err(|error| not_readable("arrow", path, &error))?;
    let schema = Schema::from_arrow_schema(schema.as_ref());
    declared(&schema, layout)
}

fn finish(df: DataFrame, layout: &Layout) -> Result<DataFrame, BadFile> {
    if df.width() == 0 {
        return Err(BadFile::new("the file has no columns"));
    }
    let height = df.height();
    let columns = df.into_columns().into_iter().map(known).collect::<Result<Vec<_>, _>>()?;
    let df = DataFrame::new(height, columns).map_err(|error| BadFile::polars("make a table of the file", &error))?;
    let df = flattened(df, layout)?;
    let names: Vec<String> = df.columns().iter().map(|column| column.name().to_string()).collect();
    if let Some(unfitting) = layout.types.unfitting(names.iter().map(String::as_str)).first() {
        return Err(no_such_column(unfitting, names.iter().map(String::as_str)));
    }
    let columns = cast_declared(df.into_columns(), &layout.types)?;
    DataFrame::new(height, columns).map_err(|error| BadFile::polars("make a table of the file", &error))
}

/// The column in a type that tables have.
fn known(column: Column) -> Result<Column, BadFile> {
    let plain = plain(column.dtype());
    if plain == *column.dtype() {
        return Ok(column);
    }
    let cast = column.cast(&plain);
    cast.map_err(|error| BadFile::polars(&format!("read the column `{}`", column.name()), &error))
}

/// The type of tables that holds the same values: bytes are one type, and categories are their text.
fn plain(dtype: &DataType) -> DataType {
    match dtype {
        DataType::BinaryOffset => DataType::Binary,
        DataType::Categorical(..) | DataType::Enum(..) => DataType::String,
        DataType::List(inner) => DataType::List(Box::new(plain(inner))),
        DataType::Array(inner, width) => DataType::Array(Box::new(plain(inner)), *width),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| Field::new(field.name.clone(), plain(&field.dtype))).collect())
        }
        other => other.clone(),
    }
}

/// Nested fields as columns of their own, where the layout asks for that: `user.name`.
pub(super) fn flattened(mut df: DataFrame, layout: &Layout) -> Result<DataFrame, BadFile> {
    let nested = |df: &DataFrame| df.columns().iter().any(|column| matches!(column.dtype(), DataType::Struct(_)));
    while layout.flatten && nested(&df) {
        let height = df.height();
        let columns: PolarsResult<Vec<Vec<Column>>> = df.into_columns().into_iter().map(taken_apart).collect();
        df = columns
            .and_then(|columns| DataFrame::new(height, columns.into_iter().flatten().collect()))
            .map_err(|error| BadFile::polars("take nested fields apart", &error))?;
    }
    Ok(df)
}

/// A column, or where it is nested, its fields: a missing object has missing fields.
fn taken_apart(column: Column) -> PolarsResult<Vec<Column>> {
    let Ok(whole) = column.struct_() else { return Ok(vec![column]) };
    let there = (column.null_count() > 0).then(|| column.is_not_null());
    let fields = whole.fields_as_series().into_iter().map(|field| {
        let name = PlSmallStr::from(format!("{}.{}", column.name(), field.name()));
        let field = match &there {
            None => field,
            Some(there) => {
                field.zip_with(there, &Series::full_null(field.name().clone(), field.len(), field.dtype()))?
            }
        };
        Ok(field.with_name(name).into_column())
    });
    fields.collect()
}

fn declared(schema: &Schema, layout: &Layout) -> Result<TableSchema, BadFile> {
    width::bounded(schema.len(), "the file has")?;
    let schema = if layout.flatten {
        let empty = DataFrame::empty_with_schema(schema);
        from_polars_schema(flattened(empty, layout)?.schema())
    } else {
        let plain = schema.iter().map(|(name, dtype)| Field::new(name.clone(), plain(dtype)));
        from_polars_schema(&plain.collect::<Schema>())
    };
    if let Some(unfitting) = layout.types.unfitting(schema.names()).first() {
        return Err(no_such_column(unfitting, schema.names()));
    }
    let columns = schema.columns.into_iter().map(|column| {
        let dtype = layout.types.get(&column.name).cloned().unwrap_or(column.dtype);
        ColumnType::new(column.name, dtype)
    });
    Ok(TableSchema::new(columns.collect()))
}

/// Casts the columns that have a declared type.
///
/// # Errors
/// The first value that does not fit.
pub fn cast_declared(columns: Vec<Column>, types: &TypeRules) -> Result<Vec<Column>, BadFile> {
    columns
        .into_iter()
        .map(|column| match types.get(column.name()) {
            Some(dtype) if *dtype != from_polars(column.dtype()) => cast(&column, dtype),
            _ => Ok(column),
        })
        .collect()
}

fn cast(column: &Column, dtype: &DType) -> Result<Column, BadFile> {
    let name = column.name();
    let cannot = || {
        BadFile::new(format!("column `{name}` is {}, and cannot be read as {dtype}", from_polars(column.dtype())))
            .hint("leave it out of `types`, and cast it in a stage of kind `table`")
    };
    cast_exactly(column, dtype).map_err(|fault| match fault {
        CastFault::NoForm => cannot(),
        CastFault::Lost { row, found, .. } => {
            let place = format!("row {}, column `{name}`", row + 1);
            BadFile::new(format!("{place}: found `{found}`, expected a value of type {dtype}"))
                .hint(format!("declare another type for `{name}`"))
        }
    })
}

/// A panic inside polars, which a broken file may cause, becomes an error.
fn unpanicked<T>(read: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    caught.unwrap_or_else(|_| Err(PolarsError::ComputeError("it is damaged".into())))
}

fn not_readable(format: &str, path: &Path, error: &PolarsError) -> BadFile {
    match std::fs::metadata(path) {
        Err(error) => BadFile::io(path, &error),
        Ok(meta) if meta.len() == 0 => {
            BadFile::new(format!("the file is empty, expected {format}")).hint("give a file with rows")
        }
        Ok(_) => {
            let words = super::super::polars_words(error);
            let bad = BadFile::new(format!("the file cannot be read as {format}: {words}"));
            if words.contains("not supported") {
                return bad.hint("the file holds a type that kilter does not read: write that column as another");
            }
            match super::head(path, 8).ok().as_deref().and_then(super::text::looks_like) {
                Some(what) if !what.contains(format) => bad.hint(what),
                Some(_) => {
                    bad.hint("it begins as it should: it is cut off or damaged; fetch it again, and compare its sha256")
                }
                None => bad.hint("say what the file is with `format`"),
            }
        }
    }
}
