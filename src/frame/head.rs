//! A table's first rows: as text for people, and exactly for programs.

use super::{failed, scan_table, trying};
use crate::stage::{Input, StageError};
use polars::prelude::{AnyValue, DataFrame};
use serde_json::Value;

/// The first `rows` rows of a stored table, cell by cell; a missing value is `None`.
///
/// # Errors
/// When the table cannot be read.
pub fn head_rows(table: &Input, rows: usize) -> Result<Vec<Vec<Option<String>>>, StageError> {
    Ok(cells(&head(table, rows)?))
}

/// The first `rows` rows of a stored table as JSON: numbers (whole ones with all of their digits, floats as the shortest text that reads
/// back as the same float), booleans, lists and structs as such; dates, times and decimals as text. JSON has no infinity and no NaN: text.
///
/// # Errors
/// When the table cannot be read.
pub fn head_values(table: &Input, rows: usize) -> Result<Vec<Vec<Value>>, StageError> {
    let frame = head(table, rows)?;
    let value =
        |row: usize| frame.columns().iter().map(move |column| column.get(row).map_or(Value::Null, |cell| json(&cell)));
    Ok((0..frame.height()).map(|row| value(row).collect()).collect())
}

fn head(table: &Input, rows: usize) -> Result<DataFrame, StageError> {
    let limit = u32::try_from(rows).unwrap_or(u32::MAX);
    scan_table(table)?.limit(limit).collect().map_err(|error| failed("read the table", &error))
}

fn json(cell: &AnyValue<'_>) -> Value {
    let float =
        |number: f64| serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number);
    match cell {
        AnyValue::Null => Value::Null,
        AnyValue::Boolean(value) => (*value).into(),
        AnyValue::Float64(value) => float(*value),
        // By its own shortest text, not by that of the 64 bits that it is widened to.
        AnyValue::Float32(value) => float(value.to_string().parse().unwrap_or(f64::from(*value))),
        AnyValue::List(values) | AnyValue::Array(values, _) => values.iter().map(|value| json(&value)).collect(),
        AnyValue::StructOwned(fields) => {
            fields.1.iter().zip(&fields.0).map(|(field, value)| (field.name.to_string(), json(value))).collect()
        }
        AnyValue::Struct(..) => json(&cell.clone().into_static()),
        value if value.is_integer() => {
            let whole = value.extract::<i64>().map(Value::from).or_else(|| value.extract::<u64>().map(Value::from));
            whole.unwrap_or_else(|| written(value).into())
        }
        value => written(value).into(),
    }
}

/// Every cell of a frame as text, row by row.
fn cells(frame: &DataFrame) -> Vec<Vec<Option<String>>> {
    let text = |value: AnyValue<'_>| match value {
        AnyValue::Null => None,
        AnyValue::Float32(value) => Some(short(f64::from(value))),
        AnyValue::Float64(value) => Some(short(value)),
        value => Some(written(&value)),
    };
    (0..frame.height())
        .map(|row| frame.columns().iter().map(|column| column.get(row).ok().and_then(text)).collect())
        .collect()
}

/// A value as polars writes it. It panics on what is beyond its calendar, which files of other programs may hold.
fn written(value: &AnyValue<'_>) -> String {
    let beyond = || "a time beyond the calendar".to_owned();
    trying(|| Ok(value.str_value().into_owned())).unwrap_or_else(|_| match value.clone().to_physical() {
        AnyValue::Int32(number) => format!("{number} (beyond the calendar)"),
        AnyValue::Int64(number) => format!("{number} (beyond the calendar)"),
        _ => beyond(),
    })
}

/// A float with six digits that count, without zeros at its end.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = 5 - value.abs().log10().floor() as i32;
    if !(-10..=9).contains(&digits) {
        return format!("{value:.5e}");
    }
    let text = format!("{value:.*}", digits.max(0) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{IntoSeries, df};

    #[test]
    fn cells_read_as_people_write_them() {
        let frame = df!("a" => [Some(1_i64), None], "b" => ["x", "y"], "c" => [39.1_f64, 7.428_571_428_571_429])
            .expect("a frame");
        let row = |cells: [Option<&str>; 3]| cells.map(|cell| cell.map(str::to_owned)).to_vec();
        assert_eq!(cells(&frame), [row([Some("1"), Some("x"), Some("39.1")]), row([None, Some("y"), Some("7.42857")])]);
    }

    #[test]
    fn a_time_beyond_the_calendar_is_shown_as_its_number() {
        let times = [Some(i64::MAX / 1000), Some(0)].into_iter().collect::<polars::prelude::Int64Chunked>();
        let times = times.into_datetime(polars::prelude::TimeUnit::Milliseconds, None).into_series();
        let frame = DataFrame::new(2, vec![times.with_name("t".into()).into()]).expect("a frame");
        let told = "9223372036854775 (beyond the calendar)";
        assert_eq!(cells(&frame)[0], [Some(told.to_owned())]);
        assert_eq!(json(&frame.columns()[0].get(0).expect("a cell")), told);
        assert_eq!(cells(&frame)[1], [Some("1970-01-01 00:00:00".to_owned())]);
    }

    #[test]
    fn programs_get_every_digit() {
        let frame = df!(
            "a" => [Some(i64::MAX), None],
            "b" => [0.1_f32, 2.0],
            "c" => [1.0_f64 / 3.0, f64::NAN],
            "d" => [true, false],
            "e" => ["x", "y"],
        );
        let frame = frame.expect("a frame");
        let row = |row: usize| {
            let cells = frame.columns().iter().map(|column| json(&column.get(row).expect("a cell")));
            serde_json::to_string(&cells.collect::<Vec<_>>()).expect("JSON")
        };
        assert_eq!(row(0), r#"[9223372036854775807,0.1,0.3333333333333333,true,"x"]"#);
        assert_eq!(row(1), r#"[null,2.0,"NaN",false,"y"]"#);
        let nested = df!("n" => [1_i64, 2]).expect("a frame").into_struct("s".into()).into_series();
        assert_eq!(json(&nested.get(1).expect("a cell")).to_string(), r#"{"n":2}"#);
    }

    #[test]
    fn floats_keep_six_digits() {
        assert_eq!(
            [0.0, 1.0, 1234.5678, 1e-7, 1.5e300, 123_456_789.0, -0.25].map(short),
            ["0", "1", "1234.57", "1.00000e-7", "1.50000e300", "123456789", "-0.25"]
        );
    }
}
