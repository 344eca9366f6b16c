//! `linear`.

use super::{Module, Site, init, int};
use kilter::nn::{Width, layers};
use tch::{TchError, Tensor, nn::Path};

pub(super) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    pub fn new(spec: &layers::Linear, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let inputs = site.input_size(site.input_rank().saturating_sub(1))?;
        let Width::Fixed(out) = spec.out else { return Err("the width of a linear layer is not known".to_owned()) };
        let out = int(out)?;
        let weight = init::weight(vs, &[out, inputs], inputs)?;
        Ok(Self { weight, bias: init::bias(vs, spec.bias, out, inputs)? })
    }
}

impl Module for Linear {
    fn forward(&self, x: Tensor, _: bool) -> Result<Tensor, TchError> {
        x.f_linear(&self.weight, self.bias.as_ref())
    }
}
