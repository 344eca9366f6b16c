//! Tensors on disk: safetensors files as datasets and as weights.

mod dataset;
mod file;
mod place;
mod rows;
mod sparse;
mod weights;

pub use dataset::Dataset;
pub use file::{TensorFile, bytes_of, write, write_new};
pub use place::moved;
pub use rows::gather;
pub use sparse::Sparse;
pub use weights::{Snapshot, Weights};
