//! `relu`, `gelu`, `tanh`, `sigmoid`, `softmax`.

use super::{Module, Site};
use kilter::nn::layers::{self, Approximate};
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
    fn forward(&self, mut x: Tensor, _: bool) -> Result<Tensor, TchError> {
        if self.overwrite { x.f_relu_() } else { x.f_relu() }
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
    fn forward(&self, x: Tensor, _: bool) -> Result<Tensor, TchError> {
        x.f_gelu(self.approximate)
    }
}

pub(super) struct Tanh;

impl Module for Tanh {
    fn forward(&self, x: Tensor, _: bool) -> Result<Tensor, TchError> {
        x.f_tanh()
    }
}

pub(super) struct Sigmoid;

impl Module for Sigmoid {
    fn forward(&self, x: Tensor, _: bool) -> Result<Tensor, TchError> {
        x.f_sigmoid()
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
    fn forward(&self, x: Tensor, _: bool) -> Result<Tensor, TchError> {
        x.f_softmax(self.dim, None)
    }
}
