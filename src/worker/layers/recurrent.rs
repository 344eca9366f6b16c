//! `rnn`, `gru`, `lstm`.

use super::dropout::dropped;
use super::pass::{Mask, Pass, at, at_each};
use super::past::Past;
use super::{Module, Site, init, int, words};
use crate::bfloat::Paused;
use kilter::nn::layers::{self, RecurrentOutput};
use std::cell::Cell;
use tch::{Device, TchError, Tensor, nn::Path};

pub(super) struct Recurrent<const GATES: u64> {
    /// Per stacked layer and direction: `weight_ih`, `weight_hh`, and the biases where there are any.
    params: Vec<Tensor>,
    hidden: i64,
    layers: i64,
    bidirectional: bool,
    dropout: f64,
    bias: bool,
    output: RecurrentOutput,
    /// Whether the parameters lie as cuDNN reads them; see [`Recurrent::lay_out`].
    laid: Cell<bool>,
}

/// Some of the stacked layers, with their parameters.
struct Part<'a> {
    params: &'a [Tensor],
    layers: i64,
    bidirectional: bool,
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
                    let param = match &spec.init {
                        None => init::uniform(vs, &name, dims, bound)?,
                        Some(init) if dims.len() > 1 => init::declared(vs, &name, dims, init)?,
                        Some(_) => vs.f_zeros(&name, dims).map_err(words)?,
                    };
                    params.push(param);
                    Ok::<(), String>(())
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
            laid: Cell::new(false),
        })
    }

    /// On a GPU puts the parameters that are used together side by side, once: else cuDNN's are copied together in every pass, with a
    /// warning each time. The tensors stay the same ones, with other memory.
    fn lay_out(&self, x: &Tensor, is_masked: bool) -> Result<(), TchError> {
        if x.device() == Device::Cpu || self.laid.replace(true) {
            return Ok(());
        }
        let matrix = if self.bias { 4 } else { 2 };
        let directions = if self.bidirectional { 2 } else { 1 };
        let (together, bidirectional) = match self.bidirectional && is_masked {
            true => (matrix, false),
            false if self.goes_layer_by_layer(x) => (matrix * directions, self.bidirectional),
            false => (self.params.len(), self.bidirectional),
        };
        let layers = together / matrix / if bidirectional { 2 } else { 1 };
        // cuDNN's numbers of its kinds of layers.
        let mode = match GATES {
            1 => 1,
            3 => 3,
            _ => 2,
        };
        let _no_grad = tch::no_grad_guard();
        for params in self.params.chunks(together) {
            let (inputs, hidden, layers) = (params[0].size()[1], self.hidden, layers as i64);
            let _ = Tensor::f_internal_cudnn_rnn_flatten_weight(
                params,
                matrix as i64,
                inputs,
                mode,
                hidden,
                0,
                layers,
                true,
                bidirectional,
            )?;
        }
        Ok(())
    }

    /// Whether stacked layers are computed one by one: cuDNN draws what it drops between them from a state of its own, which no
    /// checkpoint holds.
    fn goes_layer_by_layer(&self, x: &Tensor) -> bool {
        x.device() != Device::Cpu && self.layers > 1 && self.dropout > 0.0
    }

    /// The same as [`Recurrent::states_from`] so.
    fn layer_by_layer(
        &self,
        [hidden, cell]: [&Tensor; 2],
        x: &Tensor,
        part: &Part<'_>,
        train: bool,
    ) -> Result<(Tensor, [Tensor; 2]), TchError> {
        let directions = if part.bidirectional { 2 } else { 1 };
        let each = part.params.len() / part.layers as usize;
        let (mut x, mut hiddens, mut cells) = (x.shallow_clone(), Vec::new(), Vec::new());
        for (layer, params) in (0_i64..).zip(part.params.chunks(each)) {
            if layer > 0 && train {
                x = dropped(x, self.dropout, false)?;
            }
            let start = |of: &Tensor| of.f_narrow(0, layer * directions, directions);
            let one = Part { params, layers: 1, bidirectional: part.bidirectional };
            let (states, [last, cell]) = self.states_from([&start(hidden)?, &start(cell)?], &x, &one, train)?;
            x = states;
            hiddens.push(last);
            cells.push(cell);
        }
        Ok((x, [Tensor::f_cat(&hiddens, 0)?, Tensor::f_cat(&cells, 0)?]))
    }

    /// The states at every place, `[batch, seq, width]`, and the last ones, `[layers · directions, batch, hidden]`.
    fn states(&self, x: &Tensor, part: &Part<'_>, train: bool) -> Result<(Tensor, Tensor), TchError> {
        let directions = if part.bidirectional { 2 } else { 1 };
        let batch = x.size().first().copied().unwrap_or(0);
        let zeros = Tensor::f_zeros([part.layers * directions, batch, self.hidden], (x.kind(), x.device()))?;
        let (states, [last, _]) = self.states_from([&zeros, &zeros], x, part, train)?;
        Ok((states, last))
    }

    /// The same from other states than zeros: of `lstm` two, the second of which has no use elsewhere.
    fn states_from(
        &self,
        [hidden, cell]: [&Tensor; 2],
        x: &Tensor,
        part: &Part<'_>,
        train: bool,
    ) -> Result<(Tensor, [Tensor; 2]), TchError> {
        let Part { params, layers, bidirectional } = *part;
        if layers > 1 && self.goes_layer_by_layer(x) {
            return self.layer_by_layer([hidden, cell], x, part, train);
        }
        let (bias, dropout) = (self.bias, if layers > 1 { self.dropout } else { 0.0 });
        let (states, last) = match GATES {
            1 => x.f_rnn_tanh(hidden, params, bias, layers, dropout, train, bidirectional, true)?,
            3 => x.f_gru(hidden, params, bias, layers, dropout, train, bidirectional, true)?,
            _ => {
                let params: Vec<&Tensor> = params.iter().collect();
                let start = [hidden, cell];
                let (states, last, cell) =
                    x.f_lstm(&start, &params, bias, layers, dropout, train, bidirectional, true)?;
                return Ok((states, [last, cell]));
            }
        };
        Ok((states, [last, cell.shallow_clone()]))
    }

    /// Goes on with sequences from the states after the tokens that were seen.
    fn further(&self, x: &Tensor, past: &mut Past) -> Result<Tensor, TchError> {
        let (slot, mut kept) = past.take();
        let size = x.size();
        if kept.is_empty() {
            let zeros = Tensor::f_zeros([size[0], self.layers, self.hidden], (x.kind(), x.device()))?;
            kept = vec![zeros.f_zeros_like()?, zeros];
        }
        let out = Tensor::f_zeros([size[0], size[1], self.hidden], (x.kind(), x.device()))?;
        let mut lengths = past.new_tokens().to_vec();
        lengths.sort_unstable();
        lengths.dedup();
        // What fills shorter rows up must not change their states: rows of one length at a time.
        for length in lengths {
            let rows = (0_i64..).zip(past.new_tokens()).filter_map(|(row, new)| (*new == length).then_some(row));
            let rows = Tensor::f_from_slice(&rows.collect::<Vec<i64>>())?.f_to_device(x.device())?;
            let start = |kept: &Tensor| kept.f_index_select(0, &rows)?.f_transpose(0, 1)?.f_contiguous();
            let (hidden, cell) = (start(&kept[0])?, start(&kept[1])?);
            let tokens = x.f_index_select(0, &rows)?.f_narrow(1, 0, length)?;
            let (states, last) = self.states_from([&hidden, &cell], &tokens, &self.whole(), false)?;
            let _ = out.f_narrow(1, 0, length)?.f_index_copy_(0, &rows, &states)?;
            for (kept, last) in kept.iter_mut().zip(last) {
                let _ = kept.f_index_copy_(0, &rows, &last.f_transpose(0, 1)?)?;
            }
        }
        past.put(slot, kept);
        Ok(out)
    }

    fn whole(&self) -> Part<'_> {
        Part { params: &self.params, layers: self.layers, bidirectional: self.bidirectional }
    }

    /// One direction of one layer: 0 forwards, 1 backwards.
    fn one(&self, layer: i64, direction: i64) -> Part<'_> {
        let count = if self.bias { 4 } else { 2 };
        let start = (layer * 2 + direction) as usize * count;
        Part { params: &self.params[start..start + count], layers: 1, bidirectional: false }
    }

    /// Both directions over tokens of which some are padding at the end: as PyTorch over packed sequences, without asking
    /// the device for lengths. A backward layer reads each row from its own last token.
    fn both_ways(&self, x: &Tensor, mask: &Mask, train: bool) -> Result<Tensor, TchError> {
        let turn = mask.turned()?;
        let mut x = x.shallow_clone();
        for layer in 0..self.layers {
            if layer > 0 && train && self.dropout > 0.0 {
                x = dropped(x, self.dropout, true)?;
            }
            let (forwards, _) = self.states(&x, &self.one(layer, 0), train)?;
            let (backwards, _) = self.states(&at_each(&x, &turn)?, &self.one(layer, 1), train)?;
            x = Tensor::f_cat(&[forwards, at_each(&backwards, &turn)?], -1)?;
        }
        Ok(x)
    }

    fn masked(&self, x: &Tensor, mask: &Mask, train: bool) -> Result<Tensor, TchError> {
        let states = match self.bidirectional {
            true => self.both_ways(x, mask, train)?,
            false => self.states(x, &self.whole(), train)?.0,
        };
        if self.output == RecurrentOutput::Sequence {
            return states.f_mul(&mask.factor(&states)?);
        }
        let end = mask.lengths()?.f_sub_scalar(1)?;
        if !self.bidirectional {
            return at(&states, &end);
        }
        let forwards = at(&states.f_narrow(2, 0, self.hidden)?, &end)?;
        Tensor::f_cat(&[forwards, states.f_narrow(2, self.hidden, self.hidden)?.f_select(1, 0)?], 1)
    }
}

impl<const GATES: u64> Module for Recurrent<GATES> {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        self.lay_out(&x, pass.mask.is_some())?;
        // libtorch would cast recurrent layers to f16 then, whose gradients vanish without a scale.
        let (_paused, x) = Paused::at(&x)?.map_or((None, x), |(paused, x)| (Some(paused), x));
        if let Some(past) = &mut pass.past {
            return self.further(&x, past);
        }
        if let Some(mask) = &pass.mask {
            return self.masked(&x, mask, pass.train);
        }
        let (states, last) = self.states(&x, &self.whole(), pass.train)?;
        match (self.output, self.bidirectional) {
            (RecurrentOutput::Sequence, _) => Ok(states),
            (RecurrentOutput::Last, false) => last.f_select(0, -1),
            (RecurrentOutput::Last, true) => Tensor::f_cat(&[last.f_select(0, -2)?, last.f_select(0, -1)?], 1),
        }
    }

    fn goes_on(&self) -> bool {
        !self.bidirectional && self.output == RecurrentOutput::Sequence
    }
}
