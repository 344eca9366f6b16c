//! Values as a manifest writes them, to compare columns with.

use crate::frame::file::time;
use crate::frame::to_polars;
use crate::types::DType;
use polars::prelude::{Column, DataType, Expr, Scalar as PolarsScalar, TimeUnit, lit};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// How moments are written in a manifest, for messages.
pub(super) const MOMENTS: &str = "dates and times are written as texts: \"2026-05-04\", \"2026-05-04T10:12:00\"";

/// A number, a truth value, or a text; dates and times are written as texts.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A text, a date or a time.
    Text(String),
}

impl Scalar {
    /// The value in a column of one row and of this type; `None` where the type does not hold it.
    pub(super) fn column(&self, dtype: &DType) -> Option<Column> {
        let name = "value".into();
        if let (Self::Text(text), true) = (self, dtype.is_temporal()) {
            return moment(text, dtype);
        }
        let value = match self {
            Self::Int(value) => Column::new(name, [*value]),
            Self::Float(value) if dtype.is_integer() && value.fract() != 0.0 => return None,
            Self::Float(value) => Column::new(name, [*value]),
            Self::Bool(value) => Column::new(name, [*value]),
            Self::Text(text) => Column::new(name, [text.as_str()]),
        };
        let fits = match self {
            Self::Int(_) | Self::Float(_) => dtype.is_numeric(),
            Self::Bool(_) => *dtype == DType::Bool,
            Self::Text(_) => *dtype == DType::Str,
        };
        let cast = value.cast(&to_polars(dtype)?).ok()?;
        if let (Self::Float(value), DType::Decimal(..)) = (self, dtype) {
            // The cast rounds to the digits of the type.
            let stored = cast.cast(&DataType::Float64).ok()?;
            if stored.f64().ok()?.get(0) != Some(*value) {
                return None;
            }
        }
        (fits && cast.null_count() == 0).then_some(cast)
    }

    /// The value as a literal of this type, to compare a column with; a number that the type does not hold stays what it
    /// is, since an order still has it somewhere.
    pub(super) fn literal(&self, dtype: &DType) -> Option<Expr> {
        if let Some(column) = self.column(dtype) {
            let value = column.get(0).ok()?.into_static();
            return Some(lit(PolarsScalar::new(column.dtype().clone(), value)));
        }
        match self {
            Self::Int(value) if dtype.is_numeric() => Some(lit(*value as f64)),
            Self::Float(value) if dtype.is_numeric() => Some(lit(*value)),
            _ => None,
        }
    }
}

/// A date or time in a column of one row; `None` where the text is none that the type holds, or the type is a duration. Where the
/// type has a time zone, a text without one is meant in UTC.
fn moment(text: &str, dtype: &DType) -> Option<Column> {
    let (name, target) = ("value".into(), to_polars(dtype)?);
    let value = match (dtype, &target) {
        (DType::Date, _) => Column::new(name, [time::date(text)?]),
        (DType::Time, _) => Column::new(name, [time::time(text)?]),
        (_, DataType::Datetime(unit, _)) => Column::new(name, [in_unit(time::datetime(text)?, *unit)?]),
        _ => return None,
    };
    value.cast(&target).ok()
}

/// Microseconds in a unit, where it has such a number.
fn in_unit(micros: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Nanoseconds => micros.checked_mul(1_000),
        TimeUnit::Microseconds => Some(micros),
        TimeUnit::Milliseconds => (micros % 1_000 == 0).then_some(micros / 1_000),
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a truth value or a text")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Int(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                i64::try_from(value).map(Scalar::Int).map_err(|_| E::custom("the number is too large"))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(value))
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number, a truth value or a text; a date or time is written as a text: `\"2013-01-01\"`.",
            "type": ["number", "boolean", "string"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_of_the_column_s_type_or_of_none() {
        let fits = |value: Scalar, dtype: DType| value.column(&dtype).is_some();
        assert!(fits(Scalar::Int(255), DType::U8) && !fits(Scalar::Int(256), DType::U8));
        assert!(fits(Scalar::Float(2.0), DType::I64) && !fits(Scalar::Float(2.5), DType::I64));
        assert!(fits(Scalar::Text("2013-01-31".into()), DType::Date));
        assert!(!fits(Scalar::Text("2013-02-31".into()), DType::Date));
        assert!(!fits(Scalar::Text("5".into()), DType::I64) && !fits(Scalar::Bool(true), DType::Str));
        assert!(fits(Scalar::Float(5.99), DType::Decimal(10, 2)) && !fits(Scalar::Float(5.995), DType::Decimal(10, 2)));
        assert!(Scalar::Float(5.995).literal(&DType::Decimal(10, 2)).is_some(), "an order has a place for it too");
        assert!(Scalar::Int(-5).literal(&DType::U8).is_some(), "an order has a place for it");
        assert!(Scalar::Text("x".into()).literal(&DType::U8).is_none());
        for (text, dtype, stored) in [
            ("1970-01-01T00:00:01.5", "datetime[ns, UTC]", 1_500_000_000),
            ("1970-01-01T01:00:00+01:00", "datetime[us, Europe/Paris]", 0),
            ("1969-12-31T23:59:59.999", "datetime[ms]", -1),
        ] {
            let dtype = DType::Other(dtype.to_owned());
            let moment = Scalar::Text(text.into()).column(&dtype).expect("a moment");
            assert_eq!(crate::frame::from_polars(moment.dtype()), dtype);
            assert_eq!(moment.to_physical_repr().i64().expect("a number").get(0), Some(stored), "{text}");
        }
        let none = |text: &str, dtype: &str| !fits(Scalar::Text(text.into()), DType::Other(dtype.to_owned()));
        assert!(none("1970-01-01T00:00:00.0005", "datetime[ms]") && none("2300-01-01", "datetime[ns]"));
        assert!(none("1d", "duration[ns]") && none("x", "datetime[ns]") && none("x", "binary"));
    }
}
