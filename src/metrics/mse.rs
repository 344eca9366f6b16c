//! The mean squared error, in the square of the target's unit.

use super::judged::weighted_mean;
use super::{Judged, Method, Metric, Outcome, TaskKind};

/// `sklearn.metrics.mean_squared_error`
pub(super) const MSE: Metric = Metric {
    name: "mse",
    title: "MSE",
    about: "The mean squared error, in the square of the target's unit.",
    formula: "mean((y - predicted)^2)",
    range: (0.0, f64::INFINITY),
    higher_is_better: false,
    tasks: &[TaskKind::Number],
    compute: mse,
    method: Method::Bootstrap,
};

pub(super) fn mse(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let Outcome::Number { truth, predicted } = judged.outcome() else { return None };
    weighted_mean(weights, |row| (truth[row] - predicted[row]) * (truth[row] - predicted[row]))
}
