//! Casts that lose nothing: a value that the new type cannot hold as it is, is told.

use super::file::{decimal, time, without_exponent};
use super::{from_polars, to_polars};
use crate::types::DType;
use polars::prelude::*;
use std::collections::BTreeSet;

/// Why a column cannot be cast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CastFault {
    /// The types have nothing to do with each other.
    NoForm,
    /// Values that the new type cannot hold.
    Lost {
        /// How many.
        count: usize,
        /// The first of them, as a row from 0.
        row: usize,
        /// What stands there.
        found: String,
    },
}

/// The column in another type. Texts become dates and times as in delimited files; what would lose its fraction or its time
/// of day, is too large to be held exactly, or has no form in the new type, is a fault. Fractions themselves are rounded to
/// what a float type holds of them.
///
/// # Errors
/// Where it cannot be done, or not for every value.
pub fn cast_exactly(column: &Column, dtype: &DType) -> Result<Column, CastFault> {
    let (out, lost) = cast_with_losses(column, dtype).ok_or(CastFault::NoForm)?;
    match lost[..] {
        [] => Ok(out),
        [row, ..] => Err(CastFault::Lost { count: lost.len(), row, found: shown(column, row) }),
    }
}

/// The same with the rows, from 0, whose values the new type cannot hold: what is in the column there means nothing. `None` where
/// the types have nothing to do with each other.
#[must_use]
pub fn cast_with_losses(column: &Column, dtype: &DType) -> Option<(Column, Vec<usize>)> {
    let target = to_polars(dtype)?;
    if is_no_moment(&from_polars(column.dtype()), dtype) {
        return None;
    }
    let read = moments(column, dtype).or_else(|| decimals(column, dtype));
    let out = read.as_ref().unwrap_or(column).cast(&target).ok()?;
    // Of an object polars casts the fields instead.
    if *out.dtype() != target {
        return None;
    }
    let gone = match may_lose(&from_polars(column.dtype()), dtype) {
        Some(Loss::Part) => {
            let back = out.cast(column.dtype()).ok()?;
            back.not_equal_missing(column).ok()?
        }
        Some(Loss::Size) => {
            let wide = column.cast(&DataType::Float64).ok()?;
            infinite(&out).ok()? & !infinite(&wide).ok()?
        }
        None if out.null_count() == column.null_count() => {
            let lost = lost_inside(column, &out, dtype);
            return Some((out, lost));
        }
        None => column.is_not_null() & out.is_null(),
    };
    let lost = gone.iter().enumerate().filter(|(_, gone)| *gone == Some(true)).map(|(row, _)| row).collect();
    Some((out, lost))
}

/// The rows of lists and objects of which an item loses something, or is missing in what came `out`: polars does not tell of those.
fn lost_inside(column: &Column, out: &Column, dtype: &DType) -> Vec<usize> {
    match dtype {
        DType::List(item) | DType::Array(item, _) => {
            let items = |lists: &Column| lists.explode(ExplodeOptions { empty_as_null: false, keep_nulls: false }).ok();
            let loses = |lists: &Column, made: &Column| {
                let (items, made) = (items(lists)?, items(made)?);
                let (_, lost) = cast_with_losses(&items, item)?;
                Some(!lost.is_empty() || made.null_count() > items.null_count())
            };
            let is_list = matches!(column.dtype(), DataType::List(_) | DataType::Array(..));
            if !is_list || loses(column, out) != Some(true) {
                return Vec::new();
            }
            let row = |column: &Column, row: usize| column.slice(row as i64, 1);
            (0..column.len()).filter(|at| loses(&row(column, *at), &row(out, *at)) == Some(true)).collect()
        }
        DType::Struct(wanted) => {
            let Ok(objects) = column.struct_() else { return Vec::new() };
            let mut rows = BTreeSet::new();
            for field in objects.fields_as_series() {
                let Some(wanted) = wanted.iter().find(|wanted| wanted.name == field.name().as_str()) else { continue };
                let cast = cast_with_losses(&field.into_column(), &wanted.dtype);
                rows.extend(cast.map(|(_, lost)| lost).unwrap_or_default());
            }
            let there = column.is_not_null();
            rows.into_iter().filter(|row| there.get(*row) == Some(true)).collect()
        }
        _ => Vec::new(),
    }
}

