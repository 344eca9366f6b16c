//! `sigmoid`: the logistic function of each element.

use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The logistic function of each element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Sigmoid {}

impl Layer for Sigmoid {
    const INFO: LayerInfo = LayerInfo {
        name: "sigmoid",
        summary: "The logistic function of each element.",
        docs: "`y = 1 / (1 + exp(−x))`, element by element, between 0 and 1. The shape stays. The losses take a model's outputs without it.",
        example: "\"sigmoid\"",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        (short == Short::Bare).then_some(Self {})
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        Ok(input.clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::testing::infer;
    use crate::types::Shape;

    #[test]
    fn the_shape_stays() {
        assert_eq!(infer(r#""sigmoid""#, &[3, 4]), (Shape::fixed(&[3, 4]), Some(0)));
    }
}
