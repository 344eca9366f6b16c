//! Texts as bags of words: a column for each term, counted or weighted by TF-IDF, kept sparse (`f32`). What a term is says
//! [`terms`], which of them are columns [`vocabulary`] or, without one, [`hash`], and what number they get [`weigh`].

#[cfg(test)]
mod chinese_tests;
mod hash;
mod terms;
#[cfg(test)]
mod tests;
mod vocabulary;
mod weigh;

pub use terms::{Analyzer, Reading};
pub use vocabulary::{Bounds, Frequency, Vocabulary};
pub use weigh::{Norm, Weight, Weighting};

use super::super::labels::column;
use super::FittedFeature;
use super::encoding::{Encoding, Fitted, Known, Training, float_type, list_hint};
use crate::diag::{codes, toml_key};
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::{Csr, Names, Tensor, TensorData};
use crate::types::{DType, Dim, FeatureType, Shape};
use polars::prelude::{DataFrame, DataType};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use terms::Reader;

/// Text columns as the manifest describes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Text {
    /// The columns. The texts of a row are one, but no run of words goes from one column to the next.
    pub columns: Names,
    /// What terms are.
    pub reading: Reading,
    /// Which terms are columns.
    pub bounds: Bounds,
    /// Terms are hashed into so many columns, and no vocabulary is learnt.
    pub n_features: Option<u64>,
    /// Half of the hashed terms count negatively.
    pub alternate_sign: bool,
    /// What number a term gets.
    pub weighting: Weighting,
}

/// Fitted text columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedText {
    /// The columns.
    pub columns: Vec<String>,
    /// What terms are.
    pub reading: Reading,
    /// What number a term gets.
    pub weighting: Weighting,
    /// How many texts were learnt from.
    pub texts: u64,
    /// How terms become columns.
    pub terms: Terms,
}

/// How terms become columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Terms {
    /// Each has its own.
    Vocabulary(Vocabulary),
    /// They are hashed.
    Hashed {
        /// Into so many columns.
        columns: u32,
        /// Half of them count negatively.
        alternate_sign: bool,
        /// How many training texts have a term in each column; empty where that is not needed.
        texts: Vec<u64>,
    },
}

/// The longest run of words or characters that may be asked for.
const LONGEST: u32 = 16;

impl Text {
    fn check_values(&self, name: &str, cx: &mut CheckCx<'_>) {
        let at = |key: &str| path!["features", name, key];
        let [shortest, longest] = self.reading.ngram_range;
        if shortest == 0 || shortest > longest || longest > LONGEST {
            let message =
                format!("`ngram_range` is [shortest, longest], from 1 to {LONGEST}, found [{shortest}, {longest}]");
            cx.error(at("ngram_range"), codes::OUT_OF_RANGE, message);
        }
        for (key, bound) in [("min_df", self.bounds.min_df), ("max_df", self.bounds.max_df)] {
            if let Frequency::Share(share) = bound
                && !(0.0..=1.0).contains(&share)
            {
                cx.error(
                    at(key),
                    codes::OUT_OF_RANGE,
                    format!("`{key}` with a point is a share of the texts, 0.0 to 1.0, found {share}"),
                )
                .hint(format!("a number of texts has no point: {key} = {}", share.max(1.0).round()));
            }
        }
        if self.bounds.leave_none() {
            cx.error(at("min_df"), codes::OUT_OF_RANGE, "`min_df` is above `max_df`")
                .label("no text has such a term")
                .related(at("max_df"), "given here");
        }
        for (key, value) in [("max_features", self.bounds.max_features), ("n_features", self.n_features)] {
            if value.is_some_and(|value| value == 0 || value > i32::MAX as u64) {
                cx.error(at(key), codes::OUT_OF_RANGE, format!("`{key}` is at least 1 and at most {}", i32::MAX));
            }
        }
        if let Err(why) = terms::pattern(self.reading.token_pattern.as_deref()) {
            cx.error(at("token_pattern"), codes::OUT_OF_RANGE, "`token_pattern` is no regular expression").label(why);
        }
        self.check_together(&at, cx);
    }

