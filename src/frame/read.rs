//! Tables out of the store.

use super::failed;
use super::projection::ROWS;
use super::view::VIEW_FILE;
use super::write::TABLE_FILE;
use crate::stage::{Input, InputFile, StageError};
use crate::types::TableSchema;
use polars::prelude::*;
use std::path::Path;

/// A stored table, whole.
///
/// # Errors
/// When it cannot be read.
pub fn read_table(input: &Input) -> Result<DataFrame, StageError> {
    scan_table(input)?.collect().map_err(|error| failed("read the table", &error))
}

/// A stored table, lazily: only what a plan uses is read. Of a table of which the stage reads some columns, the others
/// are not there.
///
/// # Errors
/// When it cannot be opened.
pub fn scan_table(input: &Input) -> Result<LazyFrame, StageError> {
    let (files, part) = input.stored_table();
    // No column at all: nothing but the number of rows is read, and that is known.
    if let Some(TableSchema { columns, rows: Some(rows), .. }) = part
        && columns.is_empty()
    {
        let height = usize::try_from(*rows).map_err(|_| StageError::bug("more rows than memory has places"))?;
        let rows = BooleanChunked::full(ROWS.into(), false, height).into_column();
        let frame = DataFrame::new(height, vec![rows]).map_err(|error| failed("count the rows", &error))?;
        return Ok(frame.lazy());
    }
    let lf = match input.view() {
        Some(view) => super::view::plan_of(view)?,
        None => scan_files(files)?,
    };
    Ok(match part {
        Some(schema) => lf.select(schema.names().map(col).collect::<Vec<_>>()),
        None => lf,
    })
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
