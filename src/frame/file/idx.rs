//! IDX, the format of MNIST: a magic number, dimensions, unsigned bytes. A row an image, a column a pixel.

use super::{BadFile, TypeRules, width};
use crate::types::{Column as ColumnType, DType, TableSchema};
use polars::prelude::*;
use rayon::prelude::*;

/// What the header of an IDX file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxHeader {
    /// The dimensions, rows first.
    pub dims: Vec<usize>,
    /// Where the bytes begin.
    pub start: usize,
}

impl IdxHeader {
    /// Bytes of one row.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.dims[1..].iter().product()
    }
}

/// Reads the header: two zero bytes, the element type (0x08, unsigned bytes), the number of dimensions, and each of
/// them as four bytes, highest first.
///
/// # Errors
/// When it is no IDX file, or one of other elements.
pub fn idx_header(bytes: &[u8]) -> Result<IdxHeader, BadFile> {
    let hint = "an IDX file is what MNIST comes as, such as `train-images-idx3-ubyte.gz`";
    let &[0, 0, element, rank, ref rest @ ..] = bytes else {
        let why = if bytes.is_empty() {
            "the file is empty"
        } else {
            "the file is not IDX: it does not begin with two zero bytes"
        };
        return Err(BadFile::new(why).hint(hint));
    };
    if element != 0x08 {
        let message = format!("the IDX file holds elements of type 0x{element:02x}, expected 0x08, unsigned bytes");
        return Err(BadFile::new(message).hint("write it as unsigned bytes, or as parquet"));
    }
    let rank = usize::from(rank);
    if rank == 0 || rest.len() < rank * 4 {
        return Err(BadFile::new("the file is not IDX: its header breaks off").hint(hint));
    }
    let dims = rest.chunks_exact(4).take(rank);
    let dims: Vec<usize> = dims.map(|dim| u32::from_be_bytes([dim[0], dim[1], dim[2], dim[3]]) as usize).collect();
    let sizes: Vec<String> = dims[1..].iter().map(ToString::to_string).collect();
    let pixels = dims[1..].iter().fold(1_usize, |size, dim| size.saturating_mul(*dim));
    width::bounded(pixels, &format!("the header promises images of {}, which have", sizes.join(" x "))).map_err(
        |bad| bad.hint("make the images smaller; or the file is damaged: fetch it again, and compare its sha256"),
    )?;
    Ok(IdxHeader { dims, start: 4 + rank * 4 })
}

fn body(bytes: &[u8]) -> Result<(IdxHeader, &[u8]), BadFile> {
    let header = idx_header(bytes)?;
    is_whole(&header, bytes.len() as u64)?;
    Ok((header, &bytes[header_start(bytes)?..]))
}

/// That a file of so many bytes holds what its header promises, and no more.
pub(super) fn is_whole(header: &IdxHeader, size: u64) -> Result<(), BadFile> {
    let expected = header.dims.iter().try_fold(1_u64, |size, dim| size.checked_mul(*dim as u64));
    let found = size.saturating_sub(header.start as u64);
    if expected == Some(found) {
        return Ok(());
    }
    let expected = expected.map_or("more".to_owned(), |size| size.to_string());
    let message = format!("the IDX file holds {found} bytes after its header, which promises {expected}");
    Err(BadFile::new(message).hint("fetch the file again, and compare its sha256"))
}

fn header_start(bytes: &[u8]) -> Result<usize, BadFile> {
    idx_header(bytes).map(|header| header.start)
}

pub(super) fn read(bytes: &[u8], labels: Option<&[u8]>, types: &TypeRules) -> Result<DataFrame, BadFile> {
    let (header, pixels) = body(bytes)?;
    let (rows, width) = (header.dims[0], header.pixels());
    let mut columns: Vec<Column> = transposed(pixels, rows, width);
    if let Some(labels) = labels {
        columns.push(label_column(labels, rows)?);
    }
    let columns = super::binary::cast_declared(columns, types)?;
    DataFrame::new(rows, columns).map_err(|error| BadFile::polars("make a table of the images", &error))
}

