//! `layer_norm`.

use super::pass::Pass;
use super::{Module, Site, init, int};
use crate::bfloat;
use kilter::nn::layers;
use tch::{TchError, Tensor, nn::Path};

pub(super) struct LayerNorm {
    affine: Option<(Tensor, Tensor)>,
    shape: Vec<i64>,
    eps: f64,
}

impl LayerNorm {
    pub fn new(spec: &layers::LayerNorm, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let sizes = spec.normalized(site.input).iter().map(|dim| int(dim.size().unwrap_or(0)));
        let shape = sizes.collect::<Result<Vec<i64>, String>>()?;
        Ok(Self { affine: init::affine(vs, spec.affine, &shape)?, shape, eps: spec.eps })
    }
}

impl Module for LayerNorm {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        let weight = self.affine.as_ref().map(|(weight, _)| weight);
        let bias = self.affine.as_ref().map(|(_, bias)| bias);
        bfloat::layer_norm(&x, &self.shape, weight, bias, self.eps)
    }

    fn goes_on(&self) -> bool {
        self.shape.len() == 1
    }
}
