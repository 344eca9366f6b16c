//! Categories that are learnt: the values of the training rows, numbers by size and text by code points, as one-hot
//! vectors (side by side for several columns) or indices. With `unknown = "other"` every column has one category more,
//! the last, for nulls, for values that training did not see and for rare ones.

use super::{Category, CategoryEncoding, Unseen, index_type, is_category};
use crate::diag::list;
use crate::numbers;
use crate::stage::StageError;
use crate::stages::encode::features::encoding::{Fitted, Training, float_type};
use crate::stages::encode::labels::{Labels, Places};
use crate::stages::encode::tensor::interleave;
use crate::stages::encode::{Tensor, TensorData};
use crate::types::{DType, Dim, FeatureType, Shape};
use polars::prelude::DataFrame;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So wide a one-hot vector is a mistake: most of its places would be seen once or never.
const WIDEST: usize = 65_536;

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

impl FittedCategory {
    /// The values of each column, in the order of their indices.
    pub fn values(&self) -> Vec<&[String]> {
        self.columns.iter().map(|column| column.values.as_slice()).collect()
    }
}

/// One fitted category column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedValues {
    /// The column.
    pub name: String,
    /// Its values, in the order of their indices.
    pub values: Vec<String>,
}

impl FittedCategory {
    pub(super) fn fit(
        spec: &Category,
        feature: &str,
        columns: Vec<String>,
        training: &Training<'_>,
    ) -> Result<Self, StageError> {
        let fit = |name: String| FittedValues::fit(name, spec, feature, training);
        let columns = columns.into_par_iter().map(fit).collect::<Result<Vec<_>, StageError>>()?;
        let fitted = Self { columns, encode: spec.encode, unknown: spec.unknown };
        let width: usize = fitted.columns.iter().map(|column| fitted.size(column)).sum();
        if spec.encode == CategoryEncoding::OneHot && width > WIDEST {
            return Err(fitted.too_wide(feature, width));
        }
        Ok(fitted)
    }

    /// One column of far too many values, or far too many columns.
    fn too_wide(&self, feature: &str, width: usize) -> StageError {
        let most = self.columns.iter().max_by_key(|column| column.values.len());
        let (name, values) = most.map_or(("", 0), |column| (column.name.as_str(), column.values.len()));
        let (why, hint) = if values * 10 < width {
            let columns = numbers::counted(self.columns.len(), "column");
            (format!("it takes {columns}"), "name fewer columns")
        } else {
            let values = numbers::counted(values, "value");
            (
                format!("column `{name}` alone has {values}"),
                "an id says nothing about rows that are not there yet: leave it out",
            )
        };
        let width = numbers::count(width as u64);
        StageError::data(format!("feature `{feature}` would be {width} wide as one-hot; {why}"))
            .note(format!("one-hot vectors are at most {} wide", numbers::count(WIDEST as u64)))
            .hint(hint)
            .hint("or keep frequent values with `max_categories` or `min_count` and unknown = \"other\"")
            .hint("or encode = \"hashed\", \"target\" or \"index\"")
    }

    /// How many categories a column has, with the one for the unknown.
    fn size(&self, column: &FittedValues) -> usize {
        column.values.len() + usize::from(self.unknown == Unseen::Other)
    }
}

impl FittedValues {
    /// Learns the values of a column.
    fn fit(name: String, spec: &Category, feature: &str, training: &Training<'_>) -> Result<Self, StageError> {
        let labels = Labels::of(training.frame, &name)?;
        Self::learn(name, spec, feature, &labels, Places::Rows)
    }

    /// Learns the values that stand in a column at these places.
    pub(in crate::stages::encode::features) fn learn(
        name: String,
        spec: &Category,
        feature: &str,
        labels: &Labels,
        places: Places<'_>,
    ) -> Result<Self, StageError> {
        let (counts, null) = labels.counts()?;
        if counts.is_empty() {
            return Err(StageError::data(format!("column `{name}` has no value in the training rows"))
                .note("all of them are null")
                .hint("leave the column out"));
        }
        if let (Some(at), Unseen::Error) = (null, spec.unknown) {
            return Err(null_error(feature, &name, &places.told(at)));
        }
        let mut values: Vec<String> = counts.keys().cloned().collect();
        labels.sort(&mut values);
        let values = spec.floor.keep(values, &counts, labels.count());
        Ok(Self { name, values })
    }

    /// The index of each of these values, which stand in the column at these places. `other` is that of nulls and of values that training
    /// did not see; without it they are an error.
    pub(in crate::stages::encode::features) fn indices(
        &self,
        feature: &str,
        labels: &Labels,
        places: Places<'_>,
        other: Option<i64>,
    ) -> Result<Vec<i64>, StageError> {
        let lookup: BTreeMap<&str, i64> =
            self.values.iter().enumerate().map(|(index, value)| (value.as_str(), index as i64)).collect();
        let mut indices = Vec::with_capacity(labels.count());
        labels.visit(|at, text| {
            let index = text.and_then(|text| lookup.get(text).copied()).or(other);
            indices.push(match (index, text) {
                (Some(index), _) => index,
                (None, None) => return Err(null_error(feature, &self.name, &places.told(at))),
                (None, Some(text)) => return Err(self.unseen(feature, text, &places.told(at))),
            });
            Ok(())
        })?;
        Ok(indices)
    }

    fn unseen(&self, feature: &str, value: &str, place: &str) -> StageError {
        let known = list(self.values.iter().map(String::as_str), 8);
        StageError::data(format!("column `{}` is `{value}` in {place}, which training did not see", self.name))
            .note(format!("it saw {known}"))
            .hint(format!("features.{feature}.unknown = \"other\" gives unseen values a category of their own"))
    }
}

fn null_error(feature: &str, column: &str, place: &str) -> StageError {
    StageError::data(format!("column `{column}` is null in {place}"))
        .note("rows are counted from 1")
        .hint(format!("features.{feature}.unknown = \"other\" gives nulls and unseen values a category of their own"))
        .hint("or drop or fill such rows in a `table` stage before")
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
            CategoryEncoding::Index => index_type(name, Some(self.columns.len()), Dim::Fixed(sizes.max().unwrap_or(0))),
            _ => float_type(name, Shape::fixed(&[sizes.sum()])),
        }
    }

    fn apply(&self, feature: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        let other = |column: &FittedValues| (self.unknown == Unseen::Other).then_some(column.values.len() as i64);
        let indices: Vec<Vec<i64>> = self
            .columns
            .par_iter()
            .map(|column| {
                let labels = Labels::of(frame, &column.name)?;
                column.indices(feature, &labels, Places::Rows, other(column))
            })
            .collect::<Result<_, _>>()?;
        let rows = frame.height();
        if self.encode == CategoryEncoding::Index {
            return Ok(index_tensor(&indices, rows));
        }
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

/// Indices side by side; those of one column are scalars.
pub(super) fn index_tensor(columns: &[Vec<i64>], rows: usize) -> Tensor {
    let slices: Vec<&[i64]> = columns.iter().map(Vec::as_slice).collect();
    let shape: Vec<u64> = if slices.len() == 1 { Vec::new() } else { vec![slices.len() as u64] };
    Tensor::of_rows(rows, &shape, TensorData::I64(interleave(&slices, rows)))
}
