//! A tokenizer as other kinds use it: read from its artefact or from the encoder that carries it, and never changed.

use super::SpecialNames;
use crate::stage::{Input, StageError};
use crate::types::{SpecialIds, TokenizerType};
use std::fmt;
use std::panic::catch_unwind;
use tokenizers::{NormalizedString, Normalizer};

/// The file of the vocabulary and the rules, in Hugging Face's form.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// The file that says what special tokens are for, in Hugging Face's form.
pub const SPECIAL_FILE: &str = "special_tokens_map.json";

/// A token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// The byte of the text at which it begins.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// The parts of a text between and around its tokens that are not white space alone: byte pairs without a token for the unknown
/// leave out what they do not know, and say nothing. How long such a part is, is right; it may stand a little later than it is.
pub fn left_out<'a>(text: &'a str, tokens: &'a [Token]) -> impl Iterator<Item = (usize, usize)> + 'a {
    let ends = std::iter::once(0).chain(tokens.iter().scan(0, |told, token| {
        *told = token.end.max(*told);
        Some(*told)
    }));
    let starts = tokens.iter().map(|token| token.start).chain(std::iter::once(text.len()));
    ends.zip(starts)
        .filter(move |(from, to)| text.get(*from..*to).is_some_and(|part| part.chars().any(|c| !c.is_whitespace())))
}

/// A tokenizer.
pub struct TextTokenizer {
    inner: tokenizers::Tokenizer,
    ty: TokenizerType,
}

impl fmt::Debug for TextTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ty.fmt(f)
    }
}

impl TextTokenizer {
    /// A tokenizer of the text of a `tokenizer.json`.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn parse(json: &str, special: &SpecialNames) -> Result<Self, String> {
        // Rows are spread over threads here, not inside the crate, whose switch is one for the whole process.
        tokenizers::utils::parallelism::set_parallelism(false);
        // Of some rules that it cannot read, the crate panics.
        let read = catch_unwind(|| tokenizers::Tokenizer::from_bytes(json));
        let mut inner = read.map_err(|_| "its rules cannot be read")?.map_err(|error| error.to_string())?;
        // A text that happens to contain `</s>` is a text, and does not end there.
        inner.set_encode_special_tokens(true);
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| error.to_string())?;
        let largest = inner.get_vocab(true).into_values().max().ok_or("it has no tokens")?;
        let special = special.ids(|token| inner.token_to_id(token));
        Ok(Self { inner, ty: TokenizerType { vocabulary: Some(u64::from(largest) + 1), special } })
    }

    /// The texts of the two files of a `tokenizer` artefact: the tokenizer's, and what is special.
    ///
    /// # Errors
    /// When a file is missing or cannot be read.
    pub fn files(artefact: &Input) -> Result<(String, SpecialNames), StageError> {
        let read = |name: &str| {
            let file = artefact.file(name).ok_or_else(|| StageError::bug(format!("a tokenizer without `{name}`")))?;
            std::fs::read_to_string(&file.path).map_err(|error| StageError::io("read", &file.path, &error))
        };
        let special = serde_json::from_str(&read(SPECIAL_FILE)?)
            .map_err(|error| StageError::data(format!("`{SPECIAL_FILE}` cannot be read: {error}")))?;
        Ok((read(TOKENIZER_FILE)?, special))
    }

    /// Its type.
    #[must_use]
    pub fn ty(&self) -> TokenizerType {
        self.ty
    }

    /// The ids of its special tokens.
    #[must_use]
    pub fn special(&self) -> SpecialIds {
        self.ty.special
    }

    /// The tokens of a text, without special ones around them.
    ///
    /// # Errors
    /// When the text has what the vocabulary lacks, and there is no token for the unknown.
    pub fn encode(&self, text: &str) -> Result<Vec<Token>, StageError> {
        let encoding = self.inner.encode(text, false).map_err(|error| {
            StageError::data(format!("the tokenizer cannot take the text {} apart: {error}", quoted(text)))
                .hint("give it a token for what it does not know: `special.unk` of the `tokenizer` stage")
        })?;
        let spans = encoding.get_ids().iter().zip(encoding.get_offsets());
        Ok(spans.map(|(id, (start, end))| Token { id: *id, start: *start, end: *end }).collect())
    }

    /// Whether a part of a text that no token stands for became one with the character before it, by the rules that texts go
    /// through first: an accent that was composed with its letter or taken off it, the rest of a syllable.
    #[must_use]
    pub fn composes(&self, text: &str, (from, to): (usize, usize)) -> bool {
        let Some(rules) = self.inner.get_normalizer() else { return false };
        let length = |part: &str| {
            let mut normalized = NormalizedString::from(part);
            rules.normalize(&mut normalized).ok()?;
            Some(normalized.get().chars().count())
        };
        let before = text.get(..from).and_then(|before| before.chars().next_back());
        let start = from - before.map_or(0, char::len_utf8);
        let lengths = [start..from, start..to].map(|part| text.get(part).and_then(length));
        matches!(lengths, [Some(alone), Some(both)] if before.is_some() && both <= alone)
    }

    /// The text of some tokens, special ones left out.
    ///
    /// # Errors
    /// A bug, where ids are none of the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String, StageError> {
        self.joined(ids, true)
    }

    /// The same with special ones.
    ///
    /// # Errors
    /// Those of [`Self::decode`].
    pub fn decode_all(&self, ids: &[u32]) -> Result<String, StageError> {
        self.joined(ids, false)
    }

    fn joined(&self, ids: &[u32], without_special: bool) -> Result<String, StageError> {
        let text = self.inner.decode(ids, without_special);
        text.map_err(|error| StageError::bug(format!("tokens cannot be joined: {error}")))
    }
}

/// The beginning of a text, for messages.
fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