    /// Reports settings that exclude each other.
    fn check_together(&self, at: &dyn Fn(&str) -> crate::stage::Path, cx: &mut CheckCx<'_>) {
        let words = matches!(self.reading.analyzer, Analyzer::Word | Analyzer::Chinese);
        let hashed = self.n_features.is_some();
        let default = Bounds::default();
        let counts_signs =
            self.alternate_sign && (self.weighting.sublinear_tf || self.weighting.weight == Weight::Tfidf);
        let wrong = [
            (
                hashed && self.bounds.min_df != default.min_df,
                "min_df",
                "hashed terms are not counted: leave out `n_features` or this",
            ),
            (
                hashed && self.bounds.max_df != default.max_df,
                "max_df",
                "hashed terms are not counted: leave out `n_features` or this",
            ),
            (
                hashed && self.bounds.max_features.is_some(),
                "max_features",
                "hashed terms are not counted: leave out `n_features` or this",
            ),
            (!hashed && self.alternate_sign, "alternate_sign", "it is for hashed terms: add `n_features`"),
            (counts_signs, "alternate_sign", "it takes plain counts: weight = \"count\", without `sublinear_tf`"),
            (
                self.reading.token_pattern.is_some() && self.reading.analyzer != Analyzer::Word,
                "token_pattern",
                "it is for analyzer = \"word\"",
            ),
            (
                !self.reading.stop_words.is_empty() && !words,
                "stop_words",
                "it is for words, and this analyzer takes characters",
            ),
        ];
        for (_, key, why) in wrong.into_iter().filter(|(wrong, ..)| *wrong) {
            cx.error(at(key), codes::CONFLICT, format!("`{key}` does not go with the feature's other settings"))
                .label(why);
        }
    }

    fn learn(&self, columns: Vec<String>, frame: &DataFrame) -> Result<FittedText, StageError> {
        let texts = texts(&columns, frame)?;
        let reader = Reader::new(&self.reading)?;
        let terms = match self.n_features {
            None => Terms::Vocabulary(Vocabulary::learn(&reader, &texts, self.bounds, self.weighting.binary)?),
            Some(wanted) => {
                let columns = u32::try_from(wanted).map_err(|_| StageError::data("`n_features` is too large"))?;
                let counted = self.weighting.weight == Weight::Tfidf;
                let texts = if counted { texts_of_columns(&reader, &texts, columns) } else { Vec::new() };
                Terms::Hashed { columns, alternate_sign: self.alternate_sign, texts }
            }
        };
        let (reading, weighting) = (self.reading.clone(), self.weighting);
        Ok(FittedText { columns, reading, weighting, texts: texts.len() as u64, terms })
    }
}

impl Encoding for Text {
    fn key(&self) -> &'static str {
        "text"
    }

    fn columns(&self) -> &Names {
        &self.columns
    }

    fn accepts(&self, dtype: &DType) -> bool {
        *dtype == DType::Str
    }

    fn wanted(&self, dtype: &DType) -> (&'static str, &'static str) {
        let hint =
            list_hint(dtype).unwrap_or("encode it as `numeric` or `category`, or cast it to `str` in a `table` stage");
        ("text", hint)
    }

    fn check(&self, name: &str, _: &Known<'_>, cx: &mut CheckCx<'_>) -> FeatureType {
        self.check_values(name, cx);
        float_type(name, Shape(vec![self.n_features.map_or(Dim::Unknown, Dim::Fixed)]))
    }

    fn fit(&self, _: &str, columns: Vec<String>, training: &Training<'_>) -> Result<FittedFeature, StageError> {
        self.learn(columns, training.frame).map(FittedFeature::Text)
    }
}

/// How many texts have a term in each column.
fn texts_of_columns(reader: &Reader<'_>, texts: &[Vec<&str>], columns: u32) -> Vec<u64> {
    let columns_of = |text: &Vec<&str>| {
        let mut found = Vec::new();
        text.iter().for_each(|part| reader.visit(part, &mut |term| found.push(hash::column(term, columns).0)));
        found.sort_unstable();
        found.dedup();
        found
    };
    let mut counts = vec![0; columns as usize];
    for chunk in texts.chunks(CHUNK * 16) {
        let found: Vec<Vec<u32>> = chunk.par_iter().map(columns_of).collect();
        found.iter().flatten().for_each(|column| counts[*column as usize] += 1);
    }
    counts
}

