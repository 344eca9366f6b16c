//! What language models need beside others: losses and sums over the tokens of sequences, and hidden tokens.

use super::Forward;
use super::train::batches::Batch;
use super::train::order;
use crate::bfloat;
use crate::failure::Failure;
use crate::tensors::{Dataset, moved};
use kilter::nn::losses::Loss;
use kilter::types::{Masking, Task};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use tch::{Device, Kind, Reduction, Tensor};

/// Marks a place without a target.
pub const NO_TARGET: i64 = -100;

/// How many numbers the outputs of a pass without gradients may have: a row of them is places times vocabulary.
const MOST_OUTPUTS: i64 = 1 << 25;

/// Rows for a pass without gradients: fewer than asked for where they are sequences of tokens and would take too much memory.
pub fn rows_at_once(task: &Task, outputs: i64, wanted: usize) -> usize {
    let room = usize::try_from(MOST_OUTPUTS / outputs.max(1)).unwrap_or(1).max(1);
    if task.is_tokens() { wanted.min(room) } else { wanted }
}

/// A dataset with the targets of a task: hidden tokens are made of the feature of the target's name.
///
/// # Errors
/// When there is no such feature.
pub fn with_target(mut data: Dataset, task: &Task, name: &str) -> Result<Dataset, Failure> {
    if matches!(task, Task::MaskedToken { .. }) {
        let tokens =
            data.features.get(name).ok_or_else(|| Failure::new(format!("the data has no feature `{name}`")))?;
        data.target = Some(tokens.shallow_clone());
    }
    Ok(data)
}

/// Logits as `[rows * places, vocabulary]`, and targets as `[rows * places]` of `i64`.
fn flat(output: &Tensor, target: &Tensor) -> Result<(Tensor, Tensor), Failure> {
    let vocabulary = output.size().last().copied().unwrap_or(0);
    Ok((output.f_reshape([-1, vocabulary])?, target.f_reshape([-1])?.f_to_kind(Kind::Int64)?))
}

/// Whether a target of this loss is one of tokens: a class at each place of a sequence.
pub fn are_targets(loss: &Loss, target: &Tensor) -> bool {
    matches!(loss, Loss::CrossEntropy(_)) && target.dim() == 2
}

/// How many places have a target.
///
/// # Errors
/// What libtorch says.
pub fn count(target: &Tensor) -> Result<Tensor, Failure> {
    Ok(target.f_ne(NO_TARGET)?.f_sum(Kind::Float)?)
}

/// The mean log loss over the places that have a target; 0 where none has.
///
/// # Errors
/// What libtorch says.
pub fn mean_loss(output: &Tensor, target: &Tensor, label_smoothing: f64) -> Result<Tensor, Failure> {
    let (output, target) = flat(output, target)?;
    if label_smoothing == 0.0 && output.kind() == Kind::BFloat16 && output.device() != Device::Cpu {
        return Ok(bfloat::token_loss(&output, &target, NO_TARGET)?);
    }
    let sum = output.f_cross_entropy_loss::<Tensor>(&target, None, Reduction::Sum, NO_TARGET, label_smoothing)?;
    Ok(sum.f_div(&count(&target)?.f_clamp_min(1.0)?)?)
}

/// Of each row the sum of the log loss, how many places have a target, and how many of these are right: `[rows, 3]`.
///
/// # Errors
/// What libtorch says.
pub fn sums(output: &Tensor, target: &Tensor) -> Result<Tensor, Failure> {
    let rows = target.size().first().copied().unwrap_or(0);
    let (logits, flat) = flat(output, target)?;
    let loss = logits.f_cross_entropy_loss::<Tensor>(&flat, None, Reduction::None, NO_TARGET, 0.0)?;
    let there = flat.f_ne(NO_TARGET)?;
    let right = logits.f_argmax(-1, false)?.f_eq_tensor(&flat)?.f_logical_and(&there)?;
    let sum =
        |values: &Tensor| values.f_reshape([rows, -1])?.f_sum_dim_intlist([1_i64].as_slice(), false, Kind::Double);
    Ok(Tensor::f_stack(&[sum(&loss)?, sum(&there)?, sum(&right)?], 1)?)
}

