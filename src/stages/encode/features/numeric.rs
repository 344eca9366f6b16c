//! Numbers: nulls filled with `impute`, then `(x - shift) / scale`, stored as `f32`.
//!
//! | `scale` | shift | scale |
//! |---|---|---|
//! | `standard` | mean | population standard deviation, 1 for a constant |
//! | `min_max` | least value | range, 1 for a constant |
//! | `none` | 0 | 1 |
//!
//! Statistics are taken over the training rows after nulls were filled, in `f64` and with exact sums, as scikit-learn's
//! `SimpleImputer` followed by `StandardScaler` or `MinMaxScaler` defines them.

use super::super::exact::{mean, mean_and_std, median, stored};
use super::super::labels::numbers;
use super::super::tensor::interleave;
use super::FittedFeature;
use super::encoding::{Encoding, Fitted, Training, float_type};
use crate::diag::codes;
use crate::numbers;
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::{Names, Tensor, TensorData};
use crate::types::{DType, Dim, FeatureType, Shape, TableSchema};
use polars::prelude::DataFrame;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Numeric columns as the manifest describes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Numeric {
    /// The columns.
    pub columns: Names,
    /// How they are scaled.
    pub scale: Scale,
    /// What stands for nulls.
    pub impute: Impute,
    /// The shape of one row, where it is not simply a vector of the columns.
    pub shape: Option<Vec<u64>>,
}

/// How numbers are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Subtract the mean, divide by the standard deviation.
    #[default]
    Standard,
    /// To 0..1.
    MinMax,
    /// Left as they are.
    None,
}

/// What stands for nulls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Impute {
    /// The mean of the values that are there.
    Mean,
    /// Their median.
    Median,
    /// Nothing: a null is an error.
    #[default]
    None,
    /// A number.
    Value(f64),
}

/// Fitted numeric columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedNumeric {
    /// The columns, in the order in which they fill the shape.
    pub columns: Vec<FittedNumber>,
    /// The shape of one row.
    pub shape: Vec<u64>,
}

/// One fitted numeric column: `((value or fill) - shift) / scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedNumber {
    /// The column.
    pub name: String,
    /// What stands for null; without it a null is an error.
    pub fill: Option<f64>,
    /// What is subtracted.
    pub shift: f64,
    /// What is divided by then.
    pub scale: f64,
}

impl Encoding for Numeric {
    fn key(&self) -> &'static str {
        "numeric"
    }

    fn columns(&self) -> &Names {
        &self.columns
    }

    fn accepts(&self, dtype: &DType) -> bool {
        is_number(dtype)
    }

    fn wanted(&self, dtype: &DType) -> (&'static str, &'static str) {
        match dtype {
            DType::Str => ("numbers", "encode text as a `category`"),
            _ => ("numbers", "derive a number from it in a `table` stage before"),
        }
    }

    fn check(&self, name: &str, selected: Option<&[String]>, _: &TableSchema, cx: &mut CheckCx<'_>) -> FeatureType {
        if let Impute::Value(value) = self.impute
            && !value.is_finite()
        {
            cx.error(path!["features", name, "impute"], codes::OUT_OF_RANGE, "`impute` must be a finite number");
        }
        let shape = match (&self.shape, selected) {
            (Some(shape), selected) => {
                let wanted: u64 = shape.iter().product();
                if let Some(columns) = selected
                    && columns.len() as u64 != wanted
                {
                    let have = numbers::counted(columns.len(), "column");
                    cx.error(
                        path!["features", name, "shape"],
                        codes::COLUMN_COUNT,
                        format!("shape {shape:?} holds {wanted} values, but the feature has {have}"),
                    )
                    .label(format!("{wanted} values"))
                    .related(path!["features", name, "numeric"], format!("selects {have}"));
                }
                Shape::fixed(shape)
            }
            (None, Some(columns)) => Shape::fixed(&[columns.len() as u64]),
            (None, None) => Shape(vec![Dim::Unknown]),
        };
        float_type(name, shape)
    }

    fn fit(&self, feature: &str, columns: Vec<String>, training: &Training<'_>) -> Result<FittedFeature, StageError> {
        let shape = self.shape.clone().unwrap_or_else(|| vec![columns.len() as u64]);
        if shape.iter().product::<u64>() != columns.len() as u64 {
            return Err(StageError::data(format!(
                "feature `{feature}` has {} columns, which do not fill the shape {shape:?}",
                columns.len()
            )));
        }
        let columns =
            columns.into_par_iter().map(|name| self.fit_column(name, training.frame)).collect::<Result<_, _>>()?;
        Ok(FittedFeature::Numeric(FittedNumeric { columns, shape }))
    }
}

