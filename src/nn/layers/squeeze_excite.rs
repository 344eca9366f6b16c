//! `squeeze_excite`: channels weighted by what the whole image holds.

use super::window::split;
use crate::nn::init::{self, Init};
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `y = x · σ(W₂ relu(W₁ mean(x) + b₁) + b₂)`, channel by channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct SqueezeExcite {
    /// How many channels are in between; a quarter or a sixteenth of them is usual.
    pub squeeze: u64,
    /// How the weights start; as in PyTorch where it is left away. With it, biases start at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

impl Layer for SqueezeExcite {
    const INFO: LayerInfo = LayerInfo {
        name: "squeeze_excite",
        summary: "Channels weighted by what the whole image holds.",
        docs: "`y = x · σ(W₂ relu(W₁ mean(x) + b₁) + b₂)`: a number between 0 and 1 for each channel, from the means of all channels over their \
               places (Hu et al., 2018): torchvision's `SqueezeExcitation`. `[channels, length]` or `[channels, height, width]` stays. In a \
               residual block it stands last.",
        example: "{ squeeze_excite = 8 }",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        if let Short::Int(squeeze) = short { Some(Self { squeeze, init: None }) } else { None }
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "type": "integer", "minimum": 1 })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let name = Self::INFO.name;
        if input.shape.rank() != 2 {
            split::<2>(name, &input.shape)?;
        }
        if self.squeeze == 0 {
            return Err(ShapeError::zero(name, "squeeze"));
        }
        init::check(name, self.init.as_ref())?;
        Ok(input.with_shape(input.shape.clone()))
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        let channels = input.shape.0.first()?.size()?;
        let matrices = channels.checked_mul(self.squeeze)?.checked_mul(2)?;
        matrices.checked_add(channels)?.checked_add(self.squeeze)
    }

    fn flops(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        input.shape.0.first()?.size()?.checked_mul(self.squeeze)?.checked_mul(4)
    }

    fn describe(&self) -> String {
        self.squeeze.to_string()
    }
}

#[cfg(test)]
mod tests {
    use crate::diag::codes;
    use crate::nn::testing::{infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn the_shape_stays_and_parameters_are_counted_as_torchvision_does() {
        // torchvision.ops.SqueezeExcitation(16, 4): 16·4 + 4 + 4·16 + 16
        assert_eq!(infer(r#"{"squeeze_excite":4}"#, &[16, 7, 5]), (Shape::fixed(&[16, 7, 5]), Some(148)));
        assert_eq!(infer(r#"{"squeeze_excite":{"squeeze":4}}"#, &[16, 7]), (Shape::fixed(&[16, 7]), Some(148)));
        assert_eq!(infer_error(r#"{"squeeze_excite":4}"#, &[16]).code, codes::RANK);
        assert_eq!(infer_error(r#"{"squeeze_excite":0}"#, &[16, 7]).code, codes::OUT_OF_RANGE);
    }
}
