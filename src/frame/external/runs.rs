//! Sorted rows in files without a name, which are gone with the process, however it ends.

use super::size;
use crate::frame::write::not_written;
use crate::stage::StageError;
use polars::prelude::*;
use polars_arrow::io::ipc::read::{StreamReader, StreamState, read_stream_metadata};
use polars_arrow::io::ipc::write::{StreamWriter, WriteOptions};
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

/// Bytes that are read or written at once.
const BUFFER: usize = 1 << 16;

/// Texts as their bytes alone: as views, a block would be written with all that its buffers hold.
const FORM: CompatLevel = CompatLevel::oldest();

/// Writes a run.
pub(super) struct RunWriter {
    writer: StreamWriter<BufWriter<File>>,
    /// Bytes of a block, about.
    block: usize,
    folder: PathBuf,
}

/// Rows that were written, in order.
pub(super) struct Run {
    file: File,
    folder: PathBuf,
}

/// Reads a run block by block.
pub(super) struct RunReader {
    blocks: StreamReader<BufReader<File>>,
    folder: PathBuf,
}

impl RunWriter {
    /// For rows of these columns.
    ///
    /// # Errors
    /// When there is no room in the folder.
    pub(super) fn new(folder: &Path, schema: &Schema, block: usize) -> Result<Self, StageError> {
        let file = tempfile::tempfile_in(folder).map_err(|error| StageError::io("write into", folder, &error))?;
        let mut writer = StreamWriter::new(BufWriter::with_capacity(BUFFER, file), WriteOptions::default());
        let columns: ArrowSchema = schema.iter_fields().map(|field| field.to_arrow(FORM)).collect();
        writer.start(&columns, None).map_err(|error| not_written(folder, &error))?;
        Ok(Self { writer, block, folder: folder.to_owned() })
    }

    /// The next rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn push(&mut self, df: &DataFrame) -> Result<(), StageError> {
        let rows = self.block.saturating_mul(df.height()).checked_div(size(df)).unwrap_or(df.height()).max(1);
        for from in (0..df.height()).step_by(rows) {
            let mut block = df.slice(from as i64, rows);
            block.rechunk_mut();
            for batch in block.iter_chunks(FORM, true) {
                self.writer.write(&batch, None).map_err(|error| not_written(&self.folder, &error))?;
            }
        }
        Ok(())
    }

    /// Ends the run.
    ///
    /// # Errors
    /// When the last of it cannot be written.
    pub(super) fn finish(mut self) -> Result<Run, StageError> {
        self.writer.finish().map_err(|error| not_written(&self.folder, &error))?;
        let folder = self.folder;
        let mut buffer = self.writer.into_inner();
        let flushed = buffer.flush().and_then(|()| buffer.into_inner().map_err(std::io::IntoInnerError::into_error));
        let rewound = flushed.and_then(|mut file| file.rewind().map(|()| file));
        let file = rewound.map_err(|error| StageError::io("write into", &folder, &error))?;
        Ok(Run { file, folder })
    }
}

impl Run {
    /// From its first row.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(self) -> Result<RunReader, StageError> {
        let mut buffer = BufReader::with_capacity(BUFFER, self.file);
        let columns = read_stream_metadata(&mut buffer).map_err(|error| not_read(&self.folder, &error))?;
        Ok(RunReader { blocks: StreamReader::new(buffer, columns, None), folder: self.folder })
    }
}

impl RunReader {
    /// The next rows, at least one; `None` at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn block(&mut self) -> Result<Option<DataFrame>, StageError> {
        loop {
            match self.blocks.next() {
                None => return Ok(None),
                Some(Ok(StreamState::Some(batch))) if batch.is_empty() => {}
                Some(Ok(StreamState::Some(batch))) => return Ok(Some(DataFrame::from(batch))),
                Some(Ok(StreamState::Waiting)) => {
                    let early = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                    return Err(StageError::io("read a file in", &self.folder, &early));
                }
                Some(Err(error)) => return Err(not_read(&self.folder, &error)),
            }
        }
    }
}

fn not_read(folder: &Path, error: &PolarsError) -> StageError {
    match error {
        PolarsError::IO { error, .. } => StageError::io("read a file in", folder, error),
        error => crate::frame::failed("read sorted rows", error),
    }
}
