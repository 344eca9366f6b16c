//! A table's first rows as text, for people.

use super::{failed, scan_table};
use crate::stage::{Input, StageError};
use polars::prelude::{AnyValue, DataFrame};

/// The first `rows` rows of a stored table, cell by cell; a missing value is `None`.
///
/// # Errors
/// When the table cannot be read.
pub fn head_rows(table: &Input, rows: usize) -> Result<Vec<Vec<Option<String>>>, StageError> {
    let limit = u32::try_from(rows).unwrap_or(u32::MAX);
    let frame = scan_table(table)?.limit(limit).collect().map_err(|error| failed("read the table", &error))?;
    Ok(cells(&frame))
}

/// Every cell of a frame as text, row by row.
fn cells(frame: &DataFrame) -> Vec<Vec<Option<String>>> {
    let text = |value: AnyValue<'_>| match value {
        AnyValue::Null => None,
        AnyValue::Float32(value) => Some(short(f64::from(value))),
        AnyValue::Float64(value) => Some(short(value)),
        value => Some(value.str_value().into_owned()),
    };
    (0..frame.height())
        .map(|row| frame.columns().iter().map(|column| column.get(row).ok().and_then(text)).collect())
        .collect()
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
    use polars::df;

    #[test]
    fn cells_read_as_people_write_them() {
        let frame = df!("a" => [Some(1_i64), None], "b" => ["x", "y"], "c" => [39.1_f64, 7.428_571_428_571_429])
            .expect("a frame");
        let row = |cells: [Option<&str>; 3]| cells.map(|cell| cell.map(str::to_owned)).to_vec();
        assert_eq!(cells(&frame), [row([Some("1"), Some("x"), Some("39.1")]), row([None, Some("y"), Some("7.42857")])]);
    }

    #[test]
    fn floats_keep_six_digits() {
        assert_eq!(
            [0.0, 1.0, 1234.5678, 1e-7, 1.5e300, 123_456_789.0, -0.25].map(short),
            ["0", "1", "1234.57", "1.00000e-7", "1.50000e300", "123456789", "-0.25"]
        );
    }
}
