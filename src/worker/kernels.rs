//! The safe face of `kernels.cpp`: operators that libtorch has only in a slower form.

use crate::shim;
use std::ffi::c_char;
use tch::{TchError, Tensor};

/// A tensor as C++ sees it.
pub type RawTensor = torch_sys::C_tensor;

unsafe extern "C" {
    fn kilter_dropout(x: *mut RawTensor, p: f64, overwrite: i32, out: *mut *mut RawTensor) -> *mut c_char;
    fn kilter_linear(
        x: *mut RawTensor,
        weight: *mut RawTensor,
        bias: *mut RawTensor,
        out: *mut *mut RawTensor,
    ) -> *mut c_char;
    #[cfg(test)]
    fn kilter_random_words(group: u64, key: u64, out: *mut u32);
}

/// The product of `x`, `[…, in]`, with a matrix `[out, in]`, and a bias. A fresh tensor, which may be overwritten.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, TchError> {
    let mut out = std::ptr::null_mut();
    // SAFETY: the pointers are live tensors', but for the bias, which may be null.
    made(unsafe { kilter_linear(raw(Some(x)), raw(Some(weight)), raw(bias), &raw mut out) }, out)
}

/// Zeroes elements with probability `p`, which is below 1, and divides the others by `1 - p`; floats on the CPU. With `overwrite`
/// in the tensor's own memory, where that is possible.
pub fn dropout(x: &Tensor, p: f64, overwrite: bool) -> Result<Tensor, TchError> {
    let mut out = std::ptr::null_mut();
    // SAFETY: the pointer is a live tensor's.
    made(unsafe { kilter_dropout(raw(Some(x)), p, i32::from(overwrite), &raw mut out) }, out)
}

/// The pointer of a tensor that lives; null of none.
pub fn raw(tensor: Option<&Tensor>) -> *mut RawTensor {
    tensor.map_or(std::ptr::null_mut(), |tensor| tensor.as_ptr().cast_mut())
}

/// What a function of the shim made, or what it says.
pub fn made(answer: *mut c_char, out: *mut RawTensor) -> Result<Tensor, TchError> {
    match shim::take(answer) {
        // SAFETY: without an error there is a new tensor that nobody else owns.
        None => Ok(unsafe { Tensor::from_ptr(out) }),
        Some(message) => Err(TchError::Torch(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::seeded;
    use tch::{Device, Kind};

    const FLOATS: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// The known answer of Random123 for philox4x32-10, counter and key 0; other counters give other words.
    #[test]
    fn random_words_are_those_of_philox() {
        let mut words = [0_u32; 64];
        // SAFETY: there is room for the 64 words of a group.
        unsafe { kilter_random_words(0, 0, words.as_mut_ptr()) };
        assert_eq!([0, 16, 32, 48].map(|at| words[at]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let first = words;
        // SAFETY: as above.
        unsafe { kilter_random_words(1, 0, words.as_mut_ptr()) };
        assert!(first.iter().zip(&words).all(|(a, b)| a != b));
    }

    #[test]
    fn what_is_dropped_depends_on_the_seed_alone() {
        let draw = |elements: i64, seed, overwrite| {
            let _turn = seeded(seed);
            dropout(&Tensor::ones([elements], FLOATS), 0.1, overwrite).expect("dropped")
        };
        // More than one thread takes at a time, and no multiple of what is drawn together.
        for elements in [1, 63, 1000, 300_007] {
            let all = draw(elements, 3, false);
            assert_eq!(all, draw(elements, 3, true));
            let before = tch::get_num_threads();
            tch::set_num_threads(if before == 1 { 2 } else { 1 });
            assert_eq!(all, draw(elements, 3, false));
            tch::set_num_threads(before);
        }
        let all = draw(1 << 20, 3, false);
        assert_ne!(all, draw(1 << 20, 4, false));
        let share = all.eq(0.0).mean(Kind::Double).double_value(&[]);
        assert!((share - 0.1).abs() < 0.0015, "{share}");
        assert_eq!(all.max().double_value(&[]), f64::from(1.0_f32 / 0.9));
    }

    #[test]
    fn gradients_pass_where_elements_were_kept() {
        let _turn = seeded(5);
        let x = Tensor::randn([40, 50], FLOATS).set_requires_grad(true);
        for overwrite in [false, true] {
            let y = dropout(&(&x * 1.0), 0.5, overwrite).expect("dropped");
            (&y * 3.0).sum(Kind::Float).backward();
            let mut x = x.shallow_clone();
            assert_eq!(x.grad(), y.ne(0.0).to_kind(Kind::Float) * 6.0);
            x.zero_grad();
        }
    }

    /// Few tokens, and so many that they may go another way.
    #[test]
    fn products_are_those_of_libtorch_and_may_be_overwritten() {
        let _turn = seeded(6);
        for (batch, seq, inputs, out) in [(3, 4, 5, 6), (64, 16, 64, 96)] {
            for with_bias in [false, true] {
                let leaf = |size: &[i64]| Tensor::randn(size, FLOATS).set_requires_grad(true);
                let (x, weight, bias) = (leaf(&[batch, seq, inputs]), leaf(&[out, inputs]), leaf(&[out]));
                let bias = with_bias.then_some(bias);
                let mut leaves = vec![x.shallow_clone(), weight.shallow_clone()];
                leaves.extend(bias.as_ref().map(Tensor::shallow_clone));
                let pull = Tensor::randn([batch, seq, out], FLOATS);
                let gradients =
                    |y: &Tensor| Tensor::run_backward(&[(y * &pull).sum(Kind::Float)], &leaves, false, false);
                let mut y = linear(&x, &weight, bias.as_ref()).expect("computed");
                let wanted = x.linear(&weight, bias.as_ref()).relu();
                assert_eq!(y.size(), [batch, seq, out]);
                let y = y.relu_();
                assert!(y.allclose(&wanted, 1e-5, 1e-5, false));
                for (found, wanted) in gradients(&y).iter().zip(gradients(&wanted)) {
                    assert_eq!((found.size(), found.stride()), (wanted.size(), wanted.stride()));
                    assert!(found.allclose(&wanted, 1e-4, 1e-3, false));
                }
            }
        }
    }
}
