//! The digest of a table's logical content, column by column.
//!
//! A column's digest covers its name, its type, its length, which values are null, and the values: numbers as little
//! endian bytes (every NaN as one NaN, nulls as zeros), strings and bytes as lengths and as bytes, booleans as bits,
//! lists as lengths and as what they hold, structs as their fields. Each of these is a stream with a digest of its own,
//! so a column is taken in as it comes, piece by piece, and is never needed whole. It does not depend on the pieces, on
//! chunks, buffers or threads. A table's digest covers the column digests in order ([`TableDigest`]).

mod strings;

use crate::digest::{Digest, TableDigest};
use polars::prelude::*;
use rayon::prelude::*;
use strings::Strings;

const COLUMN: &str = "kilter 2026 column content, in streams";

/// The digests of a table and its columns.
///
/// # Errors
/// Where a column has a type that has no logical bytes (objects).
pub fn table_digest(df: &DataFrame) -> PolarsResult<TableDigest> {
    let mut hasher = TableHasher::new(df.schema())?;
    hasher.push(df)?;
    Ok(hasher.finish())
}

/// The digest of one column.
///
/// # Errors
/// Where its type has no logical bytes.
pub fn column_digest(series: &Series) -> PolarsResult<Digest> {
    let mut hasher = ColumnHasher::new(series.name(), series.dtype())?;
    hasher.content.push(series)?;
    Ok(hasher.finish())
}

/// Takes in a table piece by piece, in the order of its rows.
pub struct TableHasher {
    columns: Vec<ColumnHasher>,
    rows: u64,
}

impl TableHasher {
    /// Of a table with these columns.
    ///
    /// # Errors
    /// Where a column has a type that has no logical bytes (objects).
    pub fn new(schema: &Schema) -> PolarsResult<Self> {
        let columns = schema.iter().map(|(name, dtype)| ColumnHasher::new(name, dtype));
        Ok(Self { columns: columns.collect::<PolarsResult<_>>()?, rows: 0 })
    }

    /// The next rows, of the same columns in the same order.
    ///
    /// # Errors
    /// Where a column is of another type.
    pub fn push(&mut self, df: &DataFrame) -> PolarsResult<()> {
        self.push_all(std::slice::from_ref(df))
    }

    /// The same of the next pieces; no column waits for another between them.
    ///
    /// # Errors
    /// See [`TableHasher::push`].
    pub fn push_all(&mut self, pieces: &[DataFrame]) -> PolarsResult<()> {
        self.rows += pieces.iter().map(|df| df.height() as u64).sum::<u64>();
        self.columns.par_iter_mut().enumerate().try_for_each(|(at, hasher)| {
            let mut columns = pieces.iter().filter_map(|df| df.columns().get(at));
            columns.try_for_each(|column| hasher.content.push(column.as_materialized_series()))
        })
    }

    /// The digests of all rows.
    #[must_use]
    pub fn finish(self) -> TableDigest {
        TableDigest::new(self.rows, self.columns.into_iter().map(ColumnHasher::finish).collect())
    }
}

struct ColumnHasher {
    name: PlSmallStr,
    content: Content,
}

impl ColumnHasher {
    fn new(name: &PlSmallStr, dtype: &DataType) -> PolarsResult<Self> {
        Ok(Self { name: name.clone(), content: Content::new(dtype)? })
    }

    fn finish(self) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key(COLUMN);
        text(&mut hasher, &self.name);
        self.content.finish(&mut hasher);
        Digest::from_bytes(*hasher.finalize().as_bytes())
    }
}

fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
}

fn stream(hasher: &mut blake3::Hasher, stream: &blake3::Hasher) {
    hasher.update(stream.finalize().as_bytes());
}

/// The content of a column, or of what is nested in it.
struct Content {
    dtype: String,
    rows: u64,
    validity: Validity,
    values: Values,
}

enum Values {
    /// Nothing but nulls.
    Null,
    Fixed(Box<blake3::Hasher>),
    Bits(Bits),
    Bytes {
        lengths: Box<blake3::Hasher>,
        bytes: Box<blake3::Hasher>,
    },
    List {
        lengths: Box<blake3::Hasher>,
        inner: Box<Content>,
    },
    Struct(Vec<ColumnHasher>),
}

