//! The focal loss (Lin et al., 2017).

use crate::failure::Failure;
use kilter::nn::losses::Focal;
use tch::{Reduction, Tensor};

/// The mean of `(1 - p)^gamma · -log p` over rows: `output` is `[rows, classes]` with `target` class indices, or `[rows, 1]` or
/// `[rows, labels]` with `target` 0 or 1. With weights of classes the mean is weighted.
///
/// # Errors
/// What libtorch says.
pub fn mean(spec: &Focal, output: &Tensor, target: &Tensor, weight: Option<&Tensor>) -> Result<Tensor, Failure> {
    if target.kind() == tch::Kind::Int64 {
        return of_classes(spec, output, target, weight);
    }
    let each = super::like(output, target)?.f_binary_cross_entropy_with_logits(
        target,
        None::<&Tensor>,
        None::<&Tensor>,
        Reduction::None,
    )?;
    let each = turned_down(spec, &each)?;
    let Some(alpha) = spec.alpha else { return Ok(each.f_mean(each.kind())?) };
    // alpha where the target is 1, 1 - alpha where it is 0.
    let factor = target.f_mul_scalar(2.0 * alpha - 1.0)?.f_add_scalar(1.0 - alpha)?;
    Ok(each.f_mul(&factor)?.f_mean(each.kind())?)
}

fn of_classes(spec: &Focal, output: &Tensor, target: &Tensor, weight: Option<&Tensor>) -> Result<Tensor, Failure> {
    let each = output.f_cross_entropy_loss(target, None::<&Tensor>, Reduction::None, -100, 0.0)?;
    let each = turned_down(spec, &each)?;
    let Some(weight) = weight else { return Ok(each.f_mean(each.kind())?) };
    let rows = weight.f_index_select(0, target)?;
    super::weighted_mean(&each.f_mul(&rows)?.f_sum(each.kind())?, &rows.f_sum(rows.kind())?)
}

/// `(1 - p)^gamma` times each, where `p = exp(-each)`. `-expm1(-each)` is `1 - p` without its rounding near 1.
fn turned_down(spec: &Focal, each: &Tensor) -> Result<Tensor, Failure> {
    // Above 0, where the slope of a root is finite.
    let easy = each.f_neg()?.f_expm1()?.f_neg()?.f_clamp_min(f64::from(f32::MIN_POSITIVE))?;
    Ok(easy.f_pow_tensor_scalar(spec.gamma)?.f_mul(each)?)
}
