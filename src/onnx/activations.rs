//! Activations as ONNX operators.

use super::Refusal;
use super::graph::{Attribute, Graph};
use crate::nn::LayerSpec;
use crate::nn::layers::{Approximate, BlockActivation, Softplus};

/// An activation of a value.
pub(super) fn build(spec: &LayerSpec, x: &str, graph: &mut Graph) -> Result<String, Refusal> {
    Ok(match spec {
        LayerSpec::Relu(_) => graph.op("Relu", &[x]),
        LayerSpec::LeakyRelu(spec) => {
            graph.node("LeakyRelu", &[x], &[("alpha", Attribute::Float(spec.negative_slope))])
        }
        LayerSpec::Elu(spec) => graph.node("Elu", &[x], &[("alpha", Attribute::Float(spec.alpha))]),
        LayerSpec::Selu(_) => graph.op("Selu", &[x]),
        LayerSpec::Gelu(spec) => gelu(spec.approximate, x, graph),
        LayerSpec::Silu(_) => silu(x, graph),
        LayerSpec::Mish(_) => graph.op("Mish", &[x]),
        LayerSpec::Hardswish(_) => graph.op("HardSwish", &[x]),
        LayerSpec::Hardsigmoid(_) => {
            let attributes = [("alpha", Attribute::Float(1.0 / 6.0)), ("beta", Attribute::Float(0.5))];
            graph.node("HardSigmoid", &[x], &attributes)
        }
        LayerSpec::Softplus(spec) => softplus(spec, x, graph),
        LayerSpec::Tanh(_) => graph.op("Tanh", &[x]),
        LayerSpec::Sigmoid(_) => graph.op("Sigmoid", &[x]),
        LayerSpec::Softmax(spec) => graph.node("Softmax", &[x], &[("axis", Attribute::Int(spec.dim))]),
        other => return Err(Refusal(format!("`{}` is no activation", other.name()))),
    })
}

/// That of a transformer block.
pub(super) fn of_block(activation: BlockActivation, x: &str, graph: &mut Graph) -> String {
    match activation {
        BlockActivation::Relu => graph.op("Relu", &[x]),
        BlockActivation::Gelu => gelu(Approximate::None, x, graph),
        BlockActivation::GeluTanh => gelu(Approximate::Tanh, x, graph),
        BlockActivation::Silu => silu(x, graph),
    }
}

fn gelu(approximate: Approximate, x: &str, graph: &mut Graph) -> String {
    let text = match approximate {
        Approximate::None => "none",
        Approximate::Tanh => "tanh",
    };
    graph.node("Gelu", &[x], &[("approximate", Attribute::Text(text))])
}

fn silu(x: &str, graph: &mut Graph) -> String {
    let gate = graph.op("Sigmoid", &[x]);
    graph.op("Mul", &[x, &gate])
}

fn softplus(spec: &Softplus, x: &str, graph: &mut Graph) -> String {
    let beta = graph.number(spec.beta);
    let scaled = graph.op("Mul", &[x, &beta]);
    let bent = graph.op("Softplus", &[&scaled]);
    graph.op("Div", &[&bent, &beta])
}