/// Whether a model of the next token sees only what stands before it: outputs must not change with the tokens after them.
///
/// # Errors
/// When they do, or libtorch fails.
pub fn check_causal(forward: Forward<'_>, data: &Dataset, task: &Task, name: &str) -> Result<(), Failure> {
    let (Task::NextToken { vocabulary: Some(vocabulary) }, Some(tokens)) = (task, data.features.get(name)) else {
        return Ok(());
    };
    let places = tokens.size().get(1).copied().unwrap_or(0);
    if data.rows == 0 || places < 2 {
        return Ok(());
    }
    let _no_grad = tch::no_grad_guard();
    let first = moved(tokens.f_narrow(0, 0, 1)?.f_to_kind(Kind::Int64)?, data.device)?;
    let half = places / 2;
    let others = first.f_add_scalar(1)?.f_remainder(vocabulary.cast_signed())?;
    let changed = Tensor::f_cat(&[first.f_narrow(1, 0, half)?, others.f_narrow(1, half, places - half)?], 1)?;
    let before = |tokens: Tensor| -> Result<Tensor, Failure> {
        Ok(forward(&BTreeMap::from([(name.to_owned(), tokens)]), false)?.f_narrow(1, 0, half)?)
    };
    let (a, b) = (before(first)?, before(changed)?);
    if a.f_allclose(&b, 1e-3, 1e-4, true)? {
        return Ok(());
    }
    Err(Failure::new("the model sees the tokens that it is to predict: its outputs change with the tokens after them")
        .hint("attention and transformer layers take `causal = true`; an `lstm` must not be `bidirectional`, a `conv1d` must not look ahead"))
}

/// Hides tokens of batches (Devlin et al., BERT, 2019): of all that are not special each with some probability; of these 80 %
/// become the mask token, 10 % any that is not special, 10 % stay. What is to be guessed are those alone.
pub struct Masker<'a> {
    feature: &'a str,
    masking: &'a Masking,
    mask: i64,
    vocabulary: u64,
    seed: u64,
}

impl<'a> Masker<'a> {
    /// What hides the tokens of a feature; `None` for other tasks.
    pub fn new(task: &'a Task, feature: &'a str, seed: u64) -> Option<Self> {
        let Task::MaskedToken { vocabulary: Some(vocabulary), masking } = task else { return None };
        let mask = masking.special.mask?.cast_signed();
        Some(Self { feature, masking, mask, vocabulary: *vocabulary, seed })
    }

    /// The choices for a batch of a training, told by its epoch and its place in it: there is no state between batches to keep
    /// in checkpoints.
    pub fn choices(&self, epoch: u64, batch: u64) -> ChaCha8Rng {
        order::generator(self.seed, epoch, &format!("mask {batch}"))
    }

    /// The choices for data that are only looked at: the same every time.
    pub fn unchanging(&self) -> ChaCha8Rng {
        order::generator(self.seed, 0, "mask")
    }

    /// Hides tokens of a batch.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn hide(&self, batch: &mut Batch, choices: &mut ChaCha8Rng) -> Result<(), Failure> {
        let tokens = batch.features.get(self.feature).ok_or_else(|| Failure::new("the feature to hide is missing"))?;
        let tokens = tokens.f_to_kind(Kind::Int64)?;
        // Drawn for every place, whatever stands there, so that nothing has to be read back from a GPU.
        let places = tokens.numel();
        let special = self.masking.special.all();
        let plain = self.vocabulary.saturating_sub(special.len() as u64);
        let mut draws = Vec::with_capacity(places);
        let mut others = Vec::with_capacity(places);
        for _ in 0..places {
            draws.push(order::fraction(choices));
            others.push(beside(order::below(choices, plain), &special).cast_signed());
        }
        let shaped = |tensor: Tensor| moved(tensor.f_reshape(tokens.size())?, tokens.device());
        let draws = shaped(Tensor::f_from_slice(&draws)?)?;
        let others = shaped(Tensor::f_from_slice(&others)?)?;
        let p = self.masking.probability;
        let mut chosen = draws.f_lt(p)?;
        for id in special {
            chosen = chosen.f_logical_and(&tokens.f_ne(id.cast_signed())?)?;
        }
        let masked = chosen.f_logical_and(&draws.f_lt(0.8 * p)?)?;
        let random = chosen.f_logical_and(&draws.f_ge(0.8 * p)?)?.f_logical_and(&draws.f_lt(0.9 * p)?)?;
        let seen = tokens.f_masked_fill(&masked, self.mask)?.f_where_self(&random.f_logical_not()?, &others)?;
        let target = tokens.f_masked_fill(&chosen.f_logical_not()?, NO_TARGET)?;
        batch.features.insert(self.feature.to_owned(), seen);
        batch.target = Some(target);
        Ok(())
    }
}

