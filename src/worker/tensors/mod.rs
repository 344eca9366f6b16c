//! Tensors on disk: safetensors files as datasets and as weights.

mod dataset;
mod file;
mod weights;

pub use dataset::Dataset;
pub use file::write;
pub use weights::{Snapshot, Weights};
