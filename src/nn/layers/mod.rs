//! One layer a file: its fields, its shape rule, its parameters, its docs. `worker/layers/` has the tensors.

mod adaptive_pool;
mod attention;
mod batch_norm;
mod conv;
mod conv_transpose;
mod dropout;
mod elu;
mod embedding;
mod flatten;
mod gelu;
mod global_avg_pool;
mod group_norm;
mod layer_norm;
mod leaky_relu;
mod linear;
mod named;
mod numeric_embedding;
mod parallel;
mod plain;
mod pool;
mod position;
mod prelu;
mod recurrent;
mod relu;
mod reshape;
mod residual;
mod rms_norm;
mod sigmoid;
mod softmax;
mod softplus;
mod squeeze_excite;
mod tanh;
mod token_pool;
mod transformer;
mod transformer_decoder;
mod transformer_encoder;
mod transpose;
mod upsample;
mod window;

pub use adaptive_pool::{AdaptiveAvgPool, AdaptiveMaxPool, AdaptivePool};
pub use attention::{Attention, MultiHeadAttention};
pub use batch_norm::BatchNorm;
pub use conv::Conv;
pub use conv_transpose::ConvTranspose;
pub use dropout::Dropout;
pub use elu::Elu;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use gelu::{Approximate, Gelu};
pub use global_avg_pool::GlobalAvgPool;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use leaky_relu::LeakyRelu;
pub use linear::Linear;
pub use named::{Add, Concat, Save};
pub use numeric_embedding::{NumericEmbedding, NumericEmbeddingKind};
pub use parallel::Parallel;
pub use plain::{Hardsigmoid, Hardswish, Mish, Selu, Silu};
pub use pool::{AvgPool, MaxPool};
pub use position::{Position, PositionKind};
pub use prelu::Prelu;
pub use recurrent::{Recurrent, RecurrentOutput};
pub use relu::Relu;
pub use reshape::Reshape;
pub use residual::Residual;
pub use rms_norm::RmsNorm;
pub use sigmoid::Sigmoid;
pub use softmax::Softmax;
pub use softplus::Softplus;
pub use squeeze_excite::SqueezeExcite;
pub use tanh::Tanh;
pub use token_pool::{Pool, PoolOver};
pub use transformer::{BlockActivation, NormPlace, Stack};
pub use transformer_decoder::TransformerDecoder;
pub use transformer_encoder::TransformerEncoder;
pub use transpose::Transpose;
pub use upsample::{Upsample, UpsampleMode};

use crate::diag::codes;
use crate::nn::layer::ShapeError;

/// A field that holds a probability.
fn probability(layer: &str, field: &str, value: f64) -> Result<(), ShapeError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    let message = format!("`{field}` of {layer} is a probability between 0 and 1");
    Err(ShapeError::new(codes::OUT_OF_RANGE, message).at(field).label(format!("is {value}")))
}

/// What a norm adds before it takes the root of a variance or a mean square: below 0 it would take that of a negative number.
fn eps(layer: &str, value: f64) -> Result<(), ShapeError> {
    if value >= 0.0 {
        return Ok(());
    }
    let message = format!("`eps` of {layer} must not be below 0");
    Err(ShapeError::new(codes::OUT_OF_RANGE, message).at("eps").label(format!("is {value}")))
}
