//! `rms_norm` and `group_norm`.

use super::pass::Pass;
use super::{Module, Site, init, int, words};
use kilter::nn::layers;
use tch::{TchError, Tensor, nn::Path};

pub(super) struct RmsNorm {
    weight: Option<Tensor>,
    features: i64,
    eps: Option<f64>,
}

impl RmsNorm {
    pub fn new(spec: &layers::RmsNorm, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let features = site.input_size(site.input_rank().saturating_sub(1))?;
        let weight =
            spec.affine.then(|| vs.set_group(init::NORM).f_ones("weight", &[features]).map_err(words)).transpose()?;
        Ok(Self { weight, features, eps: spec.eps })
    }
}

impl Module for RmsNorm {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_rms_norm([self.features], self.weight.as_ref(), self.eps)
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct GroupNorm {
    affine: Option<(Tensor, Tensor)>,
    groups: i64,
    eps: f64,
}

impl GroupNorm {
    pub fn new(spec: &layers::GroupNorm, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let affine = init::affine(vs, spec.affine, &[site.input_size(0)?])?;
        Ok(Self { affine, groups: int(spec.groups)?, eps: spec.eps })
    }
}

impl Module for GroupNorm {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        let weight = self.affine.as_ref().map(|(weight, _)| weight);
        let bias = self.affine.as_ref().map(|(_, bias)| bias);
        x.f_group_norm(self.groups, weight, bias, self.eps, true)
    }
}
