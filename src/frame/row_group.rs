//! Row groups of parquet files: their columns are encoded and compressed beside each other. (polars' writer encodes them so,
//! and compresses one after the other while it writes.)

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

    /// The row group of a frame's rows, of which each column has one chunk; `None` of no rows.
    ///
    /// # Errors
    /// Where a column cannot be encoded.
    pub(super) fn encoded(&self, df: &DataFrame) -> PolarsResult<Option<RowGroup>> {
        let Some(batch) = df.iter_chunks(CompatLevel::newest(), false).find(|batch| !batch.is_empty()) else {
            return Ok(None);
        };
        polars_ensure!(batch.len() == df.height(), ComputeError: "a row group in more than one piece");
        let columns = batch.columns().par_iter().zip(&self.types);
        let pages: Vec<Vec<Vec<CompressedPage>>> =
            columns.map(|(array, ty)| self.column(array, ty)).collect::<PolarsResult<_>>()?;
        Ok(Some((batch.len() as u64, pages.into_iter().flatten().collect())))
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
