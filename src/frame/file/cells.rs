//! Fields of delimited text into typed columns.

use super::csv::{Field, Fields, column_name};
use super::{BadFile, Layout, time};
use crate::frame::to_polars;
use crate::types::DType;
use polars::prelude::*;
use std::borrow::Cow;
use std::str::FromStr;

/// A column of this type.
pub(super) fn column(fields: &Fields<'_>, index: usize, dtype: &DType, declared: bool) -> Result<Column, BadFile> {
    let name = column_name(fields, index);
    let bad = |row: usize| bad_cell(fields, row, index, dtype, declared);
    let series = match dtype {
        DType::Bool => collect(fields, index, |text| boolean(text).ok_or(()), |values: BooleanChunked| values),
        DType::I8 => numbers::<Int8Type>(fields, index),
        DType::I16 => numbers::<Int16Type>(fields, index),
        DType::I32 => numbers::<Int32Type>(fields, index),
        DType::I64 => numbers::<Int64Type>(fields, index),
        DType::I128 => numbers::<Int128Type>(fields, index),
        DType::U8 => numbers::<UInt8Type>(fields, index),
        DType::U16 => numbers::<UInt16Type>(fields, index),
        DType::U32 => numbers::<UInt32Type>(fields, index),
        DType::U64 => numbers::<UInt64Type>(fields, index),
        DType::F32 => numbers::<Float32Type>(fields, index),
        DType::F64 => numbers::<Float64Type>(fields, index),
        DType::Str => Ok(strings(fields, index).into_series()),
        DType::Date => moments::<Int32Type>(fields, index, time::date, &DataType::Date),
        DType::Time => moments::<Int64Type>(fields, index, time::time, &DataType::Time),
        DType::Datetime => {
            let target = DataType::Datetime(TimeUnit::Microseconds, None);
            moments::<Int64Type>(fields, index, time::datetime, &target)
        }
        other => through_text(fields, index, other),
    };
    match series {
        Ok(series) => Ok(series.with_name(name).into_column()),
        Err(row) => Err(bad(row)),
    }
}

fn numbers<T>(fields: &Fields<'_>, column: usize) -> Result<Series, usize>
where
    T: PolarsNumericType,
    T::Native: FromStr,
    ChunkedArray<T>: IntoSeries,
{
    collect(fields, column, |text| text.parse::<T::Native>().map_err(drop), |values: ChunkedArray<T>| values)
}

/// Parses every field; the error is the first row that does not parse.
fn collect<V, C, S>(
    fields: &Fields<'_>,
    column: usize,
    parse: impl Fn(&str) -> Result<V, ()>,
    finish: impl Fn(C) -> S,
) -> Result<Series, usize>
where
    C: FromIterator<Option<V>>,
    S: IntoSeries,
{
    let mut bad = None;
    let values: C = (0..fields.rows())
        .map_while(|row| match fields.get(row, column) {
            None => Some(None),
            Some(field) => match parse(field.text) {
                Ok(value) => Some(Some(value)),
                Err(()) => {
                    bad = Some(row);
                    None
                }
            },
        })
        .collect();
    match bad {
        Some(row) => Err(row),
        None => Ok(finish(values).into_series()),
    }
}

fn strings(fields: &Fields<'_>, column: usize) -> StringChunked {
    let mut builder = StringChunkedBuilder::new(PlSmallStr::EMPTY, fields.rows());
    for row in 0..fields.rows() {
        match fields.get(row, column) {
            None => builder.append_null(),
            Some(field) => builder.append_value(text(field, fields.layout)),
        }
    }
    builder.finish()
}

/// Dates and times, which polars keeps as whole numbers.
fn moments<T>(
    fields: &Fields<'_>,
    column: usize,
    parse: fn(&str) -> Option<T::Native>,
    target: &DataType,
) -> Result<Series, usize>
where
    T: PolarsNumericType,
    ChunkedArray<T>: IntoSeries,
{
    let numbers = collect(fields, column, |text| parse(text).ok_or(()), |values: ChunkedArray<T>| values)?;
    numbers.cast(target).map_err(|_| 0)
}

/// Decimals and other types: polars reads them from text. What becomes null on the way could not be read.
fn through_text(fields: &Fields<'_>, column: usize, dtype: &DType) -> Result<Series, usize> {
    let text = strings(fields, column);
    let Some(target) = to_polars(dtype) else { return Err(0) };
    let read = text.cast(&target).map_err(|_| 0_usize)?;
    if read.null_count() == text.null_count() {
        return Ok(read);
    }
    let lost = text.is_not_null().iter().zip(read.is_null().iter()).position(|pair| pair == (Some(true), Some(true)));
    Err(lost.unwrap_or(0))
}

/// A field's text, doubled quotes undone.
pub(super) fn text<'a>(field: Field<'a>, layout: &Layout) -> Cow<'a, str> {
    match layout.quote.map(char::from) {
        Some(quote) if field.quoted && field.text.contains(quote) => {
            Cow::Owned(field.text.replace(&format!("{quote}{quote}"), &quote.to_string()))
        }
        _ => Cow::Borrowed(field.text),
    }
}

/// `true` and `false`, in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn bad_cell(fields: &Fields<'_>, row: usize, column: usize, dtype: &DType, declared: bool) -> BadFile {
    let name = &fields.names[column];
    let found = fields.get(row, column).map_or("", |field| field.text);
    let why = if declared { format!("`types` says {dtype}") } else { format!("the column is {dtype}") };
    let bad =
        BadFile::new(format!("line {}, column `{name}`: found `{found}`, expected {}", fields.line(row), words(dtype)))
            .note(why);
    match dtype {
        DType::Date | DType::Datetime | DType::Time => {
            bad.hint("read the column as `str` and turn it into a date with an expression of a `table` stage")
        }
        _ => bad.hint(format!(
            "if `{found}` stands for a missing value, add it to `null_values`; else declare another type for `{name}`"
        )),
    }
}

fn words(dtype: &DType) -> String {
    match dtype {
        DType::Bool => "true or false".to_owned(),
        DType::U8 => "a whole number from 0 to 255 (u8)".to_owned(),
        integer if integer.is_integer() => format!("a whole number ({integer})"),
        DType::F32 | DType::F64 => format!("a number ({dtype})"),
        DType::Date => "a date like 2026-05-04".to_owned(),
        DType::Datetime => "a time like 2026-05-04 10:12:00".to_owned(),
        DType::Time => "a time of day like 10:12:00".to_owned(),
        other => format!("a value of type {other}"),
    }
}
