//! How parameters start: PyTorch's defaults, in its arithmetic, so that equal seeds give equal bits.

use super::words;
use tch::Tensor;
use tch::nn::{Init, Path};

/// Uniform in ±√3 · gain / √fan_in with the gain of a leaky ReLU of slope √5, which is ±1/√fan_in:
/// `torch.nn.init.kaiming_uniform_(a=√5)` (He et al., 2015).
pub(super) fn weight(vs: &Path<'_>, dims: &[i64], fan_in: i64) -> Result<Tensor, String> {
    let slope = 5_f64.sqrt();
    let gain = (2.0 / (1.0 + slope * slope)).sqrt();
    let bound = 3_f64.sqrt() * (gain / (fan_in as f64).sqrt());
    uniform(vs, "weight", dims, bound)
}

/// Uniform in ±1/√fan_in; `None` where there is none.
pub(super) fn bias(vs: &Path<'_>, wanted: bool, out: i64, fan_in: i64) -> Result<Option<Tensor>, String> {
    wanted.then(|| uniform(vs, "bias", &[out], 1.0 / (fan_in as f64).sqrt())).transpose()
}

/// Uniform in ±bound.
pub(super) fn uniform(vs: &Path<'_>, name: &str, dims: &[i64], bound: f64) -> Result<Tensor, String> {
    vs.f_var(name, dims, Init::Uniform { lo: -bound, up: bound }).map_err(words)
}

/// Ones, to be multiplied with, and zeros, to be added; `None` where a norm has neither.
pub(super) fn affine(vs: &Path<'_>, wanted: bool, dims: &[i64]) -> Result<Option<(Tensor, Tensor)>, String> {
    if !wanted {
        return Ok(None);
    }
    let weight = vs.f_ones("weight", dims).map_err(words)?;
    Ok(Some((weight, vs.f_zeros("bias", dims).map_err(words)?)))
}
