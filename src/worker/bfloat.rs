//! The safe face of `bfloat.cpp`: operators in bf16 on a GPU.

use crate::kernels::{RawTensor, made, raw};
use std::ffi::c_char;
use tch::{Device, Kind, TchError, Tensor};

unsafe extern "C" {
    fn kilter_token_loss(
        logits: *mut RawTensor,
        target: *mut RawTensor,
        none: i64,
        out: *mut *mut RawTensor,
    ) -> *mut c_char;
    fn kilter_layer_norm(
        x: *mut RawTensor,
        shape: *const i64,
        dims: usize,
        weight: *mut RawTensor,
        bias: *mut RawTensor,
        eps: f64,
        out: *mut *mut RawTensor,
    ) -> *mut c_char;
    fn kilter_pause_bf16() -> i32;
    fn kilter_resume_bf16();
    #[cfg(test)]
    fn kilter_wide_product(
        x: *mut RawTensor,
        weight: *mut RawTensor,
        bias: *mut RawTensor,
        out: *mut *mut RawTensor,
    ) -> *mut c_char;
}

/// The mean log loss of logits `[tokens, vocabulary]` in bf16 over the targets `[tokens]` that are not `none`; 0 without any. Its
/// gradients can be asked for once.
pub fn token_loss(logits: &Tensor, target: &Tensor, none: i64) -> Result<Tensor, TchError> {
    let mut out = std::ptr::null_mut();
    // SAFETY: the pointers are live tensors'.
    made(unsafe { kilter_token_loss(raw(Some(logits)), raw(Some(target)), none, &raw mut out) }, out)
}

