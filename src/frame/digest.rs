//! The digest of a table's logical content, column by column.
//!
//! A column's digest covers its name, its type, its length, which values are null, and the values: numbers as little
//! endian bytes (every NaN as one NaN, nulls as zeros), strings and bytes as lengths and then bytes, booleans as bits,
//! lists as lengths and then the digest of what they hold, structs as the digests of their fields. It does not depend
//! on chunks, buffers or threads. A table's digest covers the column digests in order ([`TableDigest`]).

use crate::digest::{Digest, TableDigest};
use polars::prelude::*;
use rayon::prelude::*;

const COLUMN: &str = "kilter 2026 column content";

/// The digests of a table and its columns.
///
/// # Errors
/// Where a column has a type that has no logical bytes (objects).
pub fn table_digest(df: &DataFrame) -> PolarsResult<TableDigest> {
    let columns = df.columns().par_iter().map(|column| column_digest(column.as_materialized_series()));
    Ok(TableDigest::new(df.height() as u64, columns.collect::<PolarsResult<_>>()?))
}

/// The digest of one column.
///
/// # Errors
/// Where its type has no logical bytes.
pub fn column_digest(series: &Series) -> PolarsResult<Digest> {
    let mut hasher = blake3::Hasher::new_derive_key(COLUMN);
    text(&mut hasher, series.name());
    content(&mut hasher, series)?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
}

fn content(hasher: &mut blake3::Hasher, series: &Series) -> PolarsResult<()> {
    text(hasher, &super::dtype::from_polars(series.dtype()).to_string());
    hasher.update(&(series.len() as u64).to_le_bytes());
    validity(hasher, series);
    values(hasher, series)
}

/// One bit a row, lowest first, set where there is a value; nothing but a zero byte where no value is null.
fn validity(hasher: &mut blake3::Hasher, series: &Series) {
    if series.null_count() == 0 {
        hasher.update(&[0]);
        return;
    }
    hasher.update(&[1]);
    bits(hasher, series.is_not_null().iter().map(|valid| valid == Some(true)));
}

fn bits(hasher: &mut blake3::Hasher, bits: impl Iterator<Item = bool>) {
    let mut packed = Vec::new();
    let (mut byte, mut used) = (0_u8, 0);
    for bit in bits {
        byte |= u8::from(bit) << used;
        used += 1;
        if used == 8 {
            packed.push(byte);
            (byte, used) = (0, 0);
        }
    }
    if used > 0 {
        packed.push(byte);
    }
    hasher.update_rayon(&packed);
}

macro_rules! numbers {
    ($hasher:expr, $ca:expr, $ty:ty) => {{
        let mut bytes = Vec::with_capacity($ca.len() * size_of::<$ty>());
        for chunk in $ca.downcast_iter() {
            if chunk.validity().is_none() {
                for value in chunk.values().iter() {
                    bytes.extend_from_slice(&value.to_le_bytes());
                }
            } else {
                for value in chunk.iter() {
                    bytes.extend_from_slice(&value.copied().unwrap_or_default().to_le_bytes());
                }
            }
        }
        $hasher.update_rayon(&bytes);
    }};
}

