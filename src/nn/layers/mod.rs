//! One layer a file: its fields, its shape rule, its parameters, its docs. `worker/layers/` has the tensors.

mod batch_norm;
mod conv;
mod dropout;
mod embedding;
mod flatten;
mod gelu;
mod global_avg_pool;
mod layer_norm;
mod linear;
mod pool;
mod recurrent;
mod relu;
mod reshape;
mod residual;
mod sigmoid;
mod softmax;
mod tanh;
mod window;

pub use batch_norm::BatchNorm;
pub use conv::Conv;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use gelu::{Approximate, Gelu};
pub use global_avg_pool::GlobalAvgPool;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use pool::{AvgPool, MaxPool};
pub use recurrent::{Recurrent, RecurrentOutput};
pub use relu::Relu;
pub use reshape::Reshape;
pub use residual::Residual;
pub use sigmoid::Sigmoid;
pub use softmax::Softmax;
pub use tanh::Tanh;