impl Content {
    fn new(dtype: &DataType) -> PolarsResult<Self> {
        let hasher = || Box::new(blake3::Hasher::new());
        let values = match dtype.to_physical() {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Bits(Bits::default()),
            DataType::String | DataType::Binary => Values::Bytes { lengths: hasher(), bytes: hasher() },
            DataType::List(inner) | DataType::Array(inner, _) => {
                Values::List { lengths: hasher(), inner: Box::new(Self::new(&nested(dtype).unwrap_or(*inner))?) }
            }
            DataType::Struct(fields) => {
                let fields = match dtype {
                    DataType::Struct(logical) => logical.clone(),
                    _ => fields,
                };
                let fields = fields.iter().map(|field| ColumnHasher::new(&field.name, &field.dtype));
                Values::Struct(fields.collect::<PolarsResult<_>>()?)
            }
            number if number.is_primitive_numeric() => Values::Fixed(hasher()),
            other => return no_content(&other),
        };
        let dtype = super::dtype::from_polars(dtype).to_string();
        Ok(Self { dtype, rows: 0, validity: Validity::default(), values })
    }

    fn push(&mut self, series: &Series) -> PolarsResult<()> {
        self.rows += series.len() as u64;
        self.validity.push(series);
        match &mut self.values {
            Values::Null => Ok(()),
            Values::Fixed(hasher) => numbers(hasher, &series.to_physical_repr()),
            Values::Bits(bits) => {
                bits.extend(series.bool()?.iter().map(|bit| bit == Some(true)));
                Ok(())
            }
            Values::Bytes { lengths, bytes } => Strings::new(lengths, bytes).push(series),
            Values::List { lengths, inner } => match series.dtype() {
                DataType::Array(dtype, _) => list(lengths, inner, series.cast(&DataType::List(dtype.clone()))?.list()?),
                _ => list(lengths, inner, series.list()?),
            },
            Values::Struct(fields) => {
                let values = series.struct_()?.fields_as_series();
                fields.iter_mut().zip(&values).try_for_each(|(hasher, field)| hasher.content.push(field))
            }
        }
    }

    fn finish(self, hasher: &mut blake3::Hasher) {
        text(hasher, &self.dtype);
        hasher.update(&self.rows.to_le_bytes());
        self.validity.finish(hasher);
        match self.values {
            Values::Null => {}
            Values::Fixed(values) => stream(hasher, &values),
            Values::Bits(bits) => stream(hasher, &bits.finish()),
            Values::Bytes { lengths, bytes } => {
                stream(hasher, &lengths);
                stream(hasher, &bytes);
            }
            Values::List { lengths, inner } => {
                stream(hasher, &lengths);
                inner.finish(hasher);
            }
            Values::Struct(fields) => fields.into_iter().for_each(|field| {
                text(hasher, &field.name);
                field.content.finish(hasher);
            }),
        }
    }
}

/// What a list or an array holds.
fn nested(dtype: &DataType) -> Option<DataType> {
    match dtype {
        DataType::List(inner) | DataType::Array(inner, _) => Some(inner.as_ref().clone()),
        _ => None,
    }
}

fn no_content<T>(dtype: &DataType) -> PolarsResult<T> {
    polars_bail!(InvalidOperation: "a column of type {dtype} has no logical content to take a digest of")
}

/// Bits as they come, lowest first in each byte.
#[derive(Default)]
struct Bits {
    hasher: Box<blake3::Hasher>,
    /// The byte that is not full yet, and how many bits it has.
    byte: u8,
    used: u32,
}

impl Bits {
    fn extend(&mut self, bits: impl Iterator<Item = bool>) {
        let mut packed = Vec::with_capacity(bits.size_hint().0 / 8 + 1);
        for bit in bits {
            self.byte |= u8::from(bit) << self.used;
            self.used += 1;
            if self.used == 8 {
                packed.push(self.byte);
                (self.byte, self.used) = (0, 0);
            }
        }
        self.hasher.update_rayon(&packed);
    }

