//! Tokenizers as types: how many tokens there are, and which of them are special.

use serde::{Deserialize, Serialize};

/// The ids of special tokens, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecialIds {
    /// Fills sequences up; no loss looks at it.
    #[serde(default)]
    pub pad: Option<u64>,
    /// Stands for what the vocabulary does not have.
    #[serde(default)]
    pub unk: Option<u64>,
    /// Stands before a text (`[CLS]`, `<s>`).
    #[serde(default)]
    pub bos: Option<u64>,
    /// Stands after a text (`[SEP]`, `</s>`).
    #[serde(default)]
    pub eos: Option<u64>,
    /// Stands in the place of a token that is to be guessed.
    #[serde(default)]
    pub mask: Option<u64>,
}

impl SpecialIds {
    /// Those that there are, ascending, each once.
    #[must_use]
    pub fn all(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = [self.pad, self.unk, self.bos, self.eos, self.mask].into_iter().flatten().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// The type of a `tokenizer` artefact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenizerType {
    /// How many ids there are: one more than the largest. Not known before it is trained or loaded.
    pub vocabulary: Option<u64>,
    /// Which of them are special, where the vocabulary is known.
    pub special: SpecialIds,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_with_two_roles_is_one_token() {
        let special = SpecialIds { bos: Some(7), eos: Some(7), pad: Some(0), ..SpecialIds::default() };
        assert_eq!(special.all(), [0, 7]);
    }
}
