//! `batch_norm`.

use super::pass::Pass;
use super::{Module, Site, init, words};
use kilter::nn::layers;
use tch::{TchError, Tensor, nn::Path};

pub(super) struct BatchNorm {
    affine: Option<(Tensor, Tensor)>,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: f64,
    eps: f64,
}

impl BatchNorm {
    pub fn new(spec: &layers::BatchNorm, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let channels = site.input_size(0)?;
        Ok(Self {
            affine: init::affine(vs, spec.affine, &[channels])?,
            running_mean: vs.f_zeros_no_train("running_mean", &[channels]).map_err(words)?,
            running_var: vs.f_ones_no_train("running_var", &[channels]).map_err(words)?,
            momentum: spec.momentum,
            eps: spec.eps,
        })
    }
}

impl Module for BatchNorm {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        if pass.train && x.numel() == usize::try_from(x.size().get(1).copied().unwrap_or(0)).unwrap_or(0) {
            let message =
                "batch_norm has one value per channel to train on; use a batch size that leaves no single row over";
            return Err(TchError::Shape(message.to_owned()));
        }
        x.f_batch_norm(
            self.affine.as_ref().map(|(weight, _)| weight),
            self.affine.as_ref().map(|(_, bias)| bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            pass.train,
            self.momentum,
            self.eps,
            true,
        )
    }
}