    fn finish(mut self) -> blake3::Hasher {
        if self.used > 0 {
            self.hasher.update(&[self.byte]);
        }
        *self.hasher
    }
}

/// One bit a row, set where there is a value; nothing but a zero byte where no value is null.
#[derive(Default)]
struct Validity {
    /// Rows before the first null.
    before: u64,
    bits: Option<Bits>,
}

impl Validity {
    fn push(&mut self, series: &Series) {
        if self.bits.is_none() && series.null_count() == 0 {
            self.before += series.len() as u64;
            return;
        }
        let before = self.before;
        let bits = self.bits.get_or_insert_with(|| {
            let mut bits = Bits::default();
            bits.extend((0..before).map(|_| true));
            bits
        });
        match series.null_count() {
            0 => bits.extend((0..series.len()).map(|_| true)),
            _ => bits.extend(series.is_not_null().iter().map(|valid| valid == Some(true))),
        }
    }

    fn finish(self, hasher: &mut blake3::Hasher) {
        match self.bits {
            None => hasher.update(&[0]),
            Some(bits) => hasher.update(&[1]).update(bits.finish().finalize().as_bytes()),
        };
    }
}

/// Numbers as they lie in memory, where that is how they are taken in: no zeros to put in the place of nulls, no bytes to turn
/// around. Others are copied.
macro_rules! whole {
    ($hasher:expr, $ca:expr, $ty:ty) => {
        for chunk in $ca.downcast_iter() {
            if chunk.validity().is_none_or(|valid| valid.unset_bits() == 0) && cfg!(target_endian = "little") {
                $hasher.update_rayon(bytemuck::cast_slice(chunk.values()));
            } else {
                let mut bytes = Vec::with_capacity(chunk.len() * size_of::<$ty>());
                for value in chunk.iter() {
                    bytes.extend_from_slice(&value.copied().unwrap_or_default().to_le_bytes());
                }
                $hasher.update_rayon(&bytes);
            }
        }
    };
}

macro_rules! floats {
    ($hasher:expr, $ca:expr, $ty:ty) => {
        if $ca.is_nan().any() {
            let one_nan = |value: $ty| if value.is_nan() { <$ty>::NAN } else { value };
            whole!($hasher, $ca.apply_values(one_nan), $ty)
        } else {
            whole!($hasher, $ca, $ty)
        }
    };
}

fn numbers(hasher: &mut blake3::Hasher, series: &Series) -> PolarsResult<()> {
    match series.dtype() {
        DataType::Int8 => whole!(hasher, series.i8()?, i8),
        DataType::Int16 => whole!(hasher, series.i16()?, i16),
        DataType::Int32 => whole!(hasher, series.i32()?, i32),
        DataType::Int64 => whole!(hasher, series.i64()?, i64),
        DataType::Int128 => whole!(hasher, series.i128()?, i128),
        DataType::UInt8 => whole!(hasher, series.u8()?, u8),
        DataType::UInt16 => whole!(hasher, series.u16()?, u16),
        DataType::UInt32 => whole!(hasher, series.u32()?, u32),
        DataType::UInt64 => whole!(hasher, series.u64()?, u64),
        DataType::Float32 => floats!(hasher, series.f32()?, f32),
        DataType::Float64 => floats!(hasher, series.f64()?, f64),
        other => return no_content(other),
    }
    Ok(())
}

fn list(lengths: &mut blake3::Hasher, inner: &mut Content, lists: &ListChunked) -> PolarsResult<()> {
    let mut buffer = Vec::with_capacity(lists.len() * 8);
    for item in lists.series_iter() {
        buffer.extend_from_slice(&(item.map_or(0, |item| item.len()) as u64).to_le_bytes());
    }
    lengths.update_rayon(&buffer);
    inner.push(&lists.explode(ExplodeOptions { empty_as_null: false, keep_nulls: false })?)
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
        let mut pieces = TableHasher::new(whole.schema()).expect("a hasher");
        for (from, rows) in [(0, 1), (1, 0), (1, 12), (13, 3), (16, 84)] {
            pieces.push(&whole.slice(from, rows)).expect("taken in");
        }
        assert_eq!(table_digest(&whole).expect("a digest"), pieces.finish());
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
