//! Why a loss is no number, or no sensible one: which rows, and which layer.

use super::super::Forward;
use super::batches::Batch;
use crate::failure::Failure;
use crate::layers::{first_not_finite, rows_not_finite};
use crate::tensors::Weights;
use kilter::numbers::counted;

/// A loss so many times that of the first step (or 1, where that is less) has exploded.
const EXPLODED: f64 = 1e6;
/// How it is told that the data are to blame, and no layer, whatever its name is.
const FEATURE: &str = ": the feature `";

/// The loss of a step, and where it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diverged {
    pub loss: f64,
    /// The loss of the first step of all, where it is known.
    pub first: Option<f64>,
    pub epoch: u64,
    pub step: u64,
    pub lr: f64,
}

impl Diverged {
    /// Whether the loss shows that training has diverged.
    pub fn is_so(&self) -> bool {
        !self.loss.is_finite() || self.first.is_some_and(|first| self.loss > EXPLODED * first.abs().max(1.0))
    }

    /// The failure, as far as the loss tells of it.
    pub fn failure(&self) -> Failure {
        let Self { loss, epoch, step, lr, .. } = *self;
        let what = match loss {
            loss if loss.is_nan() => "the loss is NaN".to_owned(),
            loss if loss.is_infinite() => "the loss is infinite".to_owned(),
            loss => format!(
                "the loss has exploded from {} to {}",
                four_digits(self.first.unwrap_or(1.0)),
                four_digits(loss)
            ),
        };
        Failure::new(format!("{what} in epoch {epoch}, at step {step} (learning rate {})", four_digits(lr)))
    }

    /// The failure, with what a forward pass over the step's batch shows. `rows` are the numbers of the batch's rows in the
    /// training data, from 0; `clips` is whether gradients are bounded already.
    pub fn explained(
        &self,
        batch: &Batch,
        rows: &[i64],
        weights: &Weights,
        forward: Forward<'_>,
        clips: bool,
    ) -> Failure {
        let culprit = culprit(batch, weights, forward);
        let mut failure = self.failure();
        failure.message.push_str(&self.dated(&culprit));
        failure = failure.hint(format!("the batch is {} of the training data", named(rows)));
        if culprit.starts_with(FEATURE) {
            return failure.hint("impute or clip infinite and huge numbers where the data is encoded");
        }
        failure = failure.hint("try a learning rate ten times lower, or a schedule with `warmup_epochs`");
        if clips { failure } else { failure.hint("`clip = { norm = 1.0 }` bounds the gradients") }
    }

    /// What the pass showed, and when: a loss that is a number has not kept its step from changing the weights.
    fn dated(&self, culprit: &str) -> String {
        match culprit.strip_prefix(": `") {
            Some(layer) if self.loss.is_finite() => format!(": by now `{layer}"),
            _ => culprit.to_owned(),
        }
    }
}

/// ``: `layers.3` (linear 10) is the first layer that gives no finite numbers, in 3 of 64 rows``
fn culprit(batch: &Batch, weights: &Weights, forward: Forward<'_>) -> String {
    let bad = batch.features.iter().map(|(name, tensor)| (name, rows_not_finite(tensor))).find(|(_, rows)| *rows > 0);
    if let Some((name, rows)) = bad {
        return format!(
            "{FEATURE}{name}` holds no finite numbers in {rows} of {}",
            counted(batch.rows as usize, "row")
        );
    }
    // The pass itself spoils running statistics, which training does not use.
    let mut trained = weights.iter().filter(|(_, tensor)| tensor.requires_grad());
    if let Some((name, _)) = trained.find(|(_, tensor)| rows_not_finite(tensor) > 0) {
        return format!(": by now the weights `{name}` are no finite numbers");
    }
    let (output, found) = first_not_finite(|| tch::no_grad(|| forward(&batch.features, true)));
    match (output, found) {
        (_, Some(layer)) => {
            let of = counted(batch.rows as usize, "row");
            let (path, text) = (layer.path, layer.text);
            format!(": `{path}` ({text}) is the first layer that gives no finite numbers, in {} of {of}", layer.rows)
        }
        (Ok(output), None) => {
            let largest = output.abs().max().double_value(&[]);
            format!(": every layer gives finite numbers, of up to {} at the end", four_digits(largest))
        }
        (Err(_), None) => String::new(),
    }
}

/// `rows 5, 17, 18 and 61 more`, counted from 1.
fn named(rows: &[i64]) -> String {
    let shown: Vec<String> = rows.iter().take(8).map(|row| (row + 1).to_string()).collect();
    let rest = rows.len().saturating_sub(8);
    let plural = if rows.len() == 1 { "row" } else { "rows" };
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{plural} {}{more}", shown.join(", "))
}

