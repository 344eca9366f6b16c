//! The encodings of features, one a file: what the manifest says, what is known before the data, fitting, applying.
//!
//! To add one: a file with a spec that is an [`Encoding`] and its fitted form that is a [`Fitted`], a variant in
//! [`Feature`] and in [`FittedFeature`], and its keys in `form/`.

mod category;
mod encoding;
mod form;
mod hash;
mod image;
mod numeric;
mod sequence;
mod text;
mod time;
mod tokens;

pub use category::{Category, FittedCategory, FittedHashed, FittedTargetMean};
use encoding::{Encoding, Fitted, Known};
pub(super) use encoding::{Tokenizers, Training};
pub use form::named;
pub use image::{FittedImage, Image};
pub use numeric::{FittedNumeric, Numeric};
pub use sequence::{FittedSequence, Sequence};
pub use text::{FittedText, Text};
pub use time::{FittedTime, TimeFeature};
pub use tokens::{FittedTokens, Tokens};

use super::{Names, Target, Tensor};
use crate::diag::codes;
use crate::path;
use crate::stage::{CheckCx, Path, Ref, StageError};
use crate::types::{DType, FeatureType, TableSchema};
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A feature as the manifest describes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Numbers, scaled and with gaps filled: `f32`.
    Numeric(Numeric),
    /// Categories, one-hot as `f32` or as `i64` indices.
    Category(Category),
    /// Dates and times, as points on circles: `f32`.
    Time(TimeFeature),
    /// The last rows of a group, as `f32` or as `i64` indices.
    Sequence(Sequence),
    /// Pixels, stored as `u8`; the model divides them by `scale`.
    Image(Image),
    /// Texts as bags of words: sparse `f32`.
    Text(Text),
    /// Texts as token ids: `i32`.
    #[serde(untagged)]
    Tokens(Tokens),
}

/// A feature that was fitted: all that is needed to encode rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FittedFeature {
    /// See [`Feature::Numeric`].
    Numeric(FittedNumeric),
    /// See [`Feature::Category`].
    Category(FittedCategory),
    /// See [`Feature::Category`]: hashed.
    Hashed(FittedHashed),
    /// See [`Feature::Category`]: means of a target.
    TargetMean(FittedTargetMean),
    /// See [`Feature::Time`].
    Time(FittedTime),
    /// See [`Feature::Sequence`].
    Sequence(FittedSequence),
    /// See [`Feature::Image`].
    Image(FittedImage),
    /// See [`Feature::Text`].
    Text(FittedText),
    /// See [`Feature::Tokens`].
    Tokens(Box<FittedTokens>),
}

impl Feature {
    fn encoding(&self) -> &dyn Encoding {
        match self {
            Self::Numeric(numeric) => numeric,
            Self::Category(category) => category,
            Self::Time(time) => time,
            Self::Sequence(sequence) => sequence,
            Self::Image(image) => image,
            Self::Text(text) => text,
            Self::Tokens(tokens) => tokens,
        }
    }

    fn columns_mut(&mut self) -> &mut Names {
        match self {
            Self::Numeric(numeric) => &mut numeric.columns,
            Self::Category(category) => &mut category.columns,
            Self::Time(time) => &mut time.columns,
            Self::Sequence(sequence) => &mut sequence.columns,
            Self::Image(image) => &mut image.columns,
            Self::Text(text) => &mut text.columns,
            Self::Tokens(tokens) => &mut tokens.columns,
        }
    }

    /// The columns that it is made of.
    pub fn columns(&self) -> &Names {
        self.encoding().columns()
    }

    /// Columns that it needs beside them, each with the key that names it.
    pub fn helpers(&self) -> Vec<(&'static str, &str)> {
        self.encoding().helpers()
    }

    /// The path to its columns, for messages.
    pub fn columns_path(&self, name: &str) -> Path {
        path!["features", name, self.encoding().columns_key()]
    }

    /// Whether the table's order of these columns counts where a pattern takes them.
    pub(super) fn follows_order(&self, columns: &[&str]) -> bool {
        self.encoding().follows_order(columns)
    }

    /// Whether a row of this feature shows the row's own value of its columns, so that a target among them is a leak.
    pub(super) fn shows_its_row(&self) -> bool {
        self.encoding().shows_its_row()
    }

    /// Whether a column of this type can be encoded so.
    pub fn accepts(&self, dtype: &DType) -> bool {
        dtype.is_unknown() || self.encoding().accepts(dtype)
    }