fn is_number(dtype: &DType) -> bool {
    dtype.is_numeric() || *dtype == DType::Bool
}

impl Numeric {
    fn fit_column(&self, name: String, frame: &DataFrame) -> Result<FittedNumber, StageError> {
        let values = numbers(frame, &name)?;
        let present: Vec<f64> = values.iter().copied().flatten().collect();
        if present.is_empty() && !matches!(self.impute, Impute::Value(_)) {
            return Err(StageError::data(format!("column `{name}` has no value in the training rows"))
                .hint("leave the column out, or fill it with `impute = 0`"));
        }
        let fill = match self.impute {
            Impute::Mean => Some(stored(mean(&present))),
            Impute::Median => Some(stored(median(&present))),
            Impute::Value(value) => Some(value),
            Impute::None => None,
        };
        let filled = fill_nulls(&name, &values, fill)?;
        let (shift, scale) = match self.scale {
            Scale::Standard => mean_and_std(&filled),
            Scale::MinMax => range(&filled),
            Scale::None => (0.0, 1.0),
        };
        Ok(FittedNumber { name, fill, shift, scale })
    }
}

/// The least value and the range, 1 where that is 0.
fn range(values: &[f64]) -> (f64, f64) {
    let least = stored(values.iter().copied().fold(f64::INFINITY, f64::min));
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = stored(most - least);
    (least, if range > 0.0 { range } else { 1.0 })
}

/// Values with nulls filled.
fn fill_nulls(name: &str, values: &[Option<f64>], fill: Option<f64>) -> Result<Vec<f64>, StageError> {
    values
        .iter()
        .enumerate()
        .map(|(row, value)| {
            value.or(fill).ok_or_else(|| {
                StageError::data(format!("column `{name}` is null in row {}", row + 1))
                    .note("rows are counted from 1")
                    .hint("say what stands for nulls with `impute`: \"mean\", \"median\" or a number")
                    .hint("or drop such rows in a `table` stage before")
            })
        })
        .collect()
}

impl Fitted for FittedNumeric {
    fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    fn accepts(&self, _: &str, dtype: &DType) -> bool {
        is_number(dtype)
    }

    fn becomes(&self) -> String {
        let as_they_are = self.columns.iter().all(|column| column.scale == 1.0 && column.shift == 0.0);
        if as_they_are { "numbers as they are" } else { "numbers, scaled by the training rows" }.to_owned()
    }

    fn ty(&self, name: &str) -> FeatureType {
        float_type(name, Shape::fixed(&self.shape))
    }

    fn apply(&self, feature: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        let encode = |column: &FittedNumber| -> Result<Vec<f32>, StageError> {
            let filled = fill_nulls(&column.name, &numbers(frame, &column.name)?, column.fill)?;
            let scaled: Vec<f32> = filled.iter().map(|value| ((value - column.shift) / column.scale) as f32).collect();
            match scaled.iter().position(|value| !value.is_finite()) {
                None => Ok(scaled),
                Some(row) => Err(StageError::data(format!(
                    "column `{}` is {} in row {}, too large for a 32-bit float",
                    column.name,
                    filled[row],
                    row + 1
                ))
                .at(path!["features", feature])),
            }
        };
        let columns: Vec<Vec<f32>> = self.columns.par_iter().map(encode).collect::<Result<_, _>>()?;
        let slices: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
        let data = interleave(&slices, frame.height());
        Ok(Tensor::of_rows(frame.height(), &self.shape, TensorData::F32(data)))
    }
}
