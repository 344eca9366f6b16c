//! `softmax`: exponentials that sum to 1.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `yᵢ = exp(xᵢ) / Σ exp(xⱼ)` along one dimension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Softmax {
    /// The dimension along which they sum to 1; the batch is 0, the last is -1.
    #[serde(default = "last")]
    pub dim: i64,
}

fn last() -> i64 {
    -1
}

impl Layer for Softmax {
    const INFO: LayerInfo = LayerInfo {
        name: "softmax",
        summary: "Exponentials that sum to 1 along a dimension.",
        docs: "`yᵢ = exp(xᵢ) / Σ exp(xⱼ)` along `dim`. The shape stays. The loss `cross_entropy` takes a model's outputs without it.",
        example: "\"softmax\"",
        weights: false,
    };

    fn from_short(short: Short) -> Option<Self> {
        (short == Short::Bare).then_some(Self { dim: -1 })
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let rank = i64::try_from(input.shape.rank()).unwrap_or(i64::MAX);
        let allowed = (1..=rank).contains(&self.dim) || (-rank..=-1).contains(&self.dim);
        if allowed {
            return Ok(input.clone());
        }
        let message = format!("softmax along dimension {} cannot take {}", self.dim, input.shape);
        Err(ShapeError::new(codes::RANK, message)
            .at("dim")
            .label(format!("1 to {rank}, or -1 for the last"))
            .recover(input.shape.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn the_dimension_must_be_one_of_the_row() {
        assert_eq!(infer(r#""softmax""#, &[10]), (Shape::fixed(&[10]), Some(0)));
        assert_eq!(infer(r#"{"softmax":{"dim":1}}"#, &[10, 3]).0, Shape::fixed(&[10, 3]));
        assert_eq!(infer_error(r#"{"softmax":{"dim":0}}"#, &[10]).code, codes::RANK);
        assert_eq!(infer_error(r#"{"softmax":{"dim":2}}"#, &[10]).code, codes::RANK);
    }
}
