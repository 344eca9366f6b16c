//! `layer_norm`: each row standardised over its last dimensions.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::yes;
use crate::types::Dim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `y = (x − mean) / √(var + eps) · weight + bias`, over the last dimensions of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct LayerNorm {
    /// Over how many of the last dimensions mean and variance are taken.
    #[serde(default = "one")]
    pub dims: u64,
    /// What is added to the variance.
    #[serde(default = "eps")]
    pub eps: f64,
    /// Whether a weight and a bias per element follow.
    #[serde(default = "yes")]
    pub affine: bool,
}

fn one() -> u64 {
    1
}

fn eps() -> f64 {
    1e-5
}

impl LayerNorm {
    /// The dimensions that are standardised together: PyTorch's `normalized_shape`.
    #[must_use]
    pub fn normalized<'a>(&self, input: &'a Signal) -> &'a [Dim] {
        let dims = usize::try_from(self.dims).unwrap_or(usize::MAX).min(input.shape.rank());
        &input.shape.0[input.shape.rank() - dims..]
    }
}

impl Layer for LayerNorm {
    const INFO: LayerInfo = LayerInfo {
        name: "layer_norm",
        summary: "Each row standardised over its last dimension.",
        docs: "`y = (x − mean) / √(var + eps) · weight + bias`, with mean and variance of one row over its last `dims` dimensions; the same in \
               training and afterwards. The shape stays.",
        example: "\"layer_norm\"",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        (short == Short::Bare).then(|| Self { dims: 1, eps: eps(), affine: true })
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let rank = input.shape.rank() as u64;
        if rank == 0 {
            return Err(ShapeError::rank(Self::INFO.name, "features", &input.shape));
        }
        super::eps(Self::INFO.name, self.eps)?;
        if self.dims == 0 {
            return Err(ShapeError::zero(Self::INFO.name, "dims"));
        }
        if self.dims > rank {
            let message = format!("layer_norm takes the last {} dimensions but receives {}", self.dims, input.shape);
            return Err(ShapeError::new(codes::RANK, message).at("dims").label(format!("at most {rank}")));
        }
        Ok(input.clone())
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        if !self.affine {
            return Some(0);
        }
        self.normalized(input).iter().try_fold(2_u64, |product, dim| product.checked_mul(dim.size()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn the_last_dimensions_carry_the_weights() {
        assert_eq!(infer(r#""layer_norm""#, &[5, 8]), (Shape::fixed(&[5, 8]), Some(16)));
        assert_eq!(infer(r#"{"layer_norm":{"dims":2}}"#, &[5, 8]).1, Some(80));
        assert_eq!(infer_error(r#"{"layer_norm":{"dims":3}}"#, &[5, 8]).code, codes::RANK);
        assert_eq!(infer_error(r#"{"layer_norm":{"eps":-1}}"#, &[5, 8]).code, codes::OUT_OF_RANGE);
    }
}
