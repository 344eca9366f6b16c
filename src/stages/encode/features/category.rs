//! Categories: the values of the training rows, numbers by size and text by code points, become one-hot vectors
//! (`f32`, side by side for several columns) or indices (`i64`). With `unknown = "other"` every column has one category
//! more, the last, for nulls, for values that training did not see and for those rarer than `min_count`.

use super::super::labels::Labels;
use super::super::tensor::interleave;
use super::FittedFeature;
use super::encoding::{Encoding, Fitted, Training, float_type};
use crate::diag::{codes, list};
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::{Names, Tensor, TensorData};
use crate::types::{DType, Dim, FeatureType, Shape, TableSchema, TensorType};
use polars::prelude::DataFrame;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Category columns as the manifest describes them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Category {
    /// The columns.
    pub columns: Names,
    /// One-hot or indices.
    pub encode: CategoryEncoding,
    /// What becomes of nulls and unseen values.
    pub unknown: Unseen,
    /// Rarer values count as unknown.
    pub min_count: u64,
}

impl Default for Category {
    fn default() -> Self {
        Self {
            columns: Names::default(),
            encode: CategoryEncoding::default(),
            unknown: Unseen::default(),
            min_count: 1,
        }
    }
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

/// Fitted category columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedCategory {
    /// The columns.
    pub columns: Vec<FittedValues>,
    /// One-hot or indices.
    pub encode: CategoryEncoding,
    /// Whether each column has one category more, the last.
    pub unknown: Unseen,
}

/// One fitted category column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedValues {
    /// The column.
    pub name: String,
    /// Its values, in the order of their indices.
    pub values: Vec<String>,
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

    fn wanted(&self, _: &DType) -> (&'static str, &'static str) {
        ("text, bools or integers", "encode it as `numeric`, or cast it in a `table` stage")
    }

    fn check(&self, name: &str, selected: Option<&[String]>, _: &TableSchema, cx: &mut CheckCx<'_>) -> FeatureType {
        if self.min_count > 1 && self.unknown == Unseen::Error {
            cx.error(path!["features", name, "min_count"], codes::CONFLICT, "`min_count` needs `unknown = \"other\"`")
                .label("rarer values have no place to go")
                .hint("add unknown = \"other\"");
        }
        match self.encode {
            CategoryEncoding::OneHot => float_type(name, Shape(vec![Dim::Unknown])),
            CategoryEncoding::Index => {
                let columns = selected.map(<[String]>::len);
                index_type(name, columns, Dim::Named("categories".to_owned()))
            }
        }
    }

    fn fit(&self, feature: &str, columns: Vec<String>, training: &Training<'_>) -> Result<FittedFeature, StageError> {
        let columns = columns
            .into_par_iter()
            .map(|name| {
                let labels = Labels::of(training.frame, &name)?;
                let (counts, null) = labels.counts()?;
                if let (Some(row), Unseen::Error) = (null, self.unknown) {
                    return Err(null_error(feature, &name, row));
                }
                let frequent = counts.into_iter().filter(|(_, count)| *count >= self.min_count);
                let mut values: Vec<String> = frequent.map(|(value, _)| value).collect();
                labels.sort(&mut values);
                Ok(FittedValues { name, values })
            })
            .collect::<Result<_, StageError>>()?;
        Ok(FittedFeature::Category(FittedCategory { columns, encode: self.encode, unknown: self.unknown }))
    }
}

fn is_category(dtype: &DType) -> bool {
    dtype.is_integer() || matches!(dtype, DType::Bool | DType::Str)
}

fn null_error(feature: &str, column: &str, row: usize) -> StageError {
    StageError::data(format!("column `{column}` is null in row {}", row + 1))
        .note("rows are counted from 1")
        .hint(format!("features.{feature}.unknown = \"other\" gives nulls and unseen values a category of their own"))
        .hint("or drop or fill such rows in a `table` stage before")
}

/// One column gives scalars, several a vector.
fn index_type(name: &str, columns: Option<usize>, cardinality: Dim) -> FeatureType {
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
        columns: Vec::new(),
    }
}

impl FittedCategory {
    /// How many categories a column has, with the one for the unknown.
    fn size(&self, column: &FittedValues) -> usize {
        column.values.len() + usize::from(self.unknown == Unseen::Other)
    }

    fn indices(&self, feature: &str, column: &FittedValues, frame: &DataFrame) -> Result<Vec<i64>, StageError> {
        let lookup: BTreeMap<&str, i64> =
            column.values.iter().enumerate().map(|(index, value)| (value.as_str(), index as i64)).collect();
        let other = (self.unknown == Unseen::Other).then_some(column.values.len() as i64);
        let mut indices = Vec::with_capacity(frame.height());
        Labels::of(frame, &column.name)?.visit(|row, text| {
            let index = text.and_then(|text| lookup.get(text).copied()).or(other);
            indices.push(match (index, text) {
                (Some(index), _) => index,
                (None, None) => return Err(null_error(feature, &column.name, row)),
                (None, Some(text)) => return Err(unseen(feature, column, text, row)),
            });
            Ok(())
        })?;
        Ok(indices)
    }
}

impl Fitted for FittedCategory {
    fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    fn accepts(&self, _: &str, dtype: &DType) -> bool {
        is_category(dtype)
    }

    fn becomes(&self) -> String {
        "categories of the training rows".to_owned()
    }

    fn ty(&self, name: &str) -> FeatureType {
        let sizes = self.columns.iter().map(|column| self.size(column) as u64);
        match self.encode {
            CategoryEncoding::OneHot => float_type(name, Shape::fixed(&[sizes.sum()])),
            CategoryEncoding::Index => index_type(name, Some(self.columns.len()), Dim::Fixed(sizes.max().unwrap_or(0))),
        }
    }

    fn apply(&self, feature: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        let indices: Vec<Vec<i64>> =
            self.columns.par_iter().map(|column| self.indices(feature, column, frame)).collect::<Result<_, _>>()?;
        let rows = frame.height();
        match self.encode {
            CategoryEncoding::Index => {
                let slices: Vec<&[i64]> = indices.iter().map(Vec::as_slice).collect();
                let shape: Vec<u64> = if slices.len() == 1 { Vec::new() } else { vec![slices.len() as u64] };
                Ok(Tensor::of_rows(rows, &shape, TensorData::I64(interleave(&slices, rows))))
            }
            CategoryEncoding::OneHot => {
                let width: usize = self.columns.iter().map(|column| self.size(column)).sum();
                let mut data = vec![0.0_f32; rows * width];
                let mut start = 0;
                for (column, indices) in self.columns.iter().zip(&indices) {
                    for (row, index) in indices.iter().enumerate() {
                        data[row * width + start + *index as usize] = 1.0;
                    }
                    start += self.size(column);
                }
                Ok(Tensor::of_rows(rows, &[width as u64], TensorData::F32(data)))
            }
        }
    }
}

fn unseen(feature: &str, column: &FittedValues, value: &str, row: usize) -> StageError {
    let known = list(column.values.iter().map(String::as_str), 8);
    StageError::data(format!("column `{}` is `{value}` in row {}, which training did not see", column.name, row + 1))
        .note(format!("it saw {known}"))
        .hint(format!("features.{feature}.unknown = \"other\" gives unseen values a category of their own"))
}
