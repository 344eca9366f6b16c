//! Rows of which most numbers are 0, and tensors as a file holds them. A sparse tensor of `feature.NAME` is four tensors, in the
//! compressed rows that SciPy calls CSR: row `r` has `values[indptr[r]..indptr[r + 1]]` in the columns that `indices` has there.

use super::tensor::{Tensor, TensorData};
use safetensors::{Dtype, View};
use std::borrow::Cow;

/// Where each row begins in the others, and where the last one ends: `i64`, one more than rows.
pub const CSR_INDPTR: &str = "csr.indptr.";
/// The columns of the numbers, rising within a row: `i32`.
pub const CSR_INDICES: &str = "csr.indices.";
/// The numbers: `f32`.
pub const CSR_VALUES: &str = "csr.values.";
/// How many columns there are: `i64`, one.
pub const CSR_COLUMNS: &str = "csr.columns.";

/// Rows of which most numbers are 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Csr {
    /// How many columns there are.
    pub columns: i64,
    /// Where each row begins, and where the last one ends.
    pub indptr: Vec<i64>,
    /// The columns of the numbers.
    pub indices: Vec<i32>,
    /// The numbers.
    pub values: Vec<f32>,
}

impl Csr {
    /// No row of so many columns.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self { columns: columns as i64, indptr: vec![0], indices: Vec::new(), values: Vec::new() }
    }

    /// Puts rows of as many columns under these.
    pub fn append(&mut self, other: Self) {
        let start = self.values.len() as i64;
        self.indptr.extend(other.indptr.iter().skip(1).map(|end| end + start));
        self.indices.extend(other.indices);
        self.values.extend(other.values);
    }
}

/// A tensor as a file holds it.
pub(super) struct Stored<'a> {
    shape: Cow<'a, [usize]>,
    data: Elements<'a>,
}

/// Its elements.
enum Elements<'a> {
    U8(&'a [u8]),
    I32(&'a [i32]),
    F32(&'a [f32]),
    I64(&'a [i64]),
}

/// The tensors that hold this one, as feature or target `name`: one, or those of its compressed rows.
pub(super) fn stored<'a>(name: &str, tensor: &'a Tensor) -> Vec<(String, Stored<'a>)> {
    let dense = |data| vec![(name.to_owned(), Stored { shape: tensor.shape.as_slice().into(), data })];
    match &tensor.data {
        TensorData::U8(values) => dense(Elements::U8(values)),
        TensorData::F32(values) => dense(Elements::F32(values)),
        TensorData::I32(values) => dense(Elements::I32(values)),
        TensorData::I64(values) => dense(Elements::I64(values)),
        TensorData::Csr(csr) => {
            let name = name.strip_prefix("feature.").unwrap_or(name);
            let part = |prefix: &str, data, len| (format!("{prefix}{name}"), Stored { shape: vec![len].into(), data });
            vec![
                part(CSR_INDPTR, Elements::I64(&csr.indptr), csr.indptr.len()),
                part(CSR_INDICES, Elements::I32(&csr.indices), csr.indices.len()),
                part(CSR_VALUES, Elements::F32(&csr.values), csr.values.len()),
                part(CSR_COLUMNS, Elements::I64(std::slice::from_ref(&csr.columns)), 1),
            ]
        }
    }
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        match self.data {
            Elements::U8(_) => Dtype::U8,
            Elements::I32(_) => Dtype::I32,
            Elements::F32(_) => Dtype::F32,
            Elements::I64(_) => Dtype::I64,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.data {
            Elements::U8(values) => Cow::Borrowed(values),
            Elements::I32(values) => Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Elements::F32(values) => Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Elements::I64(values) => Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        }
    }

    fn data_len(&self) -> usize {
        match self.data {
            Elements::U8(values) => values.len(),
            Elements::I32(values) => values.len() * 4,
            Elements::F32(values) => values.len() * 4,
            Elements::I64(values) => values.len() * 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_put_under_each_other() {
        let mut all = Csr { columns: 3, indptr: vec![0, 1], indices: vec![2], values: vec![0.5] };
        all.append(Csr { columns: 3, indptr: vec![0, 0, 2], indices: vec![0, 1], values: vec![1.0, 2.0] });
        let expected =
            Csr { columns: 3, indptr: vec![0, 1, 1, 3], indices: vec![2, 0, 1], values: vec![0.5, 1.0, 2.0] };
        assert_eq!(all, expected);
    }
}
