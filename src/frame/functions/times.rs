//! Dates and times cut off to a unit, counted by one, and as texts.

use super::super::file::time;
use super::{by_rows, called};
use crate::diag::brief;
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// What the text of a `CASE` begins with that stands for a date or time cut off to a unit; its name follows.
const TRUNCATED: &str = "__kilter_truncated ";

/// What the text of a `COALESCE` begins with that stands for what lies between two dates or times; the unit's name follows.
pub(super) const BETWEEN: &str = "__kilter_between ";

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Year,
        Self::Quarter,
        Self::Month,
        Self::Week,
        Self::Day,
        Self::Hour,
        Self::Minute,
        Self::Second,
        Self::Millisecond,
        Self::Microsecond,
    ];

    /// Its name in SQL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
            Self::Millisecond => "millisecond",
            Self::Microsecond => "microsecond",
        }
    }

    /// What polars calls one.
    fn every(self) -> &'static str {
        match self {
            Self::Year => "1y",
            Self::Quarter => "1q",
            Self::Month => "1mo",
            Self::Week => "1w",
            Self::Day => "1d",
            Self::Hour => "1h",
            Self::Minute => "1m",
            Self::Second => "1s",
            Self::Millisecond => "1ms",
            Self::Microsecond => "1us",
        }
    }

    /// The unit of this name, in the singular or plural.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let name = name.strip_suffix('s').unwrap_or(&name);
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }

    /// Whether moments are cut off to it.
    #[must_use]
    pub fn truncates(&self) -> bool {
        true
    }

    /// Whether it is counted how many begin between two moments.
    #[must_use]
    pub fn counts(&self) -> bool {
        *self != Self::Week
    }

    /// The text that says that a `CASE` is cut off to it.
    #[must_use]
    pub fn mark(self) -> String {
        format!("{TRUNCATED}{}", self.name())
    }

    pub(super) fn of_mark(text: &str) -> Option<Self> {
        Self::of_name(text.strip_prefix(TRUNCATED)?)
    }

    pub(super) fn truncated(self, of: Expr) -> Expr {
        of.dt().truncate(lit(self.every()))
    }
}

/// How many units begin after one moment, up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between(pub Unit);

impl Between {
    /// Itself as a text.
    #[must_use]
    pub fn mark(self) -> String {
        format!("{BETWEEN}{}", self.0.name())
    }

    pub(super) fn of_mark(text: &str) -> Option<Self> {
        Unit::of_name(text.strip_prefix(BETWEEN)?).map(Self)
    }

    pub(super) fn call(self, from: Expr, to: Expr) -> Expr {
        let whole = |part: Expr| part.cast(DataType::Int64);
        let years = |of: &Expr| whole(of.clone().dt().year());
        let count = |of: &Expr| match self.0 {
            Unit::Year => years(of),
            Unit::Quarter => years(of) * lit(4_i64) + whole(of.clone().dt().quarter()),
            Unit::Month => years(of) * lit(12_i64) + whole(of.clone().dt().month()),
            Unit::Week | Unit::Day => whole(of.clone().dt().truncate(lit("1d")).dt().timestamp(TimeUnit::Milliseconds)),
            unit => whole(unit.truncated(of.clone()).dt().timestamp(TimeUnit::Microseconds)),
        };
        let length: i64 = match self.0 {
            Unit::Day => 86_400_000,
            Unit::Hour => 3_600_000_000,
            Unit::Minute => 60_000_000,
            Unit::Second => 1_000_000,
            Unit::Millisecond => 1_000,
            _ => 1,
        };
        (count(&to) - count(&from)).floor_div(lit(length))
    }
}

/// A datetime or time of day as databases write it: with a space, and no zeros at the end of a fraction. `None` of what has no time
/// of day.
#[must_use]
pub fn as_text(of: Expr, dtype: &DataType) -> Option<Expr> {
    let format = match dtype {
        DataType::Datetime(TimeUnit::Nanoseconds, None) => "%Y-%m-%d %H:%M:%S%.9f",
        DataType::Datetime(_, None) => "%Y-%m-%d %H:%M:%S%.6f",
        DataType::Time => "%H:%M:%S%.9f",
        _ => return None,
    };
    let text = of.dt().to_string(format).str();
    Some(text.strip_chars_end(lit("0")).str().strip_chars_end(lit(".")))
}

/// Texts as datetimes, as in delimited files; what is none is an error where `strict`, and else missing.
pub(in crate::frame) fn of_text(text: Expr, unit: TimeUnit, strict: bool) -> Expr {
    static FUNCTIONS: LazyLock<[UserDefinedFunction; 2]> = LazyLock::new(|| {
        [("moment", false), ("moment_strict", true)].map(|(name, strict)| {
            by_rows(name, move |columns| moments(&columns[0], strict), |_| Ok(datetime(TimeUnit::Microseconds)))
        })
    });
    called(&FUNCTIONS[usize::from(strict)], vec![text.cast(DataType::String)]).cast(datetime(unit))
}

fn datetime(unit: TimeUnit) -> DataType {
    DataType::Datetime(unit, None)
}

fn moments(texts: &Column, strict: bool) -> PolarsResult<Column> {
    let texts = texts.str()?;
    let mut wrong = None;
    let parsed = |text: Option<&str>| {
        let found = text.and_then(|text| time::datetime(text.trim()));
        if let (None, Some(text), None) = (found, text, &wrong) {
            wrong = Some(text.to_owned());
        }
        found
    };
    let numbers: Int64Chunked = texts.iter().map(parsed).collect();
    match wrong.filter(|_| strict) {
        Some(text) => {
            let column = super::in_column(texts.name());
            polars_bail!(ComputeError: "'{}'{column} is no date and time such as '2024-01-31 12:30:00': TRY_CAST gives a missing value for it", brief(&text))
        }
        None => Ok(numbers.with_name(texts.name().clone()).cast(&datetime(TimeUnit::Microseconds))?.into_column()),
    }
}
