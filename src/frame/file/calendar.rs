//! Times that no calendar has, and no clock: nothing could write them. Programs use such numbers for "never", or took another unit.

use super::{BadFile, BadOne};
use crate::frame::collect;
use crate::frame::read::scan_parquet;
use polars::prelude::*;
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Days before and after 1970 that the calendar certainly has: 260,000 years.
const DAYS: i64 = 94_963_050;

/// Nanoseconds of a day.
const NANOSECONDS: i64 = 86_400_000_000_000;

/// A number that is no time.
struct Beyond {
    /// Its row, where it is not in a list.
    row: Option<usize>,
    /// Which it is: `9223372036854775807 us after 1970 are beyond the calendar`.
    why: String,
}

/// The numbers that are times of a type; `None` where all are, or none.
fn times(dtype: &DataType) -> Option<RangeInclusive<i64>> {
    let per_day = match dtype {
        DataType::Date => 1,
        DataType::Datetime(TimeUnit::Milliseconds, _) => 86_400_000,
        DataType::Datetime(TimeUnit::Microseconds, _) => 86_400_000_000,
        DataType::Time => return Some(0..=NANOSECONDS - 1),
        _ => return None,
    };
    Some(-DAYS * per_day..=DAYS * per_day)
}

fn holds_times(dtype: &DataType) -> bool {
    match dtype {
        DataType::List(inner) | DataType::Array(inner, _) => holds_times(inner),
        DataType::Struct(fields) => fields.iter().any(|field| holds_times(&field.dtype)),
        plain => times(plain).is_some(),
    }
}

fn why(number: i64, dtype: &DataType) -> String {
    let unit = match dtype {
        DataType::Time => return format!("{number} ns after midnight are no time of day"),
        DataType::Date => "days",
        DataType::Datetime(TimeUnit::Milliseconds, _) => "ms",
        _ => "us",
    };
    format!("{number} {unit} after 1970 are beyond the calendar")
}

