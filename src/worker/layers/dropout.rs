//! `dropout`.

use super::pass::Pass;
use super::{Module, Site};
use crate::kernels;
use kilter::nn::layers;
use tch::{Device, Kind, TchError, Tensor};

pub(super) struct Dropout {
    p: f64,
    overwrite: bool,
}

impl Dropout {
    pub fn new(spec: &layers::Dropout, site: &Site<'_>) -> Self {
        Self { p: spec.p, overwrite: site.overwrite }
    }
}

impl Module for Dropout {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        if pass.train { dropped(x, self.p, self.overwrite) } else { Ok(x) }
    }

    fn goes_on(&self) -> bool {
        true
    }
}

/// Elements zeroed with probability `p`, the others divided by `1 − p`. `overwrite` says that nobody else needs the values of `x`.
pub(super) fn dropped(x: Tensor, p: f64, overwrite: bool) -> Result<Tensor, TchError> {
    if p <= 0.0 {
        return Ok(x);
    }
    match x.device() == Device::Cpu && x.kind() == Kind::Float && p < 1.0 {
        true => kernels::dropout(&x, p, overwrite),
        false => x.f_dropout(p, true),
    }
}
