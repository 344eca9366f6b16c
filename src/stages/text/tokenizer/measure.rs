//! How well a vocabulary suits some texts.

use super::texts::Texts;
use crate::stage::StageError;
use crate::stages::text::{TextTokenizer, left_out};
use std::collections::BTreeMap;

/// Counts over texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub texts: u64,
    pub tokens: u64,
    /// Runs of what is no white space.
    pub words: u64,
    pub characters: u64,
    /// Words with a part that the vocabulary does not have.
    pub unknown_words: u64,
    /// Characters that the vocabulary does not have.
    pub unknown_characters: u64,
    /// Tokens that are the one for padding.
    pub padding: u64,
}

/// Counts over all texts.
pub(super) fn measure(texts: &Texts<'_>, tokenizer: &TextTokenizer) -> Result<Counts, StageError> {
    texts.fold(
        |sum: &mut Counts, text| {
            *sum = sum.plus(of_text(text, tokenizer)?);
            Ok(())
        },
        Counts::plus,
    )
}

/// Characters that are no white space.
fn characters(text: &str) -> u64 {
    text.chars().filter(|c| !c.is_whitespace()).count() as u64
}

fn of_text(text: &str, tokenizer: &TextTokenizer) -> Result<Counts, StageError> {
    let tokens = tokenizer.encode(text)?;
    let special = tokenizer.special();
    let are = |id: Option<u64>| tokens.iter().filter(move |token| Some(u64::from(token.id)) == id);
    let mut unknown: Vec<(usize, usize)> = are(special.unk).map(|token| (token.start, token.end)).collect();
    unknown.extend(left_out(text, &tokens).filter(|part| !tokenizer.composes(text, *part)));
    let padding = are(special.pad).count() as u64;
    let mut counts = Counts { texts: 1, tokens: tokens.len() as u64, padding, ..Counts::default() };
    counts.characters = characters(text);
    counts.unknown_characters = unknown.iter().filter_map(|(start, end)| text.get(*start..*end)).map(characters).sum();
    for word in text.split_whitespace() {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        let hit = unknown.iter().any(|(from, to)| *from < start + word.len() && *to > start);
        counts.words += 1;
        counts.unknown_words += u64::from(hit);
    }
    Ok(counts)
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self {
            texts: self.texts + other.texts,
            tokens: self.tokens + other.tokens,
            words: self.words + other.words,
            characters: self.characters + other.characters,
            unknown_words: self.unknown_words + other.unknown_words,
            unknown_characters: self.unknown_characters + other.unknown_characters,
            padding: self.padding + other.padding,
        }
    }

    /// `coverage` and `word_coverage` (shares of characters and words that are known), `fertility` (tokens a word) and
    /// `characters_per_token`; white space counts as no character.
    pub fn metrics(self) -> BTreeMap<String, f64> {
        let share = |unknown: u64, of: u64| (of > 0).then(|| 1.0 - unknown as f64 / of as f64);
        let ratio = |a: u64, b: u64| (b > 0).then(|| a as f64 / b as f64);
        let found = [
            ("coverage", share(self.unknown_characters, self.characters)),
            ("word_coverage", share(self.unknown_words, self.words)),
            ("fertility", ratio(self.tokens, self.words)),
            ("characters_per_token", ratio(self.characters, self.tokens)),
            ("texts", Some(self.texts as f64)),
            ("tokens", Some(self.tokens as f64)),
        ];
        found.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
