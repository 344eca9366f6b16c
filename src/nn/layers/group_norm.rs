//! `group_norm`: groups of channels standardised, row by row.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::yes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `y = (x − mean) / √(var + eps) · weight + bias`, with mean and variance of a group of one row's channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct GroupNorm {
    /// Into how many groups the channels are divided.
    pub groups: u64,
    /// What is added to the variance.
    #[serde(default = "eps")]
    pub eps: f64,
    /// Whether a weight and a bias per channel follow.
    #[serde(default = "yes")]
    pub affine: bool,
}

fn eps() -> f64 {
    1e-5
}

impl Layer for GroupNorm {
    const INFO: LayerInfo = LayerInfo {
        name: "group_norm",
        summary: "Groups of channels standardised, row by row.",
        docs: "`y = (x − mean) / √(var + eps) · weight + bias`, with mean and variance over a group of channels and all their places in one row \
               (Wu and He, 2018); the same in training and afterwards, whatever the batch. One group is a layer norm of an image, as many \
               groups as channels an instance norm. The channels are the first dimension; the shape stays.",
        example: "{ group_norm = 8 }",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        if let Short::Int(groups) = short { Some(Self { groups, eps: eps(), affine: true }) } else { None }
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "type": "integer", "minimum": 1 })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let Some(channels) = input.shape.0.first() else {
            return Err(ShapeError::rank(Self::INFO.name, "channels, height, width", &input.shape));
        };
        super::eps(Self::INFO.name, self.eps)?;
        match channels.size() {
            _ if self.groups == 0 => Err(ShapeError::zero(Self::INFO.name, "groups")),
            Some(channels) if !channels.is_multiple_of(self.groups) => {
                let message =
                    format!("group_norm has {} groups, which do not divide its {channels} channels", self.groups);
                Err(ShapeError::new(codes::INDIVISIBLE, message)
                    .at("groups")
                    .label(format!("{channels} is not a multiple of {}", self.groups))
                    .recover(input.shape.clone()))
            }
            _ => Ok(input.clone()),
        }
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        if self.affine { input.shape.0.first()?.size()?.checked_mul(2) } else { Some(0) }
    }

    fn describe(&self) -> String {
        format!("{} groups", self.groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn groups_divide_the_channels() {
        assert_eq!(infer(r#"{"group_norm":2}"#, &[6, 4, 4]), (Shape::fixed(&[6, 4, 4]), Some(12)));
        let error = infer_error(r#"{"group_norm":4}"#, &[6, 4, 4]);
        assert_eq!(error.message, "group_norm has 4 groups, which do not divide its 6 channels");
        assert_eq!(infer_error(r#"{"group_norm":0}"#, &[6]).code, codes::OUT_OF_RANGE);
        assert_eq!(infer_error(r#"{"group_norm":{"groups":2,"eps":-1}}"#, &[6]).code, codes::OUT_OF_RANGE);
    }
}
