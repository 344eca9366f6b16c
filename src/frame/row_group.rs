//! Row groups of parquet files: their columns are made whole, encoded and compressed beside each other. (polars' writer encodes them
//! so, and compresses one after the other while it writes.)

use polars::io::parquet::write::ParquetCompression;
use polars::prelude::*;
use polars_parquet::read::ParquetError;
use polars_parquet::write::{
    CompressedPage, CompressionOptions, Compressor, DynIter, Page, ParquetType, Version, WriteOptions, ZstdLevel,
    array_to_columns, get_dtype_encoding,
};
use rayon::prelude::*;

/// How many bytes a page has at most before it is compressed: shows in the bytes of the file.
pub(super) const PAGE: usize = 1 << 20;

/// Of zstandard; shows in the bytes of the file.
const LEVEL: i32 = 1;

/// Makes row groups of frames.
pub(super) struct Encoder {
    types: Vec<ParquetType>,
    options: WriteOptions,
}

/// A row group: how many rows, and the pages of each leaf column.
pub(super) type RowGroup = (u64, Vec<Vec<CompressedPage>>);

/// What pages are compressed by.
///
/// # Errors
/// Never: the level is one that there is.
pub(super) fn compression() -> PolarsResult<ParquetCompression> {
    Ok(ParquetCompression::Zstd(Some(ZstdLevel::try_new(LEVEL)?)))
}

impl Encoder {
    /// For a file with columns of these types.
    ///
    /// # Errors
    /// See [`compression`].
    pub(super) fn new(types: Vec<ParquetType>) -> PolarsResult<Self> {
        let options = WriteOptions {
            statistics: StatisticsOptions::default(),
            version: Version::V1,
            compression: CompressionOptions::from(compression()?),
            data_page_size: Some(PAGE),
        };
        Ok(Self { types, options })
    }

    /// The row group of a frame's rows; `None` of no rows.
    ///
    /// # Errors
    /// Where a column cannot be encoded.
    pub(super) fn encoded(&self, df: &DataFrame) -> PolarsResult<Option<RowGroup>> {
        if df.height() == 0 {
            return Ok(None);
        }
        let columns = df.columns().par_iter().zip(&self.types);
        let pages = columns.map(|(column, ty)| {
            let series = by_values(column.as_materialized_series().rechunk())?;
            self.column(&series.to_arrow(0, CompatLevel::newest()), ty)
        });
        let pages: Vec<Vec<Vec<CompressedPage>>> = pages.collect::<PolarsResult<_>>()?;
        Ok(Some((df.height() as u64, pages.into_iter().flatten().collect())))
    }

    /// The pages of a column; of a nested one, of all of its leaves.
    fn column(&self, array: &ArrayRef, ty: &ParquetType) -> PolarsResult<Vec<Vec<CompressedPage>>> {
        let leaves = array_to_columns(array, ty.clone(), self.options, &get_dtype_encoding(array.dtype()))?;
        let compressed = |leaf: DynIter<'static, PolarsResult<Page>>| {
            let pages = leaf.map(|page| page.map_err(|error| ParquetError::FeatureNotSupported(error.to_string())));
            let pages = Compressor::new_from_vec(pages, self.options.compression, Vec::new());
            Ok(pages.collect::<Result<Vec<CompressedPage>, ParquetError>>()?)
        };
        leaves.into_iter().map(compressed).collect()
    }
}

/// The same column as its values alone make it: its lists hold nothing that is in none of them, for polars divides columns into
/// pages by how much they hold, and every NaN is the same.
fn by_values(series: Series) -> PolarsResult<Series> {
    one_nan(series.trim_lists_to_normalized_offsets().unwrap_or(series))
}

/// The same column with every NaN the same, in what is nested too.
fn one_nan(series: Series) -> PolarsResult<Series> {
    Ok(match series.dtype() {
        DataType::Float64 if series.is_nan()?.any() => {
            series.f64()?.apply_values(|value| if value.is_nan() { f64::NAN } else { value }).into_series()
        }
        DataType::Float32 if series.is_nan()?.any() => {
            series.f32()?.apply_values(|value| if value.is_nan() { f32::NAN } else { value }).into_series()
        }
        dtype if !holds_floats(dtype) => series,
        DataType::List(_) => series.list()?.apply_to_inner(&one_nan)?.into_series(),
        DataType::Array(..) => series.array()?.apply_to_inner(&one_nan)?.into_series(),
        DataType::Struct(_) => {
            let fields = series.struct_()?.fields_as_series().into_iter().map(one_nan);
            let fields: Vec<Series> = fields.collect::<PolarsResult<_>>()?;
            let whole = StructChunked::from_series(series.name().clone(), series.len(), fields.iter())?;
            whole.with_outer_validity(series.rechunk_validity()).into_series()
        }
        _ => series,
    })
}

/// Whether floats are nested in a type.
fn holds_floats(dtype: &DataType) -> bool {
    let is_float = |dtype: &DataType| dtype.is_float() || holds_floats(dtype);
    match dtype {
        DataType::List(inner) | DataType::Array(inner, _) => is_float(inner),
        DataType::Struct(fields) => fields.iter().any(|field| is_float(field.dtype())),
        _ => false,
    }
}
