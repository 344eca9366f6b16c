//! `flatten`, `reshape` and `transpose`.

use super::pass::Pass;
use super::{Module, Site, int};
use kilter::nn::layers;
use tch::{TchError, Tensor};

pub(super) struct Flatten {
    start_dim: i64,
}

impl Flatten {
    pub fn new(spec: &layers::Flatten) -> Self {
        Self { start_dim: i64::try_from(spec.start_dim).unwrap_or(1) }
    }
}

impl Module for Flatten {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        if x.dim() == 1 { x.f_unsqueeze(1) } else { x.f_flatten(self.start_dim, -1) }
    }
}

pub(super) struct Reshape {
    /// The new shape, with -1 for the batch.
    shape: Vec<i64>,
}

impl Reshape {
    pub fn new(site: &Site<'_>) -> Result<Self, String> {
        let sizes = site.output.shape.sizes().ok_or("the shape that reshape gives is not known")?;
        let mut shape = vec![-1];
        for size in sizes {
            shape.push(int(size)?);
        }
        Ok(Self { shape })
    }
}

impl Module for Reshape {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_reshape(self.shape.as_slice())
    }
}

pub(super) struct Transpose;

impl Module for Transpose {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_transpose(1, 2)
    }
}
