//! How features are written: `"numeric"`, or a table whose first key says what it is:
//! `{ numeric = "bill_*", scale = "standard" }`, `{ image = [1, 28, 28], columns = "pixel_*" }`.

mod build;
mod keys;
mod text;
mod words;

use super::Feature;
use super::category::{Category, CategoryEncoding, Unseen};
use super::numeric::{Clip, Distribution, Numeric, Transform};
use super::text::{Analyzer, Frequency, Norm, Text, Weight};
use super::time::{TimeFeature, TimePart};
use super::tokens::End;
use crate::diag::did_you_mean;
use crate::stage::Ref;
use crate::stages::encode::Names;
use keys::key_lists;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use words::{ImputeForm, ScaleForm, SmoothForm};

/// A feature as a table. Exactly one of `numeric`, `category`, `image`, `time`, `sequence`, `text` and `tokens` is given.
#[derive(serde::Deserialize, JsonSchema)]
struct FeatureForm {
    /// Numbers: the columns. Bools count as 0 and 1. Each goes through `impute`, `clip`, `transform` and `scale`, in this
    /// order, each fitted on what the one before gives for the training rows.
    numeric: Option<Names>,
    /// Categories: the columns; text, bools or integers.
    category: Option<Names>,
    /// An image: its shape `[channels, height, width]`. The pixels are in `columns`, row by row, channel after channel.
    image: Option<[u64; 3]>,
    /// Dates, datetimes and times of day: the columns. What comes round again becomes a point on a circle, two numbers.
    time: Option<Names>,
    /// For every row the last rows of its group up to itself, `[length, columns]`: the columns; numbers, or with
    /// `encode = "index"` categories. Without `order`: columns of lists of them, of which the last items are taken. What is missing
    /// at the beginning is padding: 0, or of categories an index of its own, the last.
    sequence: Option<Names>,
    /// The columns of an image, one per pixel; when all their names end in a number of their own, they are taken in the
    /// order of these numbers, else in that of the table.
    columns: Option<Names>,
    /// For numbers: `"standard"` (subtract the mean, divide by the standard deviation; the default), `"min_max"`
    /// (to 0..1), `"robust"` (subtract the median, divide by the distance of the quartiles), `"quantile"` (to the share
    /// of training rows below) or `"none"`. For `image`: the number that the model divides pixels by, 255 by default.
    scale: Option<ScaleForm>,
    /// For numbers, what stands for nulls: `"mean"`, `"median"` or `"most_frequent"` of the training rows, a number, or
    /// `"none"` (the default: a null is an error).
    impute: Option<ImputeForm>,
    /// For numbers: bounds, `{ min = 0, max = 100 }` or `{ quantiles = [0.01, 0.99] }` of the training rows.
    clip: Option<Clip>,
    /// For numbers: `"log"`, `"log1p"`, or a power transform whose exponent the training rows choose: `"yeo_johnson"`, or `"box_cox"` of values above 0.
    transform: Option<Transform>,
    /// For `scale = "quantile"`: how many quantiles are learnt; 1,000 by default.
    n_quantiles: Option<u64>,
    /// For `scale = "quantile"`: `"uniform"` (0 to 1; the default) or `"normal"`.
    output_distribution: Option<Distribution>,
    /// For `numeric`: after the columns, one more for each, 1 where it was null. For `time`: nulls are zeros and one
    /// number more for each column says so. For `sequence`: one number more in each step, 1 where it is padding.
    indicator: Option<bool>,
    /// For `numeric`: instead of the row's own value those of the rows so many places before it, in `order` and within
    /// `by`, such as `[1, 7]`; 0 is the row itself.
    lags: Option<Vec<u64>>,
    /// For `lags` and `sequence`: the column that orders the rows.
    order: Option<String>,
    /// For `lags` and `sequence`: the columns in which rows agree that belong together.
    by: Option<Names>,
    /// For `numeric`: the shape of one row, such as `[6, 3]` for six steps of three values; the columns fill it in order.
    shape: Option<Vec<u64>>,
    /// For `sequence`: how many steps it has.
    length: Option<u64>,
    /// For `sequence`: how many rows before the row itself it ends; 0, the default, ends with the row.
    offset: Option<u64>,
    /// For `category`: `"one_hot"` (the default), `"index"`, for an embedding layer, `"hashed"`, `"hashed_index"` or
    /// `"target"`, the mean target of the training rows with the value (of a number as it is stored: standardised, unless the
    /// target says otherwise). For `sequence`: `"index"`.
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
    /// For `text`: only so many terms are kept, those that occur most often in the training texts, and
    /// of those that occur as often as each other the first by code points (which of them scikit-learn keeps depends on the processor).
    max_features: Option<u64>,
    /// For `text`: terms are hashed into so many columns instead of each having its own; nothing has to be learnt or carried
    /// then, and terms may share a column.
    /// For hashed categories: how many places there are; 1,024 by default.
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
    /// For `category`: the same as a share of the training rows, such as 0.01.
    min_frequency: Option<f64>,
    /// For `category`: only the most frequent values are categories of their own, so many with the one for the unknown.
    max_categories: Option<u64>,
    /// For `encode = "target"`: the target, where there are several.
    target: Option<String>,
    /// For `encode = "target"`: `"auto"` (the default), or of how many rows the weight is that the mean of all rows has.
    smooth: Option<SmoothForm>,
    /// For `encode = "target"`: in how many parts the training rows are split, so that none is shown its own target; 5
    /// by default.
    folds: Option<u64>,
    /// Token ids, `[max_length]`: the columns of text. What is longer is cut, what is shorter filled up with the tokenizer's `pad`.
    tokens: Option<Names>,
    /// For `tokens`: the stage of kind `tokenizer`.
    tokenizer: Option<Ref>,
    /// For `tokens`: how many tokens a row has.
    max_length: Option<u64>,
    /// For `tokens`: which end of a longer text is cut off, `"end"` (the default) or `"start"`.
    truncate: Option<End>,
    /// For `tokens`: whether the tokenizer's `bos` stands before each text and its `eos` after it; true by default.
    special_tokens: Option<bool>,
    /// For `tokens`: all texts follow one after the other and are cut into blocks of `max_length`; rows are blocks then, so the feature
    /// is the only one, and its own tokens are what is predicted. For language models.
    pack: Option<bool>,
    /// For `time`: `"second"`, `"minute"`, `"hour"`, `"time_of_day"`, `"weekday"`, `"day"`, `"day_of_year"`, `"week"`,
    /// `"month"`, `"quarter"`, `"year"` or `"elapsed"` (days since 1970). By default what the column has of month,
    /// weekday and hour.
    parts: Option<Vec<TimePart>>,
}

