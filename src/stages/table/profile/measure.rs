//! One column measured: what is missing, how many values differ, which are frequent, and how numbers are spread.

use super::super::spread::{Histogram, Spread};
use crate::frame::exact::exact_sum;
use crate::frame::{collect, failed, from_polars};
use crate::stage::StageError;
use crate::types::DType;
use polars::prelude::*;

/// The shares at which quantiles are taken.
pub(super) const SHARES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// Values with their counts.
type Top = Vec<(String, u64)>;

/// One column.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) dtype: DType,
    pub(super) rows: usize,
    pub(super) missing: usize,
    /// How many values differ; `None` where they cannot be compared.
    pub(super) distinct: Option<usize>,
    /// The most frequent values with their counts, the most frequent first; of equally frequent ones the smaller.
    pub(super) top: Top,
    /// Of the target its classes likewise, where they are not too many to be classes; then those that are in `top`.
    pub(super) classes: Top,
    /// How its numbers are spread: those of numbers, dates and times as they are stored.
    pub(super) numbers: Option<Numbers>,
    /// How its lengths are spread, in characters, where it is of text.
    pub(super) lengths: Option<Numbers>,
    /// How many words its texts have, on average, where it is of text.
    pub(super) text_words: Option<f64>,
    /// How many values are NaN.
    pub(super) nan: usize,
}

/// How some numbers are spread.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) mean: f64,
    /// The standard deviation of a sample; `None` for fewer than two numbers.
    pub(super) std: Option<f64>,
    pub(super) min: f64,
    pub(super) max: f64,
    /// At [`SHARES`].
    pub(super) quantiles: [f64; 5],
    pub(super) zeros: usize,
    pub(super) histogram: Option<Histogram>,
}

impl Measured {
    /// How many values there are.
    pub(super) fn present(&self) -> usize {
        self.rows - self.missing
    }

    /// Whether every value is another one.
    pub(super) fn is_unique(&self) -> bool {
        self.present() > 1 && self.distinct == Some(self.present())
    }
}

/// More different values are no classes.
const MOST_CLASSES: usize = 1000;

/// Measures a column; `bins` of its histogram, `top` of its values, and of the target its classes.
pub(super) fn measure(column: &Column, bins: usize, top: usize, target: bool) -> Result<Measured, StageError> {
    let dtype = from_polars(column.dtype());
    let numbers = if dtype.is_numeric() || dtype.is_temporal() { spread(column, bins)? } else { None };
    let (lengths, text_words) = texts(column, bins);
    let nan = if dtype.is_float() { nan(column)? } else { 0 };
    let most = if target { top.max(MOST_CLASSES) } else { top };
    let (distinct, mut values) = match countable(&dtype) {
        true => frequent(column, most)?,
        false => (None, Vec::new()),
    };
    let classes = match (target, distinct.is_some_and(|distinct| distinct > most)) {
        (false, _) => Vec::new(),
        (true, false) => values.clone(),
        (true, true) => values.iter().take(top).cloned().collect(),
    };
    values.truncate(top);
    Ok(Measured {
        name: column.name().to_string(),
        rows: column.len(),
        missing: column.null_count(),
        dtype,
        distinct,
        top: values,
        classes,
        numbers,
        lengths,
        text_words,
        nan,
    })
}

fn countable(dtype: &DType) -> bool {
    dtype.is_numeric() || dtype.is_temporal() || matches!(dtype, DType::Bool | DType::Str)
}

fn spread(column: &Column, bins: usize) -> Result<Option<Numbers>, StageError> {
    // A decimal's stored number is not its value.
    let value = match column.dtype() {
        DataType::Decimal(..) => column.cast(&DataType::Float64).map_err(|error| failed("read the numbers", &error))?,
        _ => column.clone(),
    };
    Ok(numbers_of(&Spread::of(&value)?, bins, from_polars(column.dtype()).is_integer()))
}

/// How the lengths of texts are spread, and how many words they have on average.
fn texts(column: &Column, bins: usize) -> (Option<Numbers>, Option<f64>) {
    let Ok(texts) = column.str() else { return (None, None) };
    let of = |measure: fn(&str) -> f64| texts.iter().flatten().map(measure).collect::<Vec<f64>>();
    let words = of(words_in);
    let mean = (!words.is_empty()).then(|| exact_sum(words.iter().copied()) / words.len() as f64);
    (numbers_of(&Spread::from(of(|text| text.chars().count() as f64)), bins, true), mean)
}

/// About how many words a text has. Chinese and Japanese put nothing between words, and two characters are one or so.
fn words_in(text: &str) -> f64 {
    let unspaced = |c: &char| matches!(*c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}');
    text.split_whitespace().count() as f64 + text.chars().filter(unspaced).count() as f64 / 2.0
}

fn nan(column: &Column) -> Result<usize, StageError> {
    let found = column.is_nan().map_err(|error| failed("look for NaN", &error))?;
    Ok(found.sum().unwrap_or(0) as usize)
}

/// `whole` numbers are counted in steps of whole numbers.
fn numbers_of(spread: &Spread, bins: usize, whole: bool) -> Option<Numbers> {
    let (min, max) = spread.ends()?;
    let values = spread.values();
    let count = values.len() as f64;
    let mean = exact_sum(values.iter().copied()) / count;
    let around = |power: i32| exact_sum(values.iter().map(|value| (value - mean).powi(power)));
    let std = (values.len() > 1).then(|| ((around(2) - around(1).powi(2) / count) / (count - 1.0)).max(0.0).sqrt());
    Some(Numbers {
        mean,
        std,
        min,
        max,
        quantiles: SHARES.map(|share| spread.quantile(share).unwrap_or(f64::NAN)),
        zeros: values.iter().filter(|value| **value == 0.0).count(),
        histogram: if whole { spread.whole_histogram(bins) } else { spread.histogram(bins) },
    })
}

/// How many values differ, and the most frequent.
fn frequent(column: &Column, top: usize) -> Result<(Option<usize>, Top), StageError> {
    let doing = |error: &PolarsError| failed("count the values", error);
    let (value, count) = ("value", "count");
    let frame =
        DataFrame::new(column.len(), vec![column.clone().with_name(value.into())]).map_err(|error| doing(&error))?;
    let counts = frame.lazy().filter(col(value).is_not_null()).group_by([col(value)]).agg([len().alias(count)]);
    let order = SortMultipleOptions::default().with_order_descending_multi([true, false]);
    let sorted = collect(counts.sort_by_exprs([col(count), col(value)], order)).map_err(|error| doing(&error))?;
    let head = sorted.head(Some(top));
    let mut found = Vec::new();
    for row in 0..head.height() {
        let value = head.columns()[0].get(row).map_err(|error| doing(&error))?;
        let count = head.columns()[1].get(row).map_err(|error| doing(&error))?.extract::<u64>().unwrap_or(0);
        found.push((value.str_value().into_owned(), count));
    }
    Ok((Some(sorted.height()), found))
}

/// Rows that are equal to an earlier one in every column; `None` where that cannot be told.
pub(super) fn repeated_rows(df: &DataFrame) -> Option<usize> {
    let comparable = df.columns().iter().all(|column| countable(&from_polars(column.dtype())));
    if !comparable || df.width() == 0 {
        return None;
    }
    let names: Vec<Expr> = df.columns().iter().map(|column| col(column.name().clone())).collect();
    let groups = df.clone().lazy().group_by(names).agg([]).select([len()]);
    let groups = collect(groups).ok()?.columns().first()?.get(0).ok()?.extract::<usize>()?;
    Some(df.height() - groups)
}
