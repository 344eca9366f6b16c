//! JSON values into columns.

use super::shape::Shape;
use super::value::Json;
use polars::prelude::*;

/// A column of these values, all of which have this shape; `None` stands for a key that is not there.
pub(super) fn series(name: &str, values: &[Option<&Json>], shape: &Shape) -> PolarsResult<Series> {
    let name = PlSmallStr::from(name);
    let whole = |value: &Option<&Json>| match value {
        Some(Json::Whole(number)) => Some(*number),
        _ => None,
    };
    Ok(match shape.dtype() {
        DataType::Boolean => {
            let bits = values.iter().map(|value| match value {
                Some(Json::Bool(bit)) => Some(*bit),
                _ => None,
            });
            bits.collect::<BooleanChunked>().with_name(name).into_series()
        }
        DataType::Int64 => {
            let numbers = values.iter().map(|value| whole(value).and_then(|number| i64::try_from(number).ok()));
            numbers.collect::<Int64Chunked>().with_name(name).into_series()
        }
        DataType::UInt64 => {
            let numbers = values.iter().map(|value| whole(value).and_then(|number| u64::try_from(number).ok()));
            numbers.collect::<UInt64Chunked>().with_name(name).into_series()
        }
        DataType::Int128 => values.iter().map(whole).collect::<Int128Chunked>().with_name(name).into_series(),
        DataType::Float64 => {
            let numbers = values.iter().map(|value| match value {
                Some(Json::Float(number)) => Some(*number),
                #[expect(clippy::cast_precision_loss, reason = "whole numbers among fractions are floats, as in csv")]
                value => whole(value).map(|number| number as f64),
            });
            numbers.collect::<Float64Chunked>().with_name(name).into_series()
        }
        DataType::List(_) => lists(name, values, shape)?,
        DataType::Struct(_) => objects(name, values, shape)?,
        _ => texts(name, values),
    })
}

/// Texts as they are, everything else as JSON.
pub(super) fn texts(name: PlSmallStr, values: &[Option<&Json>]) -> Series {
    let mut builder = StringChunkedBuilder::new(name, values.len());
    for value in values {
        match value {
            None | Some(Json::Null) => builder.append_null(),
            Some(Json::Text(text)) => builder.append_value(text),
            Some(other) => builder.append_value(other.to_string()),
        }
    }
    builder.finish().into_series()
}

/// One column of all items, and slices of it.
fn lists(name: PlSmallStr, values: &[Option<&Json>], shape: &Shape) -> PolarsResult<Series> {
    let nothing = Shape::Null;
    let inner = if let Shape::List(inner) = shape { inner } else { &nothing };
    let items_of = |value: &Option<&Json>| match value {
        Some(Json::List(items)) => Some(items.len()),
        _ => None,
    };
    let items: Vec<Option<&Json>> = values
        .iter()
        .filter_map(|value| if let Some(Json::List(items)) = value { Some(items.iter().map(Some)) } else { None })
        .flatten()
        .collect();
    let flat = series("", &items, inner)?;
    let mut at = 0;
    let rows: Vec<AnyValue<'_>> = values
        .iter()
        .map(|value| match items_of(value) {
            None => AnyValue::Null,
            Some(length) => {
                let from = i64::try_from(at).unwrap_or(i64::MAX);
                at += length;
                AnyValue::List(flat.slice(from, length))
            }
        })
        .collect();
    Series::from_any_values_and_dtype(name, &rows, &shape.dtype(), true)
}

/// One column a key, and where the object itself is missing, null.
fn objects(name: PlSmallStr, values: &[Option<&Json>], shape: &Shape) -> PolarsResult<Series> {
    let Shape::Object(fields) = shape else { return Ok(texts(name, values)) };
    let columns: Vec<Series> = fields
        .iter()
        .enumerate()
        .map(|(place, (key, shape))| {
            let values: Vec<Option<&Json>> =
                values.iter().map(|value| value.and_then(|value| value.get(key, place))).collect();
            series(key, &values, shape)
        })
        .collect::<PolarsResult<_>>()?;
    let whole = StructChunked::from_series(name.clone(), values.len(), columns.iter())?.into_series();
    let there: BooleanChunked = values.iter().map(|value| Some(matches!(value, Some(Json::Object(_))))).collect();
    if there.all() {
        return Ok(whole);
    }
    let missing = Series::full_null(name, values.len(), whole.dtype());
    whole.zip_with(&there, &missing)
}
