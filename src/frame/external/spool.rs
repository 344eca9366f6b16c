//! Rows that wait for the steps behind: in memory as long as they fit, else in a file.

use super::merge::{stacked, unsorted};
use super::size;
use crate::frame::read::scan_parquet;
use crate::frame::write::not_written;
use crate::stage::{RunCx, StageError};
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;
use std::fs::File;
use std::io::BufWriter;
use tempfile::TempPath;

/// Rows of a row group at most: so many are read at once, and by several threads.
const ROW_GROUP: usize = 1 << 16;

/// Takes rows.
pub(super) struct Spool<'a> {
    cx: &'a RunCx<'a>,
    budget: usize,
    /// In memory: all of them, or those that do not fill a row group yet.
    waiting: Vec<DataFrame>,
    held: usize,
    file: Option<(BatchedWriter<BufWriter<File>>, TempPath)>,
}

/// Rows that wait. Their file is removed where this is dropped.
pub(super) enum Spooled {
    Rows(DataFrame),
    File(TempPath),
}

impl<'a> Spool<'a> {
    pub(super) fn new(cx: &'a RunCx<'a>, budget: usize) -> Self {
        Self { cx, budget, waiting: Vec::new(), held: 0, file: None }
    }

    /// The next rows.
    ///
    /// # Errors
    /// When they have to be written and cannot.
    pub(super) fn push(&mut self, df: DataFrame) -> Result<(), StageError> {
        if df.height() == 0 {
            return Ok(());
        }
        self.held += size(&df);
        self.waiting.push(df);
        let rows: usize = self.waiting.iter().map(DataFrame::height).sum();
        let full = self.file.is_some() && rows >= ROW_GROUP;
        if full || self.held > self.budget { self.write() } else { Ok(()) }
    }

    /// Ends the rows; there are none without these columns.
    ///
    /// # Errors
    /// When the last of them cannot be written.
    pub(super) fn finish(mut self, schema: &SchemaRef) -> Result<Spooled, StageError> {
        if self.file.is_some() {
            self.write()?;
        }
        let Some((writer, path)) = self.file else {
            let rows = if self.waiting.is_empty() { vec![DataFrame::empty_with_schema(schema)] } else { self.waiting };
            return stacked(rows).map(Spooled::Rows).map_err(unsorted);
        };
        writer.finish().map_err(|error| not_written(&path, &error))?;
        Ok(Spooled::File(path))
    }

    fn write(&mut self) -> Result<(), StageError> {
        self.held = 0;
        let mut rows = stacked(std::mem::take(&mut self.waiting)).map_err(unsorted)?;
        rows.rechunk_mut_par();
        let (writer, path) = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(create(self.cx, rows.schema())?),
        };
        for from in (0..rows.height()).step_by(ROW_GROUP) {
            let group = rows.slice(from as i64, ROW_GROUP);
            writer.write_batch(&group).map_err(|error| not_written(path, &error))?;
        }
        Ok(())
    }
}

fn create(cx: &RunCx<'_>, schema: &Schema) -> Result<(BatchedWriter<BufWriter<File>>, TempPath), StageError> {
    let file = tempfile::Builder::new().prefix("rows-").suffix(".parquet").tempfile_in(cx.scratch);
    let (file, path) = file.map_err(|error| StageError::io("write into", cx.scratch, &error))?.into_parts();
    let writer = ParquetWriter::new(BufWriter::with_capacity(1 << 20, file))
        .with_compression(ParquetCompression::Uncompressed)
        .with_statistics(StatisticsOptions::empty());
    let writer = writer.batched(schema).map_err(|error| not_written(&path, &error))?;
    Ok((writer, path))
}

impl Spooled {
    /// Bytes in memory.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Rows(df) => size(df),
            Self::File(_) => 0,
        }
    }

    /// A plan that gives the rows.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) fn plan(&self) -> PolarsResult<LazyFrame> {
        match self {
            Self::Rows(df) => Ok(df.clone().lazy()),
            Self::File(path) => scan_parquet(path),
        }
    }
}
