//! Learns vocabularies. The same texts give the same bytes, whatever the order of rows, the number of threads and the seeds of
//! hash maps.

mod bpe;
mod characters;
mod unigram;

use super::form::{Model, Rules, Vocabulary};
use super::spec::{TokenizerModel, TokenizerSpec};
use super::texts::{self, Splitter, Texts};
use crate::path;
use crate::stage::{RunCx, StageError};
use crate::stages::text::SpecialNames;

/// Learns what `spec` says of the texts: the text of a `tokenizer.json`, and its special tokens.
///
/// # Errors
/// When there are no texts, or fewer tokens are wanted than there are characters.
pub(super) fn train(
    spec: &TokenizerSpec,
    model: TokenizerModel,
    texts: &Texts<'_>,
    cx: &RunCx<'_>,
) -> Result<(String, SpecialNames), StageError> {
    let special = spec.special.names().or(model.special());
    let any = |found: &mut bool, text: &str| {
        *found |= !text.trim().is_empty();
        Ok(())
    };
    some(!texts.fold(any, |a, b| a || b)?)?;
    let rules = Rules::of(model, spec.lowercase.unwrap_or(false), spec.normalize);
    let splitter = Splitter::new(rules.normalizer.as_ref(), rules.pre_tokenizer.as_ref())?;
    let unk = special.unk.clone();
    let needs_unk = || StageError::bug("a vocabulary without a token for the unknown");
    let mut ids: Vec<(String, u32)> = special.tokens().into_iter().zip(0..).collect();
    let model = match model {
        TokenizerModel::Characters => {
            let counts = texts::characters(texts, &splitter)?;
            some(counts.is_empty())?;
            let chosen = characters::choose(&counts, &special.tokens(), spec.vocab_size, spec.min_frequency);
            Model::bpe(Vocabulary::of(chosen), Vec::new(), unk)
        }
        TokenizerModel::Unigram => {
            let words = texts::words(texts, &splitter)?;
            some(words.is_empty())?;
            let unk = unk.as_deref().ok_or_else(needs_unk)?;
            let more: Vec<String> = special.tokens().into_iter().filter(|token| token != unk).collect();
            let (model, learnt) = unigram::learn(words, unk, &more, size(spec))?;
            ids = learnt;
            model
        }
        TokenizerModel::Bpe | TokenizerModel::ByteLevelBpe | TokenizerModel::WordPiece => {
            let words = texts::words(texts, &splitter)?;
            some(words.is_empty())?;
            let wanted = bpe::Wanted {
                special: special.tokens(),
                bytes: model == TokenizerModel::ByteLevelBpe,
                prefix: if model == TokenizerModel::WordPiece { "##" } else { "" },
                vocab_size: size(spec),
                min_frequency: spec.min_frequency.unwrap_or(2),
                limit_alphabet: spec.limit_alphabet,
            };
            let learnt = bpe::learn(&words, &wanted, &|| cx.check_cancelled())?;
            let vocab = Vocabulary::of(learnt.tokens);
            match model {
                TokenizerModel::WordPiece => Model::word_piece(vocab, unk.ok_or_else(needs_unk)?),
                _ => Model::bpe(vocab, learnt.merges, unk),
            }
        }
    };
    let id = |token: &str| ids.iter().find(|(known, _)| known == token).map(|(_, id)| *id);
    Ok((rules.form(model, &special, id).text()?, special))
}

fn size(spec: &TokenizerSpec) -> usize {
    spec.most_tokens().and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX)
}

fn some(nothing: bool) -> Result<(), StageError> {
    if !nothing {
        return Ok(());
    }
    Err(StageError::data("the texts are all empty: there is nothing to learn a vocabulary from")
        .hint("look at the table with `kilter show`")
        .at(path!["columns"]))
}

/// A vocabulary that has no room for what it must hold.
fn too_small(vocab_size: usize, needed: usize, what: &str) -> StageError {
    StageError::data(format!("`vocab_size` is {vocab_size}, but {needed} tokens are needed for {what} alone"))
        .hint(format!("vocab_size = {} or more", (needed * 2).next_multiple_of(1000)))
        .at(path!["vocab_size"])
}