/// Of every row the texts of these columns.
pub(in crate::stages::encode::features) fn texts<'a>(
    columns: &[String],
    frame: &'a DataFrame,
) -> Result<Vec<Vec<&'a str>>, StageError> {
    let mut rows: Vec<Vec<&str>> = vec![Vec::with_capacity(columns.len()); frame.height()];
    for name in columns {
        let series = column(frame, name)?.as_materialized_series();
        if series.dtype() != &DataType::String {
            return Err(StageError::data(format!("column `{name}` is {}, not text", series.dtype()))
                .hint("cast it to `str` in a `table` stage before"));
        }
        let values = series.str().map_err(|error| StageError::bug(format!("column `{name}`: {error}")))?;
        for (row, (texts, value)) in rows.iter_mut().zip(values.iter()).enumerate() {
            texts.push(value.ok_or_else(|| {
                let key = toml_key(name);
                StageError::data(format!("column `{name}` is null in row {}", row + 1))
                    .note("rows are counted from 1")
                    .hint(format!(
                        "`{{ fill = {{ {key} = \"\" }} }}` in a `table` stage before makes nulls empty texts"
                    ))
                    .hint("or filter such rows")
            })?);
        }
    }
    Ok(rows)
}

/// Rows that are encoded together before they are put under each other.
const CHUNK: usize = 256;

impl FittedText {
    fn width(&self) -> usize {
        match &self.terms {
            Terms::Vocabulary(vocabulary) => vocabulary.terms.len(),
            Terms::Hashed { columns, .. } => *columns as usize,
        }
    }

    fn idf(&self) -> Option<Vec<f64>> {
        let (Terms::Vocabulary(Vocabulary { texts, .. }) | Terms::Hashed { texts, .. }) = &self.terms;
        let wanted = self.weighting.weight == Weight::Tfidf;
        wanted.then(|| texts.iter().map(|count| self.weighting.idf(*count, self.texts)).collect())
    }

    fn bags(&self, frame: &DataFrame) -> Result<Csr, StageError> {
        let texts = texts(&self.columns, frame)?;
        let reader = Reader::new(&self.reading)?;
        let idf = self.idf();
        let places: HashMap<&str, u32> = match &self.terms {
            Terms::Vocabulary(vocabulary) => vocabulary.terms.iter().map(String::as_str).zip(0..).collect(),
            Terms::Hashed { .. } => HashMap::new(),
        };
        let column = |term: &str| match &self.terms {
            Terms::Vocabulary(_) => places.get(term).map(|place| (*place, false)),
            Terms::Hashed { columns, alternate_sign, .. } => {
                let (column, minus) = hash::column(term, *columns);
                Some((column, minus && *alternate_sign))
            }
        };
        let encode = |rows: &[Vec<&str>]| {
            let mut out = Csr::new(self.width());
            let mut found = Vec::new();
            for row in rows {
                row.iter().for_each(|text| reader.visit(text, &mut |term| found.extend(column(term))));
                self.weighting.push(&mut found, idf.as_deref(), &mut out);
            }
            out
        };
        let parts: Vec<Csr> = texts.par_chunks(CHUNK).map(encode).collect();
        let mut all = Csr::new(self.width());
        parts.into_iter().for_each(|part| all.append(part));
        Ok(all)
    }
}

impl Fitted for FittedText {
    fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    fn accepts(&self, _: &str, dtype: &DType) -> bool {
        *dtype == DType::Str
    }

    fn becomes(&self) -> String {
        let what = match (self.reading.analyzer, self.reading.ngram_range) {
            (Analyzer::Word | Analyzer::Chinese, [1, 1]) => "words".to_owned(),
            (Analyzer::Word | Analyzer::Chinese, [least, most]) => format!("runs of {least} to {most} words"),
            (Analyzer::Char | Analyzer::CharWb, [least, most]) => format!("runs of {least} to {most} characters"),
        };
        let how = match self.weighting.weight {
            Weight::Tfidf => "weighted by TF-IDF",
            Weight::Count => "counted",
        };
        match self.terms {
            Terms::Vocabulary(_) => {
                format!("{} {what} of the training texts, {how}", crate::numbers::count(self.width() as u64))
            }
            Terms::Hashed { columns, .. } => {
                format!("{what}, hashed into {} columns, {how}", crate::numbers::count(columns.into()))
            }
        }
    }

    fn ty(&self, name: &str) -> FeatureType {
        float_type(name, Shape::fixed(&[self.width() as u64]))
    }

    fn apply(&self, _: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        let bags = self.bags(frame)?;
        Ok(Tensor { shape: vec![frame.height(), self.width()], data: TensorData::Csr(bags) })
    }
}
