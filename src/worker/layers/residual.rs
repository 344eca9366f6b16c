//! `residual`.

use super::pass::Pass;
use super::sequence::Sequence;
use super::{Module, Site, gives_fresh};
use kilter::nn::layers;
use tch::{TchError, Tensor, nn::Path};

pub(super) struct Residual {
    layers: Sequence,
    shortcut: Sequence,
    /// Whether the result of `layers` may be overwritten with the sum.
    overwrite: bool,
}

impl Residual {
    pub fn new(spec: &layers::Residual, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        Ok(Self {
            layers: Sequence::new(&spec.layers, site.input, &vs.sub("layers"), site.shared)?,
            shortcut: Sequence::new(&spec.shortcut, site.input, &vs.sub("shortcut"), site.shared)?,
            overwrite: spec.layers.last().is_some_and(gives_fresh),
        })
    }
}

impl Module for Residual {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        let before = pass.mask.clone();
        let mut body = self.layers.forward(x.shallow_clone(), pass)?;
        let after = std::mem::replace(&mut pass.mask, before);
        let short = self.shortcut.forward(x, pass)?;
        pass.mask = after;
        if self.overwrite { body.f_add_(&short) } else { body.f_add(&short) }
    }

    fn goes_on(&self) -> bool {
        self.layers.goes_on() && self.shortcut.goes_on()
    }
}
