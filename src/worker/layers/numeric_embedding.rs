//! `numeric_embedding`.

use super::pass::Pass;
use super::{Module, Site, init, int};
use kilter::nn::init::{Init, TruncNormal};
use kilter::nn::layers::{self, NumericEmbeddingKind};
use std::f64::consts::TAU;
use tch::{TchError, Tensor, nn::Path};

/// Under the names of the package rtdl_num_embeddings.
pub(super) enum NumericEmbedding {
    Linear {
        weight: Tensor,
        bias: Tensor,
    },
    Periodic {
        /// `[features, frequencies]`.
        frequencies: Tensor,
        /// A matrix for each feature, `[features, 2 frequencies, dim]`.
        weight: Tensor,
        bias: Tensor,
    },
}

impl NumericEmbedding {
    pub fn new(spec: &layers::NumericEmbedding, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let (features, dim) = (site.input_size(0)?, int(spec.dim)?);
        if spec.kind == NumericEmbeddingKind::Linear {
            let bound = (dim as f64).sqrt().recip();
            let weight = init::uniform(vs, "weight", &[features, dim], bound)?;
            return Ok(Self::Linear { weight, bias: init::uniform(vs, "bias", &[features, dim], bound)? });
        }
        let count = int(spec.frequencies)?;
        let normal = TruncNormal { mean: 0.0, std: spec.sigma, a: -3.0 * spec.sigma, b: 3.0 * spec.sigma };
        let start = Init::TruncNormal(normal);
        let frequencies = init::declared(&vs.sub("periodic"), "weight", &[features, count], &start)?;
        let (vs, bound) = (vs.sub("linear"), (2.0 * count as f64).sqrt().recip());
        let weight = init::uniform(&vs, "weight", &[features, 2 * count, dim], bound)?;
        let bias = init::uniform(&vs, "bias", &[features, dim], bound)?;
        Ok(Self::Periodic { frequencies, weight, bias })
    }
}

impl Module for NumericEmbedding {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        let x = x.f_unsqueeze(-1)?;
        match self {
            Self::Linear { weight, bias } => x.f_mul(weight)?.f_add(bias),
            Self::Periodic { frequencies, weight, bias } => {
                let angles = frequencies.f_mul_scalar(TAU)?.f_mul(&x)?;
                let waves = Tensor::f_cat(&[angles.f_cos()?, angles.f_sin()?], -1)?;
                let vectors = waves.f_transpose(0, 1)?.f_matmul(weight)?.f_transpose(0, 1)?;
                vectors.f_add(bias)?.f_relu_()
            }
        }
    }
}
