//! What flows between stages, as types: columns, shapes, artefacts. Everything here is known before anything runs,
//! as far as it can be, and is compared with what a run really produced.

mod artifact;
mod column;
mod dataset;
mod dtype;
mod model;
mod row_change;
mod shape;
mod tokenizer;

pub use artifact::ArtifactType;
pub use column::{Column, Lookup, TableSchema, matches_pattern};
pub use dataset::{DatasetType, FeatureType, Masking, TargetType, Task, TensorType};
pub use dtype::DType;
pub use model::ModelType;
pub use row_change::RowChange;
pub use shape::{Dim, Shape};
pub use tokenizer::{SpecialIds, TokenizerType};
