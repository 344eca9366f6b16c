//! `rms_norm`: each row divided by its root mean square.

use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::yes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `y = x / √(mean(x²) + eps) · weight`, over the last dimension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct RmsNorm {
    /// What is added to the mean square; the machine's epsilon (1.19e-7) where it is left away, as in PyTorch.
    #[serde(default)]
    pub eps: Option<f64>,
    /// Whether a weight per feature follows.
    #[serde(default = "yes")]
    pub affine: bool,
}

impl Layer for RmsNorm {
    const INFO: LayerInfo = LayerInfo {
        name: "rms_norm",
        summary: "Each row divided by the root of its mean square.",
        docs: "`y = x / √(mean(x²) + eps) · weight` over the last dimension (Zhang and Sennrich, 2019): PyTorch's `RMSNorm`. The shape stays.",
        example: "\"rms_norm\"",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        (short == Short::Bare).then_some(Self { eps: None, affine: true })
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        if input.shape.rank() == 0 {
            return Err(ShapeError::rank(Self::INFO.name, "features", &input.shape));
        }
        super::eps(Self::INFO.name, self.eps.unwrap_or_default())?;
        Ok(input.clone())
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        if self.affine { input.shape.0.last()?.size() } else { Some(0) }
    }
}

#[cfg(test)]
mod tests {
    use crate::diag::codes;
    use crate::nn::testing::{infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn the_last_dimension_carries_the_weights() {
        assert_eq!(infer(r#""rms_norm""#, &[5, 8]), (Shape::fixed(&[5, 8]), Some(8)));
        assert_eq!(infer(r#"{"rms_norm":{"affine":false}}"#, &[8]).1, Some(0));
        assert_eq!(infer_error(r#""rms_norm""#, &[]).code, codes::RANK);
        assert_eq!(infer_error(r#"{"rms_norm":{"eps":-1}}"#, &[8]).code, codes::OUT_OF_RANGE);
    }
}
