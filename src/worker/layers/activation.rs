//! Activations: what maps each element for itself, and `softmax`.

use super::pass::Pass;
use super::{Module, Site, int, words};
use kilter::nn::layers::{self, Approximate};
use tch::nn::{Init, Path};
use tch::{TchError, Tensor};

pub(super) struct Relu {
    overwrite: bool,
}

impl Relu {
    pub fn new(site: &Site<'_>) -> Self {
        Self { overwrite: site.overwrite }
    }
}

impl Module for Relu {
    fn forward(&self, mut x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        if self.overwrite { x.f_relu_() } else { x.f_relu() }
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Gelu {
    approximate: &'static str,
}

impl Gelu {
    pub fn new(spec: &layers::Gelu) -> Self {
        let approximate = match spec.approximate {
            Approximate::None => "none",
            Approximate::Tanh => "tanh",
        };
        Self { approximate }
    }
}

impl Module for Gelu {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_gelu(self.approximate)
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Tanh;

impl Module for Tanh {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_tanh()
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Sigmoid;

impl Module for Sigmoid {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_sigmoid()
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Softmax {
    dim: i64,
}

impl Softmax {
    pub fn new(spec: &layers::Softmax) -> Self {
        Self { dim: spec.dim }
    }
}

impl Module for Softmax {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_softmax(self.dim, None)
    }

    fn goes_on(&self) -> bool {
        [-1, 2].contains(&self.dim)
    }
}

pub(super) struct Silu;

impl Module for Silu {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_silu()
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Hardswish;

impl Module for Hardswish {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_hardswish()
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Hardsigmoid;

impl Module for Hardsigmoid {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_hardsigmoid()
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Mish;

impl Module for Mish {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_mish()
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Selu;

impl Module for Selu {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_selu()
    }

    fn goes_on(&self) -> bool {
        true
    }
}

/// What is below 0 times a number; `tch` has libtorch's own operators only with their default numbers.
fn below_zero(x: &Tensor, factor: f64) -> Result<Tensor, TchError> {
    x.f_prelu(&Tensor::f_full([1], factor, (x.kind(), x.device()))?)
}

pub(super) struct LeakyRelu {
    slope: f64,
}

impl LeakyRelu {
    pub fn new(spec: &layers::LeakyRelu) -> Self {
        Self { slope: spec.negative_slope }
    }
}

impl Module for LeakyRelu {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        if self.slope == 0.01 { x.f_leaky_relu() } else { below_zero(&x, self.slope) }
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Prelu {
    weight: Tensor,
}

impl Prelu {
    pub fn new(spec: &layers::Prelu, vs: &Path<'_>) -> Result<Self, String> {
        let slopes = int(spec.num_parameters)?;
        Ok(Self { weight: vs.f_var("weight", &[slopes], Init::Const(spec.init)).map_err(words)? })
    }
}

impl Module for Prelu {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        // libtorch takes both in one type only, and the one of a layer before may be bf16.
        x.f_prelu(&self.weight.f_to_kind(x.kind())?)
    }

    fn goes_on(&self) -> bool {
        // The channels of `[seq, features]` are its places.
        self.weight.numel() == 1
    }
}

pub(super) struct Elu {
    alpha: f64,
}

impl Elu {
    pub fn new(spec: &layers::Elu) -> Self {
        Self { alpha: spec.alpha }
    }
}

impl Module for Elu {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        let y = x.f_elu()?;
        if self.alpha == 1.0 { Ok(y) } else { below_zero(&y, self.alpha) }
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Softplus {
    beta: f64,
}

impl Softplus {
    pub fn new(spec: &layers::Softplus) -> Self {
        Self { beta: spec.beta }
    }
}

impl Module for Softplus {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        if self.beta == 1.0 {
            return x.f_softplus();
        }
        x.f_mul_scalar(self.beta)?.f_softplus()?.f_div_scalar(self.beta)
    }

    fn goes_on(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::seeded;
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    #[test]
    fn a_learned_slope_takes_what_a_layer_gives_in_fewer_bits() {
        let _turn = seeded(21);
        let store = VarStore::new(Device::Cpu);
        let spec = layers::Prelu { num_parameters: 1, init: 0.5 };
        let layer = Prelu::new(&spec, &store.root()).expect("built");
        let x = Tensor::from_slice(&[-4_f32, 3.0]).view([1, 2]).to_kind(Kind::BFloat16);
        let y = layer.forward(x, &mut Pass::new(true)).expect("a forward pass");
        assert_eq!(y.kind(), Kind::BFloat16);
        y.to_kind(Kind::Float).sum(Kind::Float).backward();
        assert_eq!(store.variables()["weight"].grad().double_value(&[0]), -4.0);
        assert_eq!(y.to_kind(Kind::Float).sum(Kind::Float).double_value(&[]), 1.0);
    }
}
