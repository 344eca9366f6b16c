//! `rnn`, `gru`, `lstm`.

use super::{Module, Site, init, int};
use kilter::nn::layers::{self, RecurrentOutput};
use tch::{TchError, Tensor, nn::Path};

pub(super) struct Recurrent<const GATES: u64> {
    /// Per stacked layer and direction: `weight_ih`, `weight_hh`, and the biases where there are any.
    params: Vec<Tensor>,
    hidden: i64,
    layers: i64,
    bidirectional: bool,
    dropout: f64,
    bias: bool,
    output: RecurrentOutput,
}

impl<const GATES: u64> Recurrent<GATES> {
    pub fn new(spec: &layers::Recurrent<GATES>, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let (features, hidden, layers) = (site.input_size(1)?, int(spec.hidden)?, int(spec.layers)?);
        let rows = int(GATES)? * hidden;
        let bound = 1.0 / (hidden as f64).sqrt();
        let directions: &[&str] = if spec.bidirectional { &["", "_reverse"] } else { &[""] };
        let mut params = Vec::new();
        for layer in 0..layers {
            let inputs = if layer == 0 { features } else { hidden * directions.len() as i64 };
            for direction in directions {
                let mut add = |name: &str, dims: &[i64]| {
                    let name = format!("{name}_l{layer}{direction}");
                    init::uniform(vs, &name, dims, bound).map(|param| params.push(param))
                };
                add("weight_ih", &[rows, inputs])?;
                add("weight_hh", &[rows, hidden])?;
                if spec.bias {
                    add("bias_ih", &[rows])?;
                    add("bias_hh", &[rows])?;
                }
            }
        }
        Ok(Self {
            params,
            hidden,
            layers,
            bidirectional: spec.bidirectional,
            dropout: spec.dropout,
            bias: spec.bias,
            output: spec.output,
        })
    }

    /// The states at every place, `[batch, length, width]`, and the last ones, `[layers · directions, batch, hidden]`.
    fn states(&self, x: &Tensor, train: bool) -> Result<(Tensor, Tensor), TchError> {
        let Self { params, layers, bidirectional, dropout, bias, .. } = self;
        let directions = if *bidirectional { 2 } else { 1 };
        let batch = x.size().first().copied().unwrap_or(0);
        let zeros = Tensor::f_zeros([layers * directions, batch, self.hidden], (x.kind(), x.device()))?;
        match GATES {
            1 => x.f_rnn_tanh(&zeros, params, *bias, *layers, *dropout, train, *bidirectional, true),
            3 => x.f_gru(&zeros, params, *bias, *layers, *dropout, train, *bidirectional, true),
            _ => x
                .f_lstm(
                    &[&zeros, &zeros],
                    &params.iter().collect::<Vec<_>>(),
                    *bias,
                    *layers,
                    *dropout,
                    train,
                    *bidirectional,
                    true,
                )
                .map(|(states, last, _)| (states, last)),
        }
    }
}

impl<const GATES: u64> Module for Recurrent<GATES> {
    fn forward(&self, x: Tensor, train: bool) -> Result<Tensor, TchError> {
        let (states, last) = self.states(&x, train)?;
        match (self.output, self.bidirectional) {
            (RecurrentOutput::Sequence, _) => Ok(states),
            (RecurrentOutput::Last, false) => last.f_select(0, -1),
            (RecurrentOutput::Last, true) => Tensor::f_cat(&[last.f_select(0, -2)?, last.f_select(0, -1)?], 1),
        }
    }
}
