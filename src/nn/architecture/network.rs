//! A network that is right: its widths filled in, its costs, its type.

use super::{Architecture, Inferred, LayerRow, NetworkError, Tower, infer, infer_cx, layers_with_weights};
use crate::diag::codes;
use crate::nn::join::Join;
use crate::nn::layer::{InferCx, Saved, ShapeError, Signal};
use crate::nn::sequence;
use crate::nn::spec::LayerSpec;
use crate::types::{Dim, FeatureType, ModelType, Shape, TargetType};

impl Architecture {
    /// A network for real inputs, with widths and counts filled in.
    ///
    /// # Errors
    /// The mistakes, where there are any; or one that says that a dimension is still not known.
    pub fn new(
        inputs: Vec<FeatureType>,
        towers: Vec<Tower>,
        join: Join,
        layers: Vec<LayerSpec>,
        target: Option<TargetType>,
    ) -> Result<Self, Vec<NetworkError>> {
        let output = Shape(Vec::new());
        Self { inputs, towers, join, layers, output, target, base: None }.finished()
    }

    /// The network with its output, widths and counts filled in.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn finished(self) -> Result<Self, Vec<NetworkError>> {
        let inferred = self.infer();
        if !inferred.errors.is_empty() {
            return Err(inferred.errors);
        }
        let Some(output) = inferred.output.filter(|shape| shape.sizes().is_some()) else {
            let error = ShapeError::new(codes::RANK, "the shape of the model's output is not known");
            return Err(vec![NetworkError { error, feature: None }]);
        };
        Ok(self.filled(output))
    }

    /// The network with its output, and with widths and counts filled in as far as they are known.
    #[must_use]
    pub fn filled(mut self, output: Shape) -> Self {
        self.output = output;
        self.resolve();
        self
    }

    fn resolve(&mut self) {
        let cx = self.cx();
        let input = self.joined();
        let inputs = self.tower_inputs();
        for (tower, input) in self.towers.iter_mut().zip(inputs) {
            tower.layers = sequence::resolved(&tower.layers, &input, &cx);
        }
        self.layers = sequence::resolved(&self.layers, &input, &cx);
    }

    /// What its layers may know besides their input.
    #[must_use]
    pub fn cx(&self) -> InferCx {
        infer_cx(&self.inputs, &self.towers, &self.layers, self.target.as_ref())
    }

    /// What goes into each tower: its feature, and what towers before it saved.
    #[must_use]
    pub fn tower_inputs(&self) -> Vec<Signal> {
        let cx = self.cx();
        let mut saved = Saved::new();
        let input = |tower: &Tower| {
            let feature = self.inputs.iter().find(|feature| feature.name == tower.input);
            let plain = feature.map_or_else(|| Signal::numbers(Shape(vec![Dim::Unknown])), Signal::of);
            let input = Signal { saved: saved.clone(), ..plain };
            if let (Some(output), _) = sequence::walk(&tower.layers, &input, &cx, &mut |_, _, _, _| {}) {
                saved = output.saved;
            }
            input
        };
        self.towers.iter().map(input).collect()
    }

    /// What goes into `layers`: the feature, or what features or towers give, joined.
    #[must_use]
    pub fn joined(&self) -> Signal {
        let mut scratch = Inferred::default();
        let joined = if self.towers.is_empty() {
            scratch.joined_features(&self.inputs)
        } else {
            scratch.joined_towers(&self.inputs, &self.towers, self.join, &self.cx())
        };
        joined.unwrap_or_else(|| Signal::numbers(Shape(vec![Dim::Unknown])))
    }

    /// A line per layer, with shapes and parameter counts.
    #[must_use]
    pub fn rows(&self) -> Vec<LayerRow> {
        self.infer().rows
    }

    /// How many parameters are trained.
    #[must_use]
    pub fn parameters(&self) -> Option<u64> {
        self.infer().parameters
    }

    /// How many layers have weights.
    #[must_use]
    pub fn layers_with_weights(&self) -> u64 {
        layers_with_weights(&self.towers, &self.layers)
    }

    /// Its type as an artefact.
    #[must_use]
    pub fn model_type(&self, trained: bool) -> ModelType {
        ModelType {
            inputs: self.inputs.clone(),
            output: self.output.clone(),
            target: self.target.clone(),
            layers: self.layers_with_weights(),
            parameters: self.parameters(),
            trained,
            network: serde_json::to_value(self).ok(),
        }
    }

    /// Its shapes, worked out again.
    #[must_use]
    pub fn infer(&self) -> Inferred {
        infer(&self.inputs, &self.towers, self.join, &self.layers, self.target.as_ref())
    }
}
