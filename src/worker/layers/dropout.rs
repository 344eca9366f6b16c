//! `dropout`.

use super::Module;
use super::pass::Pass;
use kilter::nn::layers;
use tch::{TchError, Tensor};

pub(super) struct Dropout {
    p: f64,
}

impl Dropout {
    pub fn new(spec: &layers::Dropout) -> Self {
        Self { p: spec.p }
    }
}

impl Module for Dropout {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        if pass.train { x.f_dropout(self.p, true) } else { Ok(x) }
    }
}
