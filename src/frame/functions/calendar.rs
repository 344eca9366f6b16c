//! Moments that are moved, and lengths of time that are multiplied: polars begins again from the other end where there is no room, and stops
//! where no calendar has the day.

use super::{by_rows, called, in_column};
use crate::numbers;
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

const DAY: i128 = 86_400_000_000;

/// The last year, before and after the first, that moments may be moved to: a little less than what programs can write.
const LAST_YEAR: i128 = 262_000;

/// The same moment, of which it is known that it can be moved by a length of time, or by what a text says, and back with `minus`.
pub(in crate::frame) fn movable(moment: Expr, by: Expr, minus: bool) -> Expr {
    static FUNCTIONS: LazyLock<[UserDefinedFunction; 2]> = LazyLock::new(|| {
        [("movable", false), ("movable_back", true)].map(|(name, minus)| {
            by_rows(name, move |columns| moved(&columns[0], &columns[1], minus), |fields| Ok(fields[0].dtype().clone()))
        })
    });
    called(&FUNCTIONS[usize::from(minus)], vec![moment, by])
}

/// So many units, with 128 bits, as a length of time in microseconds or nanoseconds.
pub(in crate::frame) fn length(wide: Expr, unit: TimeUnit) -> Expr {
    static FUNCTIONS: LazyLock<[UserDefinedFunction; 3]> = LazyLock::new(|| {
        let units = [TimeUnit::Nanoseconds, TimeUnit::Microseconds, TimeUnit::Milliseconds];
        let names = ["length_ns", "length_us", "length_ms"];
        std::array::from_fn(|at| {
            let unit = units[at];
            by_rows(names[at], move |columns| long(&columns[0], unit), move |_| Ok(DataType::Duration(unit)))
        })
    });
    let place = match unit {
        TimeUnit::Nanoseconds => 0,
        TimeUnit::Microseconds => 1,
        TimeUnit::Milliseconds => 2,
    };
    called(&FUNCTIONS[place], vec![wide])
}

fn long(wide: &Column, unit: TimeUnit) -> PolarsResult<Column> {
    let narrow = wide.cast(&DataType::Int64)?;
    if narrow.null_count() > wide.null_count() {
        let lost = wide.i128()?.iter().flatten().find(|value| i64::try_from(*value).is_err()).unwrap_or_default();
        let years = if unit == TimeUnit::Nanoseconds { "292" } else { "292,000" };
        let days = numbers::count((micros_of(lost, unit) / DAY).unsigned_abs().try_into().unwrap_or(u64::MAX));
        let column = in_column(wide.name());
        polars_bail!(ComputeError: "a length of {days} days{column} has no room, which is for {years} years: are the numbers of another unit?");
    }
    narrow.cast(&DataType::Duration(unit))
}

/// So many units in microseconds.
fn micros_of(value: i128, unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Nanoseconds => value.div_euclid(1_000),
        TimeUnit::Microseconds => value,
        TimeUnit::Milliseconds => value.saturating_mul(1_000),
    }
}

fn moved(moments: &Column, by: &Column, minus: bool) -> PolarsResult<Column> {
    has_room(moments, by, minus)?;
    Ok(match (moments.len(), by.len()) {
        (1, rows) if rows != 1 => moments.new_from_index(0, rows),
        _ => moments.clone(),
    })
}

fn has_room(moments: &Column, by: &Column, minus: bool) -> PolarsResult<()> {
    let (Some((first, last)), Some((least, most))) = (ends(moments)?, ends(by)?) else {
        return Ok(());
    };
    let (low, high) = room(moments.dtype());
    let (least, most) = if minus { (-most, -least) } else { (least, most) };
    if first + least >= low && last + most <= high {
        return Ok(());
    }
    let (values, lengths) = (stored(moments)?, stored(by)?);
    let at = |row: usize, rows: usize| if rows == 1 { 0 } else { row };
    for row in 0..moments.len().max(by.len()) {
        let places = (at(row, moments.len()), at(row, by.len()));
        let (Some(value), Some(length)) = (values[places.0], lengths[places.1]) else { continue };
        let to = if minus { value - length } else { value + length };
        if !(low..=high).contains(&to) {
            let (moment, by) = (moments.get(places.0)?, by.get(places.1)?);
            let (sign, column) = (if minus { '-' } else { '+' }, in_column(moments.name()));
            polars_bail!(ComputeError: "{} {sign} {}{column} is a date or time that there is no room for: take a shorter interval, or filter those rows", moment.str_value(), by.str_value());
        }
    }
    Ok(())
}

