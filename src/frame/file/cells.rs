//! Fields of delimited text into typed columns.

use super::csv::{Field, Fields, column_name};
use super::text::LEAVE_OUT;
use super::{BadFile, Layout, figures, marks, odd, time};
use crate::diag::brief;
use crate::frame::to_polars;
use crate::types::DType;
use polars::prelude::*;
use std::borrow::Cow;
use std::cell::Cell;
use std::str::FromStr;

/// A column, and the rows whose fields are not of its type: they are null in it. Where lines are not to be rejected, the
/// first such row alone, and the column ends there.
pub(super) struct Cells {
    pub(super) column: Column,
    pub(super) bad: Vec<usize>,
    /// Some field has digits that the type does not keep.
    pub(super) odd: bool,
}

/// A column of this type.
pub(super) fn column(fields: &Fields<'_>, index: usize, dtype: &DType) -> Cells {
    let mut reader = Reader { fields, index, bad: Vec::new() };
    let odd = Cell::new(false);
    let series = match dtype {
        DType::Bool => {
            let layout = fields.layout;
            reader.collect(|field| boolean(field.text, layout), |values: BooleanChunked| values)
        }
        DType::I8 => reader.numbers::<Int8Type>(),
        DType::I16 => reader.numbers::<Int16Type>(),
        DType::I32 => reader.numbers::<Int32Type>(),
        DType::I64 => reader.numbers::<Int64Type>(),
        DType::I128 => reader.numbers::<Int128Type>(),
        DType::U8 => reader.numbers::<UInt8Type>(),
        DType::U16 => reader.numbers::<UInt16Type>(),
        DType::U32 => reader.numbers::<UInt32Type>(),
        DType::U64 => reader.numbers::<UInt64Type>(),
        DType::F32 => {
            let layout = fields.layout;
            let parse = |field: Field<'_>| figures::short_float(&figures::plain(field.text, layout)?);
            reader.collect(parse, |values: Float32Chunked| values)
        }
        DType::F64 => {
            let layout = fields.layout;
            let parse = |field: Field<'_>| {
                let number = figures::plain(field.text, layout)?;
                if odd::text_is_rounded(&number) {
                    odd.set(true);
                }
                figures::float(&number)
            };
            reader.collect(parse, |values: Float64Chunked| values)
        }
        DType::Str => strings(fields, |row| fields.get(row, index)).into_series(),
        DType::Date => reader.moments::<Int32Type>(time::date, &DataType::Date),
        DType::Time => reader.moments::<Int64Type>(time::time, &DataType::Time),
        DType::Datetime => {
            let parse = |text: &str| {
                if time::is_cut(text) {
                    odd.set(true);
                }
                time::datetime(text)
            };
            reader.moments::<Int64Type>(parse, &DataType::Datetime(TimeUnit::Microseconds, None))
        }
        DType::Decimal(precision, scale) => reader.decimals(*precision, *scale),
        other => reader.through_text(other),
    };
    Cells { column: series.with_name(column_name(fields, index)).into_column(), bad: reader.bad, odd: odd.get() }
}

/// Reads one column, and notes what cannot be read.
struct Reader<'f, 'a> {
    fields: &'f Fields<'a>,
    index: usize,
    bad: Vec<usize>,
}

impl<'a> Reader<'_, 'a> {
    fn numbers<T>(&mut self) -> Series
    where
        T: PolarsNumericType,
        T::Native: FromStr,
        ChunkedArray<T>: IntoSeries,
    {
        let layout = self.fields.layout;
        self.collect(
            |field| figures::plain(field.text, layout)?.parse::<T::Native>().ok(),
            |values: ChunkedArray<T>| values,
        )
    }

    /// Parses every field.
    fn collect<V, C, S>(&mut self, parse: impl Fn(Field<'a>) -> Option<V>, finish: impl Fn(C) -> S) -> Series
    where
        C: FromIterator<Option<V>>,
        S: IntoSeries,
    {
        let (fields, bad) = (self.fields, &mut self.bad);
        let values: C = (0..fields.rows())
            .map_while(|row| {
                let Some(field) = fields.value(row, self.index) else { return Some(None) };
                let value = parse(field);
                if value.is_none() {
                    bad.push(row);
                    return fields.layout.reject.then_some(None);
                }
                Some(value)
            })
            .collect();
        finish(values).into_series()
    }

    /// Dates and times, which polars keeps as whole numbers.
    fn moments<T>(&mut self, parse: impl Fn(&str) -> Option<T::Native>, target: &DataType) -> Series
    where
        T: PolarsNumericType,
        ChunkedArray<T>: IntoSeries,
    {
        let numbers = self.collect(|field| parse(field.text), |values: ChunkedArray<T>| values);
        self.cast(&numbers, target)
    }

    /// Decimals: digits that the scale has no place for are an error, not rounded away.
    fn decimals(&mut self, precision: usize, scale: usize) -> Series {
        let layout = self.fields.layout;
        let parse = |field: Field<'a>| figures::decimal(&figures::plain(field.text, layout)?, precision, scale);
        let whole = self.collect(parse, |values: Int128Chunked| values);
        whole.clone().into_decimal(precision, scale).unwrap_or_else(|_| self.nothing(whole.len()))
    }

    /// Other types: polars reads them from text. What becomes null on the way could not be read.
    fn through_text(&mut self, dtype: &DType) -> Series {
        let text = strings(self.fields, |row| self.fields.value(row, self.index));
        let Some(target) = to_polars(dtype) else { return self.nothing(text.len()) };
        let read = self.cast(&text.clone().into_series(), &target);
        if read.null_count() > text.null_count() {
            let (given, gone) = (text.is_not_null(), read.is_null());
            let lost = given.iter().zip(gone.iter()).enumerate();
            let lost = lost.filter(|(_, pair)| *pair == (Some(true), Some(true))).map(|(row, _)| row);
            self.bad.extend(lost.take(if self.fields.layout.reject { usize::MAX } else { 1 }));
        }
        read
    }

    fn cast(&mut self, series: &Series, target: &DataType) -> Series {
        series.cast(target).unwrap_or_else(|_| self.nothing(series.len()))
    }

    /// A column of which nothing can be read.
    fn nothing(&mut self, rows: usize) -> Series {
        self.bad.extend((0..self.fields.rows()).filter(|row| self.fields.value(*row, self.index).is_some()));
        Series::full_null(PlSmallStr::EMPTY, rows, &DataType::Null)
    }
}

fn strings<'a>(fields: &Fields<'a>, get: impl Fn(usize) -> Option<Field<'a>>) -> StringChunked {
    let mut builder = StringChunkedBuilder::new(PlSmallStr::EMPTY, fields.rows());
    for row in 0..fields.rows() {
        match get(row) {
            None => builder.append_null(),
            Some(field) => builder.append_value(text(field, fields.layout)),
        }
    }
    builder.finish()
}

