//! `rnn`, `gru` and `lstm` as ONNX operators, which have their gates in another order than PyTorch.

use super::graph::Attribute;
use super::walk::{Flow, Site};
use super::{Refusal, Weights};
use crate::nn::layers::{Recurrent, RecurrentOutput};

/// The layer's value: `[batch, length, width]`, or of the last place `[batch, width]`. Of tokens that are followed by padding
/// ONNX's operators read each row up to its own length, as the worker does.
pub(super) fn build<const GATES: u64>(
    site: &Site<'_>,
    spec: &Recurrent<GATES>,
    flow: &mut Flow<'_>,
) -> Result<String, Refusal> {
    let lengths = flow.mask.clone().map(|mask| flow.short_lengths(&mask)).unwrap_or_default();
    // Sequences come first in ONNX.
    let mut value = flow.graph.turn(site.input, &[1, 0, 2]);
    let mut last = String::new();
    for layer in 0..spec.layers {
        let outputs = stacked(site, spec, layer, [&value, &lengths], flow)?;
        // [length, directions, batch, hidden] becomes [length, batch, directions · hidden].
        let beside = flow.graph.turn(&outputs[0], &[0, 2, 1, 3]);
        value = flow.graph.shaped(&beside, &[0, 0, -1]);
        last.clone_from(&outputs[1]);
    }
    Ok(match spec.output {
        RecurrentOutput::Sequence => flow.graph.turn(&value, &[1, 0, 2]),
        RecurrentOutput::Last => {
            let beside = flow.graph.turn(&last, &[1, 0, 2]);
            flow.graph.shaped(&beside, &[0, -1])
        }
    })
}

/// One of the stacked layers: its states at every place, and the last ones.
fn stacked<const GATES: u64>(
    site: &Site<'_>,
    spec: &Recurrent<GATES>,
    layer: u64,
    [input, lengths]: [&str; 2],
    flow: &mut Flow<'_>,
) -> Result<Vec<String>, Refusal> {
    let directions: &[&str] = if spec.bidirectional { &["", "_reverse"] } else { &[""] };
    let weights = flow.weights;
    let gather = |name: &str| {
        let parts = directions.iter().map(|direction| {
            let full = format!("{}.{name}_l{layer}{direction}", site.path);
            Gates::of(&full, spec.hidden, weights).map(|gates| gates.in_order(order(GATES)))
        });
        parts.collect::<Result<Vec<(Vec<i64>, Vec<f32>)>, Refusal>>()
    };
    let matrix = |name: &str, flow: &mut Flow<'_>| {
        let parts = gather(name)?;
        let dims = [vec![parts.len() as i64], parts[0].0.clone()].concat();
        let values: Vec<f32> = parts.into_iter().flat_map(|(_, values)| values).collect();
        Ok::<_, Refusal>(flow.graph.floats(&format!("{}.{name}_l{layer}", site.path), dims, &values))
    };
    let (inputs, states) = (matrix("weight_ih", flow)?, matrix("weight_hh", flow)?);
    let bias = if spec.bias {
        // Those of the inputs and those of the states, one behind the other.
        let (first, second) = (gather("bias_ih")?, gather("bias_hh")?);
        let width = first[0].1.len() + second[0].1.len();
        let values: Vec<f32> = first.into_iter().zip(second).flat_map(|(a, b)| a.1.into_iter().chain(b.1)).collect();
        let dims = vec![directions.len() as i64, width as i64];
        flow.graph.floats(&format!("{}.bias_l{layer}", site.path), dims, &values)
    } else {
        String::new()
    };
    let direction = if spec.bidirectional { "bidirectional" } else { "forward" };
    let mut attributes =
        vec![("hidden_size", Attribute::Int(spec.hidden.cast_signed())), ("direction", Attribute::Text(direction))];
    let op = match GATES {
        1 => "RNN",
        3 => {
            // PyTorch multiplies with the reset gate after the matrix.
            attributes.push(("linear_before_reset", Attribute::Int(1)));
            "GRU"
        }
        _ => "LSTM",
    };
    Ok(flow.graph.node_with(op, &[input, &inputs, &states, &bias, lengths], &attributes, 2))
}

/// For each gate of ONNX its place in PyTorch: of an LSTM i, o, f, c of i, f, c, o; of a GRU z, r, h of r, z, h.
fn order(gates: u64) -> &'static [usize] {
    match gates {
        1 => &[0],
        3 => &[1, 0, 2],
        _ => &[0, 3, 1, 2],
    }
}

/// A matrix or vector whose rows are gate by gate.
struct Gates {
    dims: Vec<i64>,
    values: Vec<f32>,
    /// Values of one gate.
    each: usize,
}

impl Gates {
    fn of(name: &str, hidden: u64, weights: &Weights) -> Result<Self, Refusal> {
        let (dims, data) = weights.get(name).ok_or_else(|| Refusal(format!("the weights `{name}` are missing")))?;
        let values: Vec<f32> =
            data.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect();
        let columns: i64 = dims.iter().skip(1).product();
        let each = usize::try_from(hidden.saturating_mul(columns.unsigned_abs())).unwrap_or(usize::MAX);
        Ok(Self { dims: dims.clone(), values, each })
    }

    fn in_order(self, order: &[usize]) -> (Vec<i64>, Vec<f32>) {
        let gate = |place: &usize| self.values.iter().skip(place * self.each).take(self.each).copied();
        let values = order.iter().flat_map(gate).collect();
        (self.dims, values)
    }
}
