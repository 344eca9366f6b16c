//! `linear`: a matrix product and a bias over the last dimension.

use crate::diag::codes;
use crate::nn::init::{self, Init};
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
    /// Whether its matrix is that of the network's first embedding, so that the vectors of tokens serve both ways.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tie: bool,
    /// How the weights start; as in PyTorch where it is left away. With it, the bias starts at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

/// A default that is left out of `architecture.json`, so that networks from before the field have the bytes they had.
fn is_false(value: &bool) -> bool {
    !value
}

impl Linear {
    /// What a tied layer takes over must have the shape of its matrix.
    fn check_tie(&self, width: &Dim, features: &Dim, cx: &InferCx) -> Result<(), ShapeError> {
        let error = |message: String| ShapeError::new(codes::RESIDUAL, message).at("tie");
        let Some((dim, count)) = &cx.embedding else {
            return Err(error("linear is tied to an embedding, but the network has none".to_owned())
                .label("to what?")
                .hint("leave out `tie`, or begin the network with `{ embedding = … }`"));
        };
        if !Dim::Fixed(*dim).compatible(features) || !count.compatible(width) {
            let message = format!("linear has a matrix of {width} x {features}, but the embedding is {count} x {dim}");
            let remedy = match count.compatible(width) {
                true => format!("put `{{ linear = {dim} }}` before it, or leave out `tie`"),
                false => "leave out `tie`: it is for models that give the tokens they take".to_owned(),
            };
            return Err(error(message).label("tied to an embedding of another shape").hint(remedy));
        }
        if self.init.is_some() {
            let message = "the matrix of a tied layer starts as the embedding does";
            return Err(ShapeError::new(codes::CONFLICT, message)
                .at("init")
                .label("does nothing here")
                .hint("give the embedding this `init`"));
        }
        Ok(())
    }

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
               An image goes through `flatten` first. W and b start uniform in ±1/√in, as in PyTorch. With `tie = true` W is the table of the \
               network's first embedding (Press and Wolf, 2017), as usual at the end of language models.",
        example: "{ linear = 10 }",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        let out = match short {
            Short::Int(out) => Width::Fixed(out),
            Short::Text(text) if text == "classes" => Width::Classes,
            _ => return None,
        };
        Some(Self { out, inputs: None, bias: true, tie: false, init: None })
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
        if self.tie {
            self.check_tie(&width, last, cx)?;
        }
        init::check(Self::INFO.name, self.init.as_ref())?;
        let shape = Shape([before, std::slice::from_ref(&width)].concat());
        match (self.inputs, last.size()) {
            (Some(declared), Some(real)) if declared != real => {
                let message = format!("linear expects {declared} inputs but receives {real}");
                Err(ShapeError::new(codes::LINEAR_IN, message)
                    .at("in")
                    .label(format!("receives {}", input.shape))
                    .hint("leave out `in`: kilter works it out")
                    .recover(shape))
            }
            _ => Ok(input.at_each_place(width)),
        }
    }

    fn flops(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        let out = self.width(cx).ok()?.size()?;
        input.shape.elements()?.checked_mul(out)?.checked_mul(2)
    }

    fn parameters(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        let inputs = input.shape.0.last()?.size()?;
        let out = self.width(cx).ok()?.size()?;
        let own = if self.tie { 0 } else { inputs.checked_mul(out)? };
        own.checked_add(if self.bias { out } else { 0 })
    }

    fn resolved(&self, input: &Signal, cx: &InferCx) -> Self {
        let inputs = self.inputs.or_else(|| input.shape.0.last()?.size());
        let out = self.width(cx).ok().and_then(|dim| dim.size()).map_or(self.out, Width::Fixed);
        Self { out, inputs, ..self.clone() }
    }

    fn describe(&self) -> String {
        let mut text = self.out.to_string();
        for (shown, part) in [(!self.bias, ", no bias"), (self.tie, ", tied")] {
            if shown {
                text.push_str(part);
            }
        }
        text
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
    fn a_tied_layer_has_the_shape_of_the_embedding() {
        let layer = crate::nn::testing::decode(r#"{"linear":{"out":11,"tie":true}}"#);
        let input = Signal::numbers(Shape::fixed(&[5, 8]));
        let cx = |embedding| InferCx { outputs: None, embedding };
        let tied = cx(Some((8, Dim::Fixed(11))));
        assert_eq!(layer.infer(&input, &tied).map(|signal| signal.shape), Ok(Shape::fixed(&[5, 11])));
        assert_eq!(layer.parameters(&input, &tied), Some(11));
        let error = layer.infer(&input, &cx(Some((8, Dim::Fixed(12))))).expect_err("another vocabulary");
        assert_eq!(error.message, "linear has a matrix of 11 x 8, but the embedding is 12 x 8");
        assert_eq!(error.hints, ["leave out `tie`: it is for models that give the tokens they take"]);
        let error = layer.infer(&input, &cx(Some((6, Dim::Fixed(11))))).expect_err("other features");
        assert_eq!(error.hints, ["put `{ linear = 6 }` before it, or leave out `tie`"]);
        let error = layer.infer(&input, &cx(None)).expect_err("no embedding");
        assert_eq!(error.message, "linear is tied to an embedding, but the network has none");
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
