//! Go on with sequences of tokens.

use super::Setting;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Go on with sequences of tokens, one token after the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GenerateJob {
    /// Threads, numerics and device.
    pub setting: Setting,
    /// The trained model's `architecture.json`.
    pub architecture: PathBuf,
    /// The trained model's `model.safetensors`.
    pub weights: PathBuf,
    /// The name of the feature of tokens.
    pub feature: String,
    /// How each sequence begins; at least one token.
    pub prompts: Vec<Vec<i64>>,
    /// How a token is chosen.
    pub sampling: Sampling,
    /// How many tokens are added at most.
    pub max_tokens: u64,
    /// How many tokens the model can see.
    pub context: usize,
    /// The token after which a sequence is done; it is not part of the answer.
    pub end: Option<i64>,
    /// Tokens that are never chosen.
    pub never: Vec<i64>,
    /// What fills shorter sequences up.
    pub pad: i64,
    /// Sequences in a forward pass.
    pub batch_size: usize,
    /// Every sequence's choices follow from it and the sequence's place.
    pub seed: u64,
    /// Where to write the answer: JSON, a [`Generated`] for each prompt.
    pub out: PathBuf,
}

/// How a token is chosen of the model's probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// What the logits are divided by; 0 takes the most probable token.
    pub temperature: f64,
    /// Only so many of the most probable ones are among the choices.
    pub top_k: Option<u64>,
    /// Only the most probable ones whose probabilities add up to this are.
    pub top_p: Option<f64>,
}

/// What was added to a sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// Whether the model ended it.
    pub ended: bool,
}
