//! Images: one integer column per pixel, row by row, channel after channel. Stored as `u8` of shape
//! `[channels, height, width]`; the model divides by `scale`, so the data stay a quarter of the size of floats.

use super::super::labels::column;
use super::super::tensor::interleave;
use super::FittedFeature;
use super::encoding::{Encoding, Fitted, Known, Training};
use crate::diag::codes;
use crate::numbers;
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::{Names, Tensor, TensorData};
use crate::types::{DType, FeatureType, Shape, TensorType};
use polars::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An image as the manifest describes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Image {
    /// `[channels, height, width]`
    pub image: [u64; 3],
    /// One column per pixel.
    pub columns: Names,
    /// What the model divides by.
    pub scale: f64,
}

/// A fitted image: nothing is learnt from data, only the columns are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedImage {
    /// `[channels, height, width]`
    pub image: [u64; 3],
    /// The columns in pixel order.
    pub columns: Vec<String>,
    /// What the model divides by.
    pub scale: f64,
}

/// The number that a name ends in.
fn number(name: &str) -> Option<u64> {
    let digits = name.trim_end_matches(|c: char| c.is_ascii_digit());
    name[digits.len()..].parse().ok()
}

/// Puts columns into the order of the numbers that their names end in, where each has one of its own. Of `pixel_ROW_COLUMN` the
/// last numbers come again and again, and say nothing of the order.
fn by_number(columns: &mut [String]) {
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    if are_numbered(&names) {
        columns.sort_by_key(|name| number(name));
    }
}

/// Whether [`by_number`] gives one order whatever order these columns are in.
fn are_numbered(columns: &[&str]) -> bool {
    let numbers: Option<BTreeSet<u64>> = columns.iter().map(|name| number(name)).collect();
    numbers.is_some_and(|numbers| numbers.len() == columns.len())
}

impl Image {
    fn fitted(&self, columns: Vec<String>) -> FittedImage {
        FittedImage { image: self.image, columns, scale: self.scale }
    }
}

impl Encoding for Image {
    fn key(&self) -> &'static str {
        "image"
    }

    fn columns(&self) -> &Names {
        &self.columns
    }

    fn columns_key(&self) -> &'static str {
        "columns"
    }

    fn accepts(&self, dtype: &DType) -> bool {
        dtype.is_integer()
    }

    fn wanted(&self, dtype: &DType) -> (&'static str, &'static str) {
        if !is_whole(dtype) {
            let hint = match dtype.is_float() {
                true => "`{ numeric = …, shape = [channels, height, width] }` takes numbers of any range",
                false => "give the column the type `u8` where it is read",
            };
            return ("integers from 0 to 255", hint);
        }
        let hint = match dtype {
            DType::List(_) => {
                "`{ sequence = …, length = … }` takes lists of numbers, and `{ reshape = … }` in the model makes images of them"
            }
            _ => "a stage of kind `exec` can make a column for each pixel of it",
        };
        ("a column of integers from 0 to 255 for each pixel", hint)
    }

    fn follows_order(&self, columns: &[&str]) -> bool {
        !are_numbered(columns)
    }

    fn arrange(&self, columns: &mut [String]) {
        by_number(columns);
    }

    fn check(&self, name: &str, known: &Known<'_>, cx: &mut CheckCx<'_>) -> FeatureType {
        let [channels, height, width] = self.image;
        if self.image.contains(&0) {
            cx.error(path!["features", name, "image"], codes::OUT_OF_RANGE, "an image has no side of length 0")
                .label("`[channels, height, width]`");
        } else if let Some(columns) = known.selected
            && columns.len() as u64 != channels * height * width
            && !holds_whole(columns, known)
        {
            let have = numbers::counted(columns.len(), "column");
            cx.error(
                path!["features", name, "image"],
                codes::COLUMN_COUNT,
                format!(
                    "an image of {channels} x {height} x {width} has {} pixels, but the feature has {have}",
                    channels * height * width
                ),
            )
            .label(format!("{} pixels", channels * height * width))
            .related(path!["features", name, "columns"], format!("selects {have}"))
            .maybe_hint(
                square(columns.len() as u64).map(|side| format!("{have} would be an image of [1, {side}, {side}]")),
            );
        }
        self.fitted(Vec::new()).ty(name)
    }

    fn fit(&self, feature: &str, mut columns: Vec<String>, _: &Training<'_>) -> Result<FittedFeature, StageError> {
        by_number(&mut columns);
        let pixels: u64 = self.image.iter().product();
        if columns.len() as u64 != pixels {
            return Err(StageError::data(format!(
                "feature `{feature}` has {} columns, but an image of {:?} has {pixels} pixels",
                columns.len(),
                self.image
            )));
        }
        Ok(FittedFeature::Image(self.fitted(columns)))
    }
}

