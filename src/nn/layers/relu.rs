//! `relu`: the larger of each element and 0.

use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The larger of each element and 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Relu {}

impl Layer for Relu {
    const INFO: LayerInfo = LayerInfo {
        name: "relu",
        summary: "The larger of each element and 0.",
        docs: "`y = max(x, 0)`, element by element. The shape stays.",
        example: "\"relu\"",
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
        assert_eq!(infer(r#""relu""#, &[3, 4]), (Shape::fixed(&[3, 4]), Some(0)));
    }
}