fn transposed(pixels: &[u8], rows: usize, width: usize) -> Vec<Column> {
    // Blocks of neighbouring columns, so that a cache line of a row is read once for all of them.
    const BLOCK: usize = 64;
    let blocks: Vec<Vec<Column>> = (0..width.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let columns = block * BLOCK..(block * BLOCK + BLOCK).min(width);
            let mut values: Vec<Vec<u8>> = columns.clone().map(|_| Vec::with_capacity(rows)).collect();
            for row in pixels.chunks_exact(width.max(1)) {
                for (column, values) in columns.clone().zip(&mut values) {
                    values.push(row[column]);
                }
            }
            let named = columns.zip(values);
            named
                .map(|(column, values)| UInt8Chunked::from_vec(format!("pixel_{column}").into(), values).into_column())
                .collect()
        })
        .collect();
    blocks.into_iter().flatten().collect()
}

fn label_column(bytes: &[u8], rows: usize) -> Result<Column, BadFile> {
    let (header, values) = body(bytes)?;
    are_labels(&header, rows as u64)?;
    Ok(UInt8Chunked::from_slice("label".into(), values).into_column())
}

/// That a header is one of labels, a label for each of so many images.
pub(super) fn are_labels(header: &IdxHeader, images: u64) -> Result<(), BadFile> {
    if header.dims.len() != 1 {
        let message = format!("`labels` has {} dimensions, expected 1: a label an image", header.dims.len());
        return Err(BadFile::new(message).hint("`labels` is the file of labels, `from` the file of images"));
    }
    if header.dims[0] as u64 != images {
        return Err(BadFile::new(format!("there are {images} images, but {} labels", header.dims[0]))
            .hint("take images and labels of the same part"));
    }
    Ok(())
}

/// The columns that a header promises.
pub(super) fn probe(head: &[u8], types: &TypeRules) -> Result<TableSchema, BadFile> {
    let header = idx_header(head)?;
    let dtype = |name: &str| types.get(name).cloned().unwrap_or(DType::U8);
    let names = (0..header.pixels()).map(|pixel| format!("pixel_{pixel}"));
    Ok(TableSchema::new(names.map(|name| ColumnType::new(name.as_str(), dtype(&name))).collect())
        .with_rows(header.dims[0] as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idx(dims: &[u32], bytes: impl Iterator<Item = u8>) -> Vec<u8> {
        let mut out = vec![0, 0, 8, u8::try_from(dims.len()).expect("small")];
        out.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        out.extend(bytes);
        out
    }

    #[test]
    fn pixels_become_columns() {
        let images = idx(&[3, 9, 9], (0..243).map(|byte| byte as u8));
        let labels = idx(&[3], [7, 8, 9].into_iter());
        let df = read(&images, Some(&labels), &TypeRules::default()).expect("read");
        assert_eq!(df.shape(), (3, 82));
        let pixel = |name: &str, row: usize| df.column(name).expect("there").u8().expect("u8").get(row);
        assert_eq!(pixel("pixel_80", 2), Some(242));
        assert_eq!(pixel("pixel_1", 1), Some(82));
        assert_eq!(pixel("label", 2), Some(9));
        assert_eq!(probe(&images[..16], &TypeRules::default()).expect("probed").columns.len(), 81);
    }

    #[test]
    fn what_is_not_idx_says_so() {
        let message = |bytes: &[u8]| read(bytes, None, &TypeRules::default()).expect_err("bad").message;
        assert!(message(b"").contains("empty"));
        assert!(message(b"a,b\n1,2\n").contains("two zero bytes"));
        assert!(message(&idx(&[2, 2], 0..3)).contains("promises 4"));
        let huge = idx(&[u32::MAX, u32::MAX, u32::MAX], 0..3);
        assert!(message(&huge).contains("promises images of 4294967295 x 4294967295"), "{}", message(&huge));
        assert!(probe(&huge, &TypeRules::default()).is_err());
        let wide = idx(&[1, 400, 251], (0..100_400).map(|_| 0));
        assert_eq!(
            message(&wide),
            "the header promises images of 400 x 251, which have 100,400 columns, more than the 100,000 that a table can have"
        );
        assert_eq!(
            read(&idx(&[1, 400, 250], (0..100_000).map(|_| 0)), None, &TypeRules::default()).expect("read").width(),
            100_000
        );
        let images = idx(&[2, 1, 1], 0..2);
        let bad = read(&images, Some(&idx(&[3], 0..3)), &TypeRules::default()).expect_err("bad");
        assert_eq!(bad.message, "there are 2 images, but 3 labels");
        let bad = read(&images, Some(&images), &TypeRules::default()).expect_err("bad");
        assert_eq!(bad.message, "`labels` has 3 dimensions, expected 1: a label an image");
    }
}
