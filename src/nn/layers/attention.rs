//! `multi_head_attention`: every token looks at every other, in several ways at once.

use super::probability;
use crate::diag::codes;
use crate::nn::init::{self, Init};
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::yes;
use crate::types::Dim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `softmax(Q Kᵀ / √d) V` for each head, `d` numbers wide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct MultiHeadAttention {
    /// Into how many heads the features are divided.
    pub heads: u64,
    /// Into how many heads keys and values are divided: each serves as many of the queries' heads. As many as `heads` where it is left away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_heads: Option<u64>,
    /// Whether a token sees only itself and what is before it.
    #[serde(default)]
    pub causal: bool,
    /// The probability that a token does not see another one, while training.
    #[serde(default)]
    pub dropout: f64,
    /// Whether biases are added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Whether queries and keys are turned by their places: rotary positions.
    #[serde(default)]
    pub rotary: bool,
    /// The base of the rotary wavelengths.
    #[serde(default = "rotary_base")]
    pub rotary_base: f64,
    /// What is looked at instead of the input itself: the name of a `save`, as long as the input is wide.
    #[serde(default)]
    pub memory: Option<String>,
    /// How the weights start; as in PyTorch where it is left away. With it, biases start at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

pub(super) fn rotary_base() -> f64 {
    10_000.0
}

/// What attention is made of, wherever it stands: in a layer of its own or in a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Into how many heads the features are divided.
    pub heads: u64,
    /// Into how many heads keys and values are divided, where those are fewer.
    pub kv_heads: Option<u64>,
    /// Whether a token sees only itself and what is before it.
    pub causal: bool,
    /// The probability that a token does not see another one, while training.
    pub dropout: f64,
    /// Whether biases are added.
    pub bias: bool,
    /// The base of the rotary wavelengths, where there are rotary positions.
    pub rotary: Option<f64>,
    /// How the matrices start, where that is declared.
    pub init: Option<Init>,
}

/// The tokens and the features of `[seq, features]`.
pub(super) fn split<'a>(layer: &str, input: &'a Signal) -> Result<(&'a Dim, &'a Dim), ShapeError> {
    match input.shape.0.as_slice() {
        [seq, features] => Ok((seq, features)),
        other => {
            let error = ShapeError::rank(layer, "seq, features", &input.shape);
            Err(match other.len() {
                1 => error.hint("it works on tokens: begin with `{ embedding = 64 }` over a feature of tokens").hint(
                    "an `rnn`, `lstm` or `gru` before it gives its state at every place with `output = \"sequence\"`",
                ),
                3 => error.hint("`{ flatten = { start_dim = 2 } }`, `\"transpose\"` make tokens of an image's places"),
                _ => error,
            })
        }
    }
}

impl Attention {
    /// How many numbers wide all keys of a token are, and all its values.
    #[must_use]
    pub fn kv_width(&self, features: u64) -> Option<u64> {
        match self.kv_heads {
            None => Some(features),
            Some(heads) => features.checked_div(self.heads)?.checked_mul(heads),
        }
    }

    /// Each head of keys and values serves as many heads of queries.
    fn check_kv_heads(&self, layer: &str) -> Result<(), ShapeError> {
        match self.kv_heads {
            Some(0) => Err(ShapeError::zero(layer, "kv_heads")),
            Some(few) if !self.heads.is_multiple_of(few) => {
                let message =
                    format!("{layer} has {few} heads of keys and values, which do not divide its {} heads", self.heads);
                let error = ShapeError::new(codes::INDIVISIBLE, message).at("kv_heads");
                let near = (1..=few.min(self.heads)).rev().find(|near| self.heads.is_multiple_of(*near)).unwrap_or(1);
                Err(error
                    .label(format!("{} is not a multiple of {few}", self.heads))
                    .hint(format!("`kv_heads = {near}` divides them")))
            }
            _ => Ok(()),
        }
    }

