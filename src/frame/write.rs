//! Tables into the store: equal content is equal bytes.

use super::digest::TableHasher;
use super::failed;
use super::row_group::{Encoder, PAGE, compression};
use super::schema::from_polars_schema;
use crate::digest::TableDigest;
use crate::numbers;
use crate::stage::{Produced, RunCx, StageError};
use crate::types::TableSchema;
use polars::io::parquet::write::{BatchedWriter, KeyValueMetadata};
use polars::prelude::*;
use polars_parquet::write::schema_to_metadata_key;
use rayon::prelude::*;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// The one file of a table artefact.
pub const TABLE_FILE: &str = "table.parquet";

/// Rows of a row group: fixed, because it shows in the bytes.
const ROW_GROUP: usize = 1 << 18;

/// Columns that are encoded beside each other, where there are as many: enough that no thread waits long for the last of them.
const COLUMNS: usize = 32;

/// Writes a frame as the table of `port` and adds the port, with its real schema and its logical digest, to `produced`.
///
/// # Errors
/// When the table has no columns or cannot be written.
pub fn write_table(cx: &RunCx<'_>, port: &str, df: DataFrame, produced: Produced) -> Result<Produced, StageError> {
    let mut writer = TableWriter::new(cx, port, df.schema())?;
    writer.push(df)?;
    Ok(writer.finish()?.port(port, produced))
}

/// Writes a table as its rows come.
pub struct TableWriter {
    schema: SchemaRef,
    path: PathBuf,
    writer: BatchedWriter<BufWriter<File>>,
    encoder: Encoder,
    hasher: TableHasher,
    /// Rows that do not fill a row group yet.
    waiting: DataFrame,
    rows: u64,
    /// Row groups that are made at once; it does not show in the bytes.
    at_once: usize,
}

/// A table that was written.
pub struct Written {
    schema: TableSchema,
    digests: TableDigest,
}

impl Written {
    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.schema.rows.unwrap_or(0)
    }

    /// `5,000 rows x 785 columns`
    #[must_use]
    pub fn shown(&self) -> String {
        shown(self.rows(), self.schema.columns.len())
    }

    /// Adds the table as an output.
    #[must_use]
    pub fn port(self, port: &str, produced: Produced) -> Produced {
        produced.table(port, self.schema, self.digests)
    }

    /// The table as the only output.
    #[must_use]
    pub fn alone(self, port: &str) -> Produced {
        let produced = Produced::new(self.shown());
        self.port(port, produced)
    }
}

impl TableWriter {
    /// The table of `port`, of these columns.
    ///
    /// # Errors
    /// When it has no columns, or its file cannot be made.
    pub fn new(cx: &RunCx<'_>, port: &str, schema: &SchemaRef) -> Result<Self, StageError> {
        if schema.is_empty() {
            return Err(
                StageError::data(format!("the table `{port}` would have no columns")).hint("keep at least one column")
            );
        }
        let at_once = if cx.memory.is_some() { 1 } else { COLUMNS.div_ceil(schema.len()) };
        Self::create(cx.out(port)?.join(TABLE_FILE), schema, at_once)
    }

    fn create(path: PathBuf, schema: &SchemaRef, at_once: usize) -> Result<Self, StageError> {
        let hasher = TableHasher::new(schema).map_err(|error| failed("take the table's digests", &error))?;
        let mut writer = parquet_writer(&path, schema)?;
        let types = writer.parquet_schema().fields().to_vec();
        let encoder = Encoder::new(types).map_err(|error| not_written(&path, &error))?;
        let waiting = DataFrame::empty_with_schema(schema);
        Ok(Self { schema: schema.clone(), path, writer, encoder, hasher, waiting, rows: 0, at_once })
    }

