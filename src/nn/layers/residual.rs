//! `residual`: layers whose result is added to their input.

use crate::diag::codes;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::sequence;
use crate::nn::spec::LayerSpec;
use schemars::JsonSchema;
use serde::de::{SeqAccess, value::SeqAccessDeserializer};
use serde::{Deserialize, Serialize};

/// `y = layers(x) + shortcut(x)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Residual {
    /// The layers of the block.
    pub layers: Vec<LayerSpec>,
    /// Layers that the input goes through before it is added; none where the shapes are equal.
    #[serde(default)]
    pub shortcut: Vec<LayerSpec>,
}

impl Residual {
    fn mismatch(input: &Signal, body: &Signal, short: &Signal, has_shortcut: bool) -> ShapeError {
        let giver = if has_shortcut { "the shortcut gives" } else { "it receives" };
        let message = format!("the residual block gives {}, but {giver} {}", body.shape, short.shape);
        let error = ShapeError::new(codes::RESIDUAL, message).at("layers").label(format!("gives {}", body.shape));
        if has_shortcut {
            return error.recover(body.shape.clone()).hint("give `shortcut` the strides and the width of `layers`");
        }
        let hint = match (body.shape.0.as_slice(), input.shape.0.as_slice()) {
            ([out, height, ..], [_, before, _]) if body.shape.rank() == 3 => {
                let stride =
                    before.size().zip(height.size()).map_or(1, |(before, after)| before.div_ceil(after.max(1)));
                format!(
                    "add `shortcut = [{{ conv2d = {{ out = {out}, kernel = 1, stride = {stride}, bias = false }} }}, \"batch_norm\"]`"
                )
            }
            ([out], [_]) => format!("add `shortcut = [{{ linear = {out} }}]`"),
            _ => "let the last layer give the shape of the input, or add a `shortcut`".to_owned(),
        };
        error.recover(body.shape.clone()).hint(hint)
    }
}

impl Layer for Residual {
    const INFO: LayerInfo = LayerInfo {
        name: "residual",
        summary: "Layers whose result is added to their input.",
        docs: "`y = layers(x) + shortcut(x)` (He et al., 2015); without `shortcut`, `y = layers(x) + x`. Both sides have one shape. No \
               activation follows: write it after the block. `{ residual = […] }` is short for `{ residual = { layers = […] } }`.",
        example: "{ residual = { layers = [{ linear = 64 }, \"relu\", { linear = 64 }], shortcut = [{ linear = 64 }] } }",
        weights: false,
    };

    fn from_short(_: Short) -> Option<Self> {
        None
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Option<Result<Self, A::Error>> {
        Some(Vec::deserialize(SeqAccessDeserializer::new(list)).map(|layers| Self { layers, shortcut: Vec::new() }))
    }

    fn short_schemas(generator: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        let layer = generator.subschema_for::<LayerSpec>();
        vec![schemars::json_schema!({ "type": "array", "items": layer, "minItems": 1 })]
    }

    fn infer(&self, input: &Signal, cx: &InferCx) -> Result<Signal, ShapeError> {
        if self.layers.is_empty() {
            return Err(ShapeError::new(codes::EMPTY_MODEL, "a residual block has at least one layer").at("layers"));
        }
        let body = sequence::infer(&self.layers, input, cx).map_err(|error| error.nest(&["layers".into()]))?;
        let short = sequence::infer(&self.shortcut, input, cx).map_err(|error| error.nest(&["shortcut".into()]))?;
        let same_rank = body.shape.rank() == short.shape.rank();
        let fits = same_rank && body.shape.0.iter().zip(&short.shape.0).all(|(a, b)| a.compatible(b));
        if !fits {
            return Err(Self::mismatch(input, &body, &short, !self.shortcut.is_empty()));
        }
        Ok(body)
    }

    fn parameters(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        let of = |layers: &[LayerSpec]| sequence::sum(layers, input, cx, LayerSpec::parameters);
        of(&self.layers)?.checked_add(of(&self.shortcut)?)
    }

    fn flops(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        let of = |layers: &[LayerSpec]| sequence::sum(layers, input, cx, LayerSpec::flops);
        of(&self.layers)?.checked_add(of(&self.shortcut)?)
    }

    fn activations(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        let of = |layers: &[LayerSpec]| sequence::sum(layers, input, cx, LayerSpec::activations);
        of(&self.layers)?.checked_add(of(&self.shortcut)?)
    }

    fn resolved(&self, input: &Signal, cx: &InferCx) -> Self {
        Self {
            layers: sequence::resolved(&self.layers, input, cx),
            shortcut: sequence::resolved(&self.shortcut, input, cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{infer, infer_error};
    use crate::path;
    use crate::types::Shape;

    #[test]
    fn both_sides_have_one_shape() {
        let block = r#"{"residual":[{"linear":8},"relu",{"linear":8}]}"#;
        assert_eq!(infer(block, &[8]), (Shape::fixed(&[8]), Some(144)));
        let error = infer_error(block, &[6]);
        assert_eq!(
            (error.code, error.message.as_str()),
            (codes::RESIDUAL, "the residual block gives [batch, 8], but it receives [batch, 6]",)
        );
        assert_eq!(error.hints, ["add `shortcut = [{ linear = 8 }]`"]);
        let adapted = r#"{"residual":{"layers":[{"linear":8}],"shortcut":[{"linear":{"out":8,"bias":false}}]}}"#;
        assert_eq!(infer(adapted, &[6]), (Shape::fixed(&[8]), Some(56 + 48)));
    }

    #[test]
    fn a_strided_block_is_told_its_shortcut() {
        let block = r#"{"residual":[{"conv2d":{"out":64,"kernel":3,"stride":2,"padding":1}}]}"#;
        let error = infer_error(block, &[32, 28, 28]);
        assert_eq!(
            error.hints,
            ["add `shortcut = [{ conv2d = { out = 64, kernel = 1, stride = 2, bias = false } }, \"batch_norm\"]`"]
        );
    }

    #[test]
    fn a_mistake_inside_is_blamed_on_the_layer_inside() {
        let block = r#"{"residual":{"layers":[{"linear":8},"relu",{"linear":{"in":9,"out":8}}]}}"#;
        let error = infer_error(block, &[8]);
        assert_eq!(error.field, path!["layers", 2, "linear", "in"]);
        assert_eq!(error.given_by, Some((path!["layers", 0], "gives [batch, 8]".to_owned())));
    }
}
