//! `adaptive_avg_pool1d`, `adaptive_avg_pool2d`, `adaptive_max_pool1d`, `adaptive_max_pool2d`.

use super::pass::Pass;
use super::{Module, Site};
use kilter::nn::layers;
use tch::{TchError, Tensor};

/// Where every window has one size and none overlap, it is an ordinary pool: faster, and on CUDA the deterministic one.
pub(super) enum AdaptivePool<const N: usize, const MAX: bool> {
    Even([i64; N]),
    Uneven([i64; N]),
}

impl<const N: usize, const MAX: bool> AdaptivePool<N, MAX> {
    pub fn new(spec: &layers::AdaptivePool<N, MAX>, site: &Site<'_>) -> Result<Self, String> {
        let size = spec.size.signed();
        let mut kernel = size;
        for (axis, window) in kernel.iter_mut().enumerate() {
            let input = site.input_size(axis + 1)?;
            if input % *window != 0 {
                return Ok(Self::Uneven(size));
            }
            *window = input / *window;
        }
        Ok(Self::Even(kernel))
    }
}

impl<const N: usize, const MAX: bool> Module for AdaptivePool<N, MAX> {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        let (none, one) = ([0; N], [1; N]);
        match (self, N, MAX) {
            (Self::Even(kernel), 1, false) => x.f_avg_pool1d(kernel, kernel, none, false, true),
            (Self::Even(kernel), 1, true) => x.f_max_pool1d(kernel, kernel, none, one, false),
            (Self::Even(kernel), _, false) => x.f_avg_pool2d(kernel, kernel, none, false, true, None),
            (Self::Even(kernel), _, true) => x.f_max_pool2d(kernel, kernel, none, one, false),
            (Self::Uneven(size), 1, false) => x.f_adaptive_avg_pool1d(size),
            (Self::Uneven(size), 1, true) => x.f_adaptive_max_pool1d(size).map(|(largest, _)| largest),
            (Self::Uneven(size), _, false) => x.f_adaptive_avg_pool2d(size),
            (Self::Uneven(size), _, true) => x.f_adaptive_max_pool2d(size).map(|(largest, _)| largest),
        }
    }
}
