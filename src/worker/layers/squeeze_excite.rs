//! `squeeze_excite`.

use super::pass::Pass;
use super::{Module, Site, init, int};
use kilter::nn::init::Init;
use kilter::nn::layers;
use tch::{TchError, Tensor, nn::Path};

/// Two matrices over the channels' means, under torchvision's names and in the shape of its convolutions.
pub(super) struct SqueezeExcite {
    squeeze: Matrix,
    excite: Matrix,
}

struct Matrix {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Matrix {
    /// A convolution whose window is one place, which is all that is left of an image.
    fn new([inputs, out]: [i64; 2], places: usize, init: Option<&Init>, vs: &Path<'_>) -> Result<Self, String> {
        let mut dims = vec![out, inputs];
        dims.resize(2 + places, 1);
        let weight = init::weight(vs, &dims, inputs, init)?;
        Ok(Self { weight, bias: init::bias(vs, true, out, inputs, init)? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        x.f_linear(&self.weight.f_flatten(1, -1)?, self.bias.as_ref())
    }
}

impl SqueezeExcite {
    pub fn new(spec: &layers::SqueezeExcite, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let (channels, squeeze) = (site.input_size(0)?, int(spec.squeeze)?);
        let (places, start) = (site.input_rank() - 1, spec.init.as_ref());
        Ok(Self {
            squeeze: Matrix::new([channels, squeeze], places, start, &vs.sub("fc1"))?,
            excite: Matrix::new([squeeze, channels], places, start, &vs.sub("fc2"))?,
        })
    }
}

impl Module for SqueezeExcite {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        let places: Vec<i64> = (2..x.dim() as i64).collect();
        let means = x.f_mean_dim(places.as_slice(), false, None)?;
        let gate = self.excite.forward(&self.squeeze.forward(&means)?.f_relu_()?)?.f_sigmoid()?;
        let mut beside = gate.size();
        beside.resize(x.dim(), 1);
        x.f_mul(&gate.f_reshape(beside.as_slice())?)
    }
}
