//! `softplus`: a smooth `relu`.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `y = ln(1 + exp(beta x)) / beta`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Softplus {
    /// How sharp the bend at 0 is.
    #[serde(default = "beta")]
    pub beta: f64,
}

fn beta() -> f64 {
    1.0
}

impl Layer for Softplus {
    const INFO: LayerInfo = LayerInfo {
        name: "softplus",
        summary: "A smooth `relu`, never 0.",
        docs: "`y = ln(1 + exp(beta x)) / beta`, element by element. The shape stays. It makes outputs positive.",
        example: "\"softplus\"",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        (short == Short::Bare).then_some(Self { beta: beta() })
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        if self.beta > 0.0 {
            return Ok(input.clone());
        }
        Err(ShapeError::new(codes::OUT_OF_RANGE, "`beta` of softplus must be above 0")
            .at("beta")
            .label(format!("is {}", self.beta))
            .recover(input.shape.clone()))
    }

    fn describe(&self) -> String {
        if self.beta == beta() { String::new() } else { format!("beta {}", self.beta) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn the_shape_stays() {
        assert_eq!(infer(r#""softplus""#, &[3, 4]), (Shape::fixed(&[3, 4]), Some(0)));
        assert_eq!(infer_error(r#"{"softplus":{"beta":0.0}}"#, &[3]).code, codes::OUT_OF_RANGE);
    }
}
