//! Layers as tensors: for every spec of `nn::layers` its twin, which makes the parameters and computes.
//!
//! Parameters carry the names of PyTorch's `state_dict` (`layers.0.weight`, `towers.NAME.0.running_mean`) and start
//! as PyTorch starts them, drawn in its order from libtorch's generator, so equal seeds give equal weights. No layer cares about
//! the memory format: a channels-last input stays channels-last through convolutions, norms and pools.

mod activation;
mod batch_norm;
mod conv;
mod dropout;
mod embedding;
mod init;
mod layer_norm;
mod linear;
mod network;
mod pool;
mod recurrent;
mod residual;
mod sequence;
mod shape;
#[cfg(test)]
mod tests;

pub use network::Network;

use kilter::nn::{LayerSpec, Signal};
use tch::{TchError, Tensor, nn::Path};

/// A built layer.
trait Module: Send {
    /// The layer's output for a batch. Takes its input over, so that what nobody else holds can be changed in place.
    fn forward(&self, x: Tensor, train: bool) -> Result<Tensor, TchError>;
}

/// What a layer may know while it is built.
struct Site<'a> {
    /// The shape and content of its input, without the batch; every dimension is known.
    input: &'a Signal,
    /// Those of its output.
    output: &'a Signal,
    /// Whether its input is a fresh tensor that no gradient looks at again, so that it may be overwritten.
    overwrite: bool,
}

/// Builds the twin of a spec; its parameters lie under `vs`.
fn build(spec: &LayerSpec, site: &Site<'_>, vs: &Path<'_>) -> Result<Box<dyn Module>, String> {
    Ok(match spec {
        LayerSpec::Linear(spec) => Box::new(linear::Linear::new(spec, site, vs)?),
        LayerSpec::Conv1d(spec) => Box::new(conv::Conv::<1>::new(spec, site, vs)?),
        LayerSpec::Conv2d(spec) => Box::new(conv::Conv::<2>::new(spec, site, vs)?),
        LayerSpec::MaxPool1d(spec) => Box::new(pool::MaxPool::<1>::new(spec)),
        LayerSpec::MaxPool2d(spec) => Box::new(pool::MaxPool::<2>::new(spec)),
        LayerSpec::AvgPool1d(spec) => Box::new(pool::AvgPool::<1>::new(spec)),
        LayerSpec::AvgPool2d(spec) => Box::new(pool::AvgPool::<2>::new(spec)),
        LayerSpec::GlobalAvgPool(_) => Box::new(pool::GlobalAvgPool::new(site)),
        LayerSpec::BatchNorm(spec) => Box::new(batch_norm::BatchNorm::new(spec, site, vs)?),
        LayerSpec::LayerNorm(spec) => Box::new(layer_norm::LayerNorm::new(spec, site, vs)?),
        LayerSpec::Dropout(spec) => Box::new(dropout::Dropout::new(spec)),
        LayerSpec::Flatten(spec) => Box::new(shape::Flatten::new(spec)),
        LayerSpec::Reshape(_) => Box::new(shape::Reshape::new(site)?),
        LayerSpec::Relu(_) => Box::new(activation::Relu::new(site)),
        LayerSpec::Gelu(spec) => Box::new(activation::Gelu::new(spec)),
        LayerSpec::Tanh(_) => Box::new(activation::Tanh),
        LayerSpec::Sigmoid(_) => Box::new(activation::Sigmoid),
        LayerSpec::Softmax(spec) => Box::new(activation::Softmax::new(spec)),
        LayerSpec::Embedding(spec) => Box::new(embedding::Embedding::new(spec, site, vs)?),
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
            | LayerSpec::BatchNorm(_)
            | LayerSpec::LayerNorm(_)
            | LayerSpec::Residual(_)
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
    text.lines().next().unwrap_or_default().to_owned()
}