    /// The next rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn push(&mut self, df: DataFrame) -> Result<(), StageError> {
        let mut df = match self.waiting.height() {
            0 => df,
            _ => {
                let mut rows = std::mem::take(&mut self.waiting);
                rows.vstack_mut_owned(df).map_err(|error| failed("compact the table", &error))?;
                rows
            }
        };
        let mut from = 0;
        while df.height() - from >= ROW_GROUP {
            let groups = ((df.height() - from) / ROW_GROUP).min(self.at_once);
            let to = from + groups * ROW_GROUP;
            let groups = (from..to).step_by(ROW_GROUP).map(|row| df.slice(row as i64, ROW_GROUP));
            self.groups(&groups.collect::<Vec<_>>())?;
            from = to;
        }
        if from > 0 {
            df = df.slice(from as i64, usize::MAX);
        }
        self.waiting = df;
        Ok(())
    }

    /// Writes row groups.
    fn groups(&mut self, groups: &[DataFrame]) -> Result<(), StageError> {
        self.rows += groups.iter().map(|df| df.height() as u64).sum::<u64>();
        let (hashed, encoded) = rayon::join(
            || self.hasher.push_all(groups),
            || groups.par_iter().map(|df| self.encoder.encoded(df)).collect::<Vec<_>>(),
        );
        hashed.map_err(|error| failed("take the table's digests", &error))?;
        for group in encoded {
            let written = match group {
                Ok(Some((rows, pages))) => self.writer.write_row_group(rows, &pages),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            written.map_err(|error| not_written(&self.path, &error))?;
        }
        Ok(())
    }

    /// Ends the table.
    ///
    /// # Errors
    /// When the last of it cannot be written.
    pub fn finish(mut self) -> Result<Written, StageError> {
        if self.waiting.height() > 0 {
            let rest = std::mem::take(&mut self.waiting);
            self.groups(&[rest])?;
        }
        self.writer.finish().map_err(|error| not_written(&self.path, &error))?;
        let schema = from_polars_schema(&self.schema).with_rows(self.rows);
        Ok(Written { schema, digests: self.hasher.finish() })
    }
}

fn parquet_writer(path: &Path, schema: &Schema) -> Result<BatchedWriter<BufWriter<File>>, StageError> {
    let file = File::create(path).map_err(|error| StageError::io("write", path, &error))?;
    let compression = compression().map_err(|error| not_written(path, &error))?;
    let writer = ParquetWriter::new(BufWriter::with_capacity(1 << 20, file))
        .with_compression(compression)
        .with_statistics(StatisticsOptions::default())
        .with_data_page_size(Some(PAGE))
        .with_key_value_metadata(arrow_schema(schema));
    writer.batched(schema).map_err(|error| not_written(path, &error))
}

/// The types that other programs are told, where polars's own are not for all of them: it calls every text a view, and pandas reads no
/// list of views. The pages are the same.
fn arrow_schema(schema: &Schema) -> Option<KeyValueMetadata> {
    if !schema.iter_values().any(lists_texts) {
        return None;
    }
    Some(KeyValueMetadata::Static(vec![schema_to_metadata_key(&as_arrow(schema, CompatLevel::oldest()))]))
}

fn as_arrow(schema: &Schema, level: CompatLevel) -> ArrowSchema {
    schema.iter().map(|(name, dtype)| (name.clone(), dtype.to_arrow_field(name.clone(), level))).collect()
}

/// Whether texts or bytes are nested in a type.
fn lists_texts(dtype: &DataType) -> bool {
    let holds = |inner: &DataType| matches!(inner, DataType::String | DataType::Binary) || lists_texts(inner);
    match dtype {
        DataType::List(inner) | DataType::Array(inner, _) => holds(inner),
        DataType::Struct(fields) => fields.iter().any(|field| lists_texts(field.dtype())),
        _ => false,
    }
}

/// A failure to write to a file, or into a folder.
pub(super) fn not_written(path: &Path, error: &PolarsError) -> StageError {
    match error {
        PolarsError::IO { error, .. } => StageError::io("write", path, error),
        error => failed("write the table", error),
    }
}

/// `5,000 rows x 785 columns`
#[must_use]
pub fn rows_by_columns(df: &DataFrame) -> String {
    shown(df.height() as u64, df.width())
}

