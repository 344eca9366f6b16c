//! The texts of a table's columns, and how often each word occurs in them.

use crate::stage::StageError;
use crate::stages::encode::column;
use polars::prelude::{DataFrame, DataType, StringChunked};
use rayon::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use tokenizers::{
    NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    PreTokenizerWrapper,
};

/// The text columns of a table.
pub(super) struct Texts<'a> {
    columns: Vec<(&'a str, &'a StringChunked)>,
    rows: usize,
}

/// Rows that are worked on together.
const CHUNK: usize = 1024;

impl<'a> Texts<'a> {
    /// These columns of a table.
    ///
    /// # Errors
    /// When one does not exist or holds no text.
    pub fn of(frame: &'a DataFrame, names: &'a [String]) -> Result<Self, StageError> {
        let texts = names.iter().map(|name| {
            let series = column(frame, name)?.as_materialized_series();
            if series.dtype() != &DataType::String {
                return Err(StageError::data(format!("column `{name}` is {}, not text", series.dtype())));
            }
            let text = series.str().map_err(|error| StageError::bug(format!("column `{name}`: {error}")))?;
            Ok((name.as_str(), text))
        });
        Ok(Self { columns: texts.collect::<Result<_, _>>()?, rows: frame.height() })
    }

    /// Does something with every text, in parallel, and adds up what comes out: `add` must not care about the order.
    /// Nulls are no texts.
    pub fn fold<T: Default + Send>(
        &self,
        each: impl Fn(&mut T, &str) -> Result<(), StageError> + Sync,
        add: impl Fn(T, T) -> T + Sync + Send,
    ) -> Result<T, StageError> {
        let starts: Vec<usize> = (0..self.rows).step_by(CHUNK).collect();
        let part = |start: &usize| {
            let mut sum = T::default();
            for row in *start..(*start + CHUNK).min(self.rows) {
                for (_, texts) in &self.columns {
                    if let Some(text) = texts.get(row) {
                        each(&mut sum, text)?;
                    }
                }
            }
            Ok(sum)
        };
        starts.par_iter().map(part).try_reduce(T::default, |a, b| Ok(add(a, b)))
    }
}

/// Takes texts apart into words, before any vocabulary: the first two steps of a tokenizer.
pub(super) struct Splitter {
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<PreTokenizerWrapper>,
}

impl Splitter {
    /// The steps of a `tokenizer.json`.
    pub fn new(normalizer: Option<&Value>, pre_tokenizer: Option<&Value>) -> Result<Self, StageError> {
        let bug = |error: serde_json::Error| StageError::bug(format!("the rules of a tokenizer: {error}"));
        Ok(Self {
            normalizer: normalizer.map(|value| serde_json::from_value(value.clone())).transpose().map_err(bug)?,
            pre_tokenizer: pre_tokenizer.map(|value| serde_json::from_value(value.clone())).transpose().map_err(bug)?,
        })
    }

    /// Shows the words of a text.
    pub fn visit(&self, text: &str, visit: &mut dyn FnMut(&str)) -> Result<(), StageError> {
        let failed = |error: tokenizers::Error| StageError::bug(format!("a text cannot be taken apart: {error}"));
        let mut normalized = NormalizedString::from(text);
        if let Some(normalizer) = &self.normalizer {
            normalizer.normalize(&mut normalized).map_err(failed)?;
        }
        let Some(pre_tokenizer) = &self.pre_tokenizer else {
            visit(normalized.get());
            return Ok(());
        };
        let mut split = PreTokenizedString::from(normalized);
        pre_tokenizer.pre_tokenize(&mut split).map_err(failed)?;
        let words = split.get_splits(OffsetReferential::Original, OffsetType::Byte);
        words.into_iter().filter(|(word, ..)| !word.is_empty()).for_each(|(word, ..)| visit(word));
        Ok(())
    }
}

type Counts = HashMap<String, u64>;

fn add(counts: &mut Counts, word: &str, times: u64) {
    match counts.get_mut(word) {
        Some(count) => *count += times,
        None => {
            counts.insert(word.to_owned(), times);
        }
    }
}

fn merged(a: Counts, b: Counts) -> Counts {
    let (mut large, small) = if a.len() < b.len() { (b, a) } else { (a, b) };
    #[expect(clippy::iter_over_hash_type, reason = "sums of whole numbers do not depend on the order")]
    for (word, count) in small {
        add(&mut large, &word, count);
    }
    large
}

/// How often every word occurs.
pub(super) fn words(texts: &Texts<'_>, splitter: &Splitter) -> Result<BTreeMap<String, u64>, StageError> {
    let each = |counts: &mut Counts, text: &str| splitter.visit(text, &mut |word| add(counts, word, 1));
    Ok(texts.fold(each, merged)?.into_iter().collect())
}

/// How often every character occurs.
pub(super) fn characters(texts: &Texts<'_>, splitter: &Splitter) -> Result<BTreeMap<char, u64>, StageError> {
    let each = |counts: &mut BTreeMap<char, u64>, text: &str| {
        splitter.visit(text, &mut |text| text.chars().for_each(|c| *counts.entry(c).or_default() += 1))
    };
    let both = |mut a: BTreeMap<char, u64>, b: BTreeMap<char, u64>| {
        b.into_iter().for_each(|(c, count)| *a.entry(c).or_default() += count);
        a
    };
    texts.fold(each, both)
}
