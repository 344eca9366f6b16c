//! How parameters start: PyTorch's defaults, or what a layer declares, in its arithmetic, so that equal seeds give equal bits.

use super::words;
use kilter::nn::init::{Fan, Init};
use tch::nn::{Init as Start, Path};
use tch::{TchError, Tensor};

/// The group, in tch's sense, of what norms multiply with and add: a weight decay may leave it alone.
pub const NORM: usize = 1;
/// The group of the vectors of embeddings, of tokens and of places.
pub const EMBEDDING: usize = 2;

/// As declared; else uniform in ±√3 · gain / √fan_in with the gain of a leaky ReLU of slope √5, which is ±1/√fan_in:
/// `torch.nn.init.kaiming_uniform_(a=√5)` (He et al., 2015).
pub(super) fn weight(vs: &Path<'_>, dims: &[i64], fan_in: i64, init: Option<&Init>) -> Result<Tensor, String> {
    if let Some(init) = init {
        return declared(vs, "weight", dims, init);
    }
    let slope = 5_f64.sqrt();
    let gain = (2.0 / (1.0 + slope * slope)).sqrt();
    let bound = 3_f64.sqrt() * (gain / (fan_in as f64).sqrt());
    uniform(vs, "weight", dims, bound)
}

/// Uniform in ±1/√fan_in, or zeros where the weights' start is declared; `None` where there is none.
pub(super) fn bias(
    vs: &Path<'_>,
    wanted: bool,
    out: i64,
    fan_in: i64,
    init: Option<&Init>,
) -> Result<Option<Tensor>, String> {
    match (wanted, init) {
        (false, _) => Ok(None),
        (true, Some(_)) => vs.f_zeros("bias", &[out]).map(Some).map_err(words),
        (true, None) => uniform(vs, "bias", &[out], 1.0 / (fan_in as f64).sqrt()).map(Some),
    }
}

/// Uniform in ±bound.
pub(super) fn uniform(vs: &Path<'_>, name: &str, dims: &[i64], bound: f64) -> Result<Tensor, String> {
    vs.f_var(name, dims, Start::Uniform { lo: -bound, up: bound }).map_err(words)
}

/// Ones, to be multiplied with, and zeros, to be added; `None` where a norm has neither.
pub(super) fn affine(vs: &Path<'_>, wanted: bool, dims: &[i64]) -> Result<Option<(Tensor, Tensor)>, String> {
    if !wanted {
        return Ok(None);
    }
    let vs = vs.set_group(NORM);
    let weight = vs.f_ones("weight", dims).map_err(words)?;
    Ok(Some((weight, vs.f_zeros("bias", dims).map_err(words)?)))
}

/// A parameter that starts as a layer declares it.
pub(super) fn declared(vs: &Path<'_>, name: &str, dims: &[i64], init: &Init) -> Result<Tensor, String> {
    let parameter = vs.f_zeros(name, dims).map_err(words)?;
    let _ = tch::no_grad(|| draw(&mut parameter.shallow_clone(), init)).map_err(words)?;
    Ok(parameter)
}

/// The numbers of inputs and outputs of one element, as `torch.nn.init` counts them.
fn fans(dims: &[i64]) -> [f64; 2] {
    let places: i64 = dims.iter().skip(2).product();
    let fan = |dim: usize| (dims.get(dim).copied().unwrap_or(1) * places) as f64;
    [fan(1), fan(0)]
}

fn draw(x: &mut Tensor, init: &Init) -> Result<Tensor, TchError> {
    let [fan_in, fan_out] = fans(&x.size());
    let fan = |mode: Fan| if mode == Fan::FanIn { fan_in } else { fan_out };
    let both = (2.0 / (fan_in + fan_out)).sqrt();
    let within = |x: &mut Tensor, std: f64| x.f_uniform_(-(3_f64.sqrt() * std), 3_f64.sqrt() * std);
    match init {
        Init::KaimingUniform(kaiming) => within(x, kaiming.gain() / fan(kaiming.mode).sqrt()),
        Init::KaimingNormal(kaiming) => x.f_normal_(0.0, kaiming.gain() / fan(kaiming.mode).sqrt()),
        Init::XavierUniform(xavier) => within(x, xavier.gain * both),
        Init::XavierNormal(xavier) => x.f_normal_(0.0, xavier.gain * both),
        Init::Normal(normal) => x.f_normal_(normal.mean, normal.std),
        Init::TruncNormal(normal) => truncated(x, normal),
        Init::Uniform(uniform) => x.f_uniform_(uniform.a, uniform.b),
        Init::Orthogonal(orthogonal) => orthogonal_matrix(x, orthogonal.gain),
        Init::Constant(constant) => x.f_fill_(constant.value),
        Init::Zeros(_) => x.f_zero_(),
        Init::Ones(_) => x.f_fill_(1.0),
    }
}

/// Through the inverse of the normal distribution function, which gives the bounds their shares.
fn truncated(x: &mut Tensor, normal: &kilter::nn::init::TruncNormal) -> Result<Tensor, TchError> {
    let below = |bound: f64| {
        let standard = (bound - normal.mean) / normal.std / 2_f64.sqrt();
        let erf = Tensor::f_special_erf(&Tensor::from_slice(&[standard]))?.f_double_value(&[0])?;
        Ok::<f64, TchError>(f64::midpoint(1.0, erf))
    };
    let (low, high) = (below(normal.a)?, below(normal.b)?);
    let _ = x.f_uniform_(2.0 * low - 1.0, 2.0 * high - 1.0)?;
    let _ = x.f_erfinv_()?;
    let _ = x.f_mul_scalar_(normal.std * 2_f64.sqrt())?;
    let _ = x.f_add_scalar_(normal.mean)?;
    x.f_clamp_(normal.a, normal.b)
}

fn orthogonal_matrix(x: &mut Tensor, gain: f64) -> Result<Tensor, TchError> {
    let rows = x.size().first().copied().unwrap_or(1);
    let columns = x.numel() as i64 / rows.max(1);
    let mut flat = Tensor::f_empty([rows, columns], (x.kind(), x.device()))?;
    let _ = flat.f_normal_(0.0, 1.0)?;
    let wide = rows < columns;
    let (q, r) = Tensor::f_linalg_qr(&if wide { flat.f_transpose(0, 1)? } else { flat }, "reduced")?;
    let q = q.f_mul(&r.f_diagonal(0, 0, 1)?.f_sign()?)?;
    let q = if wide { q.f_transpose(0, 1)? } else { q };
    x.f_copy_(&q.f_reshape(x.size().as_slice())?)?;
    x.f_mul_scalar_(gain)
}