    /// Checks the feature against the table that it is fitted on and says what it will be. The second answer are its
    /// columns, where the table's are known and the feature's exist. `targets` are the columns that are predicted.
    pub fn check(
        &self,
        name: &str,
        schema: &TableSchema,
        table: &Ref,
        targets: &BTreeMap<String, Target>,
        cx: &mut CheckCx<'_>,
    ) -> (FeatureType, Option<Vec<String>>) {
        let place = self.columns_path(name);
        let encoding = self.encoding();
        let mut selected = super::names::check_names(self.columns(), schema, table, &place, cx);
        if let Some(columns) = &mut selected {
            // The target as a feature is a mistake of its own.
            let others: Vec<&str> = columns
                .iter()
                .map(String::as_str)
                .filter(|name| targets.get(*name).is_none_or(Target::is_tokens))
                .collect();
            self.check_types(&others, schema, table, &place, cx);
            encoding.arrange(columns);
        }
        for (key, column) in self.helpers() {
            let names = Names(vec![column.to_owned()]);
            let place = path!["features", name, key];
            super::names::check_names(&names, schema, table, &place, cx);
            check_single(column, key, schema, table, place, cx);
        }
        let mut ty = encoding.check(name, &Known { selected: selected.as_deref(), schema, targets }, cx);
        ty.columns = selected.clone().unwrap_or_else(|| self.columns().0.clone());
        for (_, column) in self.helpers() {
            if !ty.columns.iter().any(|known| known == column) {
                ty.columns.push(column.to_owned());
            }
        }
        (ty, selected)
    }

    /// Reports the first column whose type does not fit.
    fn check_types(&self, columns: &[&str], schema: &TableSchema, table: &Ref, place: &Path, cx: &mut CheckCx<'_>) {
        let wrong = columns.iter().find_map(|name| {
            let column = schema.columns.iter().find(|column| column.name == **name)?;
            (!self.accepts(&column.dtype)).then_some(column)
        });
        let Some(column) = wrong else { return };
        let (wanted, hint) = self.encoding().wanted(&column.dtype);
        // Where the column is named, and not only meant by a pattern, at its name.
        let index = self.columns().0.iter().position(|entry| *entry == column.name);
        let place: Path = place.iter().cloned().chain(index.map(crate::digest::Segment::from)).collect();
        cx.error(place, codes::COLUMN_TYPE, format!("column `{}` is {}", column.name, column.dtype))
            .label(format!("`{}` takes {wanted}", self.encoding().key()))
            .hint(hint)
            .from_stage(table, "the column comes from here");
    }

    /// Learns what encoding needs from the training table.
    ///
    /// # Errors
    /// When a column is missing or holds what cannot be encoded; names the row.
    pub(super) fn fit(&self, name: &str, training: &Training<'_>) -> Result<FittedFeature, StageError> {
        let columns = self.columns().resolve(name, &super::labels::column_names(training.frame))?;
        self.encoding().fit(name, columns, training)
    }
}

/// Reports a column that orders or groups rows, and holds more than one value in each.
fn check_single(name: &str, key: &str, schema: &TableSchema, table: &Ref, place: Path, cx: &mut CheckCx<'_>) {
    let nested = schema.columns.iter().find(|column| column.name == name && column.dtype.is_nested());
    let Some(column) = nested else { return };
    cx.error(place, codes::COLUMN_TYPE, format!("column `{name}` is {}", column.dtype))
        .label(format!("`{key}` takes columns of single values"))
        .from_stage(table, "the column comes from here");
}

impl FittedFeature {
    fn fitted(&self) -> &dyn Fitted {
        match self {
            Self::Numeric(fitted) => fitted,
            Self::Category(fitted) => fitted,
            Self::Hashed(fitted) => fitted,
            Self::TargetMean(fitted) => fitted,
            Self::Time(fitted) => fitted,
            Self::Sequence(fitted) => fitted,
            Self::Image(fitted) => fitted,
            Self::Text(fitted) => fitted,
            Self::Tokens(fitted) => fitted.as_ref(),
        }
    }

    /// The columns that it reads, in order, each once.
    pub fn columns(&self) -> Vec<&str> {
        self.fitted().columns()
    }

    /// Whether one of its columns may have this type.
    pub fn accepts(&self, column: &str, dtype: &DType) -> bool {
        dtype.is_unknown() || self.fitted().accepts(column, dtype)
    }

    /// What rows become, in a few words: `numbers, scaled by the training rows`.
    pub fn becomes(&self) -> String {
        self.fitted().becomes()
    }

    /// The type of the tensors that it gives.
    pub fn ty(&self, name: &str) -> FeatureType {
        let mut ty = self.fitted().ty(name);
        ty.columns = self.columns().into_iter().map(str::to_owned).collect();
        ty
    }

    /// Encodes rows.
    ///
    /// # Errors
    /// When a column is missing or holds what cannot be encoded; names the row.
    pub fn apply(&self, name: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        self.fitted().apply(name, frame)
    }

    /// Encodes the rows that it was fitted on. What would show a row its own target does not.
    ///
    /// # Errors
    /// When a column is missing or holds what cannot be encoded; names the row.
    pub(super) fn apply_training(&self, name: &str, training: &Training<'_>) -> Result<Tensor, StageError> {
        self.fitted().apply_training(name, training)
    }
}
