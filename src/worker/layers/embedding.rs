//! `embedding`.

use super::pass::Pass;
use super::{Module, Site, init, int, words};
use kilter::nn::layers;
use tch::nn::{Init, Path};
use tch::{TchError, Tensor};

pub(super) struct Embedding {
    weight: Tensor,
    /// The index whose vector is and stays zero; -1 for none.
    padding: i64,
}

impl Embedding {
    pub fn new(spec: &layers::Embedding, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let count = spec.vectors(site.input).ok_or("the number of vectors of an embedding is not known")?;
        let dims = [int(count)?, int(spec.dim)?];
        let vs = vs.set_group(init::EMBEDDING);
        let weight = match &spec.init {
            None => vs.f_var("weight", &dims, Init::Randn { mean: 0.0, stdev: 1.0 }).map_err(words)?,
            Some(declared) => init::declared(&vs, "weight", &dims, declared)?,
        };
        let padding = site.input.padding.map_or(Ok(-1), int)?;
        if padding >= 0 {
            let _ = tch::no_grad(|| weight.f_select(0, padding)?.f_zero_()).map_err(words)?;
        }
        site.shared.embedding.borrow_mut().get_or_insert_with(|| weight.shallow_clone());
        Ok(Self { weight, padding })
    }
}

impl Module for Embedding {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        Tensor::f_embedding(&self.weight, &x, self.padding, false, false)
    }

    fn goes_on(&self) -> bool {
        true
    }
}
