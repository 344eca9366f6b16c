//! Dates and times. A part that comes round again (hour, weekday, month, …) becomes a point on a circle, `sin` and `cos`
//! of `2 pi x / period`, so that 23 o'clock is next to 0; `year` and `elapsed` become one number each, standardised by
//! the training rows. Parts are counted as pandas counts them: weekdays from Monday = 0, hours from 0, days and months from 1.
//! With `indicator` a null is a row of zeros, and a last number for each column is 1 there.

use super::FittedFeature;
use super::encoding::{Encoding, Fitted, Known, Training, float_type};
use crate::diag::{codes, list};
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::exact::mean_and_std;
use crate::stages::encode::labels::column;
use crate::stages::encode::tensor::interleave;
use crate::stages::encode::{Names, Tensor, TensorData};
use crate::types::{DType, Dim, FeatureType, Shape};
use polars::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Dates and times as the manifest describes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TimeFeature {
    /// The columns: dates, datetimes or times of day.
    pub columns: Names,
    /// What is taken of them; by default what the column's type has of month, weekday and hour.
    pub parts: Option<Vec<TimePart>>,
    /// Whether nulls are told by a number of their own.
    pub indicator: bool,
}

/// A part of a date or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimePart {
    /// The second of a minute.
    Second,
    /// The minute of an hour.
    Minute,
    /// The hour of a day.
    Hour,
    /// The time of day, to the nanosecond.
    TimeOfDay,
    /// The day of a week.
    Weekday,
    /// The day of a month.
    Day,
    /// The day of a year.
    DayOfYear,
    /// The week of a year, as ISO 8601 counts.
    Week,
    /// The month of a year.
    Month,
    /// The quarter of a year.
    Quarter,
    /// The year.
    Year,
    /// Days since 1970, with their fraction.
    Elapsed,
}

/// Fitted dates and times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedTime {
    /// The columns.
    pub columns: Vec<FittedTimeColumn>,
    /// Whether nulls are told by a number of their own.
    pub indicator: bool,
}

/// One fitted column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedTimeColumn {
    /// The column.
    pub name: String,
    /// Its parts, with the mean and deviation of those that do not come round.
    pub parts: Vec<FittedPart>,
}

impl FittedTimeColumn {
    /// The type that has all of its parts, and no more than these ask for: what to read a text as that is to be encoded.
    #[must_use]
    pub fn least_type(&self) -> &'static str {
        let of_day = |part: &FittedPart| part.part.is_of_day();
        match (self.parts.iter().any(of_day), self.parts.iter().all(of_day)) {
            (false, _) => "date",
            (true, true) => "time",
            (true, false) => "datetime",
        }
    }
}

/// One fitted part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedPart {
    /// The part.
    pub part: TimePart,
    /// What is subtracted and divided by; of a part that comes round nothing.
    pub standard: Option<(f64, f64)>,
}

impl TimePart {
    /// After how many it comes round.
    fn period(self) -> Option<f64> {
        Some(match self {
            Self::Second | Self::Minute => 60.0,
            Self::Hour => 24.0,
            Self::TimeOfDay => 86_400.0,
            Self::Weekday => 7.0,
            Self::Day => 31.0,
            Self::DayOfYear => 366.0,
            Self::Week => 53.0,
            Self::Month => 12.0,
            Self::Quarter => 4.0,
            Self::Year | Self::Elapsed => return None,
        })
    }

    fn width(self) -> u64 {
        if self.period().is_some() { 2 } else { 1 }
    }

    fn is_of_day(self) -> bool {
        matches!(self, Self::Second | Self::Minute | Self::Hour | Self::TimeOfDay)
    }

