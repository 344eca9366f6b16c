//! Layers as tensors: for every spec of `nn::layers` its twin, which makes the parameters and computes.
//!
//! Parameters carry the names of PyTorch's `state_dict` (`layers.0.weight`, `towers.NAME.0.running_mean`) and start
//! as PyTorch starts them, drawn in its order from libtorch's generator, so equal seeds give equal weights. No layer cares about
//! the memory format: a channels-last input stays channels-last through convolutions, norms and pools.

mod activation;
mod adaptive_pool;
mod attention;
mod batch_norm;
mod conv;
mod conv_transpose;
mod dropout;
mod embedding;
mod init;
mod layer_norm;
mod linear;
mod named;
mod network;
mod norms;
mod numeric_embedding;
mod parallel;
mod pass;
mod past;
mod pool;
mod position;
mod recurrent;
mod residual;
mod sequence;
mod shape;
mod squeeze_excite;
mod table;
#[cfg(test)]
mod tests;
mod token_pool;
mod transformer;
mod upsample;
mod watch;

pub use init::{EMBEDDING, NORM};
pub use network::Network;
pub use past::Past;
pub use watch::{first_not_finite, rows_not_finite};

use kilter::nn::{InferCx, LayerSpec, Signal};
use pass::Pass;
use std::cell::RefCell;
use tch::{TchError, Tensor, nn::Path};

/// A built layer.
trait Module: Send {
    /// The layer's output for a batch. Takes its input over, so that what nobody else holds can be changed in place.
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError>;

    /// Whether it can go on with sequences: what it gives for a token follows from this one and those before it. A pass with a past
    /// has only new tokens, and a layer that looks at others keeps there what it needs of them.
    fn goes_on(&self) -> bool {
        false
    }
}

/// What a layer may know while it is built.
struct Site<'a> {
    /// The shape and content of its input, without the batch; every dimension is known.
    input: &'a Signal,
    /// Those of its output.
    output: &'a Signal,
    /// Whether its input is a fresh tensor that no gradient looks at again, so that it may be overwritten.
    overwrite: bool,
    /// What all layers of the network share.
    shared: &'a Shared,
}

/// What all layers of a network share while they are built.
struct Shared {
    /// What their rules may know.
    cx: InferCx,
    /// The vectors of the first embedding, for layers that are tied to it.
    embedding: RefCell<Option<Tensor>>,
}

