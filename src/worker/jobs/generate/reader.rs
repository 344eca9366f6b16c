//! What a model says of the token after each sequence. Where all its layers can go on with sequences, it is given each token once;
//! others are given whole sequences, and so are all once a sequence is longer than what they can see: it loses its beginning, and with
//! that every token has another place.

use crate::failure::Failure;
use crate::layers::Past;
use crate::network::Loaded;
use kilter::job::GenerateJob;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// A model of the next token.
pub trait Model {
    /// The logits at every place of sequences `[rows, tokens]`, which are the feature of this name.
    ///
    /// # Errors
    /// What libtorch says.
    fn whole(&self, tokens: &Tensor, feature: &str) -> Result<Tensor, Failure>;

    /// Whether it can go on with sequences.
    fn goes_on(&self) -> bool;

    /// The logits at every place of tokens that follow those of a past, and the past with them; `new` says how many of each row do.
    ///
    /// # Errors
    /// What libtorch says.
    fn go_on(&self, tokens: &Tensor, new: &[i64], past: Past) -> Result<(Tensor, Past), Failure>;
}

impl Model for Loaded {
    fn whole(&self, tokens: &Tensor, feature: &str) -> Result<Tensor, Failure> {
        self.forward(&BTreeMap::from([(feature.to_owned(), tokens.shallow_clone())]), false)
    }

    fn goes_on(&self) -> bool {
        Self::goes_on(self)
    }

    fn go_on(&self, tokens: &Tensor, new: &[i64], past: Past) -> Result<(Tensor, Past), Failure> {
        Self::go_on(self, tokens, new, past)
    }
}

/// Reads sequences that become longer.
pub struct Reader<'a> {
    job: &'a GenerateJob,
    model: &'a dyn Model,
    device: Device,
    goes_on: bool,
    /// What the model keeps of some sequences, and which those are.
    past: Option<(Past, Vec<usize>)>,
}

impl<'a> Reader<'a> {
    /// One that has read nothing.
    pub fn new(job: &'a GenerateJob, model: &'a dyn Model, device: Device) -> Self {
        Self { job, model, device, goes_on: model.goes_on(), past: None }
    }

    /// The logits of the token after each sequence, by the sequence's number. Those that were read before are longer now, or missing.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn logits(&mut self, open: &[(usize, &[i64])]) -> Result<BTreeMap<usize, Vec<f64>>, Failure> {
        let context = self.job.context;
        let (short, long): (Vec<_>, Vec<_>) =
            open.iter().copied().partition(|(_, tokens)| self.goes_on && tokens.len() <= context);
        let mut all = BTreeMap::new();
        let mut note = |rows: &[(usize, &[i64])], logits: Vec<Vec<f64>>| {
            all.extend(rows.iter().map(|(row, _)| *row).zip(logits));
        };
        if !short.is_empty() {
            note(&short, self.further(&short)?);
        }
        if !long.is_empty() {
            let seen: Vec<&[i64]> =
                long.iter().map(|(_, tokens)| &tokens[tokens.len().saturating_sub(context)..]).collect();
            let (input, lengths) = self.filled_up(&seen)?;
            note(&long, self.last(&self.model.whole(&input, &self.job.feature)?, &lengths)?);
        }
        Ok(all)
    }

    /// The logits after sequences of which only what is new is computed.
    fn further(&mut self, open: &[(usize, &[i64])]) -> Result<Vec<Vec<f64>>, Failure> {
        let rows: Vec<usize> = open.iter().map(|(row, _)| *row).collect();
        let past = match self.past.take() {
            None => Past::new(rows.len()),
            Some((past, before)) if before == rows => past,
            Some((mut past, before)) => {
                let left: Vec<usize> = (0..before.len()).filter(|at| rows.contains(&before[*at])).collect();
                past.retain(&left)?;
                past
            }
        };
        let new: Vec<&[i64]> =
            open.iter().zip(past.seen()).map(|((_, tokens), seen)| &tokens[*seen as usize..]).collect();
        let (input, lengths) = self.filled_up(&new)?;
        let (output, past) = self.model.go_on(&input, &lengths, past)?;
        self.past = Some((past, rows));
        self.last(&output, &lengths)
    }

    /// Sequences as a batch, with their lengths. Shorter ones are filled up behind their end, where a model that only looks back does
    /// not see it.
    fn filled_up(&self, sequences: &[&[i64]]) -> Result<(Tensor, Vec<i64>), Failure> {
        let width = sequences.iter().map(|tokens| tokens.len()).max().unwrap_or(0);
        let filled: Vec<i64> = sequences
            .iter()
            .flat_map(|tokens| tokens.iter().copied().chain(std::iter::repeat_n(self.job.pad, width - tokens.len())))
            .collect();
        let size = [sequences.len() as i64, width as i64];
        let input = Tensor::f_from_slice(&filled)?.f_view(size)?.f_to_device(self.device)?;
        Ok((input, sequences.iter().map(|tokens| tokens.len() as i64).collect()))
    }

    /// The logits at the last token of each row.
    fn last(&self, output: &Tensor, lengths: &[i64]) -> Result<Vec<Vec<f64>>, Failure> {
        let row = Tensor::f_arange(lengths.len() as i64, (Kind::Int64, self.device))?;
        let last: Vec<i64> = lengths.iter().map(|length| length - 1).collect();
        let last = Tensor::f_from_slice(&last)?.f_to_device(self.device)?;
        let logits = output.f_index(&[Some(row), Some(last)])?.f_to_kind(Kind::Double)?.f_to_device(Device::Cpu)?;
        Ok(Vec::<Vec<f64>>::try_from(logits)?)
    }
}
