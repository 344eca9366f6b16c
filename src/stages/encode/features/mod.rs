//! The encodings of features, one a file: what the manifest says, what is known before the data, fitting, applying.

mod category;
mod form;
mod image;
mod numeric;

pub use category::{Category, CategoryEncoding, FittedCategory, Unseen};
pub use form::named;
pub use image::{FittedImage, Image};
pub use numeric::{FittedNumeric, Impute, Numeric, Scale};

use super::{Names, Tensor};
use crate::diag::codes;
use crate::path;
use crate::stage::{CheckCx, Path, Ref, StageError};
use crate::types::{DType, FeatureType, TableSchema};
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};

/// A feature as the manifest describes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Numbers, scaled and with gaps filled: `f32`.
    Numeric(Numeric),
    /// Categories, one-hot as `f32` or as `i64` indices.
    Category(Category),
    /// Pixels, stored as `u8`; the model divides them by `scale`.
    Image(Image),
}

/// A feature that was fitted: all that is needed to encode rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FittedFeature {
    /// See [`Feature::Numeric`].
    Numeric(FittedNumeric),
    /// See [`Feature::Category`].
    Category(FittedCategory),
    /// See [`Feature::Image`].
    Image(FittedImage),
}

impl Feature {
    /// The key that says what the feature is, under which its columns stand in the manifest.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Numeric(_) => "numeric",
            Self::Category(_) => "category",
            Self::Image(_) => "image",
        }
    }

    /// The columns that it is made of.
    pub fn columns(&self) -> &Names {
        match self {
            Self::Numeric(numeric) => &numeric.columns,
            Self::Category(category) => &category.columns,
            Self::Image(image) => &image.columns,
        }
    }

    /// The path to its columns, for messages.
    pub fn columns_path(&self, name: &str) -> Path {
        path!["features", name, if matches!(self, Self::Image(_)) { "columns" } else { self.key() }]
    }

    /// Whether the table's order of these columns counts where a pattern takes them.
    pub(super) fn follows_order(&self, columns: &[&str]) -> bool {
        !matches!(self, Self::Image(_)) || !image::are_numbered(columns)
    }

    /// Whether a column of this type can be encoded so.
    pub fn accepts(&self, dtype: &DType) -> bool {
        dtype.is_unknown()
            || match self {
                Self::Numeric(_) => dtype.is_numeric() || *dtype == DType::Bool,
                Self::Category(_) => dtype.is_integer() || matches!(dtype, DType::Bool | DType::Str),
                Self::Image(_) => dtype.is_integer(),
            }
    }

    /// Checks the feature against the table that it is fitted on and says what it will be. The second answer are its
    /// columns, where the table's are known and the feature's exist. `target` names the column that is predicted.
    pub fn check(
        &self,
        name: &str,
        schema: &TableSchema,
        table: &Ref,
        target: Option<&str>,
        cx: &mut CheckCx<'_>,
    ) -> (FeatureType, Option<Vec<String>>) {
        let place = self.columns_path(name);
        let mut selected = super::names::check_names(self.columns(), schema, table, &place, cx);
        if let Some(columns) = &mut selected {
            // The target as a feature is a mistake of its own.
            let others: Vec<&str> = columns.iter().map(String::as_str).filter(|name| Some(*name) != target).collect();
            self.check_types(&others, schema, table, &place, cx);
            if let Self::Image(_) = self {
                image::by_number(columns);
            }
        }
        let mut ty = match self {
            Self::Numeric(numeric) => numeric.check(name, selected.as_deref(), cx),
            Self::Category(category) => category.check(name, selected.as_deref(), cx),
            Self::Image(image) => image.check(name, selected.as_deref(), cx),
        };
        ty.columns = selected.clone().unwrap_or_else(|| self.columns().0.clone());
        (ty, selected)
    }

    /// Reports the first column whose type does not fit.
    fn check_types(&self, columns: &[&str], schema: &TableSchema, table: &Ref, place: &Path, cx: &mut CheckCx<'_>) {
        let wrong = columns.iter().find_map(|name| {
            let column = schema.columns.iter().find(|column| column.name == **name)?;
            (!self.accepts(&column.dtype)).then_some(column)
        });
        let Some(column) = wrong else { return };
        let (wanted, hint) = match self {
            Self::Numeric(_) if column.dtype == DType::Str => ("numbers", "encode text as a `category`"),
            Self::Numeric(_) => ("numbers", "derive a number from it in a `table` stage before"),
            Self::Category(_) => ("text, bools or integers", "encode it as `numeric`, or cast it in a `table` stage"),
            Self::Image(_) => ("integers from 0 to 255", "give the column the type `u8` where it is read"),
        };
        cx.error(place.clone(), codes::COLUMN_TYPE, format!("column `{}` is {}", column.name, column.dtype))
            .label(format!("`{}` takes {wanted}", self.key()))
            .hint(hint)
            .from_stage(table, "the column comes from here");
    }

    /// Learns what encoding needs from the training table.
    ///
    /// # Errors
    /// When a column is missing or holds what cannot be encoded; names the row.
    pub fn fit(&self, name: &str, frame: &DataFrame) -> Result<FittedFeature, StageError> {
        let columns = self.columns().resolve(name, &super::labels::column_names(frame))?;
        Ok(match self {
            Self::Numeric(numeric) => FittedFeature::Numeric(numeric.fit(name, columns, frame)?),
            Self::Category(category) => FittedFeature::Category(category.fit(name, columns, frame)?),
            Self::Image(image) => FittedFeature::Image(image.fit(name, columns)?),
        })
    }
}

impl FittedFeature {
    /// The columns that it reads, in order.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Numeric(fitted) => fitted.columns.iter().map(|column| column.name.as_str()).collect(),
            Self::Category(fitted) => fitted.columns.iter().map(|column| column.name.as_str()).collect(),
            Self::Image(fitted) => fitted.columns.iter().map(String::as_str).collect(),
        }
    }

    /// Whether a column of this type can be encoded so.
    pub fn accepts(&self, dtype: &DType) -> bool {
        dtype.is_unknown()
            || match self {
                Self::Numeric(_) => dtype.is_numeric() || *dtype == DType::Bool,
                Self::Category(_) => dtype.is_integer() || matches!(dtype, DType::Bool | DType::Str),
                Self::Image(_) => dtype.is_integer(),
            }
    }

    /// The type of the tensors that it gives.
    pub fn ty(&self, name: &str) -> FeatureType {
        let mut ty = match self {
            Self::Numeric(fitted) => fitted.ty(name),
            Self::Category(fitted) => fitted.ty(name),
            Self::Image(fitted) => fitted.ty(name),
        };
        ty.columns = self.columns().into_iter().map(str::to_owned).collect();
        ty
    }

    /// Encodes rows.
    ///
    /// # Errors
    /// When a column is missing or holds what cannot be encoded; names the row.
    pub fn apply(&self, name: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        match self {
            Self::Numeric(fitted) => fitted.apply(name, frame),
            Self::Category(fitted) => fitted.apply(name, frame),
            Self::Image(fitted) => fitted.apply(name, frame),
        }
    }
}
