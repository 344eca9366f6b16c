//! The types of what stages give to each other.

use super::{DatasetType, ModelType, TableSchema, TokenizerType};
use serde::{Deserialize, Serialize};

/// The type of one output of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum ArtifactType {
    /// One file.
    File,
    /// A folder of files.
    Dir,
    /// Rows and columns.
    Table(TableSchema),
    /// Takes texts apart into tokens.
    Tokenizer(TokenizerType),
    /// Fitted preprocessing.
    Encoder,
    /// Encoded tensors.
    Dataset(DatasetType),
    /// An architecture, with or without weights, and the encoder it expects.
    Model(ModelType),
    /// Named numbers.
    Metrics,
    /// Something to look at: plots, pages.
    Report,
    /// All that longer work of the same kind continues from.
    State,
    /// A released model.
    Bundle,
    /// Cannot be known, because of a mistake that has been reported already.
    Unknown,
}

impl ArtifactType {
    /// The name that messages and references use.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Dir => "dir",
            Self::Table(_) => "table",
            Self::Tokenizer(_) => "tokenizer",
            Self::Encoder => "encoder",
            Self::Dataset(_) => "dataset",
            Self::Model(_) => "model",
            Self::Metrics => "metrics",
            Self::Report => "report",
            Self::State => "state",
            Self::Bundle => "bundle",
            Self::Unknown => "unknown",
        }
    }
}