key_lists! {
    numeric: numeric scale impute clip transform n_quantiles output_distribution indicator lags order by shape;
    category: category encode unknown min_count min_frequency max_categories n_features target smooth folds;
    image: image columns scale;
    text: text analyzer ngram_range lowercase stop_words token_pattern min_df max_df max_features n_features alternate_sign weight binary
        sublinear_tf smooth_idf norm;
    tokens: tokens tokenizer max_length truncate special_tokens pack;
    time: time parts indicator;
    sequence: sequence order by length offset scale impute clip transform n_quantiles output_distribution indicator
        encode unknown min_count min_frequency max_categories;
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
            "category" => self.category(&given).map(Feature::Category),
            "time" => Ok(Feature::Time(self.time())),
            "sequence" => self.sequence(&given).map(Feature::Sequence),
            "text" => Ok(Feature::Text(self.text())),
            "tokens" => self.tokens().map(Feature::Tokens),
            _ => self.image().map(Feature::Image),
        }
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

/// The encodings that a bare word stands for; the others need more than a word.
const SHORT: [&str; 4] = ["numeric", "category", "time", "text"];

/// The feature that a bare word stands for, with every default; its column is filled in by [`named`].
fn shorthand(text: &str) -> Result<Feature, String> {
    match text {
        "numeric" => Ok(Feature::Numeric(Numeric::default())),
        "category" => Ok(Feature::Category(Category::default())),
        "text" => Ok(Feature::Text(Text::default())),
        "time" => Ok(Feature::Time(TimeFeature::default())),
        "image" => {
            Err("an image needs its shape and columns: { image = [1, 28, 28], columns = \"pixel_*\" }".to_owned())
        }
        "sequence" => {
            Err("a sequence needs its length and order: { sequence = \"x\", length = 10, order = \"day\" }".to_owned())
        }
        "tokens" => {
            Err("tokens need a tokenizer and a length: { tokens = \"text\", tokenizer = \"tok\", max_length = 128 }"
                .to_owned())
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
                f.write_str("`numeric`, `category`, `time`, `text`, or a table such as { numeric = \"bill_*\" }")
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
                SHORT.map(|word| format!("`{word}`")).join(", "),
            ),
            "anyOf": [{ "enum": SHORT }, form],
        })
    }
}
