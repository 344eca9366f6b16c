//! Files that carry their own types: parquet and arrow. Declared types are casts that must not lose a value.

use super::{BadFile, TypeRules, TypesError};
use crate::frame::schema::from_polars_schema;
use crate::frame::{from_polars, to_polars};
use crate::types::{Column as ColumnType, TableSchema};
use polars::prelude::*;
use std::fs::File;
use std::path::Path;

pub(super) fn read_parquet(path: &Path, types: &TypeRules) -> Result<DataFrame, BadFile> {
    let lf = crate::frame::read::scan_parquet(path).map_err(|error| not_readable("parquet", path, &error))?;
    finish(lf.collect().map_err(|error| not_readable("parquet", path, &error))?, types)
}

pub(super) fn probe_parquet(path: &Path, types: &TypeRules) -> Result<TableSchema, BadFile> {
    let schema = crate::frame::read::scan_parquet(path).and_then(|mut lf| lf.collect_schema());
    let schema = schema.map_err(|error| not_readable("parquet", path, &error))?;
    declared(&schema, types)
}

pub(super) fn read_arrow(path: &Path, types: &TypeRules) -> Result<DataFrame, BadFile> {
    let file = File::open(path).map_err(|error| BadFile::io(path, &error))?;
    let df = IpcReader::new(file).finish().map_err(|error| not_readable("arrow", path, &error))?;
    finish(df, types)
}

pub(super) fn probe_arrow(path: &Path, types: &TypeRules) -> Result<TableSchema, BadFile> {
    let file = File::open(path).map_err(|error| BadFile::io(path, &error))?;
    let schema = IpcReader::new(file).schema().map_err(|error| not_readable("arrow", path, &error))?;
    let schema = Schema::from_arrow_schema(schema.as_ref());
    declared(&schema, types)
}

fn finish(df: DataFrame, types: &TypeRules) -> Result<DataFrame, BadFile> {
    if df.width() == 0 {
        return Err(BadFile::new("the file has no columns"));
    }
    let names: Vec<String> = df.columns().iter().map(|column| column.name().to_string()).collect();
    if let Some(unfitting) = types.unfitting(names.iter().map(String::as_str)).first() {
        return Err(no_such_column(unfitting, names.iter().map(String::as_str)));
    }
    let height = df.height();
    let columns = cast_declared(df.into_columns(), types)?;
    DataFrame::new(height, columns).map_err(|error| BadFile::polars("make a table of the file", &error))
}

fn declared(schema: &Schema, types: &TypeRules) -> Result<TableSchema, BadFile> {
    let schema = from_polars_schema(schema);
    if let Some(unfitting) = types.unfitting(schema.names()).first() {
        return Err(no_such_column(unfitting, schema.names()));
    }
    let columns = schema.columns.into_iter().map(|column| {
        let dtype = types.get(&column.name).cloned().unwrap_or(column.dtype);
        ColumnType::new(column.name, dtype)
    });
    Ok(TableSchema::new(columns.collect()))
}

/// Casts the columns that have a declared type; a value that does not fit is an error.
pub(super) fn cast_declared(columns: Vec<Column>, types: &TypeRules) -> Result<Vec<Column>, BadFile> {
    columns
        .into_iter()
        .map(|column| match types.get(column.name()) {
            Some(dtype) if *dtype != from_polars(column.dtype()) => cast(&column, dtype),
            _ => Ok(column),
        })
        .collect()
}

fn cast(column: &Column, dtype: &crate::types::DType) -> Result<Column, BadFile> {
    let name = column.name();
    let cannot = || {
        BadFile::new(format!("column `{name}` is {}, and cannot be read as {dtype}", from_polars(column.dtype())))
            .hint("leave it out of `types`, and cast it in a stage of kind `table`")
    };
    let target = to_polars(dtype).ok_or_else(cannot)?;
    let out = column.cast(&target).map_err(|_| cannot())?;
    if out.null_count() == column.null_count() {
        return Ok(out);
    }
    let lost = column.is_not_null().iter().zip(out.is_null().iter()).position(|pair| pair == (Some(true), Some(true)));
    let row = lost.unwrap_or(0);
    let found = column.get(row).map(|value| value.str_value().into_owned()).unwrap_or_default();
    Err(BadFile::new(format!("row {}, column `{name}`: found `{found}`, expected a value of type {dtype}", row + 1))
        .hint(format!("declare another type for `{name}`")))
}

pub(super) fn no_such_column<'a>(rule: &TypesError, names: impl Iterator<Item = &'a str>) -> BadFile {
    let what = if rule.pattern { "no column fits the pattern" } else { "there is no column" };
    let names: Vec<&str> = names.collect();
    let shown = crate::diag::list(names.iter().copied(), 12);
    BadFile::new(format!("{what} `{}` of `types`", rule.rule))
        .note(format!("the file has {shown}"))
        .note_hint(crate::diag::did_you_mean(&rule.rule, names))
}

impl BadFile {
    fn note_hint(mut self, hint: Option<String>) -> Self {
        self.hints.extend(hint);
        self
    }
}

fn not_readable(format: &str, path: &Path, error: &PolarsError) -> BadFile {
    match std::fs::metadata(path) {
        Err(error) => BadFile::io(path, &error),
        Ok(meta) if meta.len() == 0 => BadFile::new(format!("the file is empty, expected {format}")),
        Ok(_) => BadFile::new(format!("the file cannot be read as {format}: {}", super::super::polars_words(error)))
            .hint("say what the file is with `format`"),
    }
}
