//! What transformer blocks have in common: their parts, sizes and costs.

use super::attention::{Attention, split};
use super::probability;
use crate::nn::layer::{ShapeError, Signal};
use crate::types::Dim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a block's norms stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum NormPlace {
    /// After each sum, as first published: `norm(x + f(x))`.
    #[default]
    Post,
    /// Before each part: `x + f(norm(x))`. Trains without a warm-up; a norm after the last block is usual.
    Pre,
}

/// What stands between the two matrices of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum BlockActivation {
    /// The larger of each element and 0.
    #[default]
    Relu,
    /// `x Φ(x)`.
    Gelu,
    /// The approximation of gelu by tanh, which GPT-2 uses.
    GeluTanh,
    /// `x σ(x)`.
    Silu,
}

/// A stack of equal blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// How many blocks.
    pub layers: u64,
    /// Their attention.
    pub attention: Attention,
    /// What they look at besides themselves: the name of a `save`.
    pub memory: Option<String>,
    /// How wide the middle of their feed-forward part is; four times the features where it is left away.
    pub feedforward: Option<u64>,
    /// What stands in that middle.
    pub activation: BlockActivation,
    /// Where the norms stand.
    pub norm: NormPlace,
    /// Dropout after each part and in the feed-forward part's middle.
    pub dropout: f64,
    /// What norms add to the variance.
    pub eps: f64,
}

pub(super) fn one() -> u64 {
    1
}

pub(super) fn dropout() -> f64 {
    0.1
}

pub(super) fn eps() -> f64 {
    1e-5
}

impl Stack {
    /// How wide the middle of the feed-forward part is.
    #[must_use]
    pub fn middle(&self, features: u64) -> u64 {
        self.feedforward.unwrap_or_else(|| features.saturating_mul(4))
    }

    pub(super) fn infer(&self, layer: &str, input: &Signal) -> Result<Signal, ShapeError> {
        let (_, features) = split(layer, input)?;
        if self.layers == 0 {
            return Err(ShapeError::zero(layer, "layers"));
        }
        if self.feedforward == Some(0) {
            return Err(ShapeError::zero(layer, "feedforward"));
        }
        self.attention.check(layer, features)?;
        super::eps(layer, self.eps)?;
        probability(layer, "dropout", self.dropout)?;
        probability(layer, "attention_dropout", self.attention.dropout)?;
        if let Some(name) = &self.memory {
            super::attention::memory(layer, name, features, input)?;
        }
        Ok(input.clone())
    }

    fn sizes(&self, input: &Signal) -> Option<(u64, Option<u64>, u64)> {
        let [seq, features] = input.shape.0.as_slice() else { return None };
        let seen = match &self.memory {
            Some(name) => Some(input.saved.get(name)?.shape.0.first()?.size()?),
            None => None,
        };
        Some((seq.size()?, seen, features.size()?))
    }

    pub(super) fn parameters(&self, input: &Signal) -> Option<u64> {
        let features = input.shape.0.get(1).and_then(Dim::size)?;
        let (bias, middle) = (u64::from(self.attention.bias), self.middle(features));
        let attentions = 1 + u64::from(self.memory.is_some());
        let matrices = features.checked_mul(middle)?.checked_mul(2)?;
        let biases = features.checked_add(middle)?.checked_mul(bias)?;
        let norms = features.checked_mul(1 + bias)?.checked_mul(attentions + 1)?;
        let block = self.attention.parameters(features)?.checked_mul(attentions)?;
        let block = block.checked_add(matrices)?.checked_add(biases)?.checked_add(norms)?;
        block.checked_mul(self.layers)
    }

    pub(super) fn flops(&self, input: &Signal) -> Option<u64> {
        let (tokens, seen, features) = self.sizes(input)?;
        let mut block = self.attention.flops(tokens, tokens, features)?;
        if let Some(seen) = seen {
            block = block.checked_add(self.attention.flops(tokens, seen, features)?)?;
        }
        let matrices = tokens.checked_mul(features)?.checked_mul(self.middle(features))?.checked_mul(4)?;
        block.checked_add(matrices)?.checked_mul(self.layers)
    }

    pub(super) fn activations(&self, input: &Signal) -> Option<u64> {
        let (tokens, seen, features) = self.sizes(input)?;
        let mut block = self.attention.activations(tokens, tokens, features)?;
        if let Some(seen) = seen {
            block = block.checked_add(self.attention.activations(tokens, seen, features)?)?;
        }
        let parts = if seen.is_some() { 3 } else { 2 };
        let sums = tokens.checked_mul(features)?.checked_mul(2 * parts)?;
        let masks = if self.dropout > 0.0 { parts } else { 0 };
        let middle = tokens.checked_mul(self.middle(features))?.checked_mul(2 + u64::from(masks > 0))?;
        let masks = tokens.checked_mul(features)?.checked_mul(masks)?;
        block.checked_add(sums)?.checked_add(middle)?.checked_add(masks)?.checked_mul(self.layers)
    }

    pub(super) fn describe(&self) -> String {
        let mut text = format!("{} x {} heads", self.layers, self.attention.heads);
        if let Some(few) = self.attention.kv_heads {
            text.push_str(&format!(", {few} of keys and values"));
        }
        if let Some(width) = self.feedforward {
            text.push_str(&format!(", feedforward {width}"));
        }
        if self.norm == NormPlace::Pre {
            text.push_str(", pre-norm");
        }
        for (shown, part) in [(self.attention.causal, ", causal"), (self.attention.rotary.is_some(), ", rotary")] {
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
