//! Numbers, step by step: nulls are filled (`impute`), values are bounded (`clip`), bent (`transform`) and scaled
//! (`scale`), and stored as `f32`. Every step is fitted on what the step before it gives for the training rows, in `f64`
//! and with exact sums, as scikit-learn's `SimpleImputer`, `PowerTransformer`, `StandardScaler`, `MinMaxScaler`,
//! `RobustScaler` and `QuantileTransformer` in a pipeline define it. With `lags` the values are those of earlier rows.

mod clip;
mod columns;
mod impute;
mod lags;
mod scale;
mod transform;

pub use clip::Clip;
pub use columns::{FittedNumber, NumberSteps};
pub use impute::Impute;
pub use lags::{FittedLags, Lags};
pub use scale::{Distribution, Scale};
pub use transform::Transform;

use super::FittedFeature;
use super::encoding::{Encoding, Fitted, Known, Training, float_type, list_hint};
use crate::diag::codes;
use crate::numbers;
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::labels::{Places, numbers as values_of};
use crate::stages::encode::tensor::interleave;
use crate::stages::encode::{Names, Tensor, TensorData};
use crate::types::{DType, Dim, FeatureType, Shape};
use polars::prelude::DataFrame;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Numeric columns as the manifest describes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Numeric {
    /// The columns.
    pub columns: Names,
    /// What becomes of each.
    pub steps: NumberSteps,
    /// Whether each column is followed, after all of them, by one that is 1 where it was null.
    pub indicator: bool,
    /// Values of earlier rows instead of the row's own.
    pub lags: Option<Lags>,
    /// The shape of one row, where it is not simply a vector of the columns.
    pub shape: Option<Vec<u64>>,
}

/// Fitted numeric columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedNumeric {
    /// The columns, in the order in which they fill the shape; with lags, every column once for each.
    pub columns: Vec<FittedNumber>,
    /// The shape of one row.
    pub shape: Vec<u64>,
    /// Whether there is a second column for each, 1 where it is null.
    #[serde(default)]
    pub indicator: bool,
    /// How earlier rows are found.
    #[serde(default)]
    pub lags: Option<FittedLags>,
}

impl Numeric {
    /// How many numbers a row has for so many columns.
    fn width(&self, columns: usize) -> u64 {
        let lags = self.lags.as_ref().map_or(1, |lags| lags.lags.len());
        (columns * lags * if self.indicator { 2 } else { 1 }) as u64
    }

    fn check_shape(&self, name: &str, selected: Option<&[String]>, cx: &mut CheckCx<'_>) -> Shape {
        let Some(shape) = &self.shape else {
            let width = selected.map_or(Dim::Unknown, |columns| Dim::Fixed(self.width(columns.len())));
            return Shape(vec![width]);
        };
        let wanted: u64 = shape.iter().product();
        if let Some(columns) = selected
            && self.width(columns.len()) != wanted
        {
            let have = numbers::counted(columns.len(), "column");
            let gives = match self.width(columns.len()) {
                same if same == columns.len() as u64 => have.clone(),
                more => format!("{have}, which give {} values", numbers::count(more)),
            };
            cx.error(
                path!["features", name, "shape"],
                codes::COLUMN_COUNT,
                format!("shape {shape:?} holds {wanted} values, but the feature has {gives}"),
            )
            .label(format!("{wanted} values"))
            .related(path!["features", name, "numeric"], format!("selects {have}"));
        }
        Shape::fixed(shape)
    }
}

pub(super) fn is_number(dtype: &DType) -> bool {
    dtype.is_numeric() || *dtype == DType::Bool
}

