//! `conv_transpose1d` and `conv_transpose2d`.

use super::pass::Pass;
use super::{Module, Site, init, int};
use kilter::nn::layers;
use tch::{TchError, Tensor, nn::Path};

pub(super) struct ConvTranspose<const N: usize> {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: [i64; N],
    padding: [i64; N],
    output_padding: [i64; N],
    dilation: [i64; N],
    groups: i64,
}

impl<const N: usize> ConvTranspose<N> {
    pub fn new(spec: &layers::ConvTranspose<N>, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let (out, groups, kernel) = (int(spec.out)?, int(spec.groups)?, spec.kernel.signed());
        // PyTorch counts the second dimension of the weights as inputs here too.
        let fan_in = out / groups * kernel.iter().product::<i64>();
        let dims = [[site.input_size(0)?, out / groups].as_slice(), &kernel].concat();
        Ok(Self {
            weight: init::weight(vs, &dims, fan_in, spec.init.as_ref())?,
            bias: init::bias(vs, spec.bias, out, fan_in, spec.init.as_ref())?,
            stride: spec.stride.signed(),
            padding: spec.padding.signed(),
            output_padding: spec.output_padding.signed(),
            dilation: spec.dilation.signed(),
            groups,
        })
    }
}

impl<const N: usize> Module for ConvTranspose<N> {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        let Self { weight, bias, stride, padding, output_padding, dilation, groups } = self;
        if N == 1 {
            x.f_conv_transpose1d(weight, bias.as_ref(), stride, padding, output_padding, *groups, dilation)
        } else {
            x.f_conv_transpose2d(weight, bias.as_ref(), stride, padding, output_padding, *groups, dilation)
        }
    }
}
