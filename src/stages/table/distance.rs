//! How far two values of a column lie apart, as manifests write it.

use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A distance: a number, or for dates and times a duration such as `"-90min"`, `"-6h"`, `"7d"`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Distance(String);

impl From<&str> for Distance {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Distance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl Visitor<'_> for Form {
            type Value = Distance;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a duration such as \"-6h\"")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Distance, E> {
                Ok(Distance(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Distance, E> {
                Ok(Distance(number.to_string()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Distance, E> {
                Ok(Distance(number.to_string()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Distance, E> {
                Ok(Distance::from(text))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl JsonSchema for Distance {
    fn schema_name() -> Cow<'static, str> {
        "Distance".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number, or for dates and times a duration such as `\"-90min\"`, `\"-6h\"`, `\"7d\"`.",
            "type": ["number", "string"],
        })
    }
}

impl Distance {
    /// The distance without its sign, and whether it is negative.
    pub(super) fn parts(&self) -> (&str, bool) {
        self.0.strip_prefix('-').map_or((self.0.as_str(), false), |rest| (rest.trim(), true))
    }

    /// Whether it is a length of time, and no number.
    pub(super) fn has_unit(&self) -> bool {
        self.0.contains(|c: char| c.is_ascii_alphabetic())
    }

    /// The number: seconds where it has a unit, or whatever the column counts. `None` where it is no distance.
    pub(super) fn length(&self) -> Option<f64> {
        let (text, before) = self.parts();
        let units =
            [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0), ("w", 604_800.0)];
        let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = (text[..at].trim().parse::<f64>().ok()?, text[at..].trim());
        let scale = match unit {
            "" => 1.0,
            _ => units.iter().find(|(name, _)| *name == unit)?.1,
        };
        let whole = unit.is_empty() || number.fract() == 0.0;
        (whole && number >= 0.0).then_some(if before { -number * scale } else { number * scale })
    }
}