impl Encoding for Numeric {
    fn key(&self) -> &'static str {
        "numeric"
    }

    fn columns(&self) -> &Names {
        &self.columns
    }

    fn helpers(&self) -> Vec<(&'static str, &str)> {
        self.lags.as_ref().map_or_else(Vec::new, Lags::helpers)
    }

    fn accepts(&self, dtype: &DType) -> bool {
        is_number(dtype)
    }

    fn wanted(&self, dtype: &DType) -> (&'static str, &'static str) {
        match dtype {
            DType::Str => ("numbers", "encode text as a `category`"),
            other if other.is_temporal() && !other.is_duration() => ("numbers", "encode dates and times as `time`"),
            _ => ("numbers", list_hint(dtype).unwrap_or("derive a number from it in a `table` stage before")),
        }
    }

    fn shows_its_row(&self) -> bool {
        self.lags.as_ref().is_none_or(|lags| lags.lags.contains(&0))
    }

    fn check(&self, name: &str, known: &Known<'_>, cx: &mut CheckCx<'_>) -> FeatureType {
        self.steps.check(name, cx);
        if let Some(lags) = &self.lags {
            lags.check(name, self.steps.impute, cx);
        }
        let shape = self.check_shape(name, known.selected, cx);
        float_type(name, shape)
    }

    fn fit(&self, feature: &str, columns: Vec<String>, training: &Training<'_>) -> Result<FittedFeature, StageError> {
        let width = self.width(columns.len());
        let shape = self.shape.clone().unwrap_or_else(|| vec![width]);
        if shape.iter().product::<u64>() != width {
            return Err(StageError::data(format!(
                "feature `{feature}` has {}, which give {} and do not fill the shape {shape:?}",
                numbers::counted(columns.len(), "column"),
                numbers::counted(usize::try_from(width).unwrap_or(usize::MAX), "value"),
            )));
        }
        let lags = self.lags.as_ref().map(FittedLags::of);
        let earlier = lags.as_ref().map(|lags| lags.rows(training.frame)).transpose()?;
        let fit = |(name, lag): (String, Option<usize>)| {
            let mut values = values_of(training.frame, &name)?;
            if let (Some(earlier), Some(lag)) = (&earlier, lag) {
                values = earlier.values(&values, lag);
            }
            self.steps.fit(&name, &values, Places::Rows)
        };
        let count = self.lags.as_ref().map_or(1, |lags| lags.lags.len());
        let lagged = lags.is_some();
        let each: Vec<(String, Option<usize>)> =
            (0..count).flat_map(|lag| columns.iter().map(move |name| (name.clone(), lagged.then_some(lag)))).collect();
        let columns = each.into_par_iter().map(fit).collect::<Result<_, StageError>>()?;
        Ok(FittedFeature::Numeric(FittedNumeric { columns, shape, indicator: self.indicator, lags }))
    }
}

impl Fitted for FittedNumeric {
    fn columns(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let helpers = self.lags.iter().flat_map(FittedLags::helpers);
        for name in self.columns.iter().map(|column| column.name.as_str()).chain(helpers) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn accepts(&self, column: &str, dtype: &DType) -> bool {
        is_number(dtype) || self.columns.iter().all(|number| number.name != column)
    }

    fn becomes(&self) -> String {
        let as_they_are = self.columns.iter().all(FittedNumber::is_plain);
        let numbers = if as_they_are { "numbers as they are" } else { "numbers, scaled by the training rows" };
        match &self.lags {
            Some(lags) => format!("{numbers}, {}", lags.words()),
            None => numbers.to_owned(),
        }
    }

    fn ty(&self, name: &str) -> FeatureType {
        float_type(name, Shape::fixed(&self.shape))
    }

    fn apply(&self, feature: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        let earlier = self.lags.as_ref().map(|lags| lags.rows(frame)).transpose()?;
        let each = self.columns.len() / self.lags.as_ref().map_or(1, |lags| lags.lags.len().max(1));
        let encode = |(index, column): (usize, &FittedNumber)| -> Result<(Vec<f32>, Vec<f32>), StageError> {
            let mut values = values_of(frame, &column.name)?;
            if let Some(earlier) = &earlier {
                values = earlier.values(&values, index / each.max(1));
            }
            let missing = match self.indicator {
                true => values.iter().map(|value| f32::from(u8::from(value.is_none()))).collect(),
                false => Vec::new(),
            };
            Ok((column.apply(feature, &values, Places::Rows)?, missing))
        };
        let columns: Vec<(Vec<f32>, Vec<f32>)> =
            self.columns.par_iter().enumerate().map(encode).collect::<Result<_, _>>()?;
        let missing = columns.iter().map(|(_, missing)| missing.as_slice()).filter(|_| self.indicator);
        let slices: Vec<&[f32]> = columns.iter().map(|(values, _)| values.as_slice()).chain(missing).collect();
        let data = interleave(&slices, frame.height());
        Ok(Tensor::of_rows(frame.height(), &self.shape, TensorData::F32(data)))
    }
}
