//! `batch_norm`: each channel standardised over the batch.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::yes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `y = (x − mean) / √(var + eps) · weight + bias`, per channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct BatchNorm {
    /// What is added to the variance.
    #[serde(default = "eps")]
    pub eps: f64,
    /// How much a batch moves the running mean and variance.
    #[serde(default = "momentum")]
    pub momentum: f64,
    /// Whether a weight and a bias per channel follow.
    #[serde(default = "yes")]
    pub affine: bool,
}

fn eps() -> f64 {
    1e-5
}

fn momentum() -> f64 {
    0.1
}

impl Layer for BatchNorm {
    const INFO: LayerInfo = LayerInfo {
        name: "batch_norm",
        summary: "Each channel standardised over the batch.",
        docs: "`y = (x − mean) / √(var + eps) · weight + bias` per channel, with the batch's mean and variance in training and running \
               ones afterwards: `running = (1 − momentum) running + momentum batch`. The channels are the first dimension: of `[features]` and \
               `[channels, length]` (PyTorch's BatchNorm1d) and of `[channels, height, width]` (BatchNorm2d). The shape stays. A training batch \
               needs more than one value per channel.",
        example: "\"batch_norm\"",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        (short == Short::Bare).then(|| Self { eps: eps(), momentum: momentum(), affine: true })
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        if !matches!(input.shape.rank(), 1..=3) {
            return Err(ShapeError::rank(Self::INFO.name, "channels, height, width", &input.shape));
        }
        super::eps(Self::INFO.name, self.eps)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(ShapeError::new(codes::OUT_OF_RANGE, "`momentum` of batch_norm must be between 0 and 1")
                .at("momentum")
                .label(format!("is {}", self.momentum)));
        }
        Ok(input.clone())
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        if self.affine { input.shape.0.first()?.size()?.checked_mul(2) } else { Some(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn two_parameters_a_channel() {
        assert_eq!(infer(r#""batch_norm""#, &[32, 9, 9]), (Shape::fixed(&[32, 9, 9]), Some(64)));
        assert_eq!(infer(r#"{"batch_norm":{"affine":false}}"#, &[7]), (Shape::fixed(&[7]), Some(0)));
        assert_eq!(infer_error(r#""batch_norm""#, &[]).code, codes::RANK);
        assert_eq!(infer_error(r#"{"batch_norm":{"momentum":2}}"#, &[3]).code, codes::OUT_OF_RANGE);
        let error = infer_error(r#"{"batch_norm":{"eps":-1e-5}}"#, &[3]);
        assert_eq!(
            (error.code, error.message.as_str()),
            (codes::OUT_OF_RANGE, "`eps` of batch_norm must not be below 0")
        );
    }
}
