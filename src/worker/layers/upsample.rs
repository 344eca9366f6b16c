//! `upsample`.

use super::pass::Pass;
use super::{Module, Site, int};
use kilter::nn::layers::{self, UpsampleMode};
use tch::{TchError, Tensor};

pub(super) struct Upsample {
    /// The places that come out: a length, or a height and a width.
    size: Vec<i64>,
    /// How many times as many they are, where that is what was asked for: libtorch divides by it, and not by what the sizes make of it.
    scales: [Option<f64>; 2],
    mode: UpsampleMode,
    align_corners: bool,
}

impl Upsample {
    pub fn new(spec: &layers::Upsample, site: &Site<'_>) -> Result<Self, String> {
        let sizes = site.output.shape.sizes().ok_or_else(|| format!("{} is not known", site.output.shape))?;
        Ok(Self {
            size: sizes.into_iter().skip(1).map(int).collect::<Result<_, _>>()?,
            scales: spec.scale_factor.map_or([None; 2], |factor| factor.0.map(|factor| Some(factor as f64))),
            mode: spec.mode,
            align_corners: spec.align_corners,
        })
    }
}

impl Module for Upsample {
    fn forward(&self, x: Tensor, _: &mut Pass) -> Result<Tensor, TchError> {
        let Self { size, scales: [first, second], mode, align_corners } = self;
        match (mode, size.len()) {
            (UpsampleMode::Nearest, 1) => x.f_upsample_nearest1d(size, *first),
            (UpsampleMode::Nearest, _) => x.f_upsample_nearest2d(size, *first, *second),
            (UpsampleMode::Linear, _) => x.f_upsample_linear1d(size, *align_corners, *first),
            (UpsampleMode::Bilinear, _) => x.f_upsample_bilinear2d(size, *align_corners, *first, *second),
        }
    }
}
