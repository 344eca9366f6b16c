//! `global_avg_pool`: the mean of each channel.

use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::types::Shape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The mean of each channel over all its places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct GlobalAvgPool {}

impl Layer for GlobalAvgPool {
    const INFO: LayerInfo = LayerInfo {
        name: "global_avg_pool",
        summary: "The mean of each channel over all its places.",
        docs: "`[channels, length]` or `[channels, height, width]` gives `[channels]`: adaptive average pooling to one place, flattened.",
        example: "\"global_avg_pool\"",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        (short == Short::Bare).then_some(Self {})
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        if !matches!(input.shape.rank(), 2 | 3) {
            return Err(ShapeError::rank(Self::INFO.name, "channels, height, width", &input.shape));
        }
        Ok(input.with_shape(Shape(vec![input.shape.0[0].clone()])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::codes;
    use crate::nn::testing::{infer, infer_error};

    #[test]
    fn only_the_channels_stay() {
        assert_eq!(infer(r#""global_avg_pool""#, &[128, 7, 7]), (Shape::fixed(&[128]), Some(0)));
        assert_eq!(infer(r#""global_avg_pool""#, &[16, 20]).0, Shape::fixed(&[16]));
        assert_eq!(infer_error(r#""global_avg_pool""#, &[16]).code, codes::RANK);
    }
}
