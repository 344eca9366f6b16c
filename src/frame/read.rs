//! Tables out of the store.

use super::failed;
use super::write::TABLE_FILE;
use crate::stage::{Input, StageError};
use polars::prelude::*;
use std::path::Path;

/// A stored table, whole.
///
/// # Errors
/// When it cannot be read.
pub fn read_table(input: &Input) -> Result<DataFrame, StageError> {
    scan_table(input)?.collect().map_err(|error| failed("read the table", &error))
}

/// A stored table, lazily: only what a plan uses is read.
///
/// # Errors
/// When it cannot be opened.
pub fn scan_table(input: &Input) -> Result<LazyFrame, StageError> {
    let file = input
        .file(TABLE_FILE)
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