/// The side of a square of so many pixels.
fn square(pixels: u64) -> Option<u64> {
    let side = pixels.isqrt();
    (side > 1 && side * side == pixels).then_some(side)
}

/// Whether a column of this type can hold a whole image in each row: a list, or the bytes of a file.
fn is_whole(dtype: &DType) -> bool {
    dtype.is_nested() || dtype.is_binary()
}

/// Whether one of these columns can: then the number of columns is no mistake of its own.
fn holds_whole(columns: &[String], known: &Known<'_>) -> bool {
    let whole = known.schema.columns.iter().filter(|column| is_whole(&column.dtype));
    whole.map(|column| &column.name).any(|name| columns.contains(name))
}

impl Fitted for FittedImage {
    fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    fn accepts(&self, _: &str, dtype: &DType) -> bool {
        dtype.is_integer()
    }

    fn becomes(&self) -> String {
        let [channels, height, width] = self.image;
        format!("an image of {channels} x {height} x {width}, pixels 0 to 255 divided by {}", self.scale)
    }

    fn ty(&self, name: &str) -> FeatureType {
        FeatureType {
            name: name.to_owned(),
            shape: Shape::fixed(&self.image),
            dtype: TensorType::U8,
            scale: Some(self.scale),
            cardinality: None,
            padding: None,
            columns: Vec::new(),
        }
    }

    fn apply(&self, _feature: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        let columns: Vec<Series> =
            self.columns.par_iter().map(|name| pixels(frame, name)).collect::<Result<_, StageError>>()?;
        let wrong = |error: PolarsError| StageError::bug(format!("pixels: {error}"));
        let slices: Vec<&[u8]> = columns
            .iter()
            .map(|series| series.u8().map_err(wrong)?.cont_slice().map_err(wrong))
            .collect::<Result<_, StageError>>()?;
        let data = interleave(&slices, frame.height());
        Ok(Tensor::of_rows(frame.height(), &self.image, TensorData::U8(data)))
    }
}

/// A column of bytes, in one piece.
fn pixels(frame: &DataFrame, name: &str) -> Result<Series, StageError> {
    let series = column(frame, name)?.as_materialized_series();
    if !series.dtype().is_integer() {
        return Err(StageError::data(format!("column `{name}` is {}, not a pixel from 0 to 255", series.dtype()))
            .hint("give the pixel columns the type `u8` where they are read"));
    }
    if let Some(row) = first(&series.is_null()) {
        return Err(
            StageError::data(format!("pixel `{name}` is null in row {}", row + 1)).note("rows are counted from 1")
        );
    }
    let bytes = series.cast(&DataType::UInt8).map_err(|error| StageError::data(format!("column `{name}`: {error}")))?;
    // A cast that does not fit gives null.
    if let Some(row) = first(&bytes.is_null()) {
        let found = series.get(row).map(|value| value.to_string()).unwrap_or_default();
        return Err(StageError::data(format!("pixel `{name}` is {found} in row {}; pixels are 0 to 255", row + 1))
            .note("rows are counted from 1"));
    }
    Ok(bytes.rechunk())
}

fn first(mask: &BooleanChunked) -> Option<usize> {
    mask.iter().position(|set| set == Some(true))
}
