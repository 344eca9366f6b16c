//! Datasets: encoded tensors, one per feature, and a target.

use super::{Dim, Shape, SpecialIds};
use serde::{Deserialize, Serialize};

/// The element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TensorType {
    /// Unsigned bytes; the model divides them by the feature's `scale` before use.
    U8,
    /// 32-bit floats.
    F32,
    /// 32-bit integers: token ids.
    I32,
    /// 64-bit integers: category indices.
    I64,
}

/// One feature of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureType {
    /// Its name in the manifest.
    pub name: String,
    /// Its shape for one row, without the batch dimension.
    pub shape: Shape,
    /// How it is stored.
    pub dtype: TensorType,
    /// For `u8`: the number that the model divides by.
    pub scale: Option<f64>,
    /// For category indices and token ids: how many different ones there are, `Named` until the encoder is fitted.
    pub cardinality: Option<Dim>,
    /// For tokens: the index that fills rows up to the common length, at their end. Attention and pools over tokens leave such
    /// places out, and an embedding gives them a vector of zeros.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<u64>,
    /// The table columns that it is made of, in order; patterns while the table's columns are not known. What uses the
    /// model on raw rows checks them.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// What a model is asked to predict, as the field names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "task")]
pub enum Task {
    /// One of several classes. Target tensor: `i64` class indices of shape `[batch]`.
    Category {
        /// The class names in index order, once they are known.
        classes: Option<Vec<String>>,
    },
    /// Yes or no. Target tensor: `f32` 0 or 1 of shape `[batch]`.
    Binary {
        /// The value that counts as 1.
        positive: String,
    },
    /// A number. Target tensor: `f32` of shape `[batch]`, standardised by `(x - mean) / std`.
    Number {
        /// Mean that was subtracted; 0 where the target is left as it is. `None` until fitted.
        mean: Option<f64>,
        /// Standard deviation that was divided by; 1 where the target is left as it is. `None` until fitted.
        std: Option<f64>,
    },
    /// Any of several labels. Target tensor: `f32` 0 or 1 of shape `[batch, labels]`.
    MultiLabel {
        /// The labels: columns of the table, in order.
        labels: Vec<String>,
    },
    /// At every place of a sequence the token after it. Target tensor: `i32` ids of shape `[batch, seq]`, -100 where there
    /// is nothing to predict.
    NextToken {
        /// How many tokens there are, once that is known.
        vocabulary: Option<u64>,
    },
    /// Tokens of a sequence that are hidden. The target is made of the feature of its name, batch by batch.
    MaskedToken {
        /// How many tokens there are, once that is known.
        vocabulary: Option<u64>,
        /// What is hidden.
        masking: Masking,
    },
}

impl Task {
    /// `category`, `binary`, `number`, `multi_label`, `next_token` or `masked_token`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Category { .. } => "category",
            Self::Binary { .. } => "binary",
            Self::Number { .. } => "number",
            Self::MultiLabel { .. } => "multi_label",
            Self::NextToken { .. } => "next_token",
            Self::MaskedToken { .. } => "masked_token",
        }
    }

    /// How many values the target of one row has; at least 1. Of tokens 1, though a row has a place for each.
    #[must_use]
    pub fn targets(&self) -> usize {
        match self {
            Self::Category { .. } | Self::Binary { .. } | Self::Number { .. } => 1,
            Self::MultiLabel { labels } => labels.len().max(1),
            Self::NextToken { .. } | Self::MaskedToken { .. } => 1,
        }
    }

    /// How many outputs a model for this task has.
    #[must_use]
    pub fn outputs(&self) -> Dim {
        match self {
            Self::Category { classes: Some(classes) } => Dim::Fixed(classes.len() as u64),
            Self::Category { classes: None } => Dim::Named("classes".to_owned()),
            Self::Binary { .. } | Self::Number { .. } => Dim::Fixed(1),
            Self::MultiLabel { labels } => Dim::Fixed(labels.len() as u64),
            Self::NextToken { vocabulary } | Self::MaskedToken { vocabulary, .. } => {
                vocabulary.map_or_else(|| Dim::Named("vocabulary".to_owned()), Dim::Fixed)
            }
        }
    }

    /// Whether it asks for outputs at every place of a sequence: `[batch, seq, vocabulary]`.
    #[must_use]
    pub fn is_tokens(&self) -> bool {
        matches!(self, Self::NextToken { .. } | Self::MaskedToken { .. })
    }
}

/// Which tokens are hidden for [`Task::MaskedToken`], and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Masking {
    /// How probable it is that a token is one to guess. Of those 80 % are replaced by the mask token, 10 % by any that is not
    /// special, 10 % left as they are (Devlin et al., BERT, 2019).
    pub probability: f64,
    /// The special tokens, among them the one that stands for what is hidden; they are never to be guessed.
    pub special: SpecialIds,
}

/// The target of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetType {
    /// The column that it came from.
    pub name: String,
    /// What is predicted.
    pub task: Task,
}

/// The type of a `dataset` artefact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetType {
    /// The features, sorted by name.
    pub features: Vec<FeatureType>,
    /// The targets, sorted by name; a dataset made for prediction has none.
    #[serde(default)]
    pub targets: Vec<TargetType>,
    /// How many rows there are, where that is known.
    pub rows: Option<u64>,
    /// Whether the features are all known; false while the table behind them is not.
    pub complete: bool,
}

impl DatasetType {
    /// The feature of this name.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<&FeatureType> {
        self.features.iter().find(|feature| feature.name == name)
    }

    /// The target of this name.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&TargetType> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// The target, where there is exactly one.
    #[must_use]
    pub fn only_target(&self) -> Option<&TargetType> {
        if let [only] = self.targets.as_slice() { Some(only) } else { None }
    }
}
