//! Categories of text, bools or integers.
//!
//! | `encode` | a row becomes |
//! |---|---|
//! | `one_hot` | a 1 in the value's place, 0 elsewhere: `f32` |
//! | `index` | the value's place, for an embedding: `i64` |
//! | `hashed` | +1 or -1 in a place that a hash of the value chooses, without learning any: `f32` |
//! | `hashed_index` | that place, for an embedding: `i64` |
//! | `target` | the mean target of the training rows with the value, smoothed: `f32` |

mod frequent;
mod hashed;
mod target_mean;
mod values;

pub use frequent::Floor;
pub use hashed::FittedHashed;
pub use target_mean::{FittedTargetMean, Smooth};
pub use values::{FittedCategory, FittedValues};

use super::FittedFeature;
use super::encoding::{Encoding, Known, Training, float_type, list_hint};
use crate::diag::{codes, did_you_mean, list};
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::Names;
use crate::types::{DType, Dim, FeatureType, Shape, TensorType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Category columns as the manifest describes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Category {
    /// The columns.
    pub columns: Names,
    /// How they are stored.
    pub encode: CategoryEncoding,
    /// What becomes of nulls and unseen values.
    pub unknown: Unseen,
    /// Which values count as unknown because they are rare.
    pub floor: Floor,
    /// How many places hashes are spread over.
    pub n_features: Option<u64>,
    /// The target whose mean is taken.
    pub target: Option<String>,
    /// How much weight the mean of all rows has.
    pub smooth: Smooth,
    /// In how many parts training rows are split so that none sees its own target; 5 where it is not said.
    pub folds: Option<u64>,
}

/// How a category is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CategoryEncoding {
    /// A 1 in the category's place, 0 elsewhere.
    #[default]
    OneHot,
    /// The category's index, for an embedding.
    Index,
    /// +1 or -1 in a place that a hash chooses.
    Hashed,
    /// The place that a hash chooses, for an embedding.
    HashedIndex,
    /// The mean target of the category's training rows.
    Target,
}

/// What becomes of nulls and of values that training did not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unseen {
    /// They are an error that names the row.
    #[default]
    Error,
    /// They are one more category, the last.
    Other,
}

/// `folds` where it is not said.
const FOLDS: u64 = 5;

impl Category {
    fn hash_places(&self) -> u64 {
        self.n_features.unwrap_or(hashed::PLACES)
    }

    /// The fields that are given and mean nothing for this way of storing, with the ways that have them.
    pub(super) fn stray(&self, given: &[&str]) -> Option<String> {
        use CategoryEncoding::{Hashed, HashedIndex, Index, OneHot, Target};
        let owners: [(&str, &[CategoryEncoding], &str); 7] = [
            ("unknown", &[OneHot, Index], "`one_hot` and `index`"),
            ("min_count", &[OneHot, Index], "`one_hot` and `index`"),
            ("min_frequency", &[OneHot, Index], "`one_hot` and `index`"),
            ("max_categories", &[OneHot, Index], "`one_hot` and `index`"),
            ("n_features", &[Hashed, HashedIndex], "`hashed` and `hashed_index`"),
            ("smooth", &[Target], "`target`"),
            ("folds", &[Target], "`target`"),
        ];
        let of_target = [("target", [Target].as_slice(), "`target`")];
        let stray = owners
            .iter()
            .chain(&of_target)
            .find(|(key, encodings, _)| given.contains(key) && !encodings.contains(&self.encode));
        stray.map(|(key, _, words)| format!("`{key}` belongs to categories encoded as {words}"))
    }

    fn check_target(&self, name: &str, known: &Known<'_>, cx: &mut CheckCx<'_>) -> Dim {
        let names = || known.targets.keys().map(String::as_str);
        let chosen = match &self.target {
            Some(target) => known.targets.get(target),
            None if known.targets.len() > 1 => {
                let message = format!("the stage has several targets: {}", list(names(), 8));
                cx.error(path!["features", name, "encode"], codes::MISSING_FIELD, message)
                    .label("the mean of which?")
                    .hint(format!("features.{name}.target = \"{}\" says which", names().next().unwrap_or_default()));
                return Dim::Unknown;
            }
            None => known.targets.values().next(),
        };
        if chosen.is_none() {
            let place = if self.target.is_some() {
                path!["features", name, "target"]
            } else {
                path!["features", name, "encode"]
            };
            let what = self.target.as_ref().map(|target| format!(" `{target}`")).unwrap_or_default();
            cx.error(place, codes::NO_TARGET, format!("the stage has no target{what} to take the mean of"))
                .maybe_hint(self.target.as_ref().and_then(|target| did_you_mean(target, names())))
                .hint("`target.COLUMN = \"category\"`, `\"binary\"` or `\"number\"` says what is predicted");
        }
        chosen.map_or(Dim::Unknown, |target| target.mean_outputs())
    }