/// A value as it is told.
#[must_use]
pub fn shown(column: &Column, row: usize) -> String {
    column.get(row).map(|value| value.str_value().into_owned()).unwrap_or_default()
}

fn infinite(column: &Column) -> PolarsResult<BooleanChunked> {
    column.as_materialized_series().is_infinite()
}

/// Whether a cast must go through [`cast_exactly`] to lose nothing; of all others polars tells what they lose.
#[must_use]
pub fn needs_care(from: &DType, to: &DType) -> bool {
    let read = matches!(to, DType::Date | DType::Datetime | DType::Time | DType::Decimal(..));
    let nested = matches!(to, DType::List(_) | DType::Array(..) | DType::Struct(_)) && from != to;
    nested || (*from == DType::Str && read) || is_no_moment(from, to) || may_lose(from, to).is_some()
}

/// Whether a number, or a truth value that counts as 0 or 1, would stand for a date or time: which unit it counts, and since when, a
/// type does not say.
#[must_use]
pub fn is_no_moment(from: &DType, to: &DType) -> bool {
    (from.is_numeric() || *from == DType::Bool) && to.is_temporal()
}

/// What a cast may lose without polars telling.
enum Loss {
    /// A part of the value: what comes back from the new type is another value.
    Part,
    /// The value is too large for the new type.
    Size,
}

fn may_lose(from: &DType, to: &DType) -> Option<Loss> {
    use DType as D;
    let wide = matches!(from, D::I64 | D::I128 | D::U64);
    let lost = match (from, to) {
        (D::Decimal(_, before), D::Decimal(_, after)) => after < before,
        (D::F64 | D::Decimal(..), D::F32) => return Some(Loss::Size),
        (D::I32 | D::U32, D::F32) => true,
        (from, D::Date) if from.is_datetime() => true,
        // Nanoseconds have more digits than any type that manifests have a name for.
        (D::Other(from), D::Datetime | D::Duration) => from.contains("[ns"),
        (from, D::F32 | D::F64) => wide && from.is_integer(),
        (from, to) => (from.is_float() || matches!(from, D::Decimal(..))) && to.is_integer(),
    };
    lost.then_some(Loss::Part)
}

/// Texts as dates and times, the numbers that polars keeps for them.
fn moments(column: &Column, dtype: &DType) -> Option<Column> {
    let texts = column.str().ok()?;
    let parsed = |parse: fn(&str) -> Option<i64>| {
        let numbers: Int64Chunked = texts.iter().map(|text| parse(text?)).collect();
        Some(numbers.with_name(column.name().clone()).into_column())
    };
    match dtype {
        DType::Date => {
            let days: Int32Chunked = texts.iter().map(|text| time::date(text?)).collect();
            Some(days.with_name(column.name().clone()).into_column())
        }
        DType::Datetime => parsed(time::datetime),
        DType::Time => parsed(time::time),
        _ => None,
    }
}

