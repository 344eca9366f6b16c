//! A feature that is stored as compressed rows, of which a batch at a time is made dense.

use crate::failure::Failure;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

use kilter::stages::encode::{CSR_COLUMNS, CSR_INDICES, CSR_INDPTR, CSR_VALUES};

/// Compressed rows; see `Csr` of the library for their form.
pub struct Sparse {
    indptr: Tensor,
    indices: Tensor,
    values: Tensor,
    columns: i64,
}

impl Sparse {
    /// The sparse features among a file's tensors, by name. They stay on the CPU and share the file's mapping.
    ///
    /// # Errors
    /// When one of a feature's tensors is missing, or they do not fit each other.
    pub fn of(tensors: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Self>, Failure> {
        let names = tensors.keys().filter_map(|name| name.strip_prefix(CSR_INDPTR));
        names.map(|name| Ok((name.to_owned(), Self::one(name, tensors)?))).collect()
    }

    fn one(name: &str, tensors: &BTreeMap<String, Tensor>) -> Result<Self, Failure> {
        let part = |prefix: &str, kind: Kind| {
            let tensor =
                tensors.get(&format!("{prefix}{name}")).filter(|tensor| tensor.kind() == kind && tensor.dim() == 1);
            tensor.map(Tensor::shallow_clone).ok_or_else(|| damaged(name))
        };
        let columns = part(CSR_COLUMNS, Kind::Int64)?.f_int64_value(&[0])?;
        let (indptr, indices) = (part(CSR_INDPTR, Kind::Int64)?, part(CSR_INDICES, Kind::Int)?);
        let values = part(CSR_VALUES, Kind::Float)?;
        if indptr.numel() == 0 || indices.numel() != values.numel() || columns < 1 {
            return Err(damaged(name));
        }
        Ok(Self { indptr, indices, values, columns })
    }

    /// The same, with handles of its own.
    pub fn shared(&self) -> Self {
        let own = Tensor::shallow_clone;
        let (indptr, indices, values) = (own(&self.indptr), own(&self.indices), own(&self.values));
        Self { indptr, indices, values, columns: self.columns }
    }

    /// How many rows there are.
    pub fn rows(&self) -> i64 {
        self.indptr.numel() as i64 - 1
    }

    /// Bytes of a row once it is dense.
    pub fn row_bytes(&self) -> i64 {
        self.columns.saturating_mul(size_of::<f32>() as i64)
    }

    /// These rows, dense, on the CPU: `[rows, columns]`.
    ///
    /// # Errors
    /// When a row or a column does not exist, or libtorch runs out of memory.
    pub fn dense(&self, rows: impl IntoIterator<Item = i64>) -> Result<Tensor, Failure> {
        let rows: Vec<i64> = rows.into_iter().collect();
        let count = rows.len();
        let columns = usize::try_from(self.columns).unwrap_or(0);
        let out = Tensor::f_zeros([count as i64, self.columns], (Kind::Float, Device::Cpu))?;
        // SAFETY: all four are contiguous on the CPU and of these kinds; `out` is known to nobody else. The tensors outlive
        // the slices.
        let (indptr, indices, values, dense) = unsafe {
            (
                std::slice::from_raw_parts(self.indptr.data_ptr().cast::<i64>(), self.indptr.numel()),
                slice_of::<i32>(&self.indices),
                slice_of::<f32>(&self.values),
                std::slice::from_raw_parts_mut(out.data_ptr().cast::<f32>(), count * columns),
            )
        };
        let out_of_range = || Failure::new("the compressed rows of a feature are damaged");
        for (row, to) in rows.into_iter().zip(dense.chunks_exact_mut(columns)) {
            let row = usize::try_from(row).map_err(|_| out_of_range())?;
            let bound = |at: usize| indptr.get(at).and_then(|end| usize::try_from(*end).ok()).ok_or_else(out_of_range);
            let range = bound(row)?..bound(row + 1)?;
            let columns = indices.get(range.clone()).ok_or_else(out_of_range)?;
            for (column, value) in columns.iter().zip(&values[range]) {
                *usize::try_from(*column).ok().and_then(|column| to.get_mut(column)).ok_or_else(out_of_range)? = *value;
            }
        }
        Ok(out)
    }
}

/// The elements of a tensor; of an empty one, whose pointer may be null, none.
///
/// # Safety
/// The tensor is contiguous, on the CPU, of this element type, and outlives the slice.
unsafe fn slice_of<T>(tensor: &Tensor) -> &[T] {
    match tensor.numel() {
        0 => &[],
        // SAFETY: as the caller says.
        len => unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<T>(), len) },
    }
}

fn damaged(name: &str) -> Failure {
    Failure::new(format!("the compressed rows of feature `{name}` are damaged"))
        .hint("run again with `--force` to make them anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors(indices: &[i32]) -> BTreeMap<String, Tensor> {
        BTreeMap::from([
            (format!("{CSR_INDPTR}words"), Tensor::from_slice(&[0_i64, 2, 2, 3])),
            (format!("{CSR_INDICES}words"), Tensor::from_slice(indices)),
            (format!("{CSR_VALUES}words"), Tensor::from_slice(&[0.5_f32, 1.0, 2.0])),
            (format!("{CSR_COLUMNS}words"), Tensor::from_slice(&[4_i64])),
        ])
    }

    #[test]
    fn rows_become_dense_in_any_order() {
        let sparse = Sparse::of(&tensors(&[0, 3, 1])).expect("sparse");
        let dense = sparse["words"].dense([2, 0, 1]).expect("dense");
        let expected = [[0.0_f32, 2.0, 0.0, 0.0], [0.5, 0.0, 0.0, 1.0], [0.0; 4]];
        assert_eq!(dense, Tensor::from_slice2(&expected));
        assert_eq!(sparse["words"].rows(), 3);
    }

    #[test]
    fn damaged_rows_are_an_error() {
        let far = Sparse::of(&tensors(&[0, 4, 1])).expect("sparse");
        assert!(far["words"].dense([0]).is_err());
        assert!(far["words"].dense([3]).is_err());
        assert!(Sparse::of(&tensors(&[0, 3])).is_err());
        let mut lacking = tensors(&[0, 3, 1]);
        lacking.remove(&format!("{CSR_VALUES}words"));
        assert!(Sparse::of(&lacking).is_err());
    }
}