    fn check_numbers(&self, name: &str, cx: &mut CheckCx<'_>) {
        self.floor.check(name, self.unknown, cx);
        for (field, value, least) in [("n_features", self.n_features, 1), ("folds", self.folds, 2)] {
            if let Some(value) = value.filter(|value| !(least..=1 << 24).contains(value)) {
                let message = format!("{field} is from {least} to {}, found {value}", 1 << 24);
                cx.error(path!["features", name, field], codes::OUT_OF_RANGE, message);
            }
        }
        if let Smooth::Value(weight) = self.smooth
            && !(weight >= 0.0 && weight.is_finite())
        {
            cx.error(
                path!["features", name, "smooth"],
                codes::OUT_OF_RANGE,
                "`smooth` is \"auto\" or a number from 0 on",
            );
        }
    }
}

pub(super) fn is_category(dtype: &DType) -> bool {
    dtype.is_integer() || matches!(dtype, DType::Bool | DType::Str)
}

impl Encoding for Category {
    fn key(&self) -> &'static str {
        "category"
    }

    fn columns(&self) -> &Names {
        &self.columns
    }

    fn accepts(&self, dtype: &DType) -> bool {
        is_category(dtype)
    }

    fn wanted(&self, dtype: &DType) -> (&'static str, &'static str) {
        let other = match dtype.is_temporal() && !dtype.is_duration() {
            true => "encode it as `time`, or cast it to `str` in a `table` stage",
            false => "encode it as `numeric`, or cast it in a `table` stage",
        };
        let hint = list_hint(dtype).unwrap_or(other);
        ("text, bools or integers", hint)
    }

    fn check(&self, name: &str, known: &Known<'_>, cx: &mut CheckCx<'_>) -> FeatureType {
        self.check_numbers(name, cx);
        let columns = known.selected.map(<[String]>::len);
        match self.encode {
            CategoryEncoding::OneHot => float_type(name, Shape(vec![Dim::Unknown])),
            CategoryEncoding::Index => index_type(name, columns, Dim::Named("categories".to_owned())),
            CategoryEncoding::Hashed => float_type(name, Shape::fixed(&[self.hash_places()])),
            CategoryEncoding::HashedIndex => index_type(name, columns, Dim::Fixed(self.hash_places() + 1)),
            CategoryEncoding::Target => {
                let outputs = self.check_target(name, known, cx);
                let width = outputs.size().zip(columns).map(|(outputs, columns)| Dim::Fixed(outputs * columns as u64));
                float_type(name, Shape(vec![width.unwrap_or(Dim::Unknown)]))
            }
        }
    }

    fn fit(&self, feature: &str, columns: Vec<String>, training: &Training<'_>) -> Result<FittedFeature, StageError> {
        match self.encode {
            CategoryEncoding::OneHot | CategoryEncoding::Index => {
                FittedCategory::fit(self, feature, columns, training).map(FittedFeature::Category)
            }
            CategoryEncoding::Hashed | CategoryEncoding::HashedIndex => {
                let index = self.encode == CategoryEncoding::HashedIndex;
                Ok(FittedFeature::Hashed(FittedHashed { columns, places: self.hash_places(), index }))
            }
            CategoryEncoding::Target => {
                let folds = self.folds.unwrap_or(FOLDS);
                FittedTargetMean::fit(columns, self.target.as_deref(), self.smooth, folds, training)
                    .map(FittedFeature::TargetMean)
            }
        }
    }
}

/// One column gives scalars, several a vector.
pub(super) fn index_type(name: &str, columns: Option<usize>, cardinality: Dim) -> FeatureType {
    let shape = match columns {
        Some(1) => Shape(Vec::new()),
        Some(several) => Shape::fixed(&[several as u64]),
        None => Shape(vec![Dim::Unknown]),
    };
    FeatureType {
        name: name.to_owned(),
        shape,
        dtype: TensorType::I64,
        scale: None,
        cardinality: Some(cardinality),
        padding: None,
        columns: Vec::new(),
    }
}