    /// What the heads and the width of the features must be to each other.
    pub(super) fn check(&self, layer: &str, features: &Dim) -> Result<(), ShapeError> {
        if self.heads == 0 {
            return Err(ShapeError::zero(layer, "heads"));
        }
        self.check_kv_heads(layer)?;
        init::check(layer, self.init.as_ref())?;
        if let Some(base) = self.rotary.filter(|base| *base <= 0.0) {
            let message = format!("the wavelengths of {layer} are powers of `rotary_base`, which is above 0");
            let error = ShapeError::new(codes::OUT_OF_RANGE, message).at("rotary_base");
            return Err(error.label(format!("is {base}")));
        }
        let Some(width) = features.size() else { return Ok(()) };
        if !width.is_multiple_of(self.heads) {
            let message = format!("{layer} has {} heads, which do not divide its {width} features", self.heads);
            let error = ShapeError::new(codes::INDIVISIBLE, message).at("heads");
            let near = (1..=self.heads).rev().find(|heads| width.is_multiple_of(*heads)).unwrap_or(1);
            return Err(error.label(format!("{width} is not a multiple of {}", self.heads)).hint(match near {
                1 => "`heads = 1` takes them all, or another number of features".to_owned(),
                near => format!("{near} heads of {} divide them", width / near),
            }));
        }
        let head = width / self.heads;
        if self.rotary.is_some() && !head.is_multiple_of(2) {
            let message = format!("rotary positions turn pairs of numbers, but a head of {layer} has {head}");
            return Err(ShapeError::new(codes::INDIVISIBLE, message).at("rotary").label("an odd number"));
        }
        Ok(())
    }

    /// Four projections: queries and the way back as wide as the features, keys and values as their heads are.
    pub(super) fn parameters(&self, features: u64) -> Option<u64> {
        let row = features.checked_add(u64::from(self.bias))?;
        features.checked_add(self.kv_width(features)?)?.checked_mul(row)?.checked_mul(2)
    }

    /// Of tokens that look at `seen` tokens: projections, scores, and the weighted sum.
    pub(super) fn flops(&self, tokens: u64, seen: u64, features: u64) -> Option<u64> {
        let own = tokens.checked_mul(features)?.checked_mul(features)?.checked_mul(4)?;
        let other = seen.checked_mul(features)?.checked_mul(self.kv_width(features)?)?.checked_mul(4)?;
        let scores = tokens.checked_mul(seen)?.checked_mul(features)?.checked_mul(4)?;
        own.checked_add(other)?.checked_add(scores)
    }

    /// Queries, keys, values, their mix and the result; the scores too where dropout keeps them from being fused. Keys and values of few
    /// heads are kept as they are seen: once for each head of queries.
    pub(super) fn activations(&self, tokens: u64, seen: u64, features: u64) -> Option<u64> {
        let own = tokens.checked_mul(features)?.checked_mul(3)?;
        let other = seen.checked_mul(features)?.checked_mul(2)?;
        let scores = if self.dropout > 0.0 { tokens.checked_mul(seen)?.checked_mul(2)? } else { tokens };
        own.checked_add(other)?.checked_add(scores.checked_mul(self.heads)?)
    }
}

/// The number of tokens and of features that a memory has, which must be as wide as the input.
pub(super) fn memory<'a>(layer: &str, name: &str, features: &Dim, input: &'a Signal) -> Result<&'a Signal, ShapeError> {
    let saved = super::named::saved(layer, "memory", name, input)?;
    let (_, width) = split(layer, saved).map_err(|error| error.at("memory"))?;
    if width.compatible(features) {
        return Ok(saved);
    }
    let message = format!("{layer} receives {}, but `{name}` holds {}", input.shape, saved.shape);
    Err(ShapeError::new(codes::RESIDUAL, message)
        .at("memory")
        .label(format!("{width} features, not {features}"))
        .hint("bring both to one width with `linear`"))
}

impl MultiHeadAttention {
    /// What it is made of.
    #[must_use]
    pub fn attention(&self) -> Attention {
        Attention {
            heads: self.heads,
            kv_heads: self.kv_heads,
            causal: self.causal,
            dropout: self.dropout,
            bias: self.bias,
            rotary: self.rotary.then_some(self.rotary_base),
            init: self.init.clone(),
        }
    }

