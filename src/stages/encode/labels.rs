//! The values of a column as text: what categories and labels are compared by.

use crate::diag::toml_key;
use crate::stage::StageError;
use polars::prelude::*;
use std::collections::BTreeMap;

/// A column whose values can be read as text: text, bools, integers.
pub struct Labels {
    name: String,
    series: Series,
    /// Sorted as numbers instead of as text.
    pub numeric: bool,
}

impl Labels {
    /// Reads a column.
    ///
    /// # Errors
    /// When it does not exist, or its type has no exact text (floats, dates, lists).
    pub fn of(frame: &DataFrame, name: &str) -> Result<Self, StageError> {
        Self::of_values(column(frame, name)?.as_materialized_series(), name)
    }

    /// Reads values that stand in a column, one by one or in lists.
    ///
    /// # Errors
    /// When their type has no exact text.
    pub fn of_values(series: &Series, name: &str) -> Result<Self, StageError> {
        let series = series.rechunk();
        let (numeric, to) = match series.dtype() {
            DataType::String | DataType::Boolean => (false, series.dtype().clone()),
            integer if integer.is_integer() => (true, DataType::Int128),
            other => {
                return Err(StageError::data(format!("column `{name}` is {other}, which cannot be a category"))
                    .hint("cast it to `str` or to an integer in a `table` stage"));
            }
        };
        let series = series.strict_cast(&to).map_err(|error| StageError::data(format!("column `{name}`: {error}")))?;
        Ok(Self { name: name.to_owned(), series, numeric })
    }

    /// How many there are, with those that are null.
    #[must_use]
    pub fn count(&self) -> usize {
        self.series.len()
    }

    /// Visits every row: its index and its text, `None` where it is null.
    ///
    /// # Errors
    /// The first that `visit` gives.
    pub fn visit(
        &self,
        mut visit: impl FnMut(usize, Option<&str>) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let wrong = |error: PolarsError| StageError::bug(format!("column `{}`: {error}", self.name));
        match self.series.dtype() {
            DataType::String => {
                self.series.str().map_err(wrong)?.iter().enumerate().try_for_each(|(row, text)| visit(row, text))
            }
            DataType::Boolean => {
                let name = |value: bool| if value { "true" } else { "false" };
                let values = self.series.bool().map_err(wrong)?;
                values.iter().enumerate().try_for_each(|(row, value)| visit(row, value.map(name)))
            }
            _ => {
                let mut text = String::new();
                let values = self.series.i128().map_err(wrong)?;
                values.iter().enumerate().try_for_each(|(row, value)| {
                    use std::fmt::Write;
                    text.clear();
                    match value {
                        None => visit(row, None),
                        Some(value) => write!(text, "{value}")
                            .map_err(|error| StageError::bug(error.to_string()))
                            .and_then(|()| visit(row, Some(&text))),
                    }
                })
            }
        }
    }

    /// How often each value occurs, nulls left out; and the first row that is null.
    ///
    /// # Errors
    /// Never for a column that could be read.
    pub fn counts(&self) -> Result<(BTreeMap<String, u64>, Option<usize>), StageError> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut null = None;
        self.visit(|row, text| {
            match text {
                None => null = null.or(Some(row)),
                Some(text) => match counts.get_mut(text) {
                    Some(count) => *count += 1,
                    None => {
                        counts.insert(text.to_owned(), 1);
                    }
                },
            }
            Ok(())
        })?;
        Ok((counts, null))
    }

    /// Puts values into their order: numbers by size, text by code points, `false` before `true`.
    pub fn sort(&self, values: &mut [String]) {
        if self.numeric {
            values.sort_by_key(|text| text.parse::<i128>().unwrap_or(i128::MAX));
        } else {
            values.sort();
        }
    }
}

/// The names of a table's columns, in order.
pub fn column_names(frame: &DataFrame) -> Vec<&str> {
    frame.get_column_names().into_iter().map(|name| name.as_str()).collect()
}

