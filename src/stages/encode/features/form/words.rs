//! Fields of features that are a word or a number.

use super::super::category::Smooth;
use super::super::numeric::{Impute, Scale};
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::borrow::Cow;
use std::fmt;

const SCALES: [&str; 5] = ["standard", "min_max", "robust", "quantile", "none"];
const IMPUTES: [&str; 4] = ["mean", "median", "most_frequent", "none"];

/// `scale`: a word or a number.
#[derive(Clone, Copy, Debug)]
pub(super) enum ScaleForm {
    Word(Scale),
    Number(f64),
}

/// `impute`: a word or a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct ImputeForm(pub(super) Impute);

/// `smooth`: a word or a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct SmoothForm(pub(super) Smooth);

impl<'de> Deserialize<'de> for ScaleForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScaleVisitor;
        impl Visitor<'_> for ScaleVisitor {
            type Value = ScaleForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`standard`, `min_max`, `robust`, `quantile`, `none`, or for an image a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ScaleForm, E> {
                match text {
                    "standard" => Ok(ScaleForm::Word(Scale::Standard)),
                    "min_max" => Ok(ScaleForm::Word(Scale::MinMax)),
                    "robust" => Ok(ScaleForm::Word(Scale::Robust)),
                    "quantile" => Ok(ScaleForm::Word(Scale::Quantile)),
                    "none" => Ok(ScaleForm::Word(Scale::None)),
                    other => Err(E::unknown_variant(other, &SCALES)),
                }
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<ScaleForm, E> {
                if value > 0.0 && value.is_finite() {
                    Ok(ScaleForm::Number(value))
                } else {
                    Err(E::custom("`scale` must be larger than 0"))
                }
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<ScaleForm, E> {
                self.visit_f64(value as f64)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<ScaleForm, E> {
                self.visit_f64(value as f64)
            }
        }
        deserializer.deserialize_any(ScaleVisitor)
    }
}

impl JsonSchema for ScaleForm {
    fn schema_name() -> Cow<'static, str> {
        "FeatureScale".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "enum": SCALES }, { "type": "number" }] })
    }
}

impl<'de> Deserialize<'de> for ImputeForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ImputeVisitor;
        impl Visitor<'_> for ImputeVisitor {
            type Value = ImputeForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`mean`, `median`, `most_frequent`, `none` or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ImputeForm, E> {
                match text {
                    "mean" => Ok(ImputeForm(Impute::Mean)),
                    "median" => Ok(ImputeForm(Impute::Median)),
                    "most_frequent" => Ok(ImputeForm(Impute::MostFrequent)),
                    "none" => Ok(ImputeForm(Impute::None)),
                    other => Err(E::unknown_variant(other, &IMPUTES)),
                }
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<ImputeForm, E> {
                Ok(ImputeForm(Impute::Value(value)))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<ImputeForm, E> {
                self.visit_f64(value as f64)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<ImputeForm, E> {
                self.visit_f64(value as f64)
            }
        }
        deserializer.deserialize_any(ImputeVisitor)
    }
}

impl JsonSchema for ImputeForm {
    fn schema_name() -> Cow<'static, str> {
        "Impute".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "enum": IMPUTES }, { "type": "number" }] })
    }
}

impl<'de> Deserialize<'de> for SmoothForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SmoothVisitor;
        impl Visitor<'_> for SmoothVisitor {
            type Value = SmoothForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`auto` or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SmoothForm, E> {
                match text {
                    "auto" => Ok(SmoothForm(Smooth::Auto)),
                    other => Err(E::unknown_variant(other, &["auto"])),
                }
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<SmoothForm, E> {
                Ok(SmoothForm(Smooth::Value(value)))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<SmoothForm, E> {
                self.visit_f64(value as f64)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<SmoothForm, E> {
                self.visit_f64(value as f64)
            }
        }
        deserializer.deserialize_any(SmoothVisitor)
    }
}

impl JsonSchema for SmoothForm {
    fn schema_name() -> Cow<'static, str> {
        "TargetMeanSmooth".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "enum": ["auto"] }, { "type": "number" }] })
    }
}