    fn word(self) -> String {
        serde_json::to_value(self).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// What a column of this type has of it; a part of the day of a date is none.
    fn is_of(self, kind: Kind) -> bool {
        match kind {
            Kind::Date => !self.is_of_day(),
            Kind::Time => self.is_of_day(),
            Kind::Datetime => true,
        }
    }

    /// The part of every row.
    fn values(self, series: &Series) -> PolarsResult<Vec<Option<f64>>> {
        let numbers = |series: Series| -> PolarsResult<Vec<Option<f64>>> {
            Ok(series.cast(&DataType::Float64)?.f64()?.iter().collect())
        };
        let shifted = |series: Series, by: f64| -> PolarsResult<Vec<Option<f64>>> {
            Ok(numbers(series)?.into_iter().map(|value| value.map(|value| value - by)).collect())
        };
        match self {
            Self::Second => numbers(series.second()?.into_series()),
            Self::Minute => numbers(series.minute()?.into_series()),
            Self::Hour => numbers(series.hour()?.into_series()),
            // That of the column's time zone, as its other parts are: what polars casts to `time` is UTC's.
            Self::TimeOfDay if matches!(series.dtype(), DataType::Datetime(_, Some(_))) => {
                let (hours, minutes) = (Self::Hour.values(series)?, Self::Minute.values(series)?);
                let (seconds, rests) = (Self::Second.values(series)?, numbers(series.nanosecond()?.into_series())?);
                let clock = hours.into_iter().zip(minutes).zip(seconds).zip(rests);
                Ok(clock.map(|(((h, m), s), rest)| Some((h? * 60.0 + m?) * 60.0 + s? + rest? / 1e9)).collect())
            }
            Self::TimeOfDay => {
                let nanoseconds = numbers(series.cast(&DataType::Time)?.to_physical_repr().into_owned())?;
                Ok(nanoseconds.into_iter().map(|value| value.map(|value| value / 1e9)).collect())
            }
            Self::Weekday => shifted(series.weekday()?.into_series(), 1.0),
            Self::Day => numbers(series.day()?.into_series()),
            Self::DayOfYear => numbers(series.ordinal_day()?.into_series()),
            Self::Week => numbers(series.week()?.into_series()),
            Self::Month => numbers(series.month()?.into_series()),
            Self::Quarter => numbers(series.quarter()?.into_series()),
            Self::Year => numbers(series.year()?.into_series()),
            Self::Elapsed => {
                let microseconds = series.cast(&DataType::Datetime(TimeUnit::Microseconds, None))?;
                let microseconds = numbers(microseconds.to_physical_repr().into_owned())?;
                Ok(microseconds.into_iter().map(|value| value.map(|value| value / 86_400e6)).collect())
            }
        }
    }
}

/// What a column's type has: a day, a time of day, or both.
#[derive(Clone, Copy)]
enum Kind {
    Date,
    Time,
    Datetime,
}

impl Kind {
    fn of(dtype: &DType) -> Option<Self> {
        match dtype {
            DType::Date => Some(Self::Date),
            DType::Time => Some(Self::Time),
            other => other.is_datetime().then_some(Self::Datetime),
        }
    }

    /// The parts that are taken where none are named.
    fn parts(self) -> Vec<TimePart> {
        let usual = [TimePart::Month, TimePart::Weekday, TimePart::Hour];
        usual.into_iter().filter(|part| part.is_of(self)).collect()
    }
}

impl TimeFeature {
    fn parts_of(&self, kind: Kind) -> Vec<TimePart> {
        self.parts.clone().unwrap_or_else(|| kind.parts())
    }

    /// How many numbers a column of a type becomes; reports parts that it does not have.
    fn check_column(&self, name: &str, column: &crate::types::Column, cx: &mut CheckCx<'_>) -> Option<u64> {
        let kind = Kind::of(&column.dtype)?;
        for (index, part) in self.parts.iter().flatten().enumerate().filter(|(_, part)| !part.is_of(kind)) {
            let has: Vec<String> = ALL.iter().filter(|part| part.is_of(kind)).map(|part| part.word()).collect();
            cx.error(
                path!["features", name, "parts", index],
                codes::COLUMN_TYPE,
                format!("column `{}` is {}, which has no {}", column.name, column.dtype, part.word()),
            )
            .label(format!("not of a {}", column.dtype))
            .hint(format!("it has {}", list(has.iter().map(String::as_str), 12)));
        }
        Some(self.parts_of(kind).into_iter().map(TimePart::width).sum::<u64>() + u64::from(self.indicator))
    }
}

/// Every part, in the order of messages.
const ALL: [TimePart; 12] = [
    TimePart::Second,
    TimePart::Minute,
    TimePart::Hour,
    TimePart::TimeOfDay,
    TimePart::Weekday,
    TimePart::Day,
    TimePart::DayOfYear,
    TimePart::Week,
    TimePart::Month,
    TimePart::Quarter,
    TimePart::Year,
    TimePart::Elapsed,
];

impl Encoding for TimeFeature {
    fn key(&self) -> &'static str {
        "time"
    }

    fn columns(&self) -> &Names {
        &self.columns
    }

    fn accepts(&self, dtype: &DType) -> bool {
        Kind::of(dtype).is_some()
    }

    fn wanted(&self, dtype: &DType) -> (&'static str, &'static str) {
        let hint = match dtype {
            DType::Str => "cast it to `date` or `datetime` in a `table` stage, or give it that type where it is read",
            _ => "derive a date or time from it in a `table` stage before",
        };
        ("dates, datetimes and times of day", hint)
    }

    fn check(&self, name: &str, known: &Known<'_>, cx: &mut CheckCx<'_>) -> FeatureType {
        if self.parts.as_ref().is_some_and(Vec::is_empty) {
            cx.error(path!["features", name, "parts"], codes::OUT_OF_RANGE, "`parts` names no part")
                .label("an empty list")
                .hint("parts = [\"month\", \"weekday\", \"hour\"]");
        }
        let mut width = Some(0);
        for column in known.selected.unwrap_or_default() {
            let column = known.schema.columns.iter().find(|known| known.name == *column);
            let own = column.and_then(|column| self.check_column(name, column, cx));
            width = width.zip(own).map(|(sum, own)| sum + own);
        }
        let width = width.filter(|_| known.selected.is_some()).map_or(Dim::Unknown, Dim::Fixed);
        float_type(name, Shape(vec![width]))
    }

