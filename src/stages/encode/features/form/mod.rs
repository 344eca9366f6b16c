//! How features are written: `"numeric"`, or a table whose first key says what it is:
//! `{ numeric = "bill_*", scale = "standard" }`, `{ image = [1, 28, 28], columns = "pixel_*" }`.

mod keys;
mod text;
mod words;

use super::text::{Analyzer, Frequency, Norm, Text, Weight};
use super::{Category, CategoryEncoding, Feature, Image, Impute, Numeric, Scale, Unseen};
use crate::diag::did_you_mean;
use crate::stages::encode::Names;
use keys::key_lists;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use words::{ImputeForm, ScaleForm};

/// A feature as a table. Exactly one of `numeric`, `category`, `image` and `text` is given.
#[derive(serde::Deserialize, JsonSchema)]
struct FeatureForm {
    /// Numbers: the columns. Bools count as 0 and 1.
    numeric: Option<Names>,
    /// Categories: the columns; text, bools or integers.
    category: Option<Names>,
    /// An image: its shape `[channels, height, width]`. The pixels are in `columns`, row by row, channel after channel.
    image: Option<[u64; 3]>,
    /// The columns of an image, one per pixel; when all their names end in a number, they are taken in the order of
    /// these numbers.
    columns: Option<Names>,
    /// For `numeric`: `"standard"` (subtract the mean, divide by the standard deviation; the default), `"min_max"`
    /// (to 0..1) or `"none"`. For `image`: the number that the model divides pixels by, 255 by default.
    scale: Option<ScaleForm>,
    /// For `numeric`, what stands for nulls: `"mean"` or `"median"` of the training rows, a number, or `"none"` (the
    /// default: a null is an error).
    impute: Option<ImputeForm>,
    /// For `numeric`: the shape of one row, such as `[6, 3]` for six steps of three values; the columns fill it in order.
    shape: Option<Vec<u64>>,
    /// For `category`: `"one_hot"` (the default) or `"index"`, for an embedding layer.
    encode: Option<CategoryEncoding>,
    /// For `category`, what becomes of nulls and of values that the training rows do not have: `"error"` (the default)
    /// or `"other"`, one more category.
    unknown: Option<Unseen>,
    /// For `category`: values that occur less often than this in the training rows count as unknown; 1 by default.
    min_count: Option<u64>,
    /// A bag of words: the columns of text. Names, defaults and numbers of what follows are scikit-learn's.
    text: Option<Names>,
    /// For `text`, what terms are made of: `"word"` (the default: two or more letters, digits or underscores in a row),
    /// `"chinese"` (the words of Chinese text, found by jieba), `"char"` (characters) or `"char_wb"` (characters within words).
    analyzer: Option<Analyzer>,
    /// For `text`: the shortest and the longest run of words or characters that is a term, `[1, 1]` by default.
    ngram_range: Option<[u32; 2]>,
    /// For `text`: whether it is put into lower case before; true by default.
    lowercase: Option<bool>,
    /// For `text` taken apart into words: words to leave out.
    stop_words: Option<Vec<String>>,
    /// For `text` with `analyzer = "word"`: a regular expression of what a word is; its one group, where it has one.
    token_pattern: Option<String>,
    /// For `text`: terms of fewer training texts are left out; a number of texts, or with a point a share of them.
    min_df: Option<Frequency>,
    /// For `text`: terms of more training texts are left out; a number of texts, or with a point a share of them.
    max_df: Option<Frequency>,
    /// For `text`: only so many terms are kept, those that occur most often in the training texts.
    max_features: Option<u64>,
    /// For `text`: terms are hashed into so many columns instead of each having its own; nothing has to be learnt or carried
    /// then, and terms may share a column.
    n_features: Option<u64>,
    /// For `text` with `n_features`: half of the terms count negatively, so that terms that share a column cancel out.
    alternate_sign: Option<bool>,
    /// For `text`: `"tfidf"` (the default: how often a text has a term, times how rare it is among the training texts) or `"count"`.
    weight: Option<Weight>,
    /// For `text`: a term counts once, however often a text has it.
    binary: Option<bool>,
    /// For `text`: `1 + ln(count)` stands for the count.
    sublinear_tf: Option<bool>,
    /// For `text` with `weight = "tfidf"`: rarity is taken as if one more text had every term; true by default.
    smooth_idf: Option<bool>,
    /// For `text`: each text's numbers are divided by their Euclidean length (`"l2"`, the default of `"tfidf"`), by the sum of their
    /// magnitudes (`"l1"`) or by nothing (`"none"`, the default of `"count"`).
    norm: Option<Norm>,
}

