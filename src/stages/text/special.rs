//! Special tokens by what they are for, under the names that Hugging Face's `special_tokens_map.json` has.

use crate::types::SpecialIds;
use serde::{Deserialize, Serialize};

/// The text of special tokens, by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecialNames {
    /// See [`SpecialIds::pad`].
    #[serde(rename = "pad_token", default)]
    pub pad: Option<String>,
    /// See [`SpecialIds::unk`].
    #[serde(rename = "unk_token", default)]
    pub unk: Option<String>,
    /// See [`SpecialIds::bos`].
    #[serde(rename = "bos_token", default)]
    pub bos: Option<String>,
    /// See [`SpecialIds::eos`].
    #[serde(rename = "eos_token", default)]
    pub eos: Option<String>,
    /// See [`SpecialIds::mask`].
    #[serde(rename = "mask_token", default)]
    pub mask: Option<String>,
}

/// What tokens of pretrained vocabularies are for, the more usual name first.
const KNOWN: [[&str; 3]; 5] = [
    ["[PAD]", "<pad>", "<|pad|>"],
    ["[UNK]", "<unk>", "<|unk|>"],
    ["[CLS]", "<s>", "<|endoftext|>"],
    ["[SEP]", "</s>", "<|endoftext|>"],
    ["[MASK]", "<mask>", "<|mask|>"],
];

impl SpecialNames {
    /// The names of BERT.
    #[must_use]
    pub fn bert() -> Self {
        Self::of(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(Some))
    }

    /// The names of RoBERTa and T5; byte-level vocabularies know everything and have no `<unk>`.
    #[must_use]
    pub fn angled(unk: bool) -> Self {
        Self::of([Some("<pad>"), unk.then_some("<unk>"), Some("<s>"), Some("</s>"), Some("<mask>")])
    }

    /// What is known by name in a vocabulary; `has` tells what it has.
    #[must_use]
    pub fn found(has: impl Fn(&str) -> bool) -> Self {
        Self::of(KNOWN.map(|names| names.into_iter().find(|name| has(name))))
    }

    fn of([pad, unk, bos, eos, mask]: [Option<&str>; 5]) -> Self {
        let owned = |name: Option<&str>| name.map(str::to_owned);
        Self { pad: owned(pad), unk: owned(unk), bos: owned(bos), eos: owned(eos), mask: owned(mask) }
    }

    /// These, and for the roles that have none those of another.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            pad: self.pad.or(other.pad),
            unk: self.unk.or(other.unk),
            bos: self.bos.or(other.bos),
            eos: self.eos.or(other.eos),
            mask: self.mask.or(other.mask),
        }
    }

    /// Each role's field in a manifest, with its token.
    #[must_use]
    pub fn roles(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("pad", self.pad.as_deref()),
            ("unk", self.unk.as_deref()),
            ("bos", self.bos.as_deref()),
            ("eos", self.eos.as_deref()),
            ("mask", self.mask.as_deref()),
        ]
    }

    /// The tokens in the order of the roles, each once.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        let mut tokens: Vec<String> = Vec::new();
        for token in self.roles().into_iter().filter_map(|(_, token)| token) {
            if !tokens.iter().any(|known| known == token) {
                tokens.push(token.to_owned());
            }
        }
        tokens
    }

    /// Their ids; `id` looks one up.
    #[must_use]
    pub fn ids(&self, id: impl Fn(&str) -> Option<u32>) -> SpecialIds {
        let of = |name: &Option<String>| name.as_deref().and_then(&id).map(u64::from);
        SpecialIds {
            pad: of(&self.pad),
            unk: of(&self.unk),
            bos: of(&self.bos),
            eos: of(&self.eos),
            mask: of(&self.mask),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_guessed_by_name_and_may_share_a_token() {
        let gpt2 = SpecialNames::found(|name| name == "<|endoftext|>");
        assert_eq!(
            (gpt2.bos.as_deref(), gpt2.eos.as_deref(), gpt2.pad),
            (Some("<|endoftext|>"), Some("<|endoftext|>"), None)
        );
        let given = SpecialNames { pad: Some("<fill>".to_owned()), ..SpecialNames::default() };
        let names = given.or(SpecialNames::bert());
        assert_eq!(names.tokens(), ["<fill>", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
        assert_eq!(SpecialNames::angled(false).unk, None);
    }
}