/// A column of a table.
///
/// # Errors
/// When it does not exist.
pub fn column<'a>(frame: &'a DataFrame, name: &str) -> Result<&'a Column, StageError> {
    frame.column(name).map_err(|_| {
        let names = column_names(frame);
        let failure = StageError::data(format!("column `{name}` does not exist"));
        match crate::diag::did_you_mean(name, names) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// Where values stand, for messages.
#[derive(Clone, Copy)]
pub enum Places<'a> {
    /// One in each row.
    Rows,
    /// In lists: where the values of each row begin and end.
    Lists(&'a [(usize, usize)]),
}

impl Places<'_> {
    /// `row 7`, `the list of row 7`.
    pub fn told(self, at: usize) -> String {
        match self {
            Self::Rows => format!("row {}", at + 1),
            Self::Lists(spans) => {
                let row = spans.partition_point(|(_, end)| *end <= at);
                format!("the list of row {}", row + 1)
            }
        }
    }
}

/// A column as `f64`, `None` where it is null.
///
/// # Errors
/// When it does not exist, is not numeric, or holds NaN or an infinity.
pub fn numbers(frame: &DataFrame, name: &str) -> Result<Vec<Option<f64>>, StageError> {
    let values = floats(column(frame, name)?.as_materialized_series(), name)?;
    finite(name, &values, Places::Rows)?;
    Ok(values)
}

/// The same, whatever the numbers are.
///
/// # Errors
/// When it is not numeric.
pub fn floats(series: &Series, name: &str) -> Result<Vec<Option<f64>>, StageError> {
    let dtype = series.dtype();
    if !(dtype.is_numeric() || matches!(dtype, DataType::Boolean)) {
        return Err(StageError::data(format!("column `{name}` is {dtype}, not a number")));
    }
    let cast =
        series.cast(&DataType::Float64).map_err(|error| StageError::data(format!("column `{name}`: {error}")))?;
    Ok(cast.f64().map_err(|error| StageError::bug(format!("column `{name}`: {error}")))?.iter().collect())
}

/// Refuses NaN and infinities.
///
/// # Errors
/// Where there is one.
pub fn finite(name: &str, values: &[Option<f64>], places: Places<'_>) -> Result<(), StageError> {
    if let Some(row) = values.iter().position(|value| value.is_some_and(|value| !value.is_finite())) {
        let found = values[row].unwrap_or(f64::NAN);
        let (word, text) = number_words(found);
        let null = match places {
            Places::Rows => format!(
                "filter such rows in a `table` stage before, or make the value null, for `impute`: \
                 `{{ derive = {{ {} = \"nullif({name}, CAST('{text}' AS DOUBLE))\" }} }}`",
                toml_key(name)
            ),
            Places::Lists(_) => {
                "filter such rows in a `table` stage before, or the values before they are lists".to_owned()
            }
        };
        return Err(StageError::data(format!("column `{name}` is {word} in {}", places.told(row)))
            .note("rows are counted from 1; only finite numbers can be encoded")
            .hint(format!("where it stands for a missing value, say so where text is read: null_values = [\"{text}\"]"))
            .hint(null));
    }
    Ok(())
}

/// Refuses what to subtract and divide by where it is no number.
///
/// # Errors
/// When it is not finite.
pub fn scalable(name: &str, shift: f64, scale: f64) -> Result<(), StageError> {
    if shift.is_finite() && scale.is_finite() {
        return Ok(());
    }
    Err(StageError::data(format!("the values of column `{name}` are too large to scale"))
        .note("their sum, or that of their squares, is beyond a 64-bit float")
        .hint("bound them, or divide them by a large number, in a `table` stage before"))
}

/// A number that is not finite, as messages say it and as texts have it.
fn number_words(value: f64) -> (&'static str, &'static str) {
    if value.is_nan() {
        ("NaN", "NaN")
    } else if value > 0.0 {
        ("infinite", "inf")
    } else {
        ("minus infinity", "-inf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none_say_how_they_become_null() {
        for (value, word, text) in [
            (f64::NAN, "NaN", "NaN"),
            (f64::INFINITY, "infinite", "inf"),
            (f64::NEG_INFINITY, "minus infinity", "-inf"),
        ] {
            let frame = df!["x" => [1.0, value]].expect("a frame");
            let error = numbers(&frame, "x").expect_err("not finite");
            assert_eq!(error.message, format!("column `x` is {word} in row 2"));
            assert!(error.hints[0].ends_with(&format!("null_values = [\"{text}\"]")), "{error:?}");
            assert!(error.hints[1].contains(&format!("nullif(x, CAST('{text}' AS DOUBLE))")), "{error:?}");
        }
    }
}
