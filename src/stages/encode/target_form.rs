//! How targets are written: `"category"`, or a table such as `{ binary = { positive = "yes" } }`.

use super::multi_label::MultiLabelTarget;
use super::target::{BinaryTarget, CategoryTarget, NumberTarget, Target, Value};
use super::token_targets::{MaskedTokenTarget, NextTokenTarget};
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use std::borrow::Cow;
use std::fmt;

/// The long form of a target.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TargetForm {
    /// One of several classes.
    Category(CategoryTarget),
    /// Yes or no.
    Binary(BinaryTarget),
    /// A number.
    Number(NumberTarget),
    /// Any of several labels, each a column of yes and no.
    MultiLabel(MultiLabelTarget),
    /// The next token.
    NextToken(NextTokenTarget),
    /// Hidden tokens.
    MaskedToken(MaskedTokenTarget),
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TargetVisitor;
        impl<'de> Visitor<'de> for TargetVisitor {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`category`, `binary`, `number`, `next_token`, `masked_token`, or a table such as { binary = { positive = \"yes\" } }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Target, E> {
                match text {
                    "category" => Ok(Target::Category(CategoryTarget::default())),
                    "binary" => Ok(Target::Binary(BinaryTarget::default())),
                    "number" => Ok(Target::Number(NumberTarget::default())),
                    "next_token" => Ok(Target::NextToken(NextTokenTarget::default())),
                    "masked_token" => Ok(Target::MaskedToken(MaskedTokenTarget::default())),
                    other => {
                        Err(E::unknown_variant(other, &["category", "binary", "number", "next_token", "masked_token"]))
                    }
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Target, A::Error> {
                Ok(match TargetForm::deserialize(MapAccessDeserializer::new(map))? {
                    TargetForm::Category(target) => Target::Category(target),
                    TargetForm::Binary(target) => Target::Binary(target),
                    TargetForm::Number(target) => Target::Number(target),
                    TargetForm::MultiLabel(target) => Target::MultiLabel(target),
                    TargetForm::NextToken(target) => Target::NextToken(target),
                    TargetForm::MaskedToken(target) => Target::MaskedToken(target),
                })
            }
        }
        deserializer.deserialize_any(TargetVisitor)
    }
}

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let form = generator.subschema_for::<TargetForm>();
        schemars::json_schema!({
            "description": "What is predicted: `category`, `binary`, `number`; of a feature of tokens `next_token` or `masked_token`; or a table with one of these keys, or with `multi_label` and a list of columns.",
            "anyOf": [{ "enum": ["category", "binary", "number", "next_token", "masked_token"] }, form],
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl Visitor<'_> for ValueVisitor {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, an integer or a bool")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                Ok(Value(text.to_owned()))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
                Ok(Value(value.to_string()))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
                Ok(Value(value.to_string()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
                Ok(Value(value.to_string()))
            }
        }
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "ColumnValue".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A value of a column.",
            "type": ["string", "integer", "boolean"],
        })
    }
}
