//! Rows of a tensor side by side, copied by the thread that asks.

use crate::failure::Failure;
use tch::{Device, Tensor};

/// These rows of a contiguous tensor on the CPU, in this order. Nothing but bytes is copied, and by this thread alone:
/// libtorch's own gathering would take the threads that compute.
///
/// # Errors
/// When a row does not exist, the tensor lies elsewhere, or memory is short.
pub fn gather(tensor: &Tensor, rows: &[i64]) -> Result<Tensor, Failure> {
    if tensor.device() != Device::Cpu || !tensor.is_contiguous() {
        return Err(Failure::new("rows are gathered of contiguous tensors on the CPU"));
    }
    let mut size = tensor.size();
    let count = size.first().copied().unwrap_or(0);
    if let Some(first) = size.first_mut() {
        *first = rows.len() as i64;
    }
    let out = Tensor::f_empty(&size, (tensor.kind(), Device::Cpu))?;
    let all = tensor.numel() * tensor.kind().elt_size_in_bytes();
    let each = all / usize::try_from(count).unwrap_or(0).max(1);
    if all == 0 || rows.is_empty() {
        return Ok(out);
    }
    // SAFETY: both are contiguous on the CPU and have so many bytes; nobody else knows `out`, and both tensors outlive the slices.
    let (from, to) = unsafe {
        (
            std::slice::from_raw_parts(tensor.data_ptr().cast::<u8>(), all),
            std::slice::from_raw_parts_mut(out.data_ptr().cast::<u8>(), each * rows.len()),
        )
    };
    for (row, to) in rows.iter().zip(to.chunks_exact_mut(each)) {
        let start = usize::try_from(*row).ok().and_then(|row| row.checked_mul(each));
        let bytes = start.and_then(|start| from.get(start..start + each));
        to.copy_from_slice(bytes.ok_or_else(|| Failure::new(format!("the dataset has no row {row}")))?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    #[test]
    fn rows_of_any_type_and_shape_are_as_libtorch_gathers_them() {
        let wanted = [4_i64, 0, 4, 2];
        for kind in [Kind::Uint8, Kind::Float, Kind::Int64] {
            for shape in [vec![5_i64], vec![5, 3], vec![5, 2, 3, 1]] {
                let count = shape.iter().product::<i64>();
                let tensor = Tensor::arange(count, (Kind::Int64, Device::Cpu)).to_kind(kind).reshape(&shape);
                let expected = tensor.index_select(0, &Tensor::from_slice(&wanted));
                assert_eq!(gather(&tensor, &wanted).expect("gathered"), expected, "{kind:?} {shape:?}");
            }
        }
        let none = Tensor::zeros([3, 0], (Kind::Float, Device::Cpu));
        assert_eq!(gather(&none, &[2]).expect("gathered").size(), [1, 0]);
        assert_eq!(
            gather(&Tensor::from_slice(&[1.0_f32]), &[-1]).expect_err("none").message,
            "the dataset has no row -1"
        );
    }
}