/// The first and the last moment that values of a type may be moved to, in microseconds since 1970.
fn room(dtype: &DataType) -> (i128, i128) {
    match dtype {
        DataType::Datetime(TimeUnit::Nanoseconds, _) => {
            (i128::from(i64::MIN) / 1_000 + 1, i128::from(i64::MAX) / 1_000 - 1)
        }
        _ => {
            let year = |year: i128| (year - 1970) * DAY * 1_461 / 4;
            (year(-LAST_YEAR), year(LAST_YEAR))
        }
    }
}

/// The first and the last of moments or lengths, in microseconds.
fn ends(column: &Column) -> PolarsResult<Option<(i128, i128)>> {
    if column.str().is_ok() {
        let lengths = stored(column)?;
        let known = || lengths.iter().flatten().copied();
        return Ok(known().min().zip(known().max()));
    }
    let physical = column.to_physical_repr();
    let (min, max) = (physical.min_reduce()?, physical.max_reduce()?);
    let of = |end: &Scalar| end.value().extract::<i64>().map(|value| micros(value.into(), column.dtype()));
    Ok(of(&min).zip(of(&max)))
}

/// Moments or lengths row by row, in microseconds.
fn stored(column: &Column) -> PolarsResult<Vec<Option<i128>>> {
    if let Ok(texts) = column.str() {
        return texts.iter().map(|text| text.map(|text| Duration::try_parse(text).map(written)).transpose()).collect();
    }
    let values = column.to_physical_repr().cast(&DataType::Int64)?;
    let dtype = column.dtype();
    Ok(values.i64()?.iter().map(|value| value.map(|value| micros(value.into(), dtype))).collect())
}

fn micros(value: i128, dtype: &DataType) -> i128 {
    match dtype {
        DataType::Date => value * DAY,
        DataType::Datetime(unit, _) | DataType::Duration(unit) => micros_of(value, *unit),
        _ => value,
    }
}

/// About how long an interval is: a month is a twelfth of a year, which is enough where years are left to the end of the room.
fn written(by: Duration) -> i128 {
    let days = i128::from(by.months()) * 1_461 / 48 + i128::from(by.weeks()) * 7 + i128::from(by.days());
    let micros = days * DAY + i128::from(by.nanoseconds()) / 1_000;
    if by.negative() { -micros } else { micros }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(values: &[Option<i32>]) -> Column {
        Column::new("d".into(), values).cast(&DataType::Date).expect("dates")
    }

    #[test]
    fn a_moment_is_moved_where_there_is_room() {
        let some = days(&[Some(19_723), None, Some(-719_162)]);
        let text = |by: &str| Column::new("by".into(), [by]);
        for by in ["1d", "-5y", "100000y", "-2w3d", "3h"] {
            assert_eq!(moved(&some, &text(by), false).expect(by), some);
        }
        for (by, minus) in [("100000000d", false), ("300000y", false), ("-300000y", false), ("300000y", true)] {
            let error = moved(&some, &text(by), minus).expect_err(by).to_string();
            assert!(error.contains("2024-01-01") && error.contains(by) && error.contains("in column `d`"), "{error}");
        }
        assert!(moved(&days(&[]), &text("300000y"), false).is_ok());
        assert!(moved(&days(&[None]), &text("300000y"), false).is_ok());
    }

    /// The first of one and the last of the other may have no room together, and stand in different rows.
    #[test]
    fn each_row_is_moved_by_its_own_length() {
        let far = i64::from(i32::MAX / 24) * 86_400_000_000;
        let lengths = Column::new("by".into(), [far, 0]).cast(&DataType::Duration(TimeUnit::Microseconds));
        let lengths = lengths.expect("lengths");
        let apart = days(&[Some(0), Some(50_000_000)]);
        assert_eq!(moved(&apart, &lengths, false).expect("room for each"), apart);
        let error = moved(&days(&[Some(50_000_000), Some(0)]), &lengths, false).expect_err("no room").to_string();
        assert!(error.contains("there is no room for"), "{error}");
        let fine = Column::new("t".into(), [i64::MAX - 1]).cast(&DataType::Datetime(TimeUnit::Nanoseconds, None));
        moved(&fine.expect("times"), &Column::new("by".into(), ["1d"]), false).expect_err("292 years of nanoseconds");
    }

    #[test]
    fn a_product_without_room_is_no_length() {
        let wide = |value: i128| [Some(value), None].into_iter().collect::<Int128Chunked>().into_series().into_column();
        let day = long(&wide(DAY), TimeUnit::Microseconds).expect("a day");
        assert_eq!(day.dtype(), &DataType::Duration(TimeUnit::Microseconds));
        let error = long(&wide(DAY * 200_000_000), TimeUnit::Microseconds).expect_err("too long").to_string();
        assert!(error.contains("a length of 200,000,000 days"), "{error}");
    }
}
