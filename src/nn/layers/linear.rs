//! `linear`: a matrix product and a bias over the last dimension.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::{Width, yes};
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `y = x Wᵀ + b` over the last dimension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Linear {
    /// How many outputs, or `"classes"`: one per class of the target (1 for a binary target or a number).
    pub out: Width,
    /// How many inputs; worked out where it is left away, else compared.
    #[serde(default, rename = "in")]
    pub inputs: Option<u64>,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
}

impl Linear {
    fn width(&self, cx: &InferCx) -> Result<Dim, ShapeError> {
        match self.out {
            Width::Fixed(0) => Err(ShapeError::zero("linear", "out")),
            Width::Fixed(out) => Ok(Dim::Fixed(out)),
            Width::Classes => cx.outputs.clone().ok_or_else(|| {
                ShapeError::new(codes::NO_TARGET, "`classes` is not known, because the data has no target")
                    .at("out")
                    .label("as many as what?")
                    .hint("give the `encode` stage a `target`, or write the number of outputs")
            }),
        }
    }
}

impl Layer for Linear {
    const INFO: LayerInfo = LayerInfo {
        name: "linear",
        summary: "A fully connected layer: a matrix product and a bias.",
        docs: "`y = x Wᵀ + b` over the last dimension: `[…, in]` gives `[…, out]`. `{ linear = 10 }` is short for \
               `{ linear = { out = 10 } }`; `{ linear = \"classes\" }` has as many outputs as the target asks for. \
               An image goes through `flatten` first. W and b start uniform in ±1/√in, as in PyTorch.",
        example: "{ linear = 10 }",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        let out = match short {
            Short::Int(out) => Width::Fixed(out),
            Short::Text(text) if text == "classes" => Width::Classes,
            _ => return None,
        };
        Some(Self { out, inputs: None, bias: true })
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![
            schemars::json_schema!({ "type": "integer", "minimum": 1 }),
            schemars::json_schema!({ "const": "classes" }),
        ]
    }

    fn infer(&self, input: &Signal, cx: &InferCx) -> Result<Signal, ShapeError> {
        let width = self.width(cx)?;
        let Some((last, before)) = input.shape.0.split_last() else {
            return Err(ShapeError::rank("linear", "inputs", &input.shape));
        };
        if before.len() >= 2 && self.inputs.is_none() {
            return Err(ShapeError::new(codes::RANK, format!("linear takes a vector but receives {}", input.shape))
                .label(format!("receives {}", input.shape))
                .hint("put `\"flatten\"` or `\"global_avg_pool\"` before it")
                .recover(Shape(vec![width])));
        }
        let shape = Shape([before, &[width]].concat());
        match (self.inputs, last.size()) {
            (Some(declared), Some(real)) if declared != real => {
                let message = format!("linear expects {declared} inputs but receives {real}");
                Err(ShapeError::new(codes::LINEAR_IN, message)
                    .at("in")
                    .label(format!("receives {}", input.shape))
                    .hint("leave out `in`: kilter works it out")
                    .recover(shape))
            }
            _ => Ok(Signal::numbers(shape)),
        }
    }

    fn parameters(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        let inputs = input.shape.0.last()?.size()?;
        let out = self.width(cx).ok()?.size()?;
        inputs.checked_mul(out)?.checked_add(if self.bias { out } else { 0 })
    }

    fn resolved(&self, input: &Signal, cx: &InferCx) -> Self {
        let inputs = self.inputs.or_else(|| input.shape.0.last()?.size());
        let out = self.width(cx).ok().and_then(|dim| dim.size()).map_or(self.out, Width::Fixed);
        Self { out, inputs, bias: self.bias }
    }

    fn describe(&self) -> String {
        format!("{}{}", self.out, if self.bias { "" } else { ", no bias" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};

    #[test]
    fn the_last_dimension_is_replaced() {
        assert_eq!(infer(r#"{"linear":10}"#, &[1600]), (Shape::fixed(&[10]), Some(16_010)));
        assert_eq!(infer(r#"{"linear":{"out":3,"bias":false}}"#, &[7, 5]), (Shape::fixed(&[7, 3]), Some(15)));
        assert_eq!(infer(r#"{"linear":"classes"}"#, &[64]), (Shape::fixed(&[10]), Some(650)));
    }

    #[test]
    fn another_width_is_an_error_that_leaves_no_doubt_about_the_output() {
        let error = infer_error(r#"{"linear":{"in":3136,"out":10}}"#, &[1600]);
        assert_eq!(
            (error.code, error.message.as_str()),
            (codes::LINEAR_IN, "linear expects 3136 inputs but receives 1600")
        );
        assert_eq!(error.recover, Some(Shape::fixed(&[10])));
        assert_eq!(error.hints, ["leave out `in`: kilter works it out"]);
    }

    #[test]
    fn an_image_must_be_flattened() {
        let error = infer_error(r#"{"linear":10}"#, &[64, 5, 5]);
        assert_eq!(
            (error.code, error.message.as_str()),
            (codes::RANK, "linear takes a vector but receives [batch, 64, 5, 5]")
        );
        assert_eq!(infer_error(r#"{"linear":10}"#, &[]).code, codes::RANK);
        assert_eq!(infer_error(r#"{"linear":0}"#, &[4]).code, codes::OUT_OF_RANGE);
    }
}
