//! How much rows count that are yes.

use crate::nn::choice::Problem;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

const BALANCED: &str = "balanced";
const FIELD: &str = "pos_weight";

/// How much a positive row counts, against 1 for a negative one: a number, one for each label, or `"balanced"`.
#[derive(Clone, Debug, PartialEq)]
pub enum PositiveWeight {
    /// The same for all labels.
    All(f64),
    /// By label, in their order.
    Each(Vec<f64>),
    /// For each label `negatives / positives`, counted in the training data.
    Balanced,
}

impl PositiveWeight {
    /// Weights that no label can have.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let wrong = |weight: f64| !(weight > 0.0 && weight.is_finite());
        let message = match self {
            Self::All(weight) => wrong(*weight).then(|| format!("pos_weight is above 0, found {weight}")),
            Self::Each(weights) if weights.is_empty() => {
                Some("pos_weight is a number, or one for each label; found none".to_owned())
            }
            Self::Each(weights) => weights.iter().position(|weight| wrong(*weight)).map(|at| {
                let (weight, label) = (weights[at], at + 1);
                format!("pos_weight is above 0, found {weight} for label {label}")
            }),
            Self::Balanced => None,
        };
        message.map(|message| Problem { field: FIELD, message }).into_iter().collect()
    }

    /// Why it does not fit a target of so many labels; `None` where it does.
    #[must_use]
    pub fn misfit(&self, labels: usize) -> Option<String> {
        let Self::Each(weights) = self else { return None };
        let found = weights.len();
        (found != labels).then(|| format!("pos_weight is a list of {found}, and the number of labels is {labels}"))
    }
}

impl Serialize for PositiveWeight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All(weight) => serializer.serialize_f64(*weight),
            Self::Each(weights) => weights.serialize(serializer),
            Self::Balanced => serializer.serialize_str(BALANCED),
        }
    }
}

impl<'de> Deserialize<'de> for PositiveWeight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Weights;

        impl<'de> Visitor<'de> for Weights {
            type Value = PositiveWeight;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a list with one for each label, or \"balanced\"")
            }

            fn visit_f64<E: de::Error>(self, weight: f64) -> Result<PositiveWeight, E> {
                Ok(PositiveWeight::All(weight))
            }

            fn visit_i64<E: de::Error>(self, weight: i64) -> Result<PositiveWeight, E> {
                Ok(PositiveWeight::All(weight as f64))
            }

            fn visit_u64<E: de::Error>(self, weight: u64) -> Result<PositiveWeight, E> {
                Ok(PositiveWeight::All(weight as f64))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PositiveWeight, E> {
                match text {
                    BALANCED => Ok(PositiveWeight::Balanced),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PositiveWeight, A::Error> {
                let mut weights = Vec::new();
                while let Some(weight) = list.next_element()? {
                    weights.push(weight);
                }
                Ok(PositiveWeight::Each(weights))
            }
        }

        deserializer.deserialize_any(Weights)
    }
}

impl JsonSchema for PositiveWeight {
    fn schema_name() -> Cow<'static, str> {
        "PositiveWeight".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number, one for each label in a list, or `\"balanced\"`.",
            "anyOf": [
                { "type": "number", "exclusiveMinimum": 0 },
                { "type": "array", "items": { "type": "number", "exclusiveMinimum": 0 }, "minItems": 1 },
                { "const": BALANCED },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn decoded(value: Value) -> PositiveWeight {
        serde_json::from_value(value).expect("decodes")
    }

    #[test]
    fn weights_are_a_number_a_list_or_a_word_and_are_written_as_they_were_read() {
        for value in [json!(1.0), json!([1.0, 2.5]), json!("balanced")] {
            let weight = decoded(value.clone());
            assert_eq!(serde_json::to_value(&weight).expect("json"), value);
            assert!(weight.problems().is_empty());
        }
        assert_eq!(decoded(json!(3)), PositiveWeight::All(3.0));
        assert_eq!(decoded(json!([3, 0.5])), PositiveWeight::Each(vec![3.0, 0.5]));
        let error = serde_json::from_value::<PositiveWeight>(json!("balance")).expect_err("no such word").to_string();
        assert!(error.contains("expected a number, a list with one for each label, or \"balanced\""), "{error}");
    }

    #[test]
    fn weights_that_cannot_be_are_named() {
        let told = |value| decoded(value).problems().remove(0).message;
        assert_eq!(told(json!(0.0)), "pos_weight is above 0, found 0");
        assert_eq!(told(json!([1.0, -2.0])), "pos_weight is above 0, found -2 for label 2");
        assert_eq!(told(json!([])), "pos_weight is a number, or one for each label; found none");
        let misfit = decoded(json!([1.0, 2.0])).misfit(3);
        assert_eq!(misfit.as_deref(), Some("pos_weight is a list of 2, and the number of labels is 3"));
        assert!(
            [json!([1.0, 2.0, 3.0]), json!(2.0), json!("balanced")]
                .into_iter()
                .all(|value| decoded(value).misfit(3).is_none())
        );
    }
}