key_lists! {
    numeric: numeric scale impute shape;
    category: category encode unknown min_count;
    image: image columns scale;
    text: text analyzer ngram_range lowercase stop_words token_pattern min_df max_df max_features n_features alternate_sign weight binary
        sublinear_tf smooth_idf norm;
}

impl FeatureForm {
    fn feature(self) -> Result<Feature, String> {
        let given = self.given();
        let encodings: Vec<_> = ENCODINGS.iter().filter(|encoding| given.contains(&encoding.key)).collect();
        let [encoding] = encodings.as_slice() else {
            return Err(format!("a feature has exactly one of the keys {}", keys::words(ENCODINGS.iter(), "and")));
        };
        if let Some(stray) = given.iter().find(|key| !encoding.takes.contains(key)) {
            let owners = ENCODINGS.iter().filter(|encoding| encoding.takes.contains(stray));
            return Err(format!("`{stray}` belongs to {} features", keys::words(owners, "and")));
        }
        match encoding.key {
            "numeric" => self.numeric().map(Feature::Numeric),
            "category" => Ok(Feature::Category(self.category())),
            "text" => Ok(Feature::Text(self.text())),
            _ => self.image().map(Feature::Image),
        }
    }

    fn numeric(self) -> Result<Numeric, String> {
        let scale = match self.scale {
            None => Scale::Standard,
            Some(ScaleForm::Word(scale)) => scale,
            Some(ScaleForm::Number(_)) => {
                return Err("`scale` of a numeric feature is \"standard\", \"min_max\" or \"none\"".to_owned());
            }
        };
        let impute = self.impute.map_or(Impute::None, |form| form.0);
        Ok(Numeric { columns: self.numeric.unwrap_or_default(), scale, impute, shape: self.shape })
    }

    fn category(self) -> Category {
        Category {
            columns: self.category.unwrap_or_default(),
            encode: self.encode.unwrap_or_default(),
            unknown: self.unknown.unwrap_or_default(),
            min_count: self.min_count.unwrap_or(1),
        }
    }

    fn image(self) -> Result<Image, String> {
        let scale = match self.scale {
            None => 255.0,
            Some(ScaleForm::Number(scale)) => scale,
            Some(ScaleForm::Word(_)) => return Err("`scale` of an image is the number to divide pixels by".to_owned()),
        };
        let columns = self.columns.ok_or("an image needs `columns`, one per pixel: columns = \"pixel_*\"")?;
        Ok(Image { image: self.image.unwrap_or_default(), columns, scale })
    }
}

/// Reads `features`; a feature in short form gets the column of its name.
///
/// # Errors
/// The deserializer's.
pub fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Feature>, D::Error> {
    let mut features = BTreeMap::<String, Feature>::deserialize(deserializer)?;
    for (name, feature) in &mut features {
        let columns = feature.columns_mut();
        if columns.0.is_empty() {
            columns.0.push(name.clone());
        }
    }
    Ok(features)
}

/// The encodings that a bare word stands for; `image` needs more than a word.
const SHORT: [&str; 3] = ["numeric", "category", "text"];

/// The feature that a bare word stands for, with every default; its column is filled in by [`named`].
fn shorthand(text: &str) -> Result<Feature, String> {
    match text {
        "numeric" => Ok(Feature::Numeric(Numeric::default())),
        "category" => Ok(Feature::Category(Category::default())),
        "text" => Ok(Feature::Text(Text::default())),
        "image" => {
            Err("an image needs its shape and columns: { image = [1, 28, 28], columns = \"pixel_*\" }".to_owned())
        }
        other => {
            let near = did_you_mean(other, ENCODINGS.iter().map(|encoding| encoding.key));
            let near = near.map(|near| format!("; {near}")).unwrap_or_default();
            Err(format!("`{other}` is no encoding: {}{near}", keys::words(ENCODINGS.iter(), "or")))
        }
    }
}

impl<'de> Deserialize<'de> for Feature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FeatureVisitor;
        impl<'de> Visitor<'de> for FeatureVisitor {
            type Value = Feature;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`numeric`, `category`, `text`, or a table such as { numeric = \"bill_*\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Feature, E> {
                shorthand(text).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Feature, A::Error> {
                FeatureForm::deserialize(MapAccessDeserializer::new(map))?.feature().map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(FeatureVisitor)
    }
}

impl JsonSchema for Feature {
    fn schema_name() -> Cow<'static, str> {
        "Feature".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let form = generator.subschema_for::<FeatureForm>();
        schemars::json_schema!({
            "description": format!(
                "A feature: a table with one of the keys {}, or {} for the column of the feature's name.",
                keys::words(ENCODINGS.iter(), "and"),
                SHORT.map(|word| format!("`{word}`")).join(" or "),
            ),
            "anyOf": [{ "enum": SHORT }, form],
        })
    }
}