/// The token of this number among those that are not special; `special` rises. A place must not become padding, which stands at
/// the end of rows alone.
fn beside(number: u64, special: &[u64]) -> u64 {
    special.iter().fold(number, |token, id| token + u64::from(token >= *id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kilter::types::SpecialIds;

    fn numbers(tensor: &Tensor) -> Vec<i64> {
        Vec::try_from(tensor.to_kind(Kind::Int64).contiguous().view(-1)).expect("numbers")
    }

    #[test]
    fn places_without_a_target_count_nothing() {
        let output =
            Tensor::from_slice(&[2.0_f32, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]).view([2, 2, 3]);
        let target = Tensor::from_slice(&[0_i32, -100, 0, 1]).view([2, 2]);
        let e = std::f64::consts::E;
        let nats = [(e.powi(2) + 2.0).ln() - 2.0, (2.0 + e).ln(), 3.0_f64.ln()];
        let mean = mean_loss(&output, &target, 0.0).expect("computed").double_value(&[]);
        assert!((mean - nats.iter().sum::<f64>() / 3.0).abs() < 1e-6, "{mean}");
        let sums = sums(&output, &target).expect("computed");
        let rows = Vec::<f64>::try_from(&sums.view(-1)).expect("numbers");
        assert!((rows[0] - nats[0]).abs() < 1e-6 && (rows[3] - nats[1] - nats[2]).abs() < 1e-6, "{rows:?}");
        assert_eq!((rows[1], rows[2], rows[4], rows[5]), (1.0, 1.0, 2.0, 0.0));
        let none = Tensor::from_slice(&[-100_i64; 4]).view([2, 2]);
        assert_eq!(mean_loss(&output, &none, 0.0).expect("computed").double_value(&[]), 0.0);
    }

    #[test]
    fn a_mean_over_tokens_is_that_over_rows() {
        let logits = Tensor::from_slice2(&[[1.0_f32, 2.0, 0.5], [0.1, -0.4, 3.0]]);
        let of_tokens = mean_loss(&logits.view([1, 2, 3]), &Tensor::from_slice2(&[[1_i64, 0]]), 0.1).expect("computed");
        // The number of torch 2.11.0 in Python for `label_smoothing=0.1`, as in the losses' tests.
        assert!((of_tokens.double_value(&[]) - 1.7262).abs() < 1e-4);
    }

    #[test]
    fn eight_of_ten_hidden_tokens_are_masks_and_special_ones_stay() {
        let special = SpecialIds { pad: Some(0), mask: Some(1), bos: Some(2), ..SpecialIds::default() };
        let masking = Masking { probability: 0.15, special };
        let task = Task::MaskedToken { vocabulary: Some(1000), masking };
        let masker = Masker::new(&task, "text", 7).expect("a masker");
        let ids: Vec<i32> = (0..40_000).map(|place| if place % 10 == 0 { 2 } else { 3 + place % 500 }).collect();
        let batch = || {
            let tokens = Tensor::from_slice(&ids).view([200, 200]);
            let features = BTreeMap::from([("text".to_owned(), tokens.shallow_clone())]);
            Batch { features, target: Some(tokens), rows: 200, mix: None }
        };
        let hidden = |mut choices: ChaCha8Rng| {
            let mut batch = batch();
            masker.hide(&mut batch, &mut choices).expect("hidden");
            (numbers(&batch.features["text"]), numbers(batch.target.as_ref().expect("a target")))
        };
        let (seen, target) = hidden(masker.unchanging());
        assert_eq!((seen.clone(), target.clone()), hidden(masker.unchanging()));
        assert_ne!(seen, hidden(masker.choices(1, 0)).0);
        assert_ne!(hidden(masker.choices(1, 0)).0, hidden(masker.choices(1, 1)).0);
        let chosen: Vec<usize> = (0..ids.len()).filter(|place| target[*place] != NO_TARGET).collect();
        assert!(chosen.iter().all(|place| ids[*place] != 2 && target[*place] == i64::from(ids[*place])));
        assert!((0..ids.len()).all(|place| target[place] != NO_TARGET || seen[place] == i64::from(ids[place])));
        let share = chosen.len() as f64 / 36_000.0;
        assert!((share - 0.15).abs() < 0.01, "{share}");
        let of = |count: usize| count as f64 / chosen.len() as f64;
        let masks = of(chosen.iter().filter(|place| seen[**place] == 1).count());
        let kept = of(chosen.iter().filter(|place| seen[**place] == i64::from(ids[**place])).count());
        assert!(chosen.iter().all(|place| ![0, 2].contains(&seen[*place])), "no place becomes special");
        assert_eq!((0..4).map(|number| beside(number, &[0, 2, 3])).collect::<Vec<_>>(), [1, 4, 5, 6]);
        assert!((masks - 0.8).abs() < 0.02 && (kept - 0.1).abs() < 0.02, "{masks} {kept}");
        assert_eq!(batch().features["text"].device(), Device::Cpu);
    }
}
