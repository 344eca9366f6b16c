//! Layers one after another.

use super::pass::Pass;
use super::{Module, Shared, Site, build, gives_fresh, watch};
use kilter::nn::{LayerSpec, Signal};
use tch::{TchError, Tensor, nn::Path};

pub(super) struct Sequence {
    layers: Vec<Step>,
}

/// A layer in its place.
pub(super) struct Step {
    module: Box<dyn Module>,
    /// How messages call it.
    path: String,
    text: String,
    /// Whether tokens stay tokens, so that their mask goes on with them.
    keeps_tokens: bool,
}

impl Sequence {
    /// Builds the layers; the parameters of layer `i` lie under `vs / i`. Widths have been filled in.
    pub fn new(specs: &[LayerSpec], input: &Signal, vs: &Path<'_>, shared: &Shared) -> Result<Self, String> {
        let mut layers = Vec::with_capacity(specs.len());
        let mut before = input.clone();
        let mut overwrite = false;
        for (index, spec) in specs.iter().enumerate() {
            let at = |message: String| format!("layer {index}, {}: {message}", spec.text());
            let after = spec.infer_next(&before, &shared.cx).map_err(|error| at(error.message))?;
            let site = Site { input: &before, output: &after, overwrite, shared };
            let vs = vs.sub(index);
            let module = build(spec, &site, &vs).map_err(at)?;
            let path = vs.components().collect::<Vec<_>>().join(".");
            layers.push(Step { module, path, text: spec.text(), keeps_tokens: after.padding.is_some() });
            overwrite = gives_fresh(spec);
            before = after;
        }
        Ok(Self { layers })
    }

    /// See [`Module::goes_on`].
    pub fn goes_on(&self) -> bool {
        self.layers.iter().all(|step| step.module.goes_on())
    }

    pub fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        Self::through(&self.layers, x, pass)
    }

    /// The first so many layers, and the others.
    pub fn split_at(&self, count: usize) -> (&[Step], &[Step]) {
        self.layers.split_at(count.min(self.layers.len()))
    }

    /// Some of the layers.
    pub fn through(steps: &[Step], x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        steps.iter().try_fold(x, |x, step| {
            let y = step.module.forward(x, pass)?;
            watch::look(&step.path, &step.text, &y);
            if !step.keeps_tokens {
                pass.mask = None;
            }
            Ok(y)
        })
    }
}
