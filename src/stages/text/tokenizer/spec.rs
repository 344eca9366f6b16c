//! The fields of `tokenizer`.

use crate::stage::Ref;
use crate::stages::encode::Names;
use crate::stages::text::SpecialNames;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A tokenizer: learnt from the texts of a table (`from`, `columns`, `model`), or taken from a file (`load`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenizerSpec {
    /// The table whose texts the vocabulary is learnt from: the training part and nothing else. With `load`, where it may be
    /// left away: the table that coverage is measured on.
    pub from: Option<Ref>,
    /// The columns of text.
    #[serde(default)]
    pub columns: Names,
    /// What is learnt: `bpe`, `byte_level_bpe`, `word_piece`, `unigram` or `characters`.
    pub model: Option<TokenizerModel>,
    /// A file instead: `tokenizer.json`, a `vocab.txt` of BERT, or a `.tiktoken` file.
    pub load: Option<Ref>,
    /// What the file is, where its name does not tell.
    pub format: Option<TokenizerFormat>,
    /// How many tokens are learnt at most, special ones counted; 8,000 by default. Of `characters`: all there are, by default.
    pub vocab_size: Option<u64>,
    /// How often a pair of pieces has to occur to become one, 2 by default; of `characters`: how often a character has to, 1
    /// by default.
    pub min_frequency: Option<u64>,
    /// Of `bpe` and `word_piece`: how many different characters are kept, the most frequent ones; all by default.
    pub limit_alphabet: Option<u64>,
    /// Whether texts are put into lower case. By default they are not; of a `vocab.txt` they are when it has no upper case.
    pub lowercase: Option<bool>,
    /// A Unicode normal form that texts are put into before: `nfc`, `nfd`, `nfkc` or `nfkd`.
    pub normalize: Option<Normalization>,
    /// Of a `.tiktoken` file: the regular expression that texts are split by before: `"gpt2"`, `"cl100k"`, `"o200k"`, `"qwen"`, or
    /// one of your own. Known for the files of OpenAI and Qwen by their sizes.
    pub pattern: Option<String>,
    /// The special tokens. Trained ones have all five (`[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`, `[MASK]` for `word_piece`; `<pad>`, `<unk>`,
    /// `<s>`, `</s>`, `<mask>` for the others); of a file those that it has under a usual name. What is named here is added where
    /// the vocabulary lacks it.
    #[serde(default)]
    pub special: Special,
}

/// What is learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenizerModel {
    /// Byte pair encoding of characters; spaces are part of the words after them (Sennrich et al., 2016).
    Bpe,
    /// Byte pair encoding of bytes, which knows every text (Radford et al., GPT-2, 2019).
    ByteLevelBpe,
    /// Word pieces: the longest known piece at every place of a word (Schuster and Nakajima, 2012; BERT).
    WordPiece,
    /// The most probable pieces under a unigram language model (Kudo, 2018).
    Unigram,
    /// A token for each character.
    Characters,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenizerFormat {
    /// Hugging Face's `tokenizer.json`.
    Json,
    /// A word piece on each line.
    Vocab,
    /// A token in base64 and its rank on each line.
    Tiktoken,
}

/// A Unicode normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Composed.
    Nfc,
    /// Decomposed.
    Nfd,
    /// Composed, with compatible characters made one.
    Nfkc,
    /// Decomposed, with compatible characters made one.
    Nfkd,
}

/// Special tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Special {
    /// Fills sequences up.
    pub pad: Option<String>,
    /// Stands for what the vocabulary does not have.
    pub unk: Option<String>,
    /// Stands before a text.
    pub bos: Option<String>,
    /// Stands after a text.
    pub eos: Option<String>,
    /// Stands in the place of a token that is to be guessed.
    pub mask: Option<String>,
}

impl TokenizerModel {
    /// Its name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bpe => "bpe",
            Self::ByteLevelBpe => "byte_level_bpe",
            Self::WordPiece => "word_piece",
            Self::Unigram => "unigram",
            Self::Characters => "characters",
        }
    }

    /// The special tokens that it has where none are named.
    pub fn special(self) -> SpecialNames {
        match self {
            Self::WordPiece => SpecialNames::bert(),
            Self::ByteLevelBpe => SpecialNames::angled(false),
            Self::Bpe | Self::Unigram | Self::Characters => SpecialNames::angled(true),
        }
    }
}

impl TokenizerFormat {
    /// The format of a file of this name, where it tells.
    pub fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |extension: &str| name.rsplit_once('.').is_some_and(|(_, end)| end == extension);
        if ends("tiktoken") {
            Some(Self::Tiktoken)
        } else if ends("json") {
            Some(Self::Json)
        } else {
            ends("txt").then_some(Self::Vocab)
        }
    }
}

impl Special {
    /// Under the names that files have.
    pub fn names(&self) -> SpecialNames {
        let Self { pad, unk, bos, eos, mask } = self.clone();
        SpecialNames { pad, unk, bos, eos, mask }
    }
}

impl TokenizerSpec {
    /// The most tokens that are learnt.
    pub fn most_tokens(&self) -> Option<u64> {
        match self.model {
            Some(TokenizerModel::Characters) => self.vocab_size,
            _ => Some(self.vocab_size.unwrap_or(8000)),
        }
    }
}
