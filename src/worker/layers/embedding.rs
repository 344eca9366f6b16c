//! `embedding`.

use super::{Module, Site, int, words};
use kilter::nn::layers;
use tch::nn::{Init, Path};
use tch::{TchError, Tensor};

pub(super) struct Embedding {
    weight: Tensor,
}

impl Embedding {
    pub fn new(spec: &layers::Embedding, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let count = spec.vectors(site.input).ok_or("the number of vectors of an embedding is not known")?;
        let dims = [int(count)?, int(spec.dim)?];
        let weight = vs.f_var("weight", &dims, Init::Randn { mean: 0.0, stdev: 1.0 }).map_err(words)?;
        Ok(Self { weight })
    }
}

impl Module for Embedding {
    fn forward(&self, x: Tensor, _: bool) -> Result<Tensor, TchError> {
        Tensor::f_embedding(&self.weight, &x, -1, false, false)
    }
}