fn shown(rows: u64, columns: usize) -> String {
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    format!("{} x {}", numbers::counted(rows, "row"), numbers::counted(columns, "column"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_is_no_plural() {
        let df = df!["a" => [1]].expect("a frame");
        assert_eq!(rows_by_columns(&df), "1 row x 1 column");
    }

    /// With the columns in a struct too.
    fn nested(df: DataFrame) -> DataFrame {
        df.lazy().with_column(as_struct(vec![col("a"), col("c")]).alias("d")).collect().expect("a frame")
    }

    /// Rows with up to four numbers each.
    fn lists(rows: usize) -> Series {
        let mut lists = ListPrimitiveChunkedBuilder::<Float64Type>::new("d".into(), rows, 2 * rows, DataType::Float64);
        (0..rows).for_each(|row| lists.append_slice(&[row as f64 / 3.0, 0.5, 1.5, 2.0][..row % 5]));
        lists.finish().into_series()
    }

    #[test]
    fn equal_content_is_equal_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |df: DataFrame, name: &str, size: usize| {
            let path = folder.path().join(name);
            let mut writer = TableWriter::create(path.clone(), df.schema(), 1).expect("a file");
            let parts = df.height().div_ceil(size);
            (0..parts).for_each(|part| writer.push(df.slice((part * size) as i64, size)).expect("written"));
            let digests = writer.finish().expect("written").digests;
            assert_eq!(digests, crate::frame::table_digest(&df).expect("a digest"));
            std::fs::read(path).expect("read")
        };
        let list = |values: &[f64]| Series::new("".into(), values);
        let whole = df![
            "a" => [1.0, -f64::NAN, 3.0],
            "b" => ["x", "a longer text than twelve bytes", "z"],
            "c" => [list(&[f64::NAN]), list(&[-f64::NAN, 1.0]), list(&[])],
        ];
        let whole = nested(whole.expect("a frame"));
        let parts = df!["a" => [1.0], "b" => ["x"], "c" => [list(&[-f64::NAN])]];
        let mut parts = nested(parts.expect("a frame"));
        let rest = df![
            "a" => [0.5, f64::NAN, 3.0],
            "b" => ["?", "a longer text than twelve bytes", "z"],
            "c" => [list(&[0.5, 7.0]), list(&[f64::NAN, 1.0]), list(&[])],
        ];
        let rest = rest.map(nested);
        parts.vstack_mut(&rest.expect("a frame").slice(1, 2)).expect("stacked");
        assert_eq!(write(whole, "one", 5), write(parts, "two", 5));
    }

    /// The types that a written table tells, as they stand in the file.
    fn told(df: &DataFrame) -> Option<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(TABLE_FILE);
        let mut writer = TableWriter::create(path.clone(), df.schema(), 1).expect("a file");
        writer.push(df.clone()).expect("written");
        writer.finish().expect("written");
        let read = crate::frame::read::scan_parquet(&path).and_then(LazyFrame::collect).expect("read");
        assert!(read.equals_missing(df) && read.schema() == df.schema());
        let mut file = File::open(&path).expect("a file");
        let metadata = polars_parquet::read::read_metadata(&mut file).expect("metadata");
        let pairs = metadata.key_value_metadata().as_ref().expect("types");
        pairs.iter().find(|pair| pair.key == "ARROW:schema").and_then(|pair| pair.value.clone())
    }

    #[test]
    fn lists_of_texts_are_told_as_pandas_takes_them() {
        let of = |df: &DataFrame, level| schema_to_metadata_key(&as_arrow(df.schema(), level)).value;
        let flat = df!["n" => [1, 2], "text" => ["a", "a text of more than twelve bytes"]].expect("a frame");
        assert_eq!(told(&flat), of(&flat, CompatLevel::newest()));
        let tags = [Series::new("".into(), ["x", "y"]), Series::new("".into(), ["a text of more than twelve bytes"])];
        let listed = df!["n" => [1, 2], "tags" => tags].expect("a frame");
        assert_eq!(told(&listed), of(&listed, CompatLevel::oldest()));
        let inside =
            listed.lazy().select([as_struct(vec![col("n"), col("tags")]).alias("s")]).collect().expect("a frame");
        assert_eq!(told(&inside), of(&inside, CompatLevel::oldest()));
    }

    #[test]
    fn how_the_rows_came_does_not_show() {
        let folder = tempfile::tempdir().expect("a folder");
        let rows = ROW_GROUP * 2 + 12_345;
        let whole = df![
            "a" => (0..rows).map(|row| (row % 7 != 0).then_some(row as f64 / 3.0)).collect::<Vec<_>>(),
            "b" => (0..rows).map(|row| format!("text number {}", row % 1000)).collect::<Vec<_>>(),
            "c" => (0..rows).map(|row| row % 3 == 0).collect::<Vec<_>>(),
            "d" => lists(rows),
        ];
        let whole = whole.expect("a frame");
        let write = |name: &str, sizes: &[usize], at_once: usize| {
            let path = folder.path().join(name);
            let mut writer = TableWriter::create(path.clone(), whole.schema(), at_once).expect("a file");
            let (mut from, mut sizes) = (0, sizes.iter().cycle());
            while from < rows {
                let size = *sizes.next().expect("a size");
                writer.push(whole.slice(from as i64, size)).expect("written");
                from += size;
            }
            (writer.finish().expect("written").digests, std::fs::read(path).expect("read"))
        };
        let one = write("one", &[rows], 1);
        assert!(one == write("two", &[50_000, 1, 99_999], 8), "small pieces");
        assert!(one == write("three", &[ROW_GROUP, 300_000], 2), "large pieces");
        assert!(one == write("four", &[rows], 2), "all at once");
        let read = crate::frame::read::scan_parquet(&folder.path().join("two")).and_then(LazyFrame::collect);
        assert!(read.expect("read").equals_missing(&whole));
    }
}
