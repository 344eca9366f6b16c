//! The numbers of a bag of words: counts, or counts times the inverse document frequency, per text scaled to length 1.
//! Formulas and defaults are those of scikit-learn's `TfidfTransformer`; the arithmetic is in `f64`, the result `f32`.
//!
//! | | |
//! |---|---|
//! | `sublinear_tf` | `tf = 1 + ln(count)` instead of the count |
//! | `idf`, smooth | `ln((1 + texts) / (1 + texts with the term)) + 1` |
//! | `idf` | `ln(texts / texts with the term) + 1` |
//! | `norm` | divided by the square root of the sum of squares (`l2`), or by the sum of magnitudes (`l1`) |

use crate::stages::encode::Csr;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a term's number is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// How often the text has it, times how rare it is among the training texts.
    #[default]
    Tfidf,
    /// How often the text has it.
    Count,
}

/// What a text's numbers are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// The square root of the sum of their squares.
    L2,
    /// The sum of their magnitudes.
    L1,
    /// Nothing.
    None,
}

/// How counts become numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weighting {
    /// What a term's number is made of.
    pub weight: Weight,
    /// A term counts once, however often a text has it.
    pub binary: bool,
    /// `1 + ln(count)` stands for the count.
    pub sublinear_tf: bool,
    /// Document frequencies are taken as if one more text had every term.
    pub smooth_idf: bool,
    /// What a text's numbers are divided by.
    pub norm: Norm,
}

impl Default for Weighting {
    fn default() -> Self {
        Self { weight: Weight::Tfidf, binary: false, sublinear_tf: false, smooth_idf: true, norm: Norm::L2 }
    }
}

impl Weighting {
    /// How rare a term is that so many of the training texts have.
    pub fn idf(&self, texts: u64, all: u64) -> f64 {
        let more = if self.smooth_idf { 1.0 } else { 0.0 };
        // A hashed column that no training text fills has no idf without smoothing; as in scikit-learn it would be infinite.
        ((all as f64 + more) / (texts as f64 + more).max(f64::MIN_POSITIVE)).ln() + 1.0
    }

    /// Adds a text to `out`. `found` holds a column and a sign for every term that was met; it is left empty.
    pub fn push(&self, found: &mut Vec<(u32, bool)>, idf: Option<&[f64]>, out: &mut Csr) {
        found.sort_unstable();
        let mut values: Vec<f64> = Vec::new();
        for same in found.chunk_by(|a, b| a.0 == b.0) {
            let column = same[0].0;
            let minus = same.iter().filter(|(_, minus)| *minus).count();
            let count = if self.binary { 1.0 } else { same.len() as f64 - 2.0 * minus as f64 };
            let tf = if self.sublinear_tf { 1.0 + count.ln() } else { count };
            values.push(tf * idf.map_or(1.0, |idf| idf[column as usize]));
            out.indices.push(column.cast_signed());
        }
        let length = match self.norm {
            Norm::L2 => values.iter().map(|value| value * value).sum::<f64>().sqrt(),
            Norm::L1 => values.iter().map(|value| value.abs()).sum(),
            Norm::None => 1.0,
        };
        let length = if length > 0.0 { length } else { 1.0 };
        out.values.extend(values.iter().map(|value| (value / length) as f32));
        out.indptr.push(out.values.len() as i64);
        found.clear();
    }
}
