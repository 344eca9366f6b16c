//! `conv1d` and `conv2d`.

use super::pass::Pass;
use super::{Module, Site, init, int};
use kilter::nn::{Padding, layers};
use tch::{TchError, Tensor, nn::Path};

pub(super) struct Conv<const N: usize> {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: [i64; N],
    padding: Option<[i64; N]>,
    dilation: [i64; N],
    groups: i64,
}

impl<const N: usize> Conv<N> {
    pub fn new(spec: &layers::Conv<N>, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let (out, groups, kernel) = (int(spec.out)?, int(spec.groups)?, spec.kernel.signed());
        let channels = site.input_size(0)? / groups;
        let fan_in = channels * kernel.iter().product::<i64>();
        let dims = [[out, channels].as_slice(), &kernel].concat();
        let weight = init::weight(vs, &dims, fan_in, spec.init.as_ref())?;
        Ok(Self {
            weight,
            bias: init::bias(vs, spec.bias, out, fan_in, spec.init.as_ref())?,
            stride: spec.stride.signed(),
            padding: match spec.padding {
                Padding::Size(size) => Some(size.signed()),
                Padding::Same => None,
            },
            dilation: spec.dilation.signed(),
            groups,
        })
    }
}

impl<const N: usize> Module for Conv<N> {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        let (weight, bias, groups) = (&self.weight, self.bias.as_ref(), self.groups);
        match (N, self.padding) {
            (1, Some(padding)) => x.f_conv1d(weight, bias, self.stride, padding, self.dilation, groups),
            (1, None) => x.f_conv1d_padding(weight, bias, self.stride, "same", self.dilation, groups),
            (_, Some(padding)) => x.f_conv2d(weight, bias, self.stride, padding, self.dilation, groups),
            (_, None) => x.f_conv2d_padding(weight, bias, self.stride, "same", self.dilation, groups),
        }
    }
}
