//! Tensors on disk: safetensors files as datasets and as weights.

mod dataset;
mod file;
mod sparse;
mod weights;

pub use dataset::Dataset;
#[cfg(test)]
pub use file::TensorFile;
pub use file::write;
pub use sparse::Sparse;
pub use weights::{Snapshot, Weights};