    fn fit(&self, _: &str, columns: Vec<String>, training: &Training<'_>) -> Result<FittedFeature, StageError> {
        let columns =
            columns.into_iter().map(|name| self.fit_column(name, training.frame)).collect::<Result<_, _>>()?;
        Ok(FittedFeature::Time(FittedTime { columns, indicator: self.indicator }))
    }
}

impl TimeFeature {
    fn fit_column(&self, name: String, frame: &DataFrame) -> Result<FittedTimeColumn, StageError> {
        let series = column(frame, &name)?.as_materialized_series();
        let kind = kind_of(series)?;
        if series.null_count() == series.len() {
            return Err(StageError::data(format!("column `{name}` has no value in the training rows"))
                .note("all of them are null")
                .hint("leave the column out"));
        }
        let mut parts = Vec::new();
        for part in self.parts_of(kind) {
            let standard = match part.period() {
                Some(_) => None,
                None => {
                    let values: Vec<f64> = part_of(part, kind, series)?.into_iter().flatten().collect();
                    Some(mean_and_std(&values))
                }
            };
            parts.push(FittedPart { part, standard });
        }
        Ok(FittedTimeColumn { name, parts })
    }
}

fn kind_of(series: &Series) -> Result<Kind, StageError> {
    match series.dtype() {
        DataType::Date => Ok(Kind::Date),
        DataType::Time => Ok(Kind::Time),
        DataType::Datetime(..) => Ok(Kind::Datetime),
        other => Err(StageError::data(format!("column `{}` is {other}, not a date or time", series.name()))
            .hint("cast it to `date` or `datetime` in a `table` stage before")),
    }
}

/// A part of every row of a column.
fn part_of(part: TimePart, kind: Kind, series: &Series) -> Result<Vec<Option<f64>>, StageError> {
    if !part.is_of(kind) {
        let message = format!("column `{}` is {}, which has no {}", series.name(), series.dtype(), part.word());
        return Err(StageError::data(message).hint("name its `parts`"));
    }
    part.values(series).map_err(|error| StageError::data(format!("column `{}`: {error}", series.name())))
}

impl FittedTime {
    fn width(&self) -> u64 {
        let parts = self.columns.iter().flat_map(|column| &column.parts).map(|part| part.part.width()).sum::<u64>();
        parts + if self.indicator { self.columns.len() as u64 } else { 0 }
    }

    /// The numbers of one column, side by side.
    fn encode(&self, column_: &FittedTimeColumn, frame: &DataFrame) -> Result<Vec<Vec<f32>>, StageError> {
        let series = column(frame, &column_.name)?.as_materialized_series();
        let kind = kind_of(series)?;
        let nulls = series.is_null();
        if let Some(row) = nulls.iter().position(|null| null == Some(true)).filter(|_| !self.indicator) {
            return Err(StageError::data(format!("column `{}` is null in row {}", column_.name, row + 1))
                .note("rows are counted from 1")
                .hint("indicator = true makes such a row zeros, and says so by a number of its own")
                .hint("or drop or fill such rows in a `table` stage before"));
        }
        let mut out = Vec::new();
        for FittedPart { part, standard } in &column_.parts {
            let values = part_of(*part, kind, series)?;
            let each = |f: &dyn Fn(f64) -> f64| values.iter().map(|value| value.map_or(0.0, f) as f32).collect();
            match part.period() {
                Some(period) => {
                    let angle = |value: f64| value / period * std::f64::consts::TAU;
                    out.push(each(&|value| angle(value).sin()));
                    out.push(each(&|value| angle(value).cos()));
                }
                None => {
                    let (shift, scale) = standard.unwrap_or((0.0, 1.0));
                    out.push(each(&|value| (value - shift) / scale));
                }
            }
        }
        if self.indicator {
            out.push(nulls.iter().map(|null| f32::from(u8::from(null == Some(true)))).collect());
        }
        Ok(out)
    }
}

impl Fitted for FittedTime {
    fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    fn accepts(&self, _: &str, dtype: &DType) -> bool {
        Kind::of(dtype).is_some()
    }

    fn becomes(&self) -> String {
        let mut parts: Vec<TimePart> =
            self.columns.iter().flat_map(|column| &column.parts).map(|part| part.part).collect();
        parts.sort();
        parts.dedup();
        let words: Vec<String> = parts.into_iter().map(TimePart::word).collect();
        format!("points on circles: {}", list(words.iter().map(String::as_str), 12))
    }

    fn ty(&self, name: &str) -> FeatureType {
        float_type(name, Shape::fixed(&[self.width()]))
    }

    fn apply(&self, _: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        let columns =
            self.columns.iter().map(|column| self.encode(column, frame)).collect::<Result<Vec<_>, _>>()?.concat();
        let slices: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
        let data = interleave(&slices, frame.height());
        Ok(Tensor::of_rows(frame.height(), &[self.width()], TensorData::F32(data)))
    }
}
