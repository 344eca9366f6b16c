//! Types of other programs that tables here do not have: the column is named, and what to do about it.

use super::BadFile;
use crate::frame::trying;
use polars::prelude::*;

/// Digits that a decimal has at most.
const MOST_DIGITS: usize = 38;

/// An error for the first column of a type that polars has no form for, which it panics on.
pub(super) fn unread(schema: &ArrowSchema) -> Option<BadFile> {
    let unknown = |field: &&ArrowField| trying(|| Ok(DataType::from_arrow_field(field))).is_err();
    schema.iter_values().find(unknown).map(|field| {
        BadFile::new(format!(
            "column `{}` has the type `{}`, which kilter does not read",
            field.name,
            name_of(&format!("{:?}", field.dtype))
        ))
        .hint("write that column as another type: a 16-bit float as one of 32 bits, an identifier as text")
    })
}

/// What a type is called: of an extension its own name, of others the word that arrow has for it.
fn name_of(described: &str) -> &str {
    match described.split_once("name: \"").and_then(|(_, rest)| rest.split_once('"')) {
        Some((name, _)) if described.starts_with("Extension") => name,
        _ => described,
    }
}

/// An error where a decimal has more digits than decimals have here.
pub(super) fn too_long(schema: &Schema) -> Result<(), BadFile> {
    match schema.iter().find_map(|(name, dtype)| Some((name, digits_beyond(dtype)?))) {
        None => Ok(()),
        Some((name, digits)) => Err(BadFile::new(format!(
            "column `{name}` is a decimal of {digits} digits, and a decimal has at most {MOST_DIGITS}"
        ))
        .hint("write that column with fewer digits, or as text")),
    }
}

/// Days before and after 1970 that the calendar certainly has: 260,000 years.
const DAYS: i64 = 94_963_050;

/// An error where a time is beyond the calendar: nothing could write it. Programs use such ones for "never", or took another unit.
pub(super) fn within_calendar(columns: &[Column]) -> Result<(), BadFile> {
    for column in columns {
        let (per_day, unit) = match column.dtype() {
            DataType::Date => (1, "days"),
            DataType::Datetime(TimeUnit::Milliseconds, _) => (86_400_000, "ms"),
            DataType::Datetime(TimeUnit::Microseconds, _) => (86_400_000_000, "us"),
            _ => continue,
        };
        let unread = |error: PolarsError| BadFile::polars("read the times", &error);
        let numbers = column.to_physical_repr().cast(&DataType::Int64).map_err(unread)?;
        let numbers = numbers.i64().map_err(unread)?;
        let within = -DAYS * per_day..=DAYS * per_day;
        let beyond =
            |(row, number): (usize, Option<i64>)| Some((row, number.filter(|number| !within.contains(number))?));
        if let Some((row, number)) = numbers.iter().enumerate().find_map(beyond) {
            let name = column.name();
            let message =
                format!("row {}, column `{name}`: {number} {unit} after 1970 are beyond the calendar", row + 1);
            return Err(BadFile::new(message).hint(format!(
                "take the number as it is, `types = {{ \"{name}\" = \"i64\" }}`, and make a time of it afterwards"
            )));
        }
    }
    Ok(())
}

fn digits_beyond(dtype: &DataType) -> Option<usize> {
    match dtype {
        DataType::Decimal(digits, _) => (*digits > MOST_DIGITS).then_some(*digits),
        DataType::List(inner) | DataType::Array(inner, _) => digits_beyond(inner),
        DataType::Struct(fields) => fields.iter().find_map(|field| digits_beyond(&field.dtype)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Layout, TypeRules, probe, read_file};
    use super::*;
    use crate::types::DType;
    use std::path::Path;

    #[test]
    fn a_time_that_is_none_is_told_and_can_be_read_as_a_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("times.parquet");
        for (unit, never, told) in [
            (TimeUnit::Milliseconds, i64::MAX / 1000, "9223372036854775 ms"),
            (TimeUnit::Microseconds, i64::MAX, "9223372036854775807 us"),
        ] {
            let times: Int64Chunked = [Some(253_402_214_400_000), None, Some(never)].into_iter().collect();
            let times = times.into_datetime(unit, None).into_series().with_name("until".into());
            let mut df = DataFrame::new(3, vec![times.into()]).expect("a frame");
            ParquetWriter::new(std::fs::File::create(&path).expect("made")).finish(&mut df).expect("written");
            let mut layout = Layout::new(Format::Parquet);
            let bad = read_file(&path, &layout).expect_err("no time");
            assert_eq!(bad.message, format!("row 3, column `until`: {told} after 1970 are beyond the calendar"));
            assert!(bad.hints[0].contains("\"until\" = \"i64\""), "{:?}", bad.hints);
            layout.types = TypeRules::new([("until".to_owned(), DType::I64)].into());
            let numbers = read_file(&path, &layout).expect("read");
            assert_eq!(numbers.column("until").expect("until").i64().expect("i64").get(2), Some(never));
        }
    }

    #[test]
    fn what_other_programs_write_is_told_by_column_and_type() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/foreign");
        let half = "column `half` has the type `Float16`, which kilter does not read";
        for (file, format, message, hint) in [
            ("half.parquet", Format::Parquet, half, "write that column as another type"),
            ("half.arrow", Format::Arrow, half, "write that column as another type"),
            (
                "long_decimal.parquet",
                Format::Parquet,
                "column `amount` is a decimal of 50 digits, and a decimal has at most 38",
                "write that column with fewer digits",
            ),
            (
                "twice.parquet",
                Format::Parquet,
                "the file cannot be read as parquet: column with name 'a' has more than one occurrence",
                "give the columns different names where the file is written",
            ),
            (
                "stream.arrow",
                Format::Arrow,
                "the file cannot be read as arrow: out-of-spec: InvalidFooter",
                "the file is a stream of arrow's",
            ),
        ] {
            let layout = Layout::new(format);
            for bad in [probe(&folder.join(file), &layout).err(), read_file(&folder.join(file), &layout).err()] {
                let bad = bad.expect(file);
                assert_eq!(bad.message, message, "{file}");
                assert!(bad.hints[0].starts_with(hint), "{file}: {:?}", bad.hints);
            }
        }
    }

    #[test]
    fn an_extension_is_called_by_its_name() {
        assert_eq!(name_of("Float16"), "Float16");
        assert_eq!(
            name_of("Extension(ExtensionType { name: \"arrow.uuid\", inner: FixedSizeBinary(16) })"),
            "arrow.uuid"
        );
    }
}
