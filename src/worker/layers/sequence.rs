//! Layers one after another.

use super::{Module, Site, build, gives_fresh};
use kilter::nn::{InferCx, LayerSpec, Signal};
use tch::{TchError, Tensor, nn::Path};

pub(super) struct Sequence {
    layers: Vec<Box<dyn Module>>,
}

impl Sequence {
    /// Builds the layers; the parameters of layer `i` lie under `vs / i`. Widths have been filled in.
    pub fn new(specs: &[LayerSpec], input: &Signal, vs: &Path<'_>) -> Result<Self, String> {
        let cx = InferCx::default();
        let mut layers = Vec::with_capacity(specs.len());
        let mut before = input.clone();
        let mut overwrite = false;
        for (index, spec) in specs.iter().enumerate() {
            let at = |message: String| format!("layer {index}, {}: {message}", spec.text());
            let after = spec.infer(&before, &cx).map_err(|error| at(error.message))?;
            let site = Site { input: &before, output: &after, overwrite };
            layers.push(build(spec, &site, &vs.sub(index)).map_err(at)?);
            overwrite = gives_fresh(spec);
            before = after;
        }
        Ok(Self { layers })
    }

    pub fn forward(&self, x: Tensor, train: bool) -> Result<Tensor, TchError> {
        self.layers.iter().try_fold(x, |x, layer| layer.forward(x, train))
    }
}