/// The first number in a column that is no time.
fn beyond(series: &Series) -> PolarsResult<Option<Beyond>> {
    if !holds_times(series.dtype()) {
        return Ok(None);
    }
    let without_row = |found: Option<Beyond>| found.map(|beyond| Beyond { row: None, ..beyond });
    match series.dtype() {
        DataType::List(_) => beyond(&series.list()?.get_inner()).map(without_row),
        DataType::Array(..) => beyond(&series.array()?.get_inner()).map(without_row),
        DataType::Struct(_) => {
            for field in series.struct_()?.fields_as_series() {
                if let Some(found) = beyond(&field)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
        dtype => {
            let Some(within) = times(dtype) else { return Ok(None) };
            let numbers = series.to_physical_repr().cast(&DataType::Int64)?;
            let mut numbers = numbers.i64()?.iter().enumerate();
            let found =
                numbers.find_map(|(row, number)| Some((row, number.filter(|number| !within.contains(number))?)));
            Ok(found.map(|(row, number)| Beyond { row: Some(row), why: why(number, dtype) }))
        }
    }
}

/// An error where a time is beyond the calendar, in rows that have so many before them.
pub(super) fn within_calendar(columns: &[Column], before: usize) -> Result<(), BadFile> {
    for column in columns {
        let found = beyond(column.as_materialized_series());
        let Some(found) = found.map_err(|error| BadFile::polars("read the times", &error))? else { continue };
        let name = column.name();
        let row = found.row.map(|row| format!("row {}, ", before + row + 1)).unwrap_or_default();
        let bad = BadFile::new(format!("{row}column `{name}`: {}", found.why));
        let nested = times(column.dtype()).is_none();
        return Err(bad.hint(if nested {
            "write the file anew with a missing value there".to_owned()
        } else {
            format!("take the number as it is, `types = {{ \"{name}\" = \"i64\" }}`, and make a time of it afterwards")
        }));
    }
    Ok(())
}

/// Refuses parquet files with a time beyond the calendar, which a plan would find when a row of it is shown. What the files say of
/// their row groups spares reading most of them.
///
/// # Errors
/// The first such time.
pub fn times_fit(files: &[(String, PathBuf)]) -> Result<(), BadOne> {
    let fits =
        |(name, path): &(String, PathBuf)| row_groups_within(path).map_err(|bad| BadOne { file: name.clone(), bad });
    files.iter().try_for_each(fits)
}

fn row_groups_within(path: &Path) -> Result<(), BadFile> {
    let unread = |error: PolarsError| BadFile::polars("read the times", &error);
    let mut lf = scan_parquet(path).map_err(unread)?;
    let schema = lf.collect_schema().map_err(unread)?;
    let columns: Vec<(&PlSmallStr, &DataType)> = schema.iter().filter(|(_, dtype)| holds_times(dtype)).collect();
    if columns.is_empty() {
        return Ok(());
    }
    let mut reader = ParquetReader::new(File::open(path).map_err(|error| BadFile::io(path, &error))?);
    let metadata = reader.get_metadata().map_err(unread)?.clone();
    let mut before = 0;
    for group in &metadata.row_groups {
        for (name, dtype) in &columns {
            let said = group.parquet_columns().iter().find_map(|chunk| {
                let is_it = matches!(chunk.descriptor().path_in_schema.as_slice(), [only] if only == *name);
                let said = chunk.statistics(&metadata.footer_buf).filter(|_| is_it)?.ok()?;
                let days =
                    || said.as_int32().map(|said| (said.min_value.map(i64::from), said.max_value.map(i64::from)));
                said.as_int64().map(|said| (said.min_value, said.max_value)).or_else(days)
            });
            // A file counts times of day in a unit of its own.
            let within = times(dtype).filter(|_| **dtype != DataType::Time);
            if let (Some(within), Some((Some(least), Some(most)))) = (within, said)
                && within.contains(&least)
                && within.contains(&most)
            {
                continue;
            }
            let rows = IdxSize::try_from(group.num_rows()).unwrap_or(IdxSize::MAX);
            let df = collect(lf.clone().select([col((*name).clone())]).slice(before as i64, rows)).map_err(unread)?;
            within_calendar(df.columns(), before)?;
        }
        before += group.num_rows();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Layout, TypeRules, read_file};
    use super::*;
    use crate::types::DType;

    /// A parquet file of row groups of two rows.
    fn parquet(path: &Path, column: Column) {
        let mut df = DataFrame::new(column.len(), vec![column]).expect("a frame");
        let file = File::create(path).expect("made");
        ParquetWriter::new(file).with_row_group_size(Some(2)).finish(&mut df).expect("written");
    }

    fn until(unit: TimeUnit, last: i64) -> Column {
        let times: Int64Chunked = [Some(253_402_214_400_000), None, Some(last)].into_iter().collect();
        times.into_datetime(unit, None).into_series().with_name("until".into()).into_column()
    }

    #[test]
    fn a_time_that_is_none_is_told_and_can_be_read_as_a_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("times.parquet");
        for (unit, never, told) in [
            (TimeUnit::Milliseconds, i64::MAX / 1000, "9223372036854775 ms"),
            (TimeUnit::Microseconds, i64::MAX, "9223372036854775807 us"),
        ] {
            parquet(&path, until(unit, never));
            let mut layout = Layout::new(Format::Parquet);
            let bad = read_file(&path, &layout).expect_err("no time");
            assert_eq!(bad.message, format!("row 3, column `until`: {told} after 1970 are beyond the calendar"));
            assert!(bad.hints[0].contains("\"until\" = \"i64\""), "{:?}", bad.hints);
            let lazily = times_fit(&[("times.parquet".to_owned(), path.clone())]).expect_err("no time");
            assert_eq!((lazily.file.as_str(), lazily.bad), ("times.parquet", bad));
            layout.types = TypeRules::new([("until".to_owned(), DType::I64)].into());
            let numbers = read_file(&path, &layout).expect("read");
            assert_eq!(numbers.column("until").expect("until").i64().expect("i64").get(2), Some(never));
        }
    }

    #[test]
    fn times_of_a_calendar_are_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("times.parquet");
        for unit in [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds] {
            parquet(&path, until(unit, -62_135_596_800_000));
            assert!(times_fit(&[("times.parquet".to_owned(), path.clone())]).is_ok(), "{unit}");
        }
        assert!(within_calendar(&[until(TimeUnit::Nanoseconds, i64::MAX)], 0).is_ok(), "the year 2262");
    }

    #[test]
    fn dates_and_nested_times_are_looked_at_too() {
        let why = |column: &Column| {
            let bad = within_calendar(std::slice::from_ref(column), 10).expect_err("none");
            (bad.message, bad.hints[0].clone())
        };
        let dates: Int32Chunked = [Some(0), Some(i32::MIN)].into_iter().collect();
        let dates = dates.into_date().into_series().with_name("day".into()).into_column();
        assert_eq!(why(&dates).0, "row 12, column `day`: -2147483648 days after 1970 are beyond the calendar");
        let list = Series::new("days".into(), [dates.as_materialized_series().clone()]).into_column();
        let (message, hint) = why(&list);
        assert_eq!(message, "column `days`: -2147483648 days after 1970 are beyond the calendar");
        assert!(hint.starts_with("write the file anew"), "{hint}");
    }
}
