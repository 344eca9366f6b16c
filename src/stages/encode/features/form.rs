//! How features are written: `"numeric"`, or a table whose first key says what it is:
//! `{ numeric = "bill_*", scale = "standard" }`, `{ image = [1, 28, 28], columns = "pixel_*" }`.

use super::{Category, CategoryEncoding, Feature, Image, Impute, Numeric, Scale, Unseen};
use crate::diag::did_you_mean;
use crate::stages::encode::Names;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A feature as a table. Exactly one of `numeric`, `category` and `image` is given.
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
}

/// `scale`: a word or a number.
#[derive(Clone, Copy, Debug)]
enum ScaleForm {
    Word(Scale),
    Number(f64),
}

/// `impute`: a word or a number.
#[derive(Clone, Copy, Debug)]
struct ImputeForm(Impute);

impl FeatureForm {
    fn feature(self) -> Result<Feature, String> {
        let given = [self.numeric.is_some(), self.category.is_some(), self.image.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err("a feature has exactly one of the keys `numeric`, `category` and `image`".to_owned());
        }
        if let Some((key, owner)) = self.stray() {
            return Err(format!("`{key}` belongs to `{owner}` features"));
        }
        if let Some(columns) = self.numeric {
            let scale = match self.scale {
                None => Scale::Standard,
                Some(ScaleForm::Word(scale)) => scale,
                Some(ScaleForm::Number(_)) => {
                    return Err("`scale` of a numeric feature is \"standard\", \"min_max\" or \"none\"".to_owned());
                }
            };
            let impute = self.impute.map_or(Impute::None, |form| form.0);
            return Ok(Feature::Numeric(Numeric { columns, scale, impute, shape: self.shape }));
        }
        if let Some(columns) = self.category {
            return Ok(Feature::Category(Category {
                columns,
                encode: self.encode.unwrap_or_default(),
                unknown: self.unknown.unwrap_or_default(),
                min_count: self.min_count.unwrap_or(1),
            }));
        }
        let scale = match self.scale {
            None => 255.0,
            Some(ScaleForm::Number(scale)) => scale,
            Some(ScaleForm::Word(_)) => return Err("`scale` of an image is the number to divide pixels by".to_owned()),
        };
        let columns = self.columns.ok_or("an image needs `columns`, one per pixel: columns = \"pixel_*\"")?;
        Ok(Feature::Image(Image { image: self.image.unwrap_or_default(), columns, scale }))
    }

    /// A key that was given and belongs to another encoding, with that encoding's name.
    fn stray(&self) -> Option<(&'static str, &'static str)> {
        let (numeric, category, image) = (self.numeric.is_some(), self.category.is_some(), self.image.is_some());
        [
            (self.columns.is_some() && !image, "columns", "image"),
            (self.scale.is_some() && category, "scale", "numeric` and `image"),
            (self.impute.is_some() && !numeric, "impute", "numeric"),
            (self.shape.is_some() && !numeric, "shape", "numeric"),
            (self.encode.is_some() && !category, "encode", "category"),
            (self.unknown.is_some() && !category, "unknown", "category"),
            (self.min_count.is_some() && !category, "min_count", "category"),
        ]
        .into_iter()
        .find_map(|(stray, key, owner)| stray.then_some((key, owner)))
    }
}

/// Reads `features`; a feature in short form gets the column of its name.
///
/// # Errors
/// The deserializer's.
pub fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Feature>, D::Error> {
    let mut features = BTreeMap::<String, Feature>::deserialize(deserializer)?;
    for (name, feature) in &mut features {
        match feature {
            Feature::Numeric(Numeric { columns, .. }) | Feature::Category(Category { columns, .. })
                if columns.0.is_empty() =>
            {
                columns.0.push(name.clone());
            }
            _ => {}
        }
    }
    Ok(features)
}

/// The feature that a bare word stands for, with every default; its column is filled in by [`named`].
fn shorthand(text: &str) -> Result<Feature, String> {
    match text {
        "numeric" => Ok(Feature::Numeric(Numeric::default())),
        "category" => Ok(Feature::Category(Category::default())),
        "image" => {
            Err("an image needs its shape and columns: { image = [1, 28, 28], columns = \"pixel_*\" }".to_owned())
        }
        other => {
            let near = did_you_mean(other, ["numeric", "category", "image"]);
            let near = near.map(|near| format!("; {near}")).unwrap_or_default();
            Err(format!("`{other}` is no encoding: `numeric`, `category` or an `image` table{near}"))
        }
    }
}

impl<'de> Deserialize<'de> for Feature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FeatureVisitor;
        impl<'de> Visitor<'de> for FeatureVisitor {
            type Value = Feature;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`numeric`, `category`, or a table such as { numeric = \"bill_*\" }")
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
            "description": "A feature: a table with one of the keys `numeric`, `category` and `image`, or `numeric` or `category` for the column of the feature's name.",
            "anyOf": [{ "enum": ["numeric", "category"] }, form],
        })
    }
}

impl<'de> Deserialize<'de> for ScaleForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScaleVisitor;
        impl Visitor<'_> for ScaleVisitor {
            type Value = ScaleForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`standard`, `min_max`, `none`, or for an image a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ScaleForm, E> {
                match text {
                    "standard" => Ok(ScaleForm::Word(Scale::Standard)),
                    "min_max" => Ok(ScaleForm::Word(Scale::MinMax)),
                    "none" => Ok(ScaleForm::Word(Scale::None)),
                    other => Err(E::unknown_variant(other, &["standard", "min_max", "none"])),
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
        schemars::json_schema!({ "anyOf": [{ "enum": ["standard", "min_max", "none"] }, { "type": "number" }] })
    }
}

impl<'de> Deserialize<'de> for ImputeForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ImputeVisitor;
        impl Visitor<'_> for ImputeVisitor {
            type Value = ImputeForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`mean`, `median`, `none` or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ImputeForm, E> {
                match text {
                    "mean" => Ok(ImputeForm(Impute::Mean)),
                    "median" => Ok(ImputeForm(Impute::Median)),
                    "none" => Ok(ImputeForm(Impute::None)),
                    other => Err(E::unknown_variant(other, &["mean", "median", "none"])),
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
        schemars::json_schema!({ "anyOf": [{ "enum": ["mean", "median", "none"] }, { "type": "number" }] })
    }
}