/// Texts as decimals: digits that the scale has no place for are no value, as in delimited text; polars would round them away.
fn decimals(column: &Column, dtype: &DType) -> Option<Column> {
    let (DType::Decimal(precision, scale), Ok(texts)) = (dtype, column.str()) else { return None };
    let exact = |text: &str| decimal(&without_exponent(text)?, *precision, *scale);
    let numbers: Int128Chunked = texts.iter().map(|text| exact(text?)).collect();
    Some(numbers.with_name(column.name().clone()).into_decimal(*precision, *scale).ok()?.into_column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(column: Column, dtype: &DType) -> Option<(usize, usize, String)> {
        match cast_exactly(&column, dtype) {
            Ok(_) => None,
            Err(CastFault::Lost { count, row, found }) => Some((count, row, found)),
            Err(CastFault::NoForm) => panic!("no form"),
        }
    }

    #[test]
    fn fractions_are_not_cut_off() {
        let floats = |values: &[f64]| Column::new("x".into(), values);
        assert_eq!(lost(floats(&[1.0, 2.5, -0.5]), &DType::I64), Some((2, 1, "2.5".to_owned())));
        assert_eq!(lost(floats(&[1.0, -0.0, 1e15]), &DType::I64), None);
        assert_eq!(lost(floats(&[1.0, f64::NAN]), &DType::I64).map(|lost| lost.1), Some(1));
        assert_eq!(lost(floats(&[1.0, 300.0]), &DType::U8).map(|lost| lost.1), Some(1));
        let missing = Column::new("x".into(), [None, Some(1.0)]);
        assert_eq!(lost(missing, &DType::I32), None);
        let prices = floats(&[1.25, 2.0]).cast(&DataType::Decimal(10, 2)).expect("decimals");
        assert_eq!(lost(prices.clone(), &DType::I64).map(|lost| lost.1), Some(0));
        assert_eq!(lost(prices.clone(), &DType::Decimal(10, 1)).map(|lost| lost.1), Some(0));
        assert_eq!(lost(prices, &DType::Decimal(12, 3)), None);
    }

    #[test]
    fn texts_of_more_digits_than_a_decimal_has_are_told() {
        let texts = Column::new("x".into(), [Some("0.10"), None, Some("-1.25e1"), Some("0.1250"), Some("x")]);
        let dtype = DType::Decimal(10, 1);
        assert_eq!(lost(texts.clone(), &dtype), Some((2, 3, "0.1250".to_owned())));
        let read = cast_exactly(&texts.head(Some(3)), &dtype).expect("decimals");
        let shown: Vec<String> = (0..3).map(|row| shown(&read, row)).collect();
        assert_eq!(shown, ["0.1", "null", "-12.5"]);
        assert_eq!(lost(Column::new("x".into(), ["1000"]), &DType::Decimal(3, 0)).map(|lost| lost.1), Some(0));
        assert!(needs_care(&DType::Str, &dtype));
    }

    #[test]
    fn what_a_type_cannot_hold_is_told() {
        let whole = Column::new("x".into(), [1_i64 << 24, (1 << 24) + 1, 3]);
        assert_eq!(lost(whole.clone(), &DType::F32), Some((1, 1, "16777217".to_owned())));
        assert_eq!(lost(whole, &DType::F64), None);
        let ids = Column::new("x".into(), [1_i64 << 53, (1 << 53) + 1, i64::MAX]);
        assert_eq!(lost(ids, &DType::F64), Some((2, 1, "9007199254740993".to_owned())));
        let floats = Column::new("x".into(), [0.1, f64::INFINITY, f64::NAN, 1e39]);
        assert_eq!(lost(floats.clone(), &DType::F32).map(|lost| (lost.0, lost.1)), Some((1, 3)));
        assert_eq!(lost(floats.head(Some(3)), &DType::F32), None, "fractions are rounded");
        let day = 86_400_000_000_i64;
        let times = Column::new("t".into(), [Some(0), Some(day), None, Some(day + 1)]);
        let times = times.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).expect("times");
        assert_eq!(lost(times.clone(), &DType::Date).map(|lost| lost.1), Some(3));
        assert_eq!(lost(times.head(Some(3)), &DType::Date), None);
    }

    #[test]
    fn timestamps_lose_no_time_of_day_and_no_digits() {
        let day = 86_400_000_000_000_i64;
        let zone = TimeZone::opt_try_new(Some("UTC")).expect("a zone");
        for dtype in [DataType::Datetime(TimeUnit::Nanoseconds, None), DataType::Datetime(TimeUnit::Nanoseconds, zone)]
        {
            let times = Column::new("t".into(), [Some(day), None, Some(day + 1_000), Some(day + 1), Some(-1)]);
            let times = times.cast(&dtype).expect("times");
            assert_eq!(lost(times.clone(), &DType::Date).map(|lost| (lost.0, lost.1)), Some((3, 2)));
            assert_eq!(lost(times.clone(), &DType::Datetime).map(|lost| (lost.0, lost.1)), Some((2, 3)));
            assert_eq!(lost(times.head(Some(2)), &DType::Date), None);
            assert_eq!(lost(times.head(Some(3)), &DType::Datetime), None);
        }
        let millis = Column::new("t".into(), [1_i64]).cast(&DataType::Datetime(TimeUnit::Milliseconds, None));
        assert_eq!(lost(millis.clone().expect("times"), &DType::Datetime), None);
        assert_eq!(lost(millis.expect("times"), &DType::Date).map(|lost| lost.1), Some(0));
        let spans = Column::new("t".into(), [1_000_i64, 1]).cast(&DataType::Duration(TimeUnit::Nanoseconds));
        assert_eq!(lost(spans.expect("durations"), &DType::Duration).map(|lost| lost.1), Some(1));
    }

    #[test]
    fn numbers_are_no_moments() {
        let days = Column::new("d".into(), [20_240_131_i64]);
        for dtype in [DType::Date, DType::Time, DType::Datetime, DType::Duration] {
            assert_eq!(cast_exactly(&days, &dtype), Err(CastFault::NoForm), "{dtype}");
            assert!(needs_care(&DType::F64, &dtype), "{dtype}");
        }
        assert!(!is_no_moment(&DType::Date, &DType::I64));
        let truths = Column::new("b".into(), [true, false]);
        assert_eq!(cast_exactly(&truths, &DType::Date), Err(CastFault::NoForm));
        assert!(
            is_no_moment(&DType::Bool, &DType::Datetime)
                && is_no_moment(&DType::I64, &DType::Other("datetime[ns]".into()))
        );
    }

    #[test]
    fn what_is_lost_inside_of_lists_and_objects_is_told() {
        let list = |items: &[f64]| Series::new("".into(), items);
        let lists = Column::new("l".into(), [list(&[1.0, 2.0]), list(&[]), list(&[2.5]), list(&[3.0, 300.0])]);
        let of = |item| DType::List(Box::new(item));
        assert_eq!(lost(lists.clone(), &of(DType::I64)).map(|lost| (lost.0, lost.1)), Some((1, 2)));
        assert_eq!(lost(lists.clone(), &of(DType::U8)).map(|lost| (lost.0, lost.1)), Some((2, 2)));
        assert_eq!(lost(lists.clone(), &of(DType::F32)), None, "fractions are rounded");
        assert_eq!(lost(lists.head(Some(2)), &of(DType::I64)), None);
        let fields = [Series::new("x".into(), [1.0, 1.5])];
        let objects = StructChunked::from_series("o".into(), 2, fields.iter()).expect("objects");
        let objects = objects.into_series().into_column();
        let dtype = DType::Struct(vec![crate::types::Column::new("x", DType::I64)]);
        assert_eq!(lost(objects.clone(), &dtype).map(|lost| (lost.0, lost.1)), Some((1, 1)));
        assert_eq!(lost(objects.head(Some(1)), &dtype), None);
        assert!(needs_care(&of(DType::F64), &of(DType::I64)) && !needs_care(&of(DType::F64), &of(DType::F64)));
    }

    #[test]
    fn objects_have_no_form_as_numbers() {
        let fields = [Series::new("x".into(), [1_i64])];
        let object = StructChunked::from_series("a".into(), 1, fields.iter()).expect("an object");
        let object = object.into_series().into_column();
        for dtype in [DType::I64, DType::Bool, DType::Date] {
            assert_eq!(cast_exactly(&object, &dtype).err(), Some(CastFault::NoForm), "{dtype}");
        }
    }

    #[test]
    fn texts_become_moments() {
        let texts = |values: &[&str]| Column::new("t".into(), values);
        assert_eq!(lost(texts(&["2024-02-29", "2024-02-30"]), &DType::Date), Some((1, 1, "2024-02-30".to_owned())));
        assert_eq!(lost(texts(&["2024-02-29", "2024-02-29T10:00Z"]), &DType::Datetime), None);
        assert_eq!(lost(texts(&["10:30", "10:30:05.25"]), &DType::Time), None);
        let days = cast_exactly(&texts(&["1970-01-02"]), &DType::Date).expect("a date");
        assert_eq!(days.get(0).expect("a value").to_string(), "1970-01-02");
    }
}
