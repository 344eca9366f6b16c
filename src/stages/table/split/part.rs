//! How large a part is, or what marks its rows, as manifests write it.

use super::super::scalar::Scalar;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// How large a part is, or what marks its rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A fraction of all rows.
    Fraction(f64),
    /// A number of rows; with `by` a value of that column, which is a whole number.
    Count(u64),
    /// Values of the column `by`; `rest` alone also stands for the rows that the other parts leave.
    Values(Vec<String>),
}

impl Part {
    /// `"rest"`
    pub(super) fn is_rest(&self) -> bool {
        matches!(self, Self::Values(values) if values.as_slice() == ["rest"])
    }

    /// The values of the column `by` that mark its rows, as texts; none where it is a fraction.
    pub(super) fn values(&self) -> Vec<String> {
        match self {
            Self::Values(values) => values.clone(),
            Self::Count(value) => vec![value.to_string()],
            Self::Fraction(_) => Vec::new(),
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fraction(fraction) => serializer.serialize_f64(*fraction),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Values(values) => values.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Part;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fraction, a number of rows, \"rest\", or with `by` a value or a list of values")
            }

            fn visit_f64<E>(self, fraction: f64) -> Result<Part, E> {
                Ok(Part::Fraction(fraction))
            }

            fn visit_u64<E>(self, count: u64) -> Result<Part, E> {
                Ok(Part::Count(count))
            }

            fn visit_i64<E: Error>(self, count: i64) -> Result<Part, E> {
                u64::try_from(count).map(Part::Count).map_err(|_| E::custom("a number of rows is not negative"))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Part, E> {
                Ok(Part::Values(vec![value.to_string()]))
            }

            fn visit_str<E>(self, value: &str) -> Result<Part, E> {
                Ok(Part::Values(vec![value.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Part, A::Error> {
                let values: Vec<Scalar> = Vec::deserialize(SeqAccessDeserializer::new(items))?;
                let text = |value: &Scalar| match value {
                    // As floats are written where they become texts: 1.0.
                    Scalar::Float(value) => format!("{value:?}"),
                    other => other.to_string(),
                };
                Ok(Part::Values(values.iter().map(text).collect()))
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl JsonSchema for Part {
    fn schema_name() -> Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A fraction of the rows, a number of rows, `rest`, or with `by` a value or a list of values.",
            "anyOf": [
                { "type": "number", "minimum": 0 },
                { "type": ["string", "boolean"] },
                { "type": "array", "items": { "type": ["string", "number", "boolean"] } },
            ],
        })
    }
}