/// Layer norm over the last dimensions, whose sizes are `shape`. On a GPU what is in bf16 stays so.
pub fn layer_norm(
    x: &Tensor,
    shape: &[i64],
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor, TchError> {
    match x.kind() == Kind::BFloat16 && x.device() != Device::Cpu {
        true => layer_norm_in_bf16(x, shape, weight, bias, eps),
        false => x.f_layer_norm(shape, weight, bias, eps, true),
    }
}

fn layer_norm_in_bf16(
    x: &Tensor,
    shape: &[i64],
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor, TchError> {
    let mut out = std::ptr::null_mut();
    // SAFETY: the pointers are live tensors' and a live slice's; weight and bias may be null.
    let answer = unsafe {
        kilter_layer_norm(raw(Some(x)), shape.as_ptr(), shape.len(), raw(weight), raw(bias), eps, &raw mut out)
    };
    made(answer, out)
}

/// While it lives, nothing is cast to bf16 on a GPU.
pub struct Paused(());

impl Paused {
    /// Where there is such casting, ends it for a while, and gives `x` in f32.
    pub fn at(x: &Tensor) -> Result<Option<(Self, Tensor)>, TchError> {
        // SAFETY: it takes nothing, and changes a setting of this thread.
        if x.device() == Device::Cpu || unsafe { kilter_pause_bf16() } == 0 {
            return Ok(None);
        }
        let paused = Self(());
        Ok(Some((paused, x.f_to_kind(Kind::Float)?)))
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { kilter_resume_bf16() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::seeded;
    use tch::Reduction;

    const FLOATS: (Kind, Device) = (Kind::Float, Device::Cpu);
    const NONE: i64 = -100;

    fn wide_product(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let mut out = std::ptr::null_mut();
        // SAFETY: the pointers are live tensors', but for the bias, which may be null.
        made(unsafe { kilter_wide_product(raw(Some(x)), raw(Some(weight)), raw(bias), &raw mut out) }, out)
            .expect("computed")
    }

    fn leaf(size: &[i64], scale: f64) -> Tensor {
        (Tensor::randn(size, FLOATS) * scale).set_requires_grad(true)
    }

    fn gradients(loss: &Tensor, leaves: &[&Tensor]) -> Vec<Tensor> {
        Tensor::run_backward(&[loss], leaves, false, false).iter().map(|one| one.to_kind(Kind::Float)).collect()
    }

    /// How far two tensors are apart, beside how large the second is.
    fn apart(found: &Tensor, wanted: &Tensor) -> f64 {
        ((found - wanted).norm() / wanted.norm().clamp_min(1e-30)).double_value(&[])
    }

    /// Sure and unsure tokens, some without a target: what libtorch gives in f32 of the same logits, but for the last bits of bf16.
    #[test]
    fn the_loss_of_tokens_is_that_of_f32() {
        let _turn = seeded(1);
        let (tokens, vocabulary) = (50, 131);
        for scale in [0.1, 3.0, 10.0] {
            let logits = (Tensor::randn([tokens, vocabulary], FLOATS) * scale).to_kind(Kind::BFloat16);
            let target = Tensor::randint(vocabulary, [tokens], (Kind::Int64, Device::Cpu));
            // Half of the tokens are guessed right.
            let sure = logits.argmax(-1, false);
            let half = Tensor::arange(tokens, (Kind::Int64, Device::Cpu)).remainder(2).eq(0);
            let target = sure.where_self(&half, &target);
            let _ = target.narrow(0, 7, 5).fill_(NONE);
            let there = logits.to_kind(Kind::Float).set_requires_grad(true);
            let wanted = there.cross_entropy_loss::<Tensor>(&target, None, Reduction::Mean, NONE, 0.0);
            let leaf = logits.set_requires_grad(true);
            let found = token_loss(&leaf, &target, NONE).expect("computed");
            let far = (&found - &wanted).abs().double_value(&[]) / wanted.double_value(&[]);
            assert!(far < 2e-3, "{scale}: {found:?} {wanted:?}");
            let far = apart(&gradients(&(&found * 3.0), &[&leaf])[0], &gradients(&(&wanted * 3.0), &[&there])[0]);
            assert!(far < 4e-3, "{scale}: gradients {far}");
        }
    }

    #[test]
    fn without_targets_there_is_no_loss() {
        let logits = Tensor::zeros([3, 5], (Kind::BFloat16, Device::Cpu)).set_requires_grad(true);
        let loss = token_loss(&logits, &Tensor::full([3], NONE, (Kind::Int64, Device::Cpu)), NONE).expect("computed");
        assert_eq!(loss.double_value(&[]), 0.0);
        assert_eq!(gradients(&loss, &[&logits])[0].abs().sum(Kind::Double).double_value(&[]), 0.0);
    }

    /// The loss may meet the logits as the product made them, and anything else may too.
    #[test]
    fn wide_products_are_those_of_f32() {
        let _turn = seeded(2);
        for with_bias in [false, true] {
            let (x, weight, bias) = (leaf(&[40, 32], 1.0), leaf(&[77, 32], 0.3), leaf(&[77], 1.0));
            let given = with_bias.then_some(&bias);
            let leaves: Vec<&Tensor> = [Some(&x), Some(&weight), given].into_iter().flatten().collect();
            let target = Tensor::randint(77, [40], (Kind::Int64, Device::Cpu));
            let y = wide_product(&x, &weight, given);
            let plain = x.linear(&weight, given);
            assert_eq!((y.size(), y.stride()), (vec![40, 77], vec![128, 1]));
            assert!(apart(&y.to_kind(Kind::Float), &plain) < 5e-3);
            let of_loss = gradients(&token_loss(&y, &target, NONE).expect("computed"), &leaves);
            let wanted = plain.cross_entropy_loss::<Tensor>(&target, None, Reduction::Mean, NONE, 0.0);
            let wanted = gradients(&wanted, &leaves);
            assert!(of_loss.iter().zip(&wanted).all(|(found, wanted)| apart(found, wanted) < 1e-2));
            let of_sum = |y: Tensor| gradients(&y.to_kind(Kind::Float).sin().sum(Kind::Float), &leaves);
            let (found, wanted) = (of_sum(wide_product(&x, &weight, given)), of_sum(x.linear(&weight, given)));
            assert!(found.iter().zip(&wanted).all(|(found, wanted)| apart(found, wanted) < 2e-2));
        }
    }

    #[test]
    fn norms_in_bf16_are_those_of_f32() {
        let _turn = seeded(3);
        let x = leaf(&[20, 64], 2.0).to_kind(Kind::BFloat16).detach().set_requires_grad(true);
        let (weight, bias) = (leaf(&[64], 1.0), leaf(&[64], 1.0));
        let pull = Tensor::randn([20, 64], FLOATS);
        let found = layer_norm_in_bf16(&x, &[64], Some(&weight), Some(&bias), 1e-5).expect("computed");
        assert_eq!(found.kind(), Kind::BFloat16);
        let there = x.detach().to_kind(Kind::Float).set_requires_grad(true);
        let wanted = there.layer_norm([64], Some(&weight), Some(&bias), 1e-5, true);
        assert!(apart(&found.to_kind(Kind::Float), &wanted) < 5e-3);
        let pulled = |y: &Tensor, x: &Tensor| {
            gradients(&(y.to_kind(Kind::Float) * &pull).sum(Kind::Float), &[x, &weight, &bias])
        };
        let (found, wanted) = (pulled(&found, &x), pulled(&wanted, &there));
        assert!(found.iter().zip(&wanted).all(|(found, wanted)| apart(found, wanted) < 1e-2));
    }
}
