//! Tables into the store: equal content is equal bytes.

use super::digest::table_digest;
use super::failed;
use super::schema::schema_of;
use crate::numbers;
use crate::stage::{Produced, RunCx, StageError};
use polars::prelude::*;
use std::fs::File;
use std::io::{BufWriter, Write};

/// The one file of a table artefact.
pub const TABLE_FILE: &str = "table.parquet";

/// Rows of a row group: fixed, because it shows in the bytes.
const ROW_GROUP: usize = 1 << 18;

/// Writes a frame as the table of `port` and adds the port, with its real schema and its logical digest, to `produced`.
///
/// # Errors
/// When the table has no columns or cannot be written.
pub fn write_table(cx: &RunCx<'_>, port: &str, df: DataFrame, produced: Produced) -> Result<Produced, StageError> {
    if df.width() == 0 {
        return Err(
            StageError::data(format!("the table `{port}` would have no columns")).hint("keep at least one column")
        );
    }
    let mut df = canonical(df).map_err(|error| failed("compact the table", &error))?;
    let digests = table_digest(&df).map_err(|error| failed("take the table's digests", &error))?;
    let path = cx.out(port)?.join(TABLE_FILE);
    write_parquet(&mut df, &path)?;
    Ok(produced.table(port, schema_of(&df), digests))
}

/// One chunk a column, no slack, every NaN the same.
fn canonical(mut df: DataFrame) -> PolarsResult<DataFrame> {
    df.rechunk_mut_par();
    let height = df.height();
    let columns = df.into_columns().into_iter().map(one_nan).collect::<PolarsResult<Vec<_>>>()?;
    DataFrame::new(height, columns)
}

fn one_nan(column: Column) -> PolarsResult<Column> {
    Ok(match column.dtype() {
        DataType::Float64 => {
            let values = column.f64()?;
            if values.iter().any(|value| value.is_some_and(f64::is_nan)) {
                values.apply_values(|value| if value.is_nan() { f64::NAN } else { value }).into_column()
            } else {
                column
            }
        }
        DataType::Float32 => {
            let values = column.f32()?;
            if values.iter().any(|value| value.is_some_and(f32::is_nan)) {
                values.apply_values(|value| if value.is_nan() { f32::NAN } else { value }).into_column()
            } else {
                column
            }
        }
        _ => column,
    })
}

fn write_parquet(df: &mut DataFrame, path: &std::path::Path) -> Result<(), StageError> {
    let io = |error: &std::io::Error| StageError::io("write", path, error);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(|error| io(&error))?);
    let level = polars_parquet::write::ZstdLevel::try_new(1).map_err(|error| failed("write the table", &error))?;
    let written = ParquetWriter::new(&mut file)
        .with_compression(ParquetCompression::Zstd(Some(level)))
        .with_statistics(StatisticsOptions::default())
        .with_row_group_size(Some(ROW_GROUP))
        .with_data_page_size(Some(1 << 20))
        .finish(df);
    match written {
        Ok(_) => file.flush().map_err(|error| io(&error)),
        Err(PolarsError::IO { error, .. }) => Err(io(&error)),
        Err(error) => Err(failed("write the table", &error)),
    }
}

/// `5,000 rows x 785 columns`
#[must_use]
pub fn rows_by_columns(df: &DataFrame) -> String {
    format!("{} x {}", numbers::counted(df.height(), "row"), numbers::counted(df.width(), "column"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_is_no_plural() {
        let df = df!["a" => [1]].expect("a frame");
        assert_eq!(rows_by_columns(&df), "1 row x 1 column");
    }

    #[test]
    fn equal_content_is_equal_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |df: DataFrame, name: &str| {
            let path = folder.path().join(name);
            write_parquet(&mut canonical(df).expect("canonical"), &path).expect("written");
            std::fs::read(path).expect("read")
        };
        let whole = df!["a" => [1.0, -f64::NAN, 3.0], "b" => ["x", "a longer text than twelve bytes", "z"]];
        let whole = whole.expect("a frame");
        let mut parts = df!["a" => [1.0], "b" => ["x"]].expect("a frame");
        let rest = df!["a" => [0.5, f64::NAN, 3.0], "b" => ["?", "a longer text than twelve bytes", "z"]];
        parts.vstack_mut(&rest.expect("a frame").slice(1, 2)).expect("stacked");
        assert_eq!(write(whole, "one"), write(parts, "two"));
    }
}