macro_rules! floats {
    ($hasher:expr, $ca:expr, $ty:ty) => {{
        let mut bytes = Vec::with_capacity($ca.len() * size_of::<$ty>());
        for value in $ca.iter() {
            let value = value.unwrap_or_default();
            let value = if value.is_nan() { <$ty>::NAN } else { value };
            bytes.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        $hasher.update_rayon(&bytes);
    }};
}

fn values(hasher: &mut blake3::Hasher, series: &Series) -> PolarsResult<()> {
    let series = series.to_physical_repr();
    match series.dtype() {
        DataType::Boolean => bits(hasher, series.bool()?.iter().map(|bit| bit == Some(true))),
        DataType::Int8 => numbers!(hasher, series.i8()?, i8),
        DataType::Int16 => numbers!(hasher, series.i16()?, i16),
        DataType::Int32 => numbers!(hasher, series.i32()?, i32),
        DataType::Int64 => numbers!(hasher, series.i64()?, i64),
        DataType::Int128 => numbers!(hasher, series.i128()?, i128),
        DataType::UInt8 if series.null_count() == 0 => {
            for chunk in series.u8()?.downcast_iter() {
                hasher.update_rayon(chunk.values());
            }
        }
        DataType::UInt8 => numbers!(hasher, series.u8()?, u8),
        DataType::UInt16 => numbers!(hasher, series.u16()?, u16),
        DataType::UInt32 => numbers!(hasher, series.u32()?, u32),
        DataType::UInt64 => numbers!(hasher, series.u64()?, u64),
        DataType::Float32 => floats!(hasher, series.f32()?, f32),
        DataType::Float64 => floats!(hasher, series.f64()?, f64),
        DataType::String => byte_strings(hasher, || series.str().map(|ca| ca.iter().map(|v| v.map(str::as_bytes))))?,
        DataType::Binary => byte_strings(hasher, || series.binary().map(|ca| ca.iter()))?,
        DataType::Null => {}
        DataType::List(_) => list(hasher, series.list()?)?,
        DataType::Array(inner, _) => {
            let as_list = series.cast(&DataType::List(inner.clone()))?;
            list(hasher, as_list.list()?)?;
        }
        DataType::Struct(_) => {
            for field in series.struct_()?.fields_as_series() {
                text(hasher, field.name());
                content(hasher, &field)?;
            }
        }
        other => polars_bail!(InvalidOperation: "a column of type {other} has no logical content to take a digest of"),
    }
    Ok(())
}

fn byte_strings<'a, I>(hasher: &mut blake3::Hasher, values: impl Fn() -> PolarsResult<I>) -> PolarsResult<()>
where
    I: Iterator<Item = Option<&'a [u8]>>,
{
    const FULL: usize = 1 << 20;
    let mut buffer = Vec::with_capacity(FULL);
    for value in values()? {
        buffer.extend_from_slice(&(value.map_or(0, <[u8]>::len) as u64).to_le_bytes());
    }
    hasher.update_rayon(&buffer);
    buffer.clear();
    for value in values()?.flatten() {
        buffer.extend_from_slice(value);
        if buffer.len() >= FULL {
            hasher.update_rayon(&buffer);
            buffer.clear();
        }
    }
    hasher.update_rayon(&buffer);
    Ok(())
}

fn list(hasher: &mut blake3::Hasher, lists: &ListChunked) -> PolarsResult<()> {
    let mut lengths = Vec::with_capacity(lists.len() * 8);
    for item in lists.series_iter() {
        lengths.extend_from_slice(&(item.map_or(0, |item| item.len()) as u64).to_le_bytes());
    }
    hasher.update_rayon(&lengths);
    let inner = lists.explode(ExplodeOptions { empty_as_null: false, keep_nulls: false })?;
    content(hasher, &inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(rows: std::ops::Range<i64>) -> DataFrame {
        let ints: Vec<Option<i64>> = rows.clone().map(|row| (row % 3 != 0).then_some(row)).collect();
        let text: Vec<Option<String>> = rows.clone().map(|row| (row % 5 != 0).then(|| format!("row {row}"))).collect();
        let lists: Vec<Series> =
            rows.clone().map(|row| Series::new("".into(), (0..row % 4).collect::<Vec<i64>>())).collect();
        df!["a" => ints, "b" => text, "c" => lists, "d" => rows.map(|row| row as f64 / 3.0).collect::<Vec<_>>()]
            .expect("a frame")
    }

    #[test]
    fn a_table_without_rows_has_a_digest() {
        let empty = table_digest(&frame(0..9).slice(0, 0)).expect("a digest");
        assert_eq!(empty, table_digest(&frame(0..5).slice(3, 0)).expect("a digest"));
        assert_ne!(empty.whole, table_digest(&frame(0..1)).expect("a digest").whole);
    }

    #[test]
    fn chunks_do_not_count() {
        let whole = frame(0..100);
        let mut parts = frame(0..37);
        parts.vstack_mut(&frame(37..38)).expect("stacked");
        parts.vstack_mut(&frame(38..100)).expect("stacked");
        assert!(parts.column("a").expect("a").n_chunks() > 1);
        assert_eq!(table_digest(&whole).expect("a digest"), table_digest(&parts).expect("a digest"));
        let sliced = frame(0..200).slice(0, 100);
        assert_eq!(table_digest(&whole).expect("a digest"), table_digest(&sliced).expect("a digest"));
    }

    #[test]
    fn name_type_nulls_and_values_count() {
        let digest = |series: Series| column_digest(&series).expect("a digest");
        let base = digest(Series::new("a".into(), [1_i64, 2]));
        assert_ne!(base, digest(Series::new("b".into(), [1_i64, 2])));
        assert_ne!(base, digest(Series::new("a".into(), [1_u64, 2])));
        assert_ne!(base, digest(Series::new("a".into(), [1_i64, 3])));
        assert_ne!(
            digest(Series::new("a".into(), [Some(0_i64), Some(2)])),
            digest(Series::new("a".into(), [None, Some(2_i64)]))
        );
        assert_ne!(digest(Series::new("a".into(), ["ab", "c"])), digest(Series::new("a".into(), ["a", "bc"])));
    }

    #[test]
    fn every_nan_is_one_nan() {
        let digest = |value: f64| column_digest(&Series::new("a".into(), [value])).expect("a digest");
        assert_eq!(digest(f64::NAN), digest(-f64::NAN));
        assert_ne!(digest(0.0), digest(-0.0));
    }
}
