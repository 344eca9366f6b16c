//! `rnn`, `lstm`, `gru`: recurrent layers over sequences.

use super::probability;
use crate::diag::codes;
use crate::nn::init::{self, Init};
use crate::nn::layer::{InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use crate::nn::values::yes;
use crate::types::{Dim, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A recurrent layer with `GATES` gates: 1 is `rnn`, 3 is `gru`, 4 is `lstm`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Recurrent<const GATES: u64> {
    /// How many numbers the state has.
    pub hidden: u64,
    /// How many of them are stacked.
    #[serde(default = "one")]
    pub layers: u64,
    /// Whether a second one reads the sequence backwards; doubles the output.
    #[serde(default)]
    pub bidirectional: bool,
    /// Dropout between stacked layers.
    #[serde(default)]
    pub dropout: f64,
    /// Whether biases are added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// `"last"`: the state after the whole sequence; `"sequence"`: the state at every place. Padding at the end of tokens is not
    /// read: the last state is that of the last token, and the states of padding are zeros.
    #[serde(default)]
    pub output: RecurrentOutput,
    /// How the weights start; as in PyTorch where it is left away. With it, biases start at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

/// What a recurrent layer gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum RecurrentOutput {
    /// The top layer's state after the whole sequence, of both directions side by side.
    #[default]
    Last,
    /// The top layer's state at every place.
    Sequence,
}

fn one() -> u64 {
    1
}

impl<const GATES: u64> Recurrent<GATES> {
    fn directions(&self) -> u64 {
        if self.bidirectional { 2 } else { 1 }
    }

    /// Whether oneDNN computes it on a CPU: of recurrent layers libtorch gives it only these.
    const fn is_onednns() -> bool {
        GATES == 4
    }

    /// How many numbers of a step one direction of a layer keeps for the backward pass. `rnn`: the state. `gru`: the state, the three
    /// gates with the memory that they were computed in, and what stood in two places before it was multiplied there. `lstm`: oneDNN's workspace,
    /// whose rows for states are as wide as the wider of input and state, in whole vectors of 16; and the output.
    fn kept_by_a_layer(&self, inputs: u64) -> Option<u64> {
        let row = |numbers: u64| numbers.checked_next_multiple_of(16);
        match GATES {
            1 => Some(self.hidden),
            3 => self.hidden.checked_mul(7),
            _ => {
                let states = row(inputs.max(self.hidden))?.checked_mul(6)?;
                self.hidden.checked_mul(9)?.checked_add(row(self.hidden)?)?.checked_add(states)
            }
        }
    }

    fn check_numbers(&self) -> Result<(), ShapeError> {
        let name = Self::INFO.name;
        if self.hidden == 0 {
            return Err(ShapeError::zero(name, "hidden"));
        }
        if self.layers == 0 {
            return Err(ShapeError::zero(name, "layers"));
        }
        probability(name, "dropout", self.dropout)?;
        init::check(name, self.init.as_ref())?;
        if self.dropout > 0.0 && self.layers == 1 {
            return Err(ShapeError::new(
                codes::CONFLICT,
                format!("`dropout` of {name} acts between stacked layers, but there is one"),
            )
            .at("dropout")
            .label("does nothing")
            .hint("set `layers`, or put `{ dropout = … }` after it"));
        }
        Ok(())
    }
}

impl<const GATES: u64> Layer for Recurrent<GATES> {
    const INFO: LayerInfo = match GATES {
        1 => LayerInfo {
            name: "rnn",
            summary: "A simple recurrent layer over a sequence.",
            docs: "`hₜ = tanh(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh)`. `[seq, features]` gives `[hidden]` (the state after the whole sequence), or \
                   `[seq, hidden]` with `output = \"sequence\"`; twice as many when `bidirectional`. Weights start uniform in ±1/√hidden, \
                   as in PyTorch.",
            example: "{ rnn = 64 }",
            weights: true,
        },
        3 => LayerInfo {
            name: "gru",
            summary: "A gated recurrent layer over a sequence.",
            docs: "`r = σ(W_ir x + b_ir + W_hr h + b_hr)`, `z = σ(W_iz x + b_iz + W_hz h + b_hz)`, `n = tanh(W_in x + b_in + r ∘ (W_hn h + \
                   b_hn))`, `h = (1 − z) ∘ n + z ∘ h` (Cho et al., 2014). `[seq, features]` gives `[hidden]` (the state after the whole sequence), \
                   or `[seq, hidden]` with `output = \"sequence\"`; twice as many when `bidirectional`. Weights start uniform in ±1/√hidden.",
            example: "{ gru = 64 }",
            weights: true,
        },
        _ => LayerInfo {
            name: "lstm",
            summary: "A long short-term memory over a sequence.",
            docs: "`i = σ(W_ii x + b_ii + W_hi h + b_hi)`, `f`, `o` alike, `g = tanh(W_ig x + b_ig + W_hg h + b_hg)`, `c = f ∘ c + i ∘ g`, \
                   `h = o ∘ tanh(c)` (Hochreiter and Schmidhuber, 1997). `[seq, features]` gives `[hidden]` (the state after the whole sequence), \
                   or `[seq, hidden]` with `output = \"sequence\"`; twice as many when `bidirectional`. Weights start uniform in ±1/√hidden.",
            example: "{ lstm = { hidden = 64, layers = 2, dropout = 0.2 } }",
            weights: true,
        },
    };

    fn from_short(short: Short) -> Option<Self> {
        let Short::Int(hidden) = short else { return None };
        let output = RecurrentOutput::Last;
        Some(Self { hidden, layers: 1, bidirectional: false, dropout: 0.0, bias: true, output, init: None })
    }

    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        vec![schemars::json_schema!({ "type": "integer", "minimum": 1 })]
    }

    fn infer(&self, input: &Signal, _: &InferCx) -> Result<Signal, ShapeError> {
        self.check_numbers()?;
        let [seq, _] = input.shape.0.as_slice() else {
            let error = ShapeError::rank(Self::INFO.name, "seq, features", &input.shape);
            return Err(match input.shape.rank() {
                1 => error.hint(
                    "`{ reshape = [seq, features] }` makes a sequence of a vector; use `linear` where there is none",
                ),
                _ => error,
            });
        };
        let width = Dim::Fixed(self.hidden.saturating_mul(self.directions()));
        Ok(match self.output {
            RecurrentOutput::Last => Signal::numbers(Shape(vec![width])),
            RecurrentOutput::Sequence => {
                Signal { padding: input.padding, ..Signal::numbers(Shape(vec![seq.clone(), width])) }
            }
        })
    }

    fn flops(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        let (seq, features) = (input.shape.0.first()?.size()?, input.shape.0.get(1)?.size()?);
        let wide = self.hidden.checked_mul(self.directions())?;
        let inputs = features.checked_add(wide.checked_mul(self.layers.checked_sub(1)?)?)?;
        let columns = inputs.checked_add(self.hidden.checked_mul(self.layers)?)?;
        GATES.checked_mul(wide)?.checked_mul(columns)?.checked_mul(seq)?.checked_mul(2)
    }

    /// As libtorch does on a CPU, to some percent: see `kept_by_a_layer`.
    fn activations(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        let (seq, features) = (input.shape.0.first()?.size()?, input.shape.0.get(1)?.size()?);
        let (directions, further) = (self.directions(), self.layers.checked_sub(1)?);
        let wide = self.hidden.checked_mul(directions)?;
        let first = self.kept_by_a_layer(features)?.checked_mul(directions)?;
        let other = self.kept_by_a_layer(wide)?.checked_mul(directions)?.checked_mul(further)?;
        // A layer's output is beside that, but where oneDNN has kept it; what dropout makes of it is, and where it was zero.
        let (copies, outputs) = if Self::is_onednns() { (1, u64::from(self.bidirectional)) } else { (directions, 1) };
        let dropped = if self.dropout > 0.0 { further.checked_mul(2 - outputs)? } else { 0 };
        let is_read = u64::from(self.output == RecurrentOutput::Sequence);
        let outputs = further.checked_add(is_read)?.checked_mul(outputs)?.checked_add(dropped)?.checked_mul(wide)?;
        // The input is laid out anew, with its steps outermost.
        let step = features.checked_mul(copies)?.checked_add(first)?.checked_add(other)?.checked_add(outputs)?;
        let last = if is_read == 0 { wide.checked_mul(self.layers)? } else { 0 };
        step.checked_mul(seq)?.checked_add(last)
    }

    fn parameters(&self, input: &Signal, _: &InferCx) -> Option<u64> {
        let features = input.shape.0.get(1)?.size()?;
        let biases = if self.bias { 2 } else { 0 };
        let per_row = |inputs: u64| inputs.checked_add(self.hidden)?.checked_add(biases);
        let rows = GATES.checked_mul(self.hidden)?.checked_mul(self.directions())?;
        let first = per_row(features)?.checked_mul(rows)?;
        let other = per_row(self.hidden.checked_mul(self.directions())?)?.checked_mul(rows)?;
        first.checked_add(other.checked_mul(self.layers.checked_sub(1)?)?)
    }

    fn describe(&self) -> String {
        let mut text = self.hidden.to_string();
        if self.layers > 1 {
            text.push_str(&format!(", {} layers", self.layers));
        }
        if self.bidirectional {
            text.push_str(", bidirectional");
        }
        if self.output == RecurrentOutput::Sequence {
            text.push_str(", sequence");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::testing::{decode, infer, infer_error};

    #[test]
    fn parameters_are_counted_as_pytorch_does() {
        // torch.nn.LSTM(8, 16): 4·16·(8 + 16 + 2); GRU has 3 gates, RNN 1.
        assert_eq!(infer(r#"{"lstm":16}"#, &[10, 8]), (Shape::fixed(&[16]), Some(1664)));
        assert_eq!(infer(r#"{"gru":16}"#, &[10, 8]).1, Some(1248));
        assert_eq!(infer(r#"{"rnn":16}"#, &[10, 8]).1, Some(416));
        // torch.nn.LSTM(8, 16, num_layers=2, bidirectional=True)
        let deep = r#"{"lstm":{"hidden":16,"layers":2,"bidirectional":true,"output":"sequence"}}"#;
        assert_eq!(infer(deep, &[10, 8]), (Shape::fixed(&[10, 32]), Some(9728)));
    }

    #[test]
    fn what_is_kept_for_the_backward_pass_is_what_libtorch_holds() {
        // Numbers of a row that libtorch 2.11's allocator holds on a CPU after the forward pass, input and parameters not counted.
        let cases: &[(&str, [u64; 2], u64)] = &[
            (r#"{"rnn":{"hidden":32,"output":"sequence"}}"#, [64, 32], 6_144),
            (r#"{"rnn":{"hidden":32,"layers":2,"bidirectional":true,"output":"sequence"}}"#, [64, 32], 20_480),
            (r#"{"rnn":{"hidden":32,"layers":2,"dropout":0.2,"output":"sequence"}}"#, [64, 32], 12_288),
            (r#"{"rnn":32}"#, [64, 32], 4_128),
            (r#"{"gru":{"hidden":32,"output":"sequence"}}"#, [64, 32], 18_400),
            (r#"{"gru":{"hidden":32,"layers":2,"bidirectional":true,"output":"sequence"}}"#, [64, 32], 69_504),
            (r#"{"gru":{"hidden":64,"layers":2,"bidirectional":true,"dropout":0.2}}"#, [64, 64], 139_264),
            (r#"{"lstm":{"hidden":32,"output":"sequence"}}"#, [64, 32], 35_200),
            (r#"{"lstm":{"hidden":20,"output":"sequence"}}"#, [64, 10], 26_824),
            (r#"{"lstm":{"hidden":32,"output":"sequence"}}"#, [64, 128], 78_784),
            (r#"{"lstm":{"hidden":64,"layers":2,"bidirectional":true,"output":"sequence"}}"#, [64, 64], 339_712),
            (r#"{"lstm":{"hidden":64,"layers":3,"dropout":0.2,"output":"sequence"}}"#, [64, 64], 222_464),
            (r#"{"lstm":{"hidden":64,"bidirectional":true}}"#, [64, 64], 138_880),
        ];
        for (layer, sizes, held) in cases {
            let cx = InferCx::default();
            let kept = decode(layer).activations(&Signal::numbers(Shape::fixed(sizes)), &cx).expect("known");
            let off = (kept as f64 / *held as f64 - 1.0).abs();
            assert!(off < 0.03, "{layer} over {sizes:?}: {kept}, libtorch holds {held}");
        }
        let huge = decode(&format!(r#"{{"lstm":{}}}"#, u64::MAX));
        let cx = InferCx::default();
        assert_eq!(huge.activations(&Signal::numbers(Shape::fixed(&[64, 32])), &cx), None);
    }

    #[test]
    fn what_a_recurrent_layer_cannot_take() {
        let error = infer_error(r#"{"lstm":16}"#, &[10]);
        assert_eq!(
            (error.code, error.message.as_str()),
            (codes::RANK, "lstm takes [batch, seq, features] but receives [batch, 10]")
        );
        assert_eq!(error.hints.len(), 1);
        assert_eq!(infer_error(r#"{"gru":{"hidden":4,"dropout":0.5}}"#, &[10, 2]).code, codes::CONFLICT);
        assert_eq!(infer_error(r#"{"rnn":0}"#, &[10, 2]).code, codes::OUT_OF_RANGE);
    }
}
