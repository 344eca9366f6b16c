//! In how many parts a step is computed.

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

const AUTO: &str = "auto";

/// In how many parts a step is computed, whose gradients are added up: less memory, and the same step up to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulate {
    /// So many.
    Parts(u64),
    /// As few as fit into the GPU's memory.
    Auto,
}

impl Default for Accumulate {
    fn default() -> Self {
        Self::Parts(1)
    }
}

impl Accumulate {
    /// Whether a step is computed at once.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::Parts(1)
    }
}

impl Serialize for Accumulate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Parts(parts) => serializer.serialize_u64(*parts),
            Self::Auto => serializer.serialize_str(AUTO),
        }
    }
}

impl<'de> Deserialize<'de> for Accumulate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl Visitor<'_> for Parts {
            type Value = Accumulate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of parts, or \"auto\"")
            }

            fn visit_u64<E: de::Error>(self, parts: u64) -> Result<Accumulate, E> {
                Ok(Accumulate::Parts(parts))
            }

            fn visit_i64<E: de::Error>(self, parts: i64) -> Result<Accumulate, E> {
                let parts = u64::try_from(parts).map_err(|_| E::invalid_value(de::Unexpected::Signed(parts), &self))?;
                self.visit_u64(parts)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Accumulate, E> {
                match text {
                    AUTO => Ok(Accumulate::Auto),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
        }

        deserializer.deserialize_any(Parts)
    }
}

impl schemars::JsonSchema for Accumulate {
    fn schema_name() -> Cow<'static, str> {
        "Accumulate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "In how many parts a step is computed; `\"auto\"`: in as few as fit into the GPU's memory.",
            "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": AUTO }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parts_are_a_number_or_auto() {
        for value in [json!(4), json!("auto")] {
            let parts: Accumulate = serde_json::from_value(value.clone()).expect("decodes");
            assert_eq!(serde_json::to_value(parts).expect("json"), value);
        }
        let error = serde_json::from_value::<Accumulate>(json!("all")).expect_err("no such word").to_string();
        assert!(error.contains("expected a number of parts, or \"auto\""), "{error}");
    }
}
