//! How bags of words are written.

use super::super::text::{Bounds, Frequency, Norm, Reading, Text, Weight, Weighting};
use super::FeatureForm;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::borrow::Cow;
use std::fmt;

impl FeatureForm {
    pub(super) fn text(self) -> Text {
        let (reading, bounds, weighting) = (Reading::default(), Bounds::default(), Weighting::default());
        let weight = self.weight.unwrap_or(weighting.weight);
        let norm = match weight {
            Weight::Tfidf => Norm::L2,
            Weight::Count => Norm::None,
        };
        Text {
            columns: self.text.unwrap_or_default(),
            reading: Reading {
                analyzer: self.analyzer.unwrap_or(reading.analyzer),
                ngram_range: self.ngram_range.unwrap_or(reading.ngram_range),
                lowercase: self.lowercase.unwrap_or(reading.lowercase),
                stop_words: self.stop_words.unwrap_or_default(),
                token_pattern: self.token_pattern,
            },
            bounds: Bounds {
                min_df: self.min_df.unwrap_or(bounds.min_df),
                max_df: self.max_df.unwrap_or(bounds.max_df),
                max_features: self.max_features,
            },
            n_features: self.n_features,
            alternate_sign: self.alternate_sign.unwrap_or_default(),
            weighting: Weighting {
                weight,
                binary: self.binary.unwrap_or(weighting.binary),
                sublinear_tf: self.sublinear_tf.unwrap_or(weighting.sublinear_tf),
                smooth_idf: self.smooth_idf.unwrap_or(weighting.smooth_idf),
                norm: self.norm.unwrap_or(norm),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Frequency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FrequencyVisitor;
        impl Visitor<'_> for FrequencyVisitor {
            type Value = Frequency;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of texts, or with a point a share of them")
            }

            fn visit_f64<E>(self, share: f64) -> Result<Frequency, E> {
                Ok(Frequency::Share(share))
            }

            fn visit_u64<E>(self, texts: u64) -> Result<Frequency, E> {
                Ok(Frequency::Texts(texts))
            }

            fn visit_i64<E: de::Error>(self, texts: i64) -> Result<Frequency, E> {
                u64::try_from(texts).map(Frequency::Texts).map_err(|_| E::custom("a number of texts is not negative"))
            }
        }
        deserializer.deserialize_any(FrequencyVisitor)
    }
}

impl JsonSchema for Frequency {
    fn schema_name() -> Cow<'static, str> {
        "DocumentFrequency".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number of texts, or with a point a share of them.",
            "type": "number",
            "minimum": 0,
        })
    }
}
