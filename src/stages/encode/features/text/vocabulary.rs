//! Which terms are columns: those of the training texts within the bounds of their document frequency, sorted by code
//! points.

use super::terms::Reader;
use crate::stage::StageError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A bound on the number of texts that have a term.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Frequency {
    /// So many texts.
    Texts(u64),
    /// This share of all texts.
    Share(f64),
}

impl Frequency {
    fn of(self, texts: usize) -> f64 {
        match self {
            Self::Texts(count) => count as f64,
            Self::Share(share) => share * texts as f64,
        }
    }
}

/// Which terms are kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// Terms of fewer texts are left out.
    pub min_df: Frequency,
    /// Terms of more texts are left out.
    pub max_df: Frequency,
    /// Only so many are kept: those that occur most often.
    pub max_features: Option<u64>,
}

impl Bounds {
    /// Whether no term can be within them, of however many texts.
    pub(super) fn leave_none(&self) -> bool {
        match (self.min_df, self.max_df) {
            (Frequency::Texts(min), Frequency::Texts(max)) => min > max,
            // What is no share is told by itself.
            (Frequency::Share(min), Frequency::Share(max)) => min <= 1.0 && min > max,
            _ => false,
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self { min_df: Frequency::Texts(1), max_df: Frequency::Share(1.0), max_features: None }
    }
}

/// The columns of a bag of words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// The terms in the order of their columns.
    pub terms: Vec<String>,
    /// How many training texts have each term.
    pub texts: Vec<u64>,
}

/// How often a term occurs.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// In so many texts.
    texts: u64,
    /// So often in all.
    times: u64,
    /// The text that had it last, counted from 1.
    last: u64,
}

/// Texts that are counted together before the counts are joined.
const TEXTS: usize = 512;

/// The terms of all texts. Counts are whole numbers, so the threads' order does not matter.
fn counts(reader: &Reader<'_>, texts: &[Vec<&str>], binary: bool) -> Vec<(String, Count)> {
    let count = |(mut counts, mut number): (HashMap<String, Count>, u64), chunk: &[Vec<&str>]| {
        for text in chunk {
            number += 1;
            for part in text {
                reader.visit(part, &mut |term| {
                    let count = match counts.get_mut(term) {
                        Some(count) => count,
                        None => counts.entry(term.to_owned()).or_default(),
                    };
                    let first = count.last != number;
                    count.last = number;
                    count.texts += u64::from(first);
                    count.times += u64::from(first || !binary);
                });
            }
        }
        (counts, number)
    };
    let join = |a: HashMap<String, Count>, b: HashMap<String, Count>| {
        let (mut large, small) = if a.len() < b.len() { (b, a) } else { (a, b) };
        small.into_iter().for_each(|(term, more)| {
            let count = large.entry(term).or_default();
            count.texts += more.texts;
            count.times += more.times;
        });
        large
    };
    let counted = texts.par_chunks(TEXTS).fold(Default::default, count).map(|(counts, _)| counts);
    counted.reduce(HashMap::new, join).into_iter().collect()
}

impl Vocabulary {
    /// Learns the terms of texts, each of one or more parts. With `binary` a term counts once in a text.
    ///
    /// # Errors
    /// When no term is left.
    pub fn learn(reader: &Reader<'_>, texts: &[Vec<&str>], bounds: Bounds, binary: bool) -> Result<Self, StageError> {
        let mut counts = counts(reader, texts, binary);
        let all = counts.len();
        if all == 0 {
            return Err(StageError::data("the training texts have no term")
                .note("they are empty, or hold stop words or single characters alone")
                .hint("`analyzer = \"chinese\"` finds words where no spaces stand between them, `\"char\"` takes characters")
                .hint("`token_pattern` says what a word is"));
        }
        let (least, most) = (bounds.min_df.of(texts.len()), bounds.max_df.of(texts.len()));
        counts.retain(|(_, count)| (least..=most).contains(&(count.texts as f64)));
        if let Some(kept) =
            bounds.max_features.and_then(|kept| usize::try_from(kept).ok()).filter(|n| *n < counts.len())
        {
            counts.sort_unstable_by(|(a, x), (b, y)| (y.times, a).cmp(&(x.times, b)));
            counts.truncate(kept);
        }
        counts.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        if counts.is_empty() {
            return Err(StageError::data(format!(
                "none of the {} terms is in at least {least} and at most {most} of the {} training texts",
                crate::numbers::count(all as u64),
                crate::numbers::count(texts.len() as u64)
            ))
            .hint("a smaller `min_df` or a larger `max_df` keeps more"));
        }
        let (terms, texts) = counts.into_iter().map(|(term, count)| (term, count.texts)).unzip();
        Ok(Self { terms, texts })
    }
}

#[cfg(test)]
mod tests {
    use super::super::terms::Reading;
    use super::*;

    fn learn(texts: &[&str], bounds: Bounds) -> Result<Vocabulary, StageError> {
        let reading = Reading::default();
        let texts: Vec<Vec<&str>> = texts.iter().map(|text| vec![*text]).collect();
        Vocabulary::learn(&Reader::new(&reading).unwrap(), &texts, bounds, false)
    }

    const TEXTS: [&str; 4] = ["red fox red", "red hen", "old hen", "old red hen hen hen"];

    #[test]
    fn terms_are_bounded_by_the_texts_that_have_them() {
        let kept = learn(&TEXTS, Bounds::default()).unwrap();
        assert_eq!(
            (kept.terms, kept.texts),
            (vec!["fox".into(), "hen".into(), "old".into(), "red".into()], vec![1, 3, 2, 3])
        );
        let bounds = Bounds { min_df: Frequency::Texts(2), max_df: Frequency::Share(0.5), ..Bounds::default() };
        assert_eq!(learn(&TEXTS, bounds).unwrap().terms, ["old"]);
        let bounds = Bounds { max_features: Some(2), ..Bounds::default() };
        assert_eq!(learn(&TEXTS, bounds).unwrap().terms, ["hen", "red"]);
    }

    #[test]
    fn counts_do_not_depend_on_how_texts_are_divided() {
        let texts: Vec<String> = (0..3000).map(|i| format!("w{} w{} all", i % 7, i % 1300)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let kept = learn(&texts, Bounds::default()).unwrap();
        assert_eq!(kept.texts[0], 3000);
        let expected = (0..3000).filter(|i| i % 7 == 3 || i % 1300 == 3).count() as u64;
        let place = kept.terms.iter().position(|term| term == "w3").unwrap();
        assert_eq!(kept.texts[place], expected);
    }

    #[test]
    fn no_term_is_an_error_that_says_why() {
        assert_eq!(learn(&["a b", ""], Bounds::default()).unwrap_err().message, "the training texts have no term");
        let bounds = Bounds { min_df: Frequency::Texts(9), ..Bounds::default() };
        let failure = learn(&TEXTS, bounds).unwrap_err();
        assert_eq!(failure.message, "none of the 4 terms is in at least 9 and at most 4 of the 4 training texts");
    }
}
