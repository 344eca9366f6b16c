//! The most probable pieces under a unigram language model (Kudo, Subword Regularization, 2018), by the trainer of the crate
//! `tokenizers`. It is given sorted words and one thread, so that its sums have one order; and what it draws from a hash map,
//! the scores of characters that it had thrown away, is put in order afterwards.

use super::super::form::Model;
use super::too_small;
use crate::path;
use crate::stage::StageError;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};

/// Learns pieces from words and how often they occur. The first token is `unk`; `more` have no place among the pieces, where a
/// text could be taken for one of them, and follow after the last.
pub(super) fn learn(
    words: BTreeMap<String, u64>,
    unk: &str,
    more: &[String],
    vocab_size: usize,
) -> Result<(Model, Vec<(String, u32)>), StageError> {
    let letters: BTreeSet<char> = words.keys().flat_map(|word| word.chars()).collect();
    let special = 1 + more.len();
    if letters.len() + special >= vocab_size {
        return Err(too_small(vocab_size, letters.len() + special + 1, "special tokens and single characters"));
    }
    let sentences: Vec<(String, u32)> =
        words.into_iter().map(|(word, count)| (word, u32::try_from(count).unwrap_or(u32::MAX))).collect();
    let trainer = UnigramTrainer::builder()
        .show_progress(false)
        .vocab_size(u32::try_from(vocab_size - special).unwrap_or(u32::MAX))
        .build()
        .map_err(|error| StageError::bug(error.to_string()))?;
    let longest = sentences.iter().map(|(word, _)| word.chars().count()).max().unwrap_or(0);
    if longest > LONGEST {
        return Err(too_long());
    }
    let alone = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .stack_size(STACK + longest * STACK_FOR_A_CHARACTER)
        .build()
        .map_err(|error| StageError::bug(format!("a thread for the trainer: {error}")))?;
    let mut model = Unigram::default();
    let trained = alone.install(|| catch_unwind(AssertUnwindSafe(|| trainer.do_train(sentences, &mut model))));
    match trained {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(StageError::data(format!("no pieces can be learnt: {error}"))),
        Err(_) => return Err(too_long()),
    }
    let pieces = ordered(model.iter().cloned().collect());
    let pieces: Vec<_> = pieces.into_iter().filter(|(piece, _)| piece != unk && !more.contains(piece)).collect();
    let vocab: Vec<(String, f64)> = std::iter::once((unk.to_owned(), unlikely(unk, &pieces))).chain(pieces).collect();
    let ids = std::iter::once((unk.to_owned(), 0)).chain(more.iter().cloned().zip(vocab.len() as u32..)).collect();
    Ok((Model::Unigram { unk_id: Some(0), vocab, byte_fallback: false }, ids))
}

/// The stack of the trainer's thread. The pieces of a word hold on to each other, and the crate lets go of them one inside of the other.
const STACK: usize = 8 << 20;
const STACK_FOR_A_CHARACTER: usize = 1 << 10;
/// The most characters of a word, of which the stack takes a gigabyte of addresses.
const LONGEST: usize = 1 << 20;

fn too_long() -> StageError {
    StageError::data("no pieces can be learnt: a word is too long for their probabilities")
        .hint("`unigram` takes words apart that spaces separate; for texts without spaces use `bpe`")
        .at(path!["model"])
}

/// A score for the token of the unknown that is less than that of its text taken apart into single characters, so that a text
/// which happens to hold it is not taken for the unknown.
fn unlikely(unk: &str, pieces: &[(String, f64)]) -> f64 {
    let least = pieces.iter().map(|(_, score)| *score).fold(0.0, f64::min);
    (unk.chars().count() as f64 + 1.0) * least
}

/// How far apart the trainer sets the scores of characters that it had thrown away and must keep.
const PENALTY: f64 = 0.0001;

/// Pieces by falling score, equal ones by name. Characters that the trainer had thrown away get the least score of the others, and
/// steps of [`PENALTY`] above it, in the order of a hash map: they get the same scores in the order of the characters.
fn ordered(mut pieces: Vec<(String, f64)>) -> Vec<(String, f64)> {
    pieces.sort_by(|(a, _), (b, _)| a.cmp(b));
    let single = |piece: &str| piece.chars().nth(1).is_none();
    let least = pieces.iter().map(|(_, score)| *score).fold(f64::INFINITY, f64::min);
    // There are no more steps than characters.
    let most = pieces.iter().filter(|(piece, _)| single(piece)).count() as f64;
    let on_a_step = |score: f64| {
        let steps = (score - least) / PENALTY;
        steps < most && (steps - steps.round()).abs() < 1e-4
    };
    let drawn: Vec<usize> =
        (0..pieces.len()).filter(|place| single(&pieces[*place].0) && on_a_step(pieces[*place].1)).collect();
    let mut scores: Vec<f64> = drawn.iter().map(|place| pieces[*place].1).collect();
    scores.sort_by(f64::total_cmp);
    drawn.into_iter().zip(scores).for_each(|(place, score)| pieces[place].1 = score);
    pieces.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_word_does_not_exhaust_the_stack_and_a_longer_one_is_refused() {
        // Many characters at random, so that nearly each of them is a piece.
        let word = |length: usize| -> String {
            let mut state = 7_u32;
            let random = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from_u32(0x4e00 + (state >> 16) % 200)
            };
            std::iter::from_fn(random).take(length).collect()
        };
        let learnt = |length: usize| learn(BTreeMap::from([(word(length), 1)]), "<unk>", &[], 400);
        assert!(learnt(100_000).is_ok());
        let failure = learnt(LONGEST + 1).expect_err("too long");
        assert_eq!(failure.message, "no pieces can be learnt: a word is too long for their probabilities");
    }

    #[test]
    fn scores_that_were_drawn_are_put_in_order() {
        let pieces = |first: &str, second: &str| {
            vec![
                ("the".to_owned(), -3.0),
                (first.to_owned(), -9.0),
                ("e".to_owned(), -4.250_037),
                (second.to_owned(), -8.9999),
            ]
        };
        assert_eq!(ordered(pieces("x", "y")), ordered(pieces("y", "x")));
        let names: Vec<String> = ordered(pieces("x", "y")).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["the", "e", "y", "x"]);
    }
}
