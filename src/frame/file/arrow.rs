//! Arrow's two forms, a file and a stream: their first bytes say which it is.

use super::binary::{declared, finish, not_readable, unpanicked};
use super::buffers::{self, Amount};
use super::odd::{Found, Odd};
use super::stream::{Stream, is_stream};
use super::{BadFile, FileWatch, Format, Layout, foreign, load, unpacked};
use crate::numbers;
use crate::types::TableSchema;
use polars::prelude::*;
use std::fs::File;
use std::path::Path;

/// How it is laid out.
enum Form {
    File,
    Stream(Stream),
}

pub(super) fn read(path: &Path, layout: &Layout, watch: FileWatch<'_>) -> Result<DataFrame, BadFile> {
    let bad = |error| not_readable("arrow", path, &error);
    let form = Form::of(path)?;
    let schema = form.schema(path)?;
    declared(&schema, &Layout::new(Format::Arrow))?;
    let amount = unpanicked(|| form.amount(path)).map_err(bad)?;
    unpacked::bounded(path, unpacked::arrow(amount, &schema), watch.memory(), crate::env::free_memory())
        .map_err(|bad| bad.hint("write it as parquet, which is read in pieces where the stage says `needs.memory`"))?;
    let df = unpanicked(|| form.rows(path, watch)).map_err(bad)?;
    finish(df, layout, watch)
}

pub(super) fn probe(path: &Path, layout: &Layout) -> Result<TableSchema, BadFile> {
    declared(&Form::of(path)?.schema(path)?, layout)
}

impl Form {
    fn of(path: &Path) -> Result<Self, BadFile> {
        if load::head(path, 4)? == b"FEA1" {
            return Err(BadFile::new("the file is of Feather's version 1, which kilter does not read")
                .hint("write it in version 2, as pandas and pyarrow do (`to_feather`), or as parquet"));
        }
        let stream = unpanicked(|| if is_stream(path)? { Stream::open(path).map(Some) } else { Ok(None) });
        match stream.map_err(|error| not_readable("arrow", path, &error))? {
            None => Ok(Self::File),
            Some(stream) if stream.behind > 0 => {
                let behind = numbers::bytes(stream.behind);
                Err(BadFile::new(format!("more follows behind the end of the stream: {behind}"))
                    .hint("where several streams were put into one file, give each its own: `read` takes many"))
            }
            Some(stream) => Ok(Self::Stream(stream)),
        }
    }

    fn schema(&self, path: &Path) -> Result<Schema, BadFile> {
        let bad = |error| not_readable("arrow", path, &error);
        let known = |schema: &ArrowSchema| match foreign::unread(schema) {
            Some(bad) => Err(bad),
            None => Ok(Schema::from_arrow_schema(schema)),
        };
        match self {
            Self::Stream(stream) => known(stream.schema()),
            Self::File => {
                unpanicked(|| buffers::each_named(path)).map_err(bad)?;
                let schema = unpanicked(|| IpcReader::new(File::open(path)?).schema()).map_err(bad)?;
                known(schema.as_ref())
            }
        }
    }

    fn amount(&self, path: &Path) -> PolarsResult<Amount> {
        match self {
            Self::File => buffers::amount(path),
            Self::Stream(stream) => stream.amount(path),
        }
    }

    fn rows(&self, path: &Path, watch: FileWatch<'_>) -> PolarsResult<DataFrame> {
        let stream = match self {
            Self::Stream(stream) => stream,
            Self::File => {
                let mut file = watch.counted(File::open(path)?);
                let df = IpcReader::new(&mut file).finish()?;
                file.rest();
                return Ok(df);
            }
        };
        if !stream.ended {
            let (column, text) = (String::new(), String::new());
            watch.odd(Odd::Unended, Found { count: 1, at: (0, 0), of: "", column, text, as_decimal: false });
        }
        stream.rows(path, watch)
    }
}
