//! `transformer_decoder`: blocks that look back, and at a memory.

use super::attention::{Attention, rotary_base};
use super::transformer::{BlockActivation, NormPlace, Stack, dropout, eps, one};
use crate::nn::init::Init;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::yes;
use crate::types::Dim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `layers` blocks, each of causal self-attention, attention to a memory and a feed-forward part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct TransformerDecoder {
    /// How many blocks are stacked.
    #[serde(default = "one")]
    pub layers: u64,
    /// Into how many heads the features are divided.
    pub heads: u64,
    /// Into how many heads keys and values are divided: each serves as many of the queries' heads. As many as `heads` where it is left away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_heads: Option<u64>,
    /// What the tokens look at besides what is before them: the name of a `save`. Without it the blocks are a GPT's.
    #[serde(default)]
    pub memory: Option<String>,
    /// How wide the middle of the feed-forward part is; four times the features where it is left away.
    #[serde(default)]
    pub feedforward: Option<u64>,
    /// What stands in that middle.
    #[serde(default)]
    pub activation: BlockActivation,
    /// `"post"`: norms after the sums; `"pre"`: before the parts.
    #[serde(default)]
    pub norm: NormPlace,
    /// Dropout after each part and in the feed-forward part's middle.
    #[serde(default = "dropout")]
    pub dropout: f64,
    /// Dropout of what a token looks at; as `dropout` where it is left away. With 0 the fused kernel serves on the CPU too.
    #[serde(default)]
    pub attention_dropout: Option<f64>,
    /// Whether queries and keys are turned by their places: rotary positions.
    #[serde(default)]
    pub rotary: bool,
    /// The base of the rotary wavelengths.
    #[serde(default = "rotary_base")]
    pub rotary_base: f64,
    /// What norms add to the variance.
    #[serde(default = "eps")]
    pub eps: f64,
    /// Whether biases are added, in norms too.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weights start; as in PyTorch where it is left away. With it, biases start at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

impl TransformerDecoder {
    /// What it is made of.
    #[must_use]
    pub fn stack(&self) -> Stack {
        Stack {
            layers: self.layers,
            attention: Attention {
                heads: self.heads,
                kv_heads: self.kv_heads,
                causal: true,
                dropout: self.attention_dropout.unwrap_or(self.dropout),
                bias: self.bias,
                rotary: self.rotary.then_some(self.rotary_base),
                init: self.init.clone(),
            },
            memory: self.memory.clone(),
            feedforward: self.feedforward,
            activation: self.activation,
            norm: self.norm,
            dropout: self.dropout,
            eps: self.eps,
        }
    }
}

impl Layer for TransformerDecoder {
    const INFO: LayerInfo = LayerInfo {
        name: "transformer_decoder",
        summary: "Blocks of tokens that look back, and at a memory.",
        docs: "As `transformer_encoder`, but a token sees only itself and what is before it, and with `memory` a part between looks at what \
               `{ save = … }` kept: `x = norm(x + attention(x, memory))` (Vaswani et al., 2017). A memory may come from a tower before this \
               one in the order of their names. `[seq, features]` stays. Parameters are named and start as in PyTorch's \
               `TransformerDecoder`; without `memory` they are those of a causal `transformer_encoder`.",
        example: "{ transformer_decoder = { layers = 4, heads = 4, norm = \"pre\", activation = \"gelu\" } }",
        weights: true,
    };

    fn from_short(_: Short) -> Option<Self> {
        None
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        self.stack().infer(Self::INFO.name, input)
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        self.stack().parameters(input)
    }

    fn flops(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        self.stack().flops(input)
    }

    fn activations(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        self.stack().activations(input)
    }

    fn resolved(&self, input: &Signal, _: &InferCx) -> Self {
        let middle = input.shape.0.get(1).and_then(Dim::size).map(|features| self.stack().middle(features));
        let attention_dropout = self.attention_dropout.or(Some(self.dropout));
        Self { feedforward: middle.or(self.feedforward), attention_dropout, ..self.clone() }
    }

    fn describe(&self) -> String {
        self.stack().describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{decode, infer};
    use crate::types::Shape;

    #[test]
    fn parameters_are_counted_as_pytorch_does() {
        assert_eq!(infer(r#"{"transformer_decoder":{"heads":2}}"#, &[5, 8]), (Shape::fixed(&[5, 8]), Some(872)));
        let layer = decode(r#"{"transformer_decoder":{"heads":2,"memory":"source"}}"#);
        let mut input = Signal::numbers(Shape::fixed(&[5, 8]));
        assert!(layer.infer(&input, &InferCx::default()).is_err());
        input.saved.insert("source".to_owned(), Signal::numbers(Shape::fixed(&[7, 8])));
        // torch.nn.TransformerDecoderLayer(8, 2, 32): 872 + 288 + 16
        assert_eq!(layer.parameters(&input, &InferCx::default()), Some(1176));
        assert_eq!(layer.infer(&input, &InferCx::default()).map(|signal| signal.shape), Ok(Shape::fixed(&[5, 8])));
    }
}