/// Builds the twin of a spec; its parameters lie under `vs`.
fn build(spec: &LayerSpec, site: &Site<'_>, vs: &Path<'_>) -> Result<Box<dyn Module>, String> {
    Ok(match spec {
        LayerSpec::Linear(spec) => Box::new(linear::Linear::new(spec, site, vs)?),
        LayerSpec::Conv1d(spec) => Box::new(conv::Conv::<1>::new(spec, site, vs)?),
        LayerSpec::Conv2d(spec) => Box::new(conv::Conv::<2>::new(spec, site, vs)?),
        LayerSpec::ConvTranspose1d(spec) => Box::new(conv_transpose::ConvTranspose::<1>::new(spec, site, vs)?),
        LayerSpec::ConvTranspose2d(spec) => Box::new(conv_transpose::ConvTranspose::<2>::new(spec, site, vs)?),
        LayerSpec::AdaptiveAvgPool1d(spec) => Box::new(adaptive_pool::AdaptivePool::new(spec, site)?),
        LayerSpec::AdaptiveAvgPool2d(spec) => Box::new(adaptive_pool::AdaptivePool::new(spec, site)?),
        LayerSpec::AdaptiveMaxPool1d(spec) => Box::new(adaptive_pool::AdaptivePool::new(spec, site)?),
        LayerSpec::AdaptiveMaxPool2d(spec) => Box::new(adaptive_pool::AdaptivePool::new(spec, site)?),
        LayerSpec::MaxPool1d(spec) => Box::new(pool::MaxPool::<1>::new(spec)),
        LayerSpec::MaxPool2d(spec) => Box::new(pool::MaxPool::<2>::new(spec)),
        LayerSpec::AvgPool1d(spec) => Box::new(pool::AvgPool::<1>::new(spec)),
        LayerSpec::AvgPool2d(spec) => Box::new(pool::AvgPool::<2>::new(spec)),
        LayerSpec::GlobalAvgPool(_) => Box::new(pool::GlobalAvgPool::new(site)),
        LayerSpec::Upsample(spec) => Box::new(upsample::Upsample::new(spec, site)?),
        LayerSpec::BatchNorm(spec) => Box::new(batch_norm::BatchNorm::new(spec, site, vs)?),
        LayerSpec::LayerNorm(spec) => Box::new(layer_norm::LayerNorm::new(spec, site, vs)?),
        LayerSpec::RmsNorm(spec) => Box::new(norms::RmsNorm::new(spec, site, vs)?),
        LayerSpec::GroupNorm(spec) => Box::new(norms::GroupNorm::new(spec, site, vs)?),
        LayerSpec::SqueezeExcite(spec) => Box::new(squeeze_excite::SqueezeExcite::new(spec, site, vs)?),
        LayerSpec::Dropout(spec) => Box::new(dropout::Dropout::new(spec, site)),
        LayerSpec::Flatten(spec) => Box::new(shape::Flatten::new(spec)),
        LayerSpec::Reshape(_) => Box::new(shape::Reshape::new(site)?),
        LayerSpec::Transpose(_) => Box::new(shape::Transpose),
        LayerSpec::Relu(_) => Box::new(activation::Relu::new(site)),
        LayerSpec::LeakyRelu(spec) => Box::new(activation::LeakyRelu::new(spec)),
        LayerSpec::Prelu(spec) => Box::new(activation::Prelu::new(spec, vs)?),
        LayerSpec::Elu(spec) => Box::new(activation::Elu::new(spec)),
        LayerSpec::Selu(_) => Box::new(activation::Selu),
        LayerSpec::Silu(_) => Box::new(activation::Silu),
        LayerSpec::Mish(_) => Box::new(activation::Mish),
        LayerSpec::Hardswish(_) => Box::new(activation::Hardswish),
        LayerSpec::Hardsigmoid(_) => Box::new(activation::Hardsigmoid),
        LayerSpec::Softplus(spec) => Box::new(activation::Softplus::new(spec)),
        LayerSpec::Gelu(spec) => Box::new(activation::Gelu::new(spec)),
        LayerSpec::Tanh(_) => Box::new(activation::Tanh),
        LayerSpec::Sigmoid(_) => Box::new(activation::Sigmoid),
        LayerSpec::Softmax(spec) => Box::new(activation::Softmax::new(spec)),
        LayerSpec::Embedding(spec) => Box::new(embedding::Embedding::new(spec, site, vs)?),
        LayerSpec::NumericEmbedding(spec) => Box::new(numeric_embedding::NumericEmbedding::new(spec, site, vs)?),
        LayerSpec::Position(spec) => Box::new(position::Position::new(spec, site, vs)?),
        LayerSpec::MultiHeadAttention(spec) => Box::new(attention::MultiHeadAttention::new(spec, site, vs)?),
        LayerSpec::TransformerEncoder(spec) => Box::new(transformer::Transformer::new(&spec.stack(), site, vs)?),
        LayerSpec::TransformerDecoder(spec) => Box::new(transformer::Transformer::new(&spec.stack(), site, vs)?),
        LayerSpec::Pool(spec) => Box::new(token_pool::Pool::new(spec)),
        LayerSpec::Parallel(spec) => Box::new(parallel::Parallel::new(spec, site, vs)?),
        LayerSpec::Save(spec) => Box::new(named::Save::new(spec)),
        LayerSpec::Add(spec) => Box::new(named::Add::new(spec)),
        LayerSpec::Concat(spec) => Box::new(named::Concat::new(spec)),
        LayerSpec::Residual(spec) => Box::new(residual::Residual::new(spec, site, vs)?),
        LayerSpec::Rnn(spec) => Box::new(recurrent::Recurrent::new(spec, site, vs)?),
        LayerSpec::Lstm(spec) => Box::new(recurrent::Recurrent::new(spec, site, vs)?),
        LayerSpec::Gru(spec) => Box::new(recurrent::Recurrent::new(spec, site, vs)?),
    })
}

/// Whether a layer's output is a new tensor whose values no gradient needs.
fn gives_fresh(spec: &LayerSpec) -> bool {
    matches!(
        spec,
        LayerSpec::Linear(_)
            | LayerSpec::Conv1d(_)
            | LayerSpec::Conv2d(_)
            | LayerSpec::ConvTranspose1d(_)
            | LayerSpec::ConvTranspose2d(_)
            | LayerSpec::BatchNorm(_)
            | LayerSpec::LayerNorm(_)
            | LayerSpec::GroupNorm(_)
            | LayerSpec::MultiHeadAttention(_)
            | LayerSpec::Position(_)
            | LayerSpec::Residual(_)
            | LayerSpec::Add(_)
            | LayerSpec::Concat(_)
    )
}

impl Site<'_> {
    /// The size of one dimension of the input.
    fn input_size(&self, dim: usize) -> Result<i64, String> {
        let size = self.input.shape.0.get(dim).and_then(kilter::types::Dim::size);
        int(size.ok_or_else(|| format!("dimension {dim} of {} is not known", self.input.shape))?)
    }

    /// How many dimensions the input has, the batch not counted.
    fn input_rank(&self) -> usize {
        self.input.shape.rank()
    }
}

/// A number as libtorch takes it.
fn int(number: u64) -> Result<i64, String> {
    i64::try_from(number).map_err(|_| format!("{number} is more than libtorch can count"))
}

/// What libtorch said, in one line.
fn words(error: TchError) -> String {
    let text = error.to_string();
    let first = || text.lines().next().unwrap_or_default().to_owned();
    crate::failure::too_little_memory(&text).unwrap_or_else(first)
}
