//! `max_pool1d`, `max_pool2d`, `avg_pool1d`, `avg_pool2d`, `global_avg_pool`.

use super::pass::Pass;
use super::{Module, Site};
use kilter::nn::layers;
use tch::{TchError, Tensor};

pub(super) struct MaxPool<const N: usize> {
    kernel: [i64; N],
    stride: [i64; N],
    padding: [i64; N],
    dilation: [i64; N],
    ceil_mode: bool,
}

impl<const N: usize> MaxPool<N> {
    pub fn new(spec: &layers::MaxPool<N>) -> Self {
        Self {
            kernel: spec.kernel.signed(),
            stride: spec.stride.unwrap_or(spec.kernel).signed(),
            padding: spec.padding.signed(),
            dilation: spec.dilation.signed(),
            ceil_mode: spec.ceil_mode,
        }
    }
}

impl<const N: usize> Module for MaxPool<N> {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        let Self { kernel, stride, padding, dilation, ceil_mode } = *self;
        if N == 1 {
            x.f_max_pool1d(kernel, stride, padding, dilation, ceil_mode)
        } else {
            x.f_max_pool2d(kernel, stride, padding, dilation, ceil_mode)
        }
    }
}

pub(super) struct AvgPool<const N: usize> {
    kernel: [i64; N],
    stride: [i64; N],
    padding: [i64; N],
    count_include_pad: bool,
    ceil_mode: bool,
}

impl<const N: usize> AvgPool<N> {
    pub fn new(spec: &layers::AvgPool<N>) -> Self {
        Self {
            kernel: spec.kernel.signed(),
            stride: spec.stride.unwrap_or(spec.kernel).signed(),
            padding: spec.padding.signed(),
            count_include_pad: spec.count_include_pad,
            ceil_mode: spec.ceil_mode,
        }
    }
}

impl<const N: usize> Module for AvgPool<N> {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        let Self { kernel, stride, padding, count_include_pad, ceil_mode } = *self;
        if N == 1 {
            x.f_avg_pool1d(kernel, stride, padding, ceil_mode, count_include_pad)
        } else {
            x.f_avg_pool2d(kernel, stride, padding, ceil_mode, count_include_pad, None)
        }
    }
}

pub(super) struct GlobalAvgPool {
    /// The dimensions that go, the batch counted.
    dims: Vec<i64>,
}

impl GlobalAvgPool {
    pub fn new(site: &Site<'_>) -> Self {
        Self { dims: (2..=site.input_rank()).map(|dim| dim as i64).collect() }
    }
}

impl Module for GlobalAvgPool {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        x.f_mean_dim(self.dims.as_slice(), false, None)
    }
}
