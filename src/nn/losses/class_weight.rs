//! How much each class counts.

use crate::nn::choice::Problem;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

const BALANCED: &str = "balanced";

/// How much each class counts, written `"balanced"` or `{ cat = 1.0, dog = 2.5 }`.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeight {
    /// Rare classes count more: `rows / (classes * rows of the class)`, counted in the training data.
    Balanced,
    /// By the name of the class; those that are not named count 1.
    Given(BTreeMap<String, f64>),
}

impl ClassWeight {
    /// Weights that no class can have.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let Self::Given(weights) = self else { return Vec::new() };
        let wrong = weights.iter().find(|(_, weight)| !(**weight >= 0.0 && weight.is_finite()));
        let wrong = wrong.map(|(class, weight)| format!("the weight of `{class}` is at least 0, found {weight}"));
        wrong.map(|message| Problem { field: "weight", message }).into_iter().collect()
    }

    /// Whether none of `classes` counts. Those that are not named do.
    #[must_use]
    pub fn is_nothing(&self, classes: &[String]) -> bool {
        let Self::Given(weights) = self else { return false };
        !classes.is_empty() && classes.iter().all(|class| weights.get(class).is_some_and(|weight| *weight == 0.0))
    }

    /// A class that is given a weight and is none of `classes`.
    #[must_use]
    pub fn unknown<'a>(&'a self, classes: &[String]) -> Option<&'a str> {
        let Self::Given(weights) = self else { return None };
        weights.keys().map(String::as_str).find(|name| !classes.iter().any(|class| class == name))
    }
}

impl Serialize for ClassWeight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Balanced => serializer.serialize_str(BALANCED),
            Self::Given(weights) => weights.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Weights;

        impl<'de> Visitor<'de> for Weights {
            type Value = ClassWeight;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"balanced\", or a table of classes with a number each, as in { cat = 1.0, dog = 2.5 }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ClassWeight, E> {
                match text {
                    BALANCED => Ok(ClassWeight::Balanced),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClassWeight, A::Error> {
                let mut weights = BTreeMap::new();
                while let Some((class, weight)) = map.next_entry::<String, f64>()? {
                    weights.insert(class, weight);
                }
                Ok(ClassWeight::Given(weights))
            }
        }

        deserializer.deserialize_any(Weights)
    }
}

impl JsonSchema for ClassWeight {
    fn schema_name() -> Cow<'static, str> {
        "ClassWeight".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "`\"balanced\"`, or how much each class counts, by its name.",
            "anyOf": [
                { "const": BALANCED },
                { "type": "object", "additionalProperties": { "type": "number", "minimum": 0 } },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn weights_are_a_word_or_a_table_and_are_written_as_they_were_read() {
        for value in [json!("balanced"), json!({ "a": 1.0, "b": 0.5 })] {
            let weight: ClassWeight = serde_json::from_value(value.clone()).expect("decodes");
            assert_eq!(serde_json::to_value(&weight).expect("json"), value);
            assert!(weight.problems().is_empty());
        }
        let error = serde_json::from_value::<ClassWeight>(json!("balance")).expect_err("no such word").to_string();
        assert!(error.contains("expected \"balanced\", or a table of classes"), "{error}");
    }

    #[test]
    fn weights_that_cannot_be_are_named() {
        let given = |value| serde_json::from_value::<ClassWeight>(value).expect("decodes");
        assert_eq!(given(json!({ "a": -1.0 })).problems()[0].message, "the weight of `a` is at least 0, found -1");
        let classes = ["a".to_owned(), "b".to_owned()];
        assert!(given(json!({ "a": 0.0 })).problems().is_empty());
        assert!(!given(json!({ "a": 0.0 })).is_nothing(&classes) && !given(json!({})).is_nothing(&[]));
        assert!(given(json!({ "a": 0.0, "b": 0.0 })).is_nothing(&classes));
        assert_eq!(given(json!({ "b": 1.0, "c": 2.0 })).unknown(&classes), Some("c"));
        assert_eq!(given(json!("balanced")).unknown(&classes), None);
    }
}
