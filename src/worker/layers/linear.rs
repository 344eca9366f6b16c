//! `linear`.

use super::pass::Pass;
use super::{Module, Site, init, int};
use crate::kernels;
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
        let weight = match spec.tie {
            false => init::weight(vs, &[out, inputs], inputs, spec.init.as_ref())?,
            true => {
                let table = site.shared.embedding.borrow();
                table.as_ref().ok_or("it is tied to an embedding, and none is before it")?.shallow_clone()
            }
        };
        Ok(Self { weight, bias: init::bias(vs, spec.bias, out, inputs, spec.init.as_ref())? })
    }
}

impl Module for Linear {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        kernels::linear(&x, &self.weight, self.bias.as_ref())
    }

    fn goes_on(&self) -> bool {
        true
    }
}