/// `0.001`, `0.0009877`, `1.11e11`: the shortest form of the number with four digits.
fn four_digits(value: f64) -> String {
    match format!("{value:.3e}").parse::<f64>() {
        Ok(short) if (1e-5..1e5).contains(&short) => short.to_string(),
        Ok(short) => format!("{short:e}"),
        Err(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tch::nn::{Init, VarStore};
    use tch::{Device, Kind, Tensor};

    fn told(feature: Tensor, forward: Forward<'_>, loss: f64) -> Failure {
        let rows = feature.size()[0];
        let batch = Batch { features: BTreeMap::from([("x".to_owned(), feature)]), target: None, rows, mix: None };
        let weights = Weights::of(&VarStore::new(Device::Cpu));
        let diverged = Diverged { loss, first: Some(2.0), epoch: 1, step: 7, lr: 0.5 };
        diverged.explained(&batch, &[4, 0, 9], &weights, forward, false)
    }

    #[test]
    fn a_loss_is_told_with_its_step_and_rows() {
        let forward = |features: &BTreeMap<String, Tensor>, _: bool| Ok(features["x"].shallow_clone());
        let good = || Tensor::from_slice2(&[[1.0_f32], [-3.0]]);
        let said = told(good(), &forward, f64::NAN);
        assert_eq!(
            said.message,
            "the loss is NaN in epoch 1, at step 7 (learning rate 0.5): every layer gives finite numbers, of up to 3 at the end"
        );
        assert_eq!(said.hints[0], "the batch is rows 5, 1, 10 of the training data");
        assert!(told(good(), &forward, 3e7).message.starts_with("the loss has exploded from 2 to 3e7 in epoch 1"));
    }

    #[test]
    fn weights_are_looked_at_after_the_step_whose_loss_exploded() {
        let weights = Weights::of(&VarStore::new(Device::Cpu));
        let forward = |features: &BTreeMap<String, Tensor>, _: bool| Ok(features["x"].shallow_clone());
        let batch = |x| Batch { features: BTreeMap::from([("x".to_owned(), x)]), target: None, rows: 1, mix: None };
        let diverged = Diverged { loss: 3e7, first: Some(2.0), epoch: 1, step: 7, lr: 0.5 };
        let said = diverged.explained(&batch(Tensor::from_slice2(&[[1.0_f32]])), &[4], &weights, &forward, false);
        assert!(said.message.ends_with(": every layer gives finite numbers, of up to 1 at the end"), "{said}");
        let culprit = ": `layers.3` (linear 10) is the first layer that gives no finite numbers, in 3 of 64 rows";
        assert!(diverged.dated(culprit).starts_with(": by now `layers.3` (linear 10) is"));
        assert_eq!(Diverged { loss: f64::NAN, ..diverged }.dated(culprit), culprit);
    }

    #[test]
    fn a_feature_that_is_no_number_is_blamed_before_any_layer() {
        let forward = |features: &BTreeMap<String, Tensor>, _: bool| Ok(features["x"].to_kind(Kind::Float));
        let said = told(Tensor::from_slice2(&[[1.0_f32], [f32::INFINITY]]), &forward, f64::INFINITY);
        assert!(said.message.ends_with(": the feature `x` holds no finite numbers in 1 of 2 rows"), "{said}");
        assert!(said.hints[1].starts_with("impute or clip"), "{:?}", said.hints);
    }

    #[test]
    fn what_is_called_after_a_feature_is_none() {
        let store = VarStore::new(Device::Cpu);
        let _ = store.root().sub("user_features").var("weight", &[1], Init::Const(f64::NAN));
        let forward = |features: &BTreeMap<String, Tensor>, _: bool| Ok(features["x"].shallow_clone());
        let features = BTreeMap::from([("x".to_owned(), Tensor::from_slice2(&[[1.0_f32]]))]);
        let batch = Batch { features, target: None, rows: 1, mix: None };
        let diverged = Diverged { loss: f64::NAN, first: Some(2.0), epoch: 1, step: 7, lr: 0.5 };
        let said = diverged.explained(&batch, &[4], &Weights::of(&store), &forward, true);
        assert!(said.message.ends_with(": by now the weights `user_features.weight` are no finite numbers"), "{said}");
        // Gradients that are bounded already are not told to be.
        assert!(said.hints[1].starts_with("try a learning rate ten times lower"), "{:?}", said.hints);
        assert_eq!(said.hints.len(), 2);
    }

    #[test]
    fn losses_diverge_beyond_a_million_times_the_first() {
        let is_so = |loss, first| Diverged { loss, first, epoch: 1, step: 1, lr: 0.1 }.is_so();
        assert!(is_so(f64::NAN, None) && is_so(f64::INFINITY, Some(1.0)));
        assert!(is_so(1.1e6, Some(0.01)) && !is_so(9e5, Some(0.01)) && !is_so(1e7, Some(20.0)));
        assert_eq!([0.001, 0.000_987_654, 1e30, 1.11e-7].map(four_digits), ["0.001", "0.0009877", "1e30", "1.11e-7"]);
    }
}
