//! `transpose`: two dimensions change places.

use super::attention::split;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::types::Shape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The two dimensions of a row change places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Transpose {}

impl Layer for Transpose {
    const INFO: LayerInfo = LayerInfo {
        name: "transpose",
        summary: "Tokens become channels, or channels tokens.",
        docs: "`[seq, features]` gives `[features, seq]`, which is `[channels, length]` to `conv1d`; and the other way round.",
        example: "\"transpose\"",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        (short == Short::Bare).then_some(Self {})
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let (first, second) = split(Self::INFO.name, input)?;
        Ok(input.with_shape(Shape(vec![second.clone(), first.clone()])))
    }

    fn activations(&self, _: &Signal, _: &InferCx) -> Option<u64> {
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use crate::diag::codes;
    use crate::nn::testing::{infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn the_dimensions_change_places() {
        assert_eq!(infer(r#""transpose""#, &[5, 8]).0, Shape::fixed(&[8, 5]));
        assert_eq!(infer_error(r#""transpose""#, &[8]).code, codes::RANK);
    }
}
