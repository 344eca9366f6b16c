//! Each layer as ONNX operators. A layer that is not here does not compile.

use super::graph::Attribute;
use super::walk::{Flow, Site};
use super::{Refusal, activations, attention, norms, recurrent, sizes, tokens, windows};
use crate::nn::LayerSpec;

impl Site<'_> {
    /// The layer's value. Blocks and what is saved are the flow's own.
    pub fn build(&self, spec: &LayerSpec, flow: &mut Flow<'_>) -> Result<String, Refusal> {
        Ok(match spec {
            LayerSpec::Linear(spec) if spec.tie => self.linear(flow.embedding.clone(), flow)?,
            LayerSpec::Linear(_) => self.linear(None, flow)?,
            LayerSpec::Conv1d(spec) => windows::conv(self, spec, flow)?,
            LayerSpec::Conv2d(spec) => windows::conv(self, spec, flow)?,
            LayerSpec::ConvTranspose1d(spec) => windows::conv_transpose(self, spec, flow)?,
            LayerSpec::ConvTranspose2d(spec) => windows::conv_transpose(self, spec, flow)?,
            LayerSpec::MaxPool1d(spec) => windows::max_pool(self, spec, flow)?,
            LayerSpec::MaxPool2d(spec) => windows::max_pool(self, spec, flow)?,
            LayerSpec::AvgPool1d(spec) => windows::avg_pool(self, spec, flow)?,
            LayerSpec::AvgPool2d(spec) => windows::avg_pool(self, spec, flow)?,
            LayerSpec::AdaptiveAvgPool1d(spec) => windows::adaptive_pool(self, spec, flow)?,
            LayerSpec::AdaptiveAvgPool2d(spec) => windows::adaptive_pool(self, spec, flow)?,
            LayerSpec::AdaptiveMaxPool1d(spec) => windows::adaptive_pool(self, spec, flow)?,
            LayerSpec::AdaptiveMaxPool2d(spec) => windows::adaptive_pool(self, spec, flow)?,
            LayerSpec::GlobalAvgPool(_) => {
                let places: Vec<i64> = (2..=self.before.shape.rank() as i64).collect();
                flow.graph.reduce("ReduceMean", self.input, &places, false)
            }
            LayerSpec::Upsample(spec) => windows::upsample(self, spec, flow)?,
            LayerSpec::BatchNorm(spec) => norms::batch_norm(self, spec, flow)?,
            LayerSpec::LayerNorm(spec) => norms::layer_norm(self, spec, flow)?,
            LayerSpec::RmsNorm(spec) => norms::rms_norm(self, spec, flow)?,
            LayerSpec::GroupNorm(spec) => norms::group_norm(self, spec, flow)?,
            LayerSpec::SqueezeExcite(_) => windows::squeeze_excite(self, flow)?,
            LayerSpec::Dropout(_) => self.input.to_owned(),
            LayerSpec::Flatten(_) | LayerSpec::Reshape(_) => self.reshape(flow)?,
            LayerSpec::Transpose(_) => flow.graph.turn(self.input, &[0, 2, 1]),
            LayerSpec::Relu(_)
            | LayerSpec::LeakyRelu(_)
            | LayerSpec::Elu(_)
            | LayerSpec::Selu(_)
            | LayerSpec::Gelu(_)
            | LayerSpec::Silu(_)
            | LayerSpec::Mish(_)
            | LayerSpec::Hardswish(_)
            | LayerSpec::Hardsigmoid(_)
            | LayerSpec::Softplus(_)
            | LayerSpec::Tanh(_)
            | LayerSpec::Sigmoid(_)
            | LayerSpec::Softmax(_) => activations::build(spec, self.input, &mut flow.graph)?,
            LayerSpec::Prelu(_) => self.prelu(flow)?,
            LayerSpec::Embedding(_) => {
                let table = self.weight("weight", flow)?;
                flow.embedding.get_or_insert_with(|| table.clone());
                flow.graph.node("Gather", &[&table, self.input], &[("axis", Attribute::Int(0))])
            }
            LayerSpec::NumericEmbedding(spec) => tokens::numeric_embedding(self, spec, flow)?,
            LayerSpec::Position(spec) => tokens::position(self, spec, flow)?,
            LayerSpec::MultiHeadAttention(spec) => attention::layer(self, spec, flow)?,
            LayerSpec::TransformerEncoder(spec) => attention::transformer(self, &spec.stack(), flow)?,
            LayerSpec::TransformerDecoder(spec) => attention::transformer(self, &spec.stack(), flow)?,
            LayerSpec::Pool(spec) => tokens::pool(self, spec, flow)?,
            LayerSpec::Rnn(spec) => recurrent::build(self, spec, flow)?,
            LayerSpec::Lstm(spec) => recurrent::build(self, spec, flow)?,
            LayerSpec::Gru(spec) => recurrent::build(self, spec, flow)?,
            LayerSpec::Residual(_)
            | LayerSpec::Parallel(_)
            | LayerSpec::Save(_)
            | LayerSpec::Add(_)
            | LayerSpec::Concat(_) => {
                return Err(Refusal(format!("the layer `{}` (`{}`) has no ONNX form", spec.name(), self.path)));
            }
        })
    }

    /// `x Wᵀ + b` over the last dimension; the matrix is its own, or that of an embedding.
    fn linear(&self, tied: Option<String>, flow: &mut Flow<'_>) -> Result<String, Refusal> {
        let weight = match tied {
            Some(table) => table,
            None => self.weight("weight", flow)?,
        };
        let bias = self.optional("bias", flow)?;
        if self.before.shape.rank() == 1 {
            let inputs: Vec<&str> = [self.input, &weight].into_iter().chain(bias.as_deref()).collect();
            return Ok(flow.graph.node("Gemm", &inputs, &[("transB", Attribute::Int(1))]));
        }
        Ok(product(self.input, &weight, bias.as_deref(), flow))
    }

    /// Slopes below 0, of all or of each channel.
    fn prelu(&self, flow: &mut Flow<'_>) -> Result<String, Refusal> {
        let slopes = self.weight("weight", flow)?;
        // A runtime lines them up with the last dimensions.
        let behind: Vec<i64> = (1..self.before.shape.rank() as i64).collect();
        let slopes = if behind.is_empty() { slopes } else { flow.graph.unsqueeze(&slopes, &behind) };
        Ok(flow.graph.op("PRelu", &[self.input, &slopes]))
    }

    /// The rows in the shape that comes out.
    fn reshape(&self, flow: &mut Flow<'_>) -> Result<String, Refusal> {
        let shape: Vec<i64> = std::iter::once(-1).chain(sizes(self.after)?.into_iter().map(u64::cast_signed)).collect();
        Ok(flow.graph.shaped(self.input, &shape))
    }
}

/// `x Wᵀ + b`, whatever the dimensions before the last.
pub(super) fn product(x: &str, weight: &str, bias: Option<&str>, flow: &mut Flow<'_>) -> String {
    let turned = flow.graph.turn(weight, &[1, 0]);
    let product = flow.graph.op("MatMul", &[x, &turned]);
    match bias {
        Some(bias) => flow.graph.op("Add", &[&product, bias]),
        None => product,
    }
}
