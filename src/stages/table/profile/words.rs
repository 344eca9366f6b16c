//! The values of a column in words, all of them in one way.

use super::measure::{Measured, Numbers};
use crate::numbers;
use crate::types::DType;
use polars::prelude::*;

/// Integers that all lie here are taken for years, which have no comma.
const YEARS: std::ops::RangeInclusive<f64> = 1700.0..=2100.0;

impl Measured {
    /// A number of this column, which is a date's or a time's where it holds those.
    pub(super) fn words(&self, number: f64) -> String {
        self.plain_years(shown(number, &self.dtype))
    }

    /// What was computed from the numbers of this column: a mean, a deviation.
    pub(super) fn computed(&self, number: f64) -> String {
        self.plain_years(numbers::number(number))
    }

    /// A value as it is written in the column, with commas where it is a number.
    pub(super) fn value(&self, text: &str) -> String {
        if self.dtype.is_numeric() { self.plain_years(grouped(text)) } else { text.to_owned() }
    }

    fn plain_years(&self, text: String) -> String {
        let years = |spread: &Numbers| YEARS.contains(&spread.min) && YEARS.contains(&spread.max);
        if self.dtype.is_integer() && self.numbers.as_ref().is_some_and(years) { text.replace(',', "") } else { text }
    }
}

/// A number of characters, or between two such.
pub(super) fn length(number: f64) -> String {
    shown(number, &DType::I64)
}

fn shown(number: f64, dtype: &DType) -> String {
    if dtype.is_temporal() {
        return moment(number, dtype).unwrap_or_else(|| numbers::number(number));
    }
    if dtype.is_integer() && number.fract() == 0.0 && number.abs() < 1e15 {
        let sign = if number < 0.0 { "-" } else { "" };
        return format!("{sign}{}", numbers::count(number.abs() as u64));
    }
    numbers::number(number)
}

/// `-1,234.5` for `-1234.5`; what is no number as it is.
fn grouped(text: &str) -> String {
    let (sign, size) = text.strip_prefix('-').map_or(("", text), |size| ("-", size));
    let end = size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len());
    match size[..end].parse() {
        Ok(whole) => format!("{sign}{}{}", numbers::count(whole), &size[end..]),
        Err(_) => text.to_owned(),
    }
}

/// A date or time from what it is stored as.
fn moment(number: f64, dtype: &DType) -> Option<String> {
    let stored = Column::new("moment".into(), [number.round() as i64]);
    let target = crate::frame::to_polars(dtype)?;
    let cast = match dtype {
        DType::Date => stored.cast(&DataType::Int32).ok()?.cast(&target).ok()?,
        _ => stored.cast(&target).ok()?,
    };
    let value = cast.get(0).ok()?;
    let text = value.str_value().into_owned();
    // A datetime's fractions of a second say nothing in a picture; a time zone may stand behind them.
    let Some((whole, rest)) = text.split_once('.') else { return Some(text) };
    Some(format!("{whole}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_with_digits_gets_commas() {
        for (text, told) in
            [("1015", "1,015"), ("-1234.5", "-1,234.5"), ("0.25", "0.25"), ("1e20", "1e20"), ("inf", "inf")]
        {
            assert_eq!(grouped(text), told);
        }
        assert_eq!([1.0, 1015.0, 12.5].map(length), ["1", "1,015", "12.50"].map(str::to_owned));
    }
}
