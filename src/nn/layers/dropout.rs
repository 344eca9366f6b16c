//! `dropout`: some elements set to zero while training.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Elements are zeroed with probability `p` while training, the others divided by `1 − p`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Dropout {
    /// The probability that an element is zeroed.
    pub p: f64,
}

impl Layer for Dropout {
    const INFO: LayerInfo = LayerInfo {
        name: "dropout",
        summary: "Some elements set to zero while training.",
        docs: "While training, every element is zeroed with probability `p` and the others are divided by `1 − p`; afterwards nothing \
               happens. The shape stays. Which elements is decided by the stage's seed.",
        example: "{ dropout = 0.25 }",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        match short {
            Short::Float(p) => Some(Self { p }),
            Short::Int(0) => Some(Self { p: 0.0 }),
            Short::Int(1) => Some(Self { p: 1.0 }),
            // Out of range either way; `infer` says so.
            Short::Int(_) => Some(Self { p: 2.0 }),
            Short::Bare | Short::Text(_) => None,
        }
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        if !(0.0..=1.0).contains(&self.p) {
            return Err(ShapeError::new(codes::OUT_OF_RANGE, "dropout takes a probability between 0 and 1")
                .at("p")
                .label("not a probability")
                .recover(input.shape.clone()));
        }
        Ok(input.clone())
    }

    fn describe(&self) -> String {
        self.p.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn a_probability() {
        assert_eq!(infer(r#"{"dropout":0.25}"#, &[3, 4]), (Shape::fixed(&[3, 4]), Some(0)));
        assert_eq!(infer_error(r#"{"dropout":1.5}"#, &[3]).code, codes::OUT_OF_RANGE);
        assert_eq!(infer_error(r#"{"dropout":3}"#, &[3]).code, codes::OUT_OF_RANGE);
    }
}
