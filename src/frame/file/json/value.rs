//! A JSON value that keeps what tables need: the order of keys, whole numbers apart from others, no key twice.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Whole(i128),
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// What it is, in words.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Whole(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// A field of an object, which is probably the one at this place.
    pub(super) fn get(&self, key: &str, likely: usize) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        let there = fields.get(likely).filter(|(name, _)| name == key);
        there.or_else(|| fields.iter().find(|(name, _)| name == key)).map(|(_, value)| value)
    }
}

/// As JSON, except that a text stands for itself.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            other => write_json(other, f),
        }
    }
}

fn write_json(value: &Json, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    match value {
        Json::Null => f.write_str("null"),
        Json::Bool(value) => write!(f, "{value}"),
        Json::Whole(value) => write!(f, "{value}"),
        Json::Float(value) => write!(f, "{}", serde_json::Value::from(*value)),
        Json::Text(value) => f.write_str(&text(value)),
        Json::List(values) => {
            f.write_str("[")?;
            for (index, value) in values.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { "," })?;
                write_json(value, f)?;
            }
            f.write_str("]")
        }
        Json::Object(fields) => {
            f.write_str("{")?;
            for (index, (key, value)) in fields.iter().enumerate() {
                write!(f, "{}{}:", if index == 0 { "" } else { "," }, text(key))?;
                write_json(value, f)?;
            }
            f.write_str("}")
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Whole(i128::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Whole(i128::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut fields: Vec<(String, Json)> = Vec::new();
        // Objects of many keys are looked through by a set.
        let mut many = std::collections::BTreeSet::new();
        while let Some((key, value)) = entries.next_entry::<String, Json>()? {
            let twice = if fields.len() < 32 {
                fields.iter().any(|(name, _)| *name == key)
            } else {
                if many.is_empty() {
                    many.extend(fields.iter().map(|(name, _)| name.clone()));
                }
                !many.insert(key.clone())
            };
            if twice {
                return Err(A::Error::custom(format!("the key `{key}` stands twice in one object")));
            }
            fields.push((key, value));
        }
        Ok(Json::Object(fields))
    }
}
