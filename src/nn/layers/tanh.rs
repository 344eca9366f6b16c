//! `tanh`: the hyperbolic tangent of each element.

use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The hyperbolic tangent of each element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Tanh {}

impl Layer for Tanh {
    const INFO: LayerInfo = LayerInfo {
        name: "tanh",
        summary: "The hyperbolic tangent of each element.",
        docs: "`y = tanh(x)`, element by element, between -1 and 1. The shape stays.",
        example: "\"tanh\"",
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
        assert_eq!(infer(r#""tanh""#, &[3, 4]), (Shape::fixed(&[3, 4]), Some(0)));
    }
}