    /// How many tokens look, at how many, and how wide they are.
    fn sizes(&self, input: &Signal) -> Option<[u64; 3]> {
        let (seq, features) = split(Self::INFO.name, input).ok()?;
        let seen = match &self.memory {
            Some(name) => input.saved.get(name)?.shape.0.first()?.size()?,
            None => seq.size()?,
        };
        Some([seq.size()?, seen, features.size()?])
    }
}

impl Layer for MultiHeadAttention {
    const INFO: LayerInfo = LayerInfo {
        name: "multi_head_attention",
        summary: "Tokens that look at each other, in several heads.",
        docs: "`softmax(Q Kᵀ / √d + mask) V` in each head of `d = features / heads` numbers, `Q`, `K` and `V` being projections of the input, \
               and a projection of the heads side by side (Vaswani et al., 2017): PyTorch's `MultiheadAttention`, computed by its fused \
               kernel. `[seq, features]` stays. Padding is not looked at; with `causal` a token sees itself and what is before it. \
               `rotary` turns the halves of queries and keys by their places (Su et al., 2021), so that no `position` is needed. With \
               `memory` the tokens look at what `{ save = … }` kept instead. With `kv_heads` several heads of queries share one of keys and \
               values (grouped-query attention, Ainslie et al., 2023; with 1, multi-query attention), as in PyTorch's \
               `scaled_dot_product_attention` with `enable_gqa`: fewer parameters, and less to keep of a text that `generate` goes on with. \
               Matrices start as in PyTorch.",
        example: "{ multi_head_attention = { heads = 4, causal = true } }",
        weights: true,
    };

