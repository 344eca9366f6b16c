//! `transformer_encoder`: blocks of attention and a feed-forward part.

use super::attention::{Attention, rotary_base};
use super::transformer::{BlockActivation, NormPlace, Stack, dropout, eps, one};
use crate::nn::init::Init;
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::yes;
use crate::types::Dim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `layers` blocks, each of self-attention and a feed-forward part with a sum around either.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct TransformerEncoder {
    /// How many blocks are stacked.
    #[serde(default = "one")]
    pub layers: u64,
    /// Into how many heads the features are divided.
    pub heads: u64,
    /// Into how many heads keys and values are divided: each serves as many of the queries' heads. As many as `heads` where it is left away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_heads: Option<u64>,
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
    /// Whether a token sees only itself and what is before it.
    #[serde(default)]
    pub causal: bool,
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

impl TransformerEncoder {
    /// What it is made of.
    #[must_use]
    pub fn stack(&self) -> Stack {
        Stack {
            layers: self.layers,
            attention: Attention {
                heads: self.heads,
                kv_heads: self.kv_heads,
                causal: self.causal,
                dropout: self.attention_dropout.unwrap_or(self.dropout),
                bias: self.bias,
                rotary: self.rotary.then_some(self.rotary_base),
                init: self.init.clone(),
            },
            memory: None,
            feedforward: self.feedforward,
            activation: self.activation,
            norm: self.norm,
            dropout: self.dropout,
            eps: self.eps,
        }
    }
}

impl Layer for TransformerEncoder {
    const INFO: LayerInfo = LayerInfo {
        name: "transformer_encoder",
        summary: "Blocks of attention and a feed-forward part.",
        docs: "`x = norm(x + attention(x))`, `x = norm(x + W₂ f(W₁ x))` (Vaswani et al., 2017), `layers` times; with `norm = \"pre\"`, \
               `x = x + attention(norm(x))` and so on, after which a `layer_norm` of its own is usual. `[seq, features]` stays. Padding is not \
               looked at. With `causal = true` it is a GPT's block. Parameters are named as those of PyTorch's `TransformerEncoder` and start \
               as those of its `TransformerEncoderLayer`, each block drawn for itself (PyTorch copies the first one).",
        example: "{ transformer_encoder = { layers = 2, heads = 4, norm = \"pre\", activation = \"gelu\" } }",
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
    use crate::diag::codes;
    use crate::nn::testing::{decode, infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn parameters_are_counted_as_pytorch_does() {
        // torch.nn.TransformerEncoderLayer(8, 2, 32): 288 + 8·32 + 32 + 32·8 + 8 + 2·16
        let one = r#"{"transformer_encoder":{"heads":2}}"#;
        assert_eq!(infer(one, &[5, 8]), (Shape::fixed(&[5, 8]), Some(872)));
        let two = r#"{"transformer_encoder":{"heads":2,"layers":2,"feedforward":16,"norm":"pre"}}"#;
        assert_eq!(infer(two, &[5, 8]).1, Some(2 * (288 + 8 * 16 + 16 + 16 * 8 + 8 + 32)));
        // With bias=False: 256 + 2·8·32 + 2·8
        assert_eq!(infer(r#"{"transformer_encoder":{"heads":2,"bias":false}}"#, &[5, 8]).1, Some(784));
    }

    #[test]
    fn heads_share_keys_and_values_in_blocks_too() {
        // As above, less what 2 of 4 heads of keys and values have: 2 · (4·8 + 4).
        let grouped = r#"{"transformer_encoder":{"heads":4,"kv_heads":2}}"#;
        assert_eq!(infer(grouped, &[5, 8]), (Shape::fixed(&[5, 8]), Some(872 - 72)));
        assert_eq!(decode(grouped).text(), "transformer_encoder 1 x 4 heads, 2 of keys and values");
        let error = infer_error(r#"{"transformer_encoder":{"heads":4,"kv_heads":3}}"#, &[7, 8]);
        assert_eq!(
            error.message,
            "transformer_encoder has 3 heads of keys and values, which do not divide its 4 heads"
        );
        let written = serde_json::to_string(&decode(r#"{"transformer_encoder":{"heads":4}}"#)).expect("json");
        assert!(!written.contains("kv_heads"), "{written}");
    }

    #[test]
    fn what_a_block_cannot_take() {
        let error = infer_error(r#"{"transformer_encoder":{"heads":5}}"#, &[7, 8]);
        assert_eq!(error.message, "transformer_encoder has 5 heads, which do not divide its 8 features");
        assert_eq!(infer_error(r#"{"transformer_encoder":{"heads":2}}"#, &[4, 8, 8]).code, codes::RANK);
        let none = infer_error(r#"{"transformer_encoder":{"heads":2,"layers":0}}"#, &[4, 8]);
        assert_eq!(none.message, "`layers` of transformer_encoder must be at least 1");
        let error = infer_error(r#"{"transformer_encoder":{"heads":2,"attention_dropout":1.5}}"#, &[4, 8]);
        assert_eq!(error.message, "`attention_dropout` of transformer_encoder is a probability between 0 and 1");
        let error = infer_error(r#"{"transformer_encoder":{"heads":2,"eps":-1}}"#, &[4, 8]);
        assert_eq!(error.message, "`eps` of transformer_encoder must not be below 0");
    }
}
