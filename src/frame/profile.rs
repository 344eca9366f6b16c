//! What a table's columns look like: how many values are missing, how many differ, which are frequent.

use super::{failed, from_polars};
use crate::stage::StageError;
use crate::types::DType;
use polars::prelude::{AnyValue, Column, DataFrame};
use std::collections::BTreeMap;

/// More different values than this are not counted.
pub const MOST_DISTINCT: usize = 10_000;

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: DType,
    /// How many rows there are.
    pub rows: usize,
    /// How many values are missing.
    pub missing: usize,
    /// How often each value occurs, in the order of their texts; `None` where there are more than [`MOST_DISTINCT`].
    pub values: Option<BTreeMap<String, usize>>,
    /// The mean length of its values as text, in characters.
    pub letters: f64,
    /// How many values have a space between their letters.
    pub spaced: usize,
    /// How many values have a Chinese character.
    pub chinese: usize,
    /// Whether its values grow from row to row.
    pub growing: bool,
}

impl ColumnProfile {
    /// How many different values there are; `None` where they were not counted.
    #[must_use]
    pub fn distinct(&self) -> Option<usize> {
        self.values.as_ref().map(BTreeMap::len)
    }
}

/// Looks at every column of a frame.
///
/// # Errors
/// When a column cannot be walked.
pub fn profile(frame: &DataFrame) -> Result<Vec<ColumnProfile>, StageError> {
    frame.columns().iter().map(column).collect()
}

fn column(column: &Column) -> Result<ColumnProfile, StageError> {
    let mut values = Some(BTreeMap::new());
    let (mut letters, mut growing) = (0, true);
    let (mut spaced, mut chinese) = (0, 0);
    let mut last: Option<f64> = None;
    for row in 0..column.len() {
        let value = column.get(row).map_err(|error| failed("look at the data", &error))?;
        if matches!(value, AnyValue::Null) {
            continue;
        }
        let number = value.extract::<f64>();
        growing &= number.is_some() && last.is_none_or(|last| number > Some(last));
        last = number;
        let text = value.str_value();
        letters += text.chars().count();
        spaced += usize::from(text.trim().contains(char::is_whitespace));
        chinese += usize::from(text.contains(|c: char| ('\u{4e00}'..='\u{9fff}').contains(&c)));
        if let Some(counts) = &mut values {
            *counts.entry(text.into_owned()).or_insert(0) += 1;
        }
        if values.as_ref().is_some_and(|counts| counts.len() > MOST_DISTINCT) {
            values = None;
        }
    }
    let (rows, missing) = (column.len(), column.null_count());
    Ok(ColumnProfile {
        name: column.name().to_string(),
        dtype: from_polars(column.dtype()),
        rows,
        missing,
        values,
        letters: letters as f64 / (rows - missing).max(1) as f64,
        spaced,
        chinese,
        growing: growing && rows > missing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::df;

    #[test]
    fn columns_are_counted() {
        let frame = df!("id" => [1_i64, 2, 5], "sex" => [Some("f"), None, Some("f")]).expect("a frame");
        let profile = profile(&frame).expect("a profile");
        assert!(profile[0].growing && !profile[1].growing);
        assert_eq!((profile[0].distinct(), profile[1].distinct(), profile[1].missing), (Some(3), Some(1), 1));
        let texts = df!("t" => ["好书 ", "a story", "N1"]).expect("a frame");
        let texts = super::profile(&texts).expect("a profile");
        assert_eq!((texts[0].spaced, texts[0].chinese), (1, 1));
        assert_eq!(profile[1].values, Some(BTreeMap::from([("f".to_owned(), 2)])));
    }
}
