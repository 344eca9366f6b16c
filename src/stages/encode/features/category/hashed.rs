//! Categories without learning any: a hash of column and value chooses a place, as scikit-learn's `FeatureHasher` does
//! with the pairs `column=value`. Different values can meet in one place; the sign of the hash makes them cancel
//! rather than add up. A null adds nothing; as an index it is a place of its own, the last.

use super::values::index_tensor;
use super::{index_type, is_category};
use crate::numbers;
use crate::stage::StageError;
use crate::stages::encode::features::encoding::{Fitted, float_type};
use crate::stages::encode::features::hash::murmur3;
use crate::stages::encode::labels::Labels;
use crate::stages::encode::{Tensor, TensorData};
use crate::types::{DType, Dim, FeatureType, Shape};
use polars::prelude::DataFrame;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// `n_features` where it is not said.
pub(super) const PLACES: u64 = 1024;

/// Hashed category columns. Nothing is learnt from data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FittedHashed {
    /// The columns.
    pub columns: Vec<String>,
    /// How many places there are.
    pub places: u64,
    /// Whether a row holds each column's place, rather than signs in the places.
    pub index: bool,
}

impl FittedHashed {
    /// Place and sign of every row's value; `None` where it is null.
    fn hashes(&self, name: &str, frame: &DataFrame) -> Result<Vec<Option<(u64, f32)>>, StageError> {
        let mut hashes = Vec::with_capacity(frame.height());
        let mut text = format!("{name}=");
        let prefix = text.len();
        Labels::of(frame, name)?.visit(|_, value| {
            hashes.push(value.map(|value| {
                text.truncate(prefix);
                text.push_str(value);
                let hash = murmur3(text.as_bytes(), 0).cast_signed();
                let sign = if hash >= 0 { 1.0 } else { -1.0 };
                (u64::from(hash.unsigned_abs()) % self.places.max(1), sign)
            }));
            Ok(())
        })?;
        Ok(hashes)
    }
}

impl Fitted for FittedHashed {
    fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    fn accepts(&self, _: &str, dtype: &DType) -> bool {
        is_category(dtype)
    }

    fn becomes(&self) -> String {
        format!("categories, hashed to {} places", numbers::count(self.places))
    }

    fn ty(&self, name: &str) -> FeatureType {
        match self.index {
            true => index_type(name, Some(self.columns.len()), Dim::Fixed(self.places + 1)),
            false => float_type(name, Shape::fixed(&[self.places])),
        }
    }

    fn apply(&self, _: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        let hashes = self.columns.par_iter().map(|name| self.hashes(name, frame)).collect::<Result<Vec<_>, _>>()?;
        let rows = frame.height();
        if self.index {
            let place = |hash: &Option<(u64, f32)>| hash.map_or(self.places, |(place, _)| place) as i64;
            let indices: Vec<Vec<i64>> = hashes.iter().map(|column| column.iter().map(place).collect()).collect();
            return Ok(index_tensor(&indices, rows));
        }
        let width = self.places as usize;
        let mut data = vec![0.0_f32; rows * width];
        for column in &hashes {
            for (row, hash) in column.iter().enumerate() {
                if let Some((place, sign)) = hash {
                    data[row * width + *place as usize] += sign;
                }
            }
        }
        Ok(Tensor::of_rows(rows, &[self.places], TensorData::F32(data)))
    }
}
