//! A learning rate that falls when a metric no longer becomes better.

use super::{At, constant::warm_up_problem, cosine::least_problem, warm_up};
use crate::nn::choice::{Entry, Problem};
use crate::nn::higher_is_better;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A smaller change of the rate is none.
const LEAST_CHANGE: f64 = 1e-8;

/// The learning rate is multiplied by `factor` when a metric has not become better for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Plateau {
    /// A column of the history: `val_loss`, `loss`, `val_accuracy`, …
    pub metric: String,
    /// What the rate is multiplied by.
    pub factor: f64,
    /// Epochs without improvement that are waited for: the rate falls after one more.
    pub patience: u64,
    /// What counts as an improvement: by more than this part of the best value so far.
    pub threshold: f64,
    /// Epochs after a fall in which nothing is counted.
    pub cooldown: u64,
    /// The rate falls no lower.
    pub min_lr: f64,
    /// Over so many epochs the rate rises evenly from near 0.
    pub warmup_epochs: f64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self {
            metric: "val_loss".to_owned(),
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            cooldown: 0,
            min_lr: 0.0,
            warmup_epochs: 0.0,
        }
    }
}

impl Plateau {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "plateau",
        summary: "The learning rate is multiplied by `factor` when a metric has not become better for more than `patience` epochs.",
        formula: "better: m < best (1 - threshold), or m > best (1 + threshold) where more is better; after patience + 1 epochs that are not better lr = max(min_lr, factor lr)",
        source: "as torch.optim.lr_scheduler.ReduceLROnPlateau",
        example: "schedule.plateau = { metric = \"val_loss\", factor = 0.5, patience = 3 }",
        schema: |generator| generator.subschema_for::<Plateau>(),
    };

    pub(super) fn lr(&self, lr: f64, at: At) -> f64 {
        lr * warm_up(self.warmup_epochs, at)
    }

    /// The rate after epochs with these values of the metric. It is worked out from all of them each time, so that there
    /// is nothing to remember beside the history.
    pub(super) fn after(&self, lr: f64, values: impl IntoIterator<Item = f64>) -> f64 {
        let worst = if higher_is_better(&self.metric) { f64::NEG_INFINITY } else { f64::INFINITY };
        let (mut lr, mut best, mut bad, mut cooling) = (lr, worst, 0, 0);
        for value in values {
            if self.is_better(value, best) {
                (best, bad) = (value, 0);
            } else {
                bad += 1;
            }
            if cooling > 0 {
                (cooling, bad) = (cooling - 1, 0);
            }
            if bad > self.patience {
                let lower = (lr * self.factor).max(self.min_lr);
                lr = if lr - lower > LEAST_CHANGE { lower } else { lr };
                (cooling, bad) = (self.cooldown, 0);
            }
        }
        lr
    }

    fn is_better(&self, value: f64, best: f64) -> bool {
        if higher_is_better(&self.metric) {
            value > best * (1.0 + self.threshold)
        } else {
            value < best * (1.0 - self.threshold)
        }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let (factor, threshold) = (self.factor, self.threshold);
        [
            Problem::unless(factor > 0.0 && factor < 1.0, "factor", || {
                format!("factor is above 0 and below 1, found {factor}")
            }),
            Problem::unless((0.0..1.0).contains(&threshold), "threshold", || {
                format!("threshold is at least 0 and below 1, found {threshold}")
            }),
            least_problem(self.min_lr),
            warm_up_problem(self.warmup_epochs),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(spec: &Plateau, values: &[f64]) -> Vec<f64> {
        let lr = |epochs: usize| spec.after(0.1, values[..epochs].iter().copied());
        (1..=values.len()).map(|epochs| (lr(epochs) * 1e8).round() / 1e8).collect()
    }

    // The rates are those of torch.optim.lr_scheduler.ReduceLROnPlateau in torch 2.11.0 for Python.
    #[test]
    fn rates_are_pytorchs() {
        let losses = [1.0, 0.9, 0.9, 0.89999, 0.91, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6];
        let spec = Plateau { factor: 0.5, patience: 1, ..Plateau::default() };
        assert_eq!(rates(&spec, &losses), WAITS_ONE);
        let spec = Plateau { cooldown: 2, min_lr: 0.03, ..spec };
        assert_eq!(rates(&spec, &losses), COOLS_DOWN);
        let spec = Plateau { metric: "val_accuracy".into(), patience: 0, threshold: 0.01, ..Plateau::default() };
        assert_eq!(rates(&spec, &[0.5, 0.6, 0.6, 0.6, 0.6, 0.7, 0.7, 0.7]), ACCURACY);
    }

    /// As in PyTorch, where the best is infinite at first.
    #[test]
    fn what_is_no_number_is_never_the_best() {
        let spec = Plateau { factor: 0.5, patience: 0, ..Plateau::default() };
        assert_eq!(rates(&spec, &[f64::NAN, 1.0, 0.9, f64::NAN, 0.8]), [0.05, 0.05, 0.05, 0.025, 0.025]);
        assert_eq!(rates(&spec, &[f64::INFINITY, 1.0, 0.9]), [0.05, 0.05, 0.05]);
    }

    const WAITS_ONE: [f64; 12] = [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.00625];
    const COOLS_DOWN: [f64; 12] = [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.03, 0.03, 0.03, 0.03, 0.03];
    const ACCURACY: [f64; 8] = [0.1, 0.1, 0.01, 0.001, 0.0001, 0.0001, 0.00001, 0.000_001];
}