    fn from_short(short: Short) -> Option<Self> {
        let Short::Int(heads) = short else { return None };
        let (causal, dropout, bias, rotary, rotary_base) = (false, 0.0, true, false, rotary_base());
        Some(Self { heads, kv_heads: None, causal, dropout, bias, rotary, rotary_base, memory: None, init: None })
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "type": "integer", "minimum": 1 })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        let name = Self::INFO.name;
        let (_, features) = split(name, input)?;
        self.attention().check(name, features)?;
        probability(name, "dropout", self.dropout)?;
        if let Some(memory_name) = &self.memory {
            memory(name, memory_name, features, input)?;
            if self.causal || self.rotary {
                let message = format!("{name} over a memory has no order to look back in");
                let field = if self.causal { "causal" } else { "rotary" };
                return Err(ShapeError::new(codes::CONFLICT, message).at(field).label("does nothing here"));
            }
        }
        Ok(input.clone())
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        self.attention().parameters(input.shape.0.get(1)?.size()?)
    }

    fn flops(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        let [tokens, seen, features] = self.sizes(input)?;
        self.attention().flops(tokens, seen, features)
    }

    fn activations(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        let [tokens, seen, features] = self.sizes(input)?;
        self.attention().activations(tokens, seen, features)
    }

    fn describe(&self) -> String {
        let mut text = format!("{} heads", self.heads);
        if let Some(few) = self.kv_heads {
            text.push_str(&format!(", {few} of keys and values"));
        }
        for (shown, part) in [(self.causal, ", causal"), (self.rotary, ", rotary"), (!self.bias, ", no bias")] {
            if shown {
                text.push_str(part);
            }
        }
        if let Some(memory) = &self.memory {
            text.push_str(&format!(", looks at {memory}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{decode, infer, infer_error};
    use crate::types::Shape;

    #[test]
    fn the_shape_stays_and_parameters_are_counted_as_pytorch_does() {
        // torch.nn.MultiheadAttention(8, 2): 3·8·8 + 3·8 + 8·8 + 8
        assert_eq!(infer(r#"{"multi_head_attention":2}"#, &[5, 8]), (Shape::fixed(&[5, 8]), Some(288)));
        assert_eq!(infer(r#"{"multi_head_attention":{"heads":2,"bias":false}}"#, &[5, 8]).1, Some(256));
    }

    #[test]
    fn heads_divide_the_features() {
        let error = infer_error(r#"{"multi_head_attention":3}"#, &[5, 8]);
        assert_eq!(error.message, "multi_head_attention has 3 heads, which do not divide its 8 features");
        assert_eq!(error.hints, ["2 heads of 4 divide them"]);
        let error = infer_error(r#"{"multi_head_attention":2}"#, &[5, 9]);
        assert_eq!(error.hints, ["`heads = 1` takes them all, or another number of features"]);
        let error = infer_error(r#"{"multi_head_attention":{"heads":8,"rotary":true}}"#, &[5, 8]);
        assert_eq!(error.message, "rotary positions turn pairs of numbers, but a head of multi_head_attention has 1");
        let error = infer_error(r#"{"multi_head_attention":2}"#, &[8]);
        assert_eq!(error.message, "multi_head_attention takes [batch, seq, features] but receives [batch, 8]");
        assert_eq!(infer_error(r#"{"multi_head_attention":0}"#, &[5, 8]).code, codes::OUT_OF_RANGE);
        let error = infer_error(r#"{"multi_head_attention":{"heads":2,"rotary":true,"rotary_base":-1}}"#, &[5, 8]);
        assert_eq!((error.code, error.field), (codes::OUT_OF_RANGE, crate::path!["rotary_base"]));
        assert_eq!(
            infer_error(r#"{"multi_head_attention":{"heads":2,"dropout":2}}"#, &[5, 8]).code,
            codes::OUT_OF_RANGE
        );
    }

    #[test]
    fn heads_of_queries_share_those_of_keys_and_values() {
        // Queries and the way back: 2 · (8·8 + 8); keys and values of 2 heads of 2: 2 · (4·8 + 4).
        let grouped = r#"{"multi_head_attention":{"heads":4,"kv_heads":2}}"#;
        assert_eq!(infer(grouped, &[5, 8]), (Shape::fixed(&[5, 8]), Some(216)));
        assert_eq!(decode(grouped).text(), "multi_head_attention 4 heads, 2 of keys and values");
        let all = r#"{"multi_head_attention":{"heads":4,"kv_heads":4}}"#;
        assert_eq!(infer(all, &[5, 8]).1, infer(r#"{"multi_head_attention":4}"#, &[5, 8]).1);
        let error = infer_error(r#"{"multi_head_attention":{"heads":4,"kv_heads":3}}"#, &[5, 8]);
        assert_eq!(
            error.message,
            "multi_head_attention has 3 heads of keys and values, which do not divide its 4 heads"
        );
        assert_eq!(
            (error.field, error.hints),
            (crate::path!["kv_heads"], vec!["`kv_heads = 2` divides them".to_owned()])
        );
        let error = infer_error(r#"{"multi_head_attention":{"heads":4,"kv_heads":8}}"#, &[5, 8]);
        assert_eq!(error.hints, ["`kv_heads = 4` divides them"]);
        assert_eq!(
            infer_error(r#"{"multi_head_attention":{"heads":4,"kv_heads":0}}"#, &[5, 8]).code,
            codes::OUT_OF_RANGE
        );
    }

    /// A field that a manifest leaves out is not written, so that it changes no key of a model from before there was one.
    #[test]
    fn heads_that_share_nothing_are_written_as_ever() {
        let written = serde_json::to_string(&decode(r#"{"multi_head_attention":2}"#)).expect("json");
        assert_eq!(
            written,
            r#"{"multi_head_attention":{"heads":2,"causal":false,"dropout":0.0,"bias":true,"rotary":false,"rotary_base":10000.0,"memory":null}}"#
        );
    }

    #[test]
    fn a_memory_is_something_saved_of_the_same_width() {
        let layer = decode(r#"{"multi_head_attention":{"heads":2,"memory":"source"}}"#);
        let cx = InferCx::default();
        let mut input = Signal::numbers(Shape::fixed(&[5, 8]));
        let error = layer.infer(&input, &cx).expect_err("nothing is saved");
        assert_eq!(error.message, "multi_head_attention takes `source`, which is not saved before it");
        input.saved.insert("source".to_owned(), Signal::numbers(Shape::fixed(&[7, 6])));
        let error = layer.infer(&input, &cx).expect_err("another width");
        assert_eq!(error.message, "multi_head_attention receives [batch, 5, 8], but `source` holds [batch, 7, 6]");
        input.saved.insert("source".to_owned(), Signal::numbers(Shape::fixed(&[7, 8])));
        assert_eq!(layer.infer(&input, &cx).map(|signal| signal.shape), Ok(Shape::fixed(&[5, 8])));
    }
}
