//! What every encoding of features can say and do: [`Encoding`] as the manifest describes it, [`Fitted`] afterwards.

use super::FittedFeature;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::{FittedTarget, Names, Target, Tensor};
use crate::stages::text::SpecialNames;
use crate::types::{DType, FeatureType, TableSchema};
use polars::prelude::DataFrame;
use std::collections::BTreeMap;

/// The rows that everything is learnt from.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    /// The training table.
    pub frame: &'a DataFrame,
    /// The fitted targets.
    pub targets: &'a [FittedTarget],
    /// What is to be predicted, as the manifest says it; empty where fitted encodings are applied.
    pub wanted: &'a BTreeMap<String, Target>,
    /// The tokenizers that features name, by reference.
    pub tokenizers: &'a Tokenizers,
}

/// Texts of `tokenizer.json` with what their special tokens are for, by reference.
pub type Tokenizers = BTreeMap<String, (String, SpecialNames)>;

/// What can be done with a list where none is taken.
pub fn list_hint(dtype: &DType) -> Option<&'static str> {
    match dtype {
        DType::List(inner) if inner.is_numeric() => Some("encode lists of numbers as a `sequence`"),
        DType::List(_) => Some(
            "encode lists of categories as a `sequence` with encode = \"index\", or join them to texts in a `table` stage, ARRAY_TO_STRING(column, ' '), and encode those as `text`",
        ),
        _ => None,
    }
}

/// What is known before the data is seen.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The feature's columns, where the table's are known and the feature's exist.
    pub selected: Option<&'a [String]>,
    /// The training table.
    pub schema: &'a TableSchema,
    /// What is predicted, by column.
    pub targets: &'a BTreeMap<String, Target>,
}

/// An encoding as the manifest describes it.
pub trait Encoding {
    /// The key that says what the feature is.
    fn key(&self) -> &'static str;

    /// The columns that it is made of.
    fn columns(&self) -> &Names;

    /// The key under which they stand in the manifest.
    fn columns_key(&self) -> &'static str {
        self.key()
    }

    /// Further columns that it needs, each with the key that names it.
    fn helpers(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    /// Whether a column of this type, which is known, can be encoded so.
    fn accepts(&self, dtype: &DType) -> bool;

    /// What it takes instead of this type, and a hint.
    fn wanted(&self, dtype: &DType) -> (&'static str, &'static str);

    /// Whether the table's order of these columns counts where a pattern takes them.
    fn follows_order(&self, _columns: &[&str]) -> bool {
        true
    }

    /// Whether a row shows its own value of the columns.
    fn shows_its_row(&self) -> bool {
        true
    }

    /// Puts the selected columns into the encoding's order.
    fn arrange(&self, _columns: &mut [String]) {}

    /// Checks the fields and says what the feature will be.
    fn check(&self, name: &str, known: &Known<'_>, cx: &mut CheckCx<'_>) -> FeatureType;

    /// Learns what encoding needs from the training table.
    ///
    /// # Errors
    /// When a column holds what cannot be encoded; names the row.
    fn fit(&self, name: &str, columns: Vec<String>, training: &Training<'_>) -> Result<FittedFeature, StageError>;
}

/// A fitted encoding.
pub trait Fitted {
    /// The columns that it reads, in order, each once.
    fn columns(&self) -> Vec<&str>;

    /// Whether one of its columns may have this type, which is known.
    fn accepts(&self, column: &str, dtype: &DType) -> bool;

    /// What rows become, in a few words for a model card.
    fn becomes(&self) -> String;

    /// The type of the tensors that it gives; its columns are filled in by the caller.
    fn ty(&self, name: &str) -> FeatureType;

    /// Encodes rows.
    ///
    /// # Errors
    /// When a column is missing or holds what cannot be encoded; names the row.
    fn apply(&self, name: &str, frame: &DataFrame) -> Result<Tensor, StageError>;

    /// Encodes the rows that it was fitted on.
    ///
    /// # Errors
    /// As [`Fitted::apply`].
    fn apply_training(&self, name: &str, training: &Training<'_>) -> Result<Tensor, StageError> {
        self.apply(name, training.frame)
    }
}

/// A vector or tensor of `f32` for each row, without columns yet.
pub fn float_type(name: &str, shape: crate::types::Shape) -> FeatureType {
    FeatureType {
        name: name.to_owned(),
        shape,
        dtype: crate::types::TensorType::F32,
        scale: None,
        cardinality: None,
        padding: None,
        columns: Vec::new(),
    }
}
