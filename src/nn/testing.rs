//! Shorthands for the tests of layers: decode one, send a shape through it.

use super::layer::{InferCx, ShapeError, Signal};
use super::spec::LayerSpec;
use crate::types::{Dim, Shape};

/// The layer that some JSON says.
pub(crate) fn decode(json: &str) -> LayerSpec {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// A target with 10 classes.
fn ten_classes() -> InferCx {
    InferCx { outputs: Some(Dim::Fixed(10)), embedding: None }
}

/// The output shape and the number of parameters.
pub(crate) fn infer(json: &str, sizes: &[u64]) -> (Shape, Option<u64>) {
    let (layer, cx) = (decode(json), ten_classes());
    let input = Signal::numbers(Shape::fixed(sizes));
    let output = layer.infer(&input, &cx).unwrap_or_else(|error| panic!("{json}: {}", error.message));
    (output.shape, layer.parameters(&input, &cx))
}

/// What is wrong with a layer for an input.
pub(crate) fn infer_error(json: &str, sizes: &[u64]) -> ShapeError {
    let input = Signal::numbers(Shape::fixed(sizes));
    decode(json).infer(&input, &ten_classes()).expect_err("the layer cannot take this shape")
}
