//! Column types: kilter's names and polars' types.

use crate::types::{Column, DType};
use polars::prelude::{DataType, Field, TimeUnit, TimeZone};

/// The name of a polars type. Types that manifests have no name for become [`DType::Other`] with a text that
/// [`to_polars`] reads back where it can.
#[must_use]
pub fn from_polars(dtype: &DataType) -> DType {
    match dtype {
        DataType::Boolean => DType::Bool,
        DataType::Int8 => DType::I8,
        DataType::Int16 => DType::I16,
        DataType::Int32 => DType::I32,
        DataType::Int64 => DType::I64,
        DataType::Int128 => DType::I128,
        DataType::UInt8 => DType::U8,
        DataType::UInt16 => DType::U16,
        DataType::UInt32 => DType::U32,
        DataType::UInt64 => DType::U64,
        DataType::Float32 => DType::F32,
        DataType::Float64 => DType::F64,
        DataType::String => DType::Str,
        DataType::Date => DType::Date,
        DataType::Time => DType::Time,
        DataType::Datetime(TimeUnit::Microseconds, None) => DType::Datetime,
        DataType::Datetime(unit, None) => DType::Other(format!("datetime[{}]", unit_name(*unit))),
        DataType::Datetime(unit, Some(zone)) => DType::Other(format!("datetime[{}, {zone}]", unit_name(*unit))),
        DataType::Duration(TimeUnit::Microseconds) => DType::Duration,
        DataType::Duration(unit) => DType::Other(format!("duration[{}]", unit_name(*unit))),
        DataType::Decimal(precision, scale) => DType::Decimal(*precision, *scale),
        DataType::List(inner) => DType::List(Box::new(from_polars(inner))),
        DataType::Null => DType::Other("null".to_owned()),
        DataType::Binary | DataType::BinaryOffset => DType::Other("binary".to_owned()),
        DataType::Unknown(kind) => kind.materialize().map_or(DType::Unknown, |known| from_polars(&known)),
        DataType::Array(inner, width) => DType::Array(Box::new(from_polars(inner)), *width),
        DataType::Struct(fields) => DType::Struct(
            fields.iter().map(|field| Column::new(field.name.as_str(), from_polars(&field.dtype))).collect(),
        ),
        other => DType::Other(other.to_string()),
    }
}

/// The polars type of a name; `None` where the name stands for nothing that a table can be made with ([`DType::Unknown`]
/// and most of [`DType::Other`]).
#[must_use]
pub fn to_polars(dtype: &DType) -> Option<DataType> {
    Some(match dtype {
        DType::Bool => DataType::Boolean,
        DType::I8 => DataType::Int8,
        DType::I16 => DataType::Int16,
        DType::I32 => DataType::Int32,
        DType::I64 => DataType::Int64,
        DType::I128 => DataType::Int128,
        DType::U8 => DataType::UInt8,
        DType::U16 => DataType::UInt16,
        DType::U32 => DataType::UInt32,
        DType::U64 => DataType::UInt64,
        DType::F32 => DataType::Float32,
        DType::F64 => DataType::Float64,
        DType::Str => DataType::String,
        DType::Date => DataType::Date,
        DType::Time => DataType::Time,
        DType::Datetime => DataType::Datetime(TimeUnit::Microseconds, None),
        DType::Duration => DataType::Duration(TimeUnit::Microseconds),
        DType::Decimal(precision, scale) => DataType::Decimal(*precision, *scale),
        DType::List(inner) => DataType::List(Box::new(to_polars(inner)?)),
        DType::Array(inner, width) => DataType::Array(Box::new(to_polars(inner)?), *width),
        DType::Struct(fields) => {
            let fields =
                fields.iter().map(|field| Some(Field::new(field.name.as_str().into(), to_polars(&field.dtype)?)));
            DataType::Struct(fields.collect::<Option<_>>()?)
        }
        DType::Other(text) => return other_to_polars(text),
        DType::Unknown => return None,
    })
}

fn other_to_polars(text: &str) -> Option<DataType> {
    let inner = |prefix: &str| text.strip_prefix(prefix)?.strip_suffix(']');
    if let Some(inner) = inner("datetime[") {
        let (unit, zone) = match inner.split_once(", ") {
            Some((unit, zone)) => (unit, TimeZone::opt_try_new(Some(zone)).ok()?),
            None => (inner, None),
        };
        return Some(DataType::Datetime(unit_of(unit)?, zone));
    }
    if let Some(unit) = inner("duration[") {
        return Some(DataType::Duration(unit_of(unit)?));
    }
    match text {
        "null" => Some(DataType::Null),
        "binary" => Some(DataType::Binary),
        _ => None,
    }
}

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Nanoseconds => "ns",
        TimeUnit::Microseconds => "us",
        TimeUnit::Milliseconds => "ms",
    }
}

fn unit_of(name: &str) -> Option<TimeUnit> {
    match name {
        "ns" => Some(TimeUnit::Nanoseconds),
        "us" => Some(TimeUnit::Microseconds),
        "ms" => Some(TimeUnit::Milliseconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_type_has_a_polars_type_and_back() {
        for name in DType::names() {
            let dtype: DType = name.parse().expect("a type");
            assert_eq!(from_polars(&to_polars(&dtype).expect("a polars type")), dtype, "{name}");
        }
    }

    #[test]
    fn unnamed_types_read_back() {
        for text in ["datetime[ns]", "datetime[ms, Europe/Paris]", "duration[ns]", "null", "binary"] {
            let dtype = DType::Other(text.to_owned());
            assert_eq!(from_polars(&to_polars(&dtype).expect("a polars type")), dtype);
        }
        assert_eq!(to_polars(&DType::Unknown), None);
    }
}