/// A field's text, doubled quotes and escapes undone.
pub(super) fn text<'a>(field: Field<'a>, layout: &Layout) -> Cow<'a, str> {
    if let Some(escape) = layout.escape.map(char::from)
        && field.text.contains(escape)
    {
        return Cow::Owned(unescaped(field, escape, layout.quote.map(char::from)));
    }
    match layout.quote.map(char::from) {
        Some(quote) if field.quoted && field.text.contains(quote) => {
            Cow::Owned(field.text.replace(&format!("{quote}{quote}"), &quote.to_string()))
        }
        _ => Cow::Borrowed(field.text),
    }
}

fn unescaped(field: Field<'_>, escape: char, quote: Option<char>) -> String {
    let mut out = String::with_capacity(field.text.len());
    let mut characters = field.text.chars().peekable();
    while let Some(c) = characters.next() {
        let doubled = field.quoted && Some(c) == quote && characters.peek() == Some(&c);
        if c == escape || doubled {
            out.push(characters.next().unwrap_or(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// `true` and `false`, in any case, and what the layout says means the same.
pub(super) fn boolean(text: &str, layout: &Layout) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") || layout.true_values.iter().any(|word| word == text) {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") || layout.false_values.iter().any(|word| word == text) {
        Some(false)
    } else {
        None
    }
}

pub(super) fn bad_cell(fields: &Fields<'_>, row: usize, column: usize, dtype: &DType, declared: bool) -> BadFile {
    let name = &fields.names[column];
    let found = fields.get(row, column).map_or("", |field| field.text);
    let found = brief(found);
    let why = if declared { format!("`types` says {dtype}") } else { format!("the column is {dtype}") };
    let bad =
        BadFile::new(format!("line {}, column `{name}`: found `{found}`, expected {}", fields.line(row), words(dtype)))
            .note(why);
    match dtype {
        DType::Date | DType::Datetime | DType::Time => {
            let example = match dtype {
                DType::Date => ": `CAST(strptime(a, '%d/%m/%Y') AS DATE)`",
                DType::Datetime => ": `strptime(a, '%d/%m/%Y %H:%M')`, or `to_timestamp(CAST(a AS BIGINT))` of seconds",
                _ => "",
            };
            bad.hint(format!(
                "read the column as `str` and turn it into a date with an expression of a `table` stage{example}"
            ))
        }
        DType::Bool => bad
            .hint(format!("if `{found}` is a word for true or false, say so: `true_values` and `false_values`"))
            .hint(LEAVE_OUT),
        _ => bad.maybe_hint(marks::number_hint(&found, fields.layout).filter(|_| dtype.is_numeric())).hint(format!(
            "if `{found}` stands for a missing value, add it to `null_values`; else declare another type for `{name}`"
        ))
        .hint(LEAVE_OUT),
    }
}

pub(super) fn words(dtype: &DType) -> String {
    match dtype {
        DType::Bool => "true or false".to_owned(),
        DType::U8 => "a whole number from 0 to 255 (u8)".to_owned(),
        integer if integer.is_integer() => format!("a whole number ({integer})"),
        DType::F32 | DType::F64 => format!("a number ({dtype})"),
        DType::Date => "a date like 2026-05-04".to_owned(),
        DType::Datetime => "a time like 2026-05-04 10:12:00".to_owned(),
        DType::Time => "a time of day like 10:12:00".to_owned(),
        DType::Decimal(_, scale) => format!("a number with at most {scale} digits behind the point ({dtype})"),
        other => format!("a value of type {other}"),
    }
}
