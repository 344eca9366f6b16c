//! The mean absolute error, in the unit of the target.

use super::judged::weighted_mean;
use super::{Judged, Method, Metric, Outcome, TaskKind};

/// `sklearn.metrics.mean_absolute_error`
pub(super) const MAE: Metric = Metric {
    name: "mae",
    title: "MAE",
    about: "The mean absolute error, in the unit of the target.",
    formula: "mean(|y - predicted|)",
    range: (0.0, f64::INFINITY),
    higher_is_better: false,
    tasks: &[TaskKind::Number],
    compute: mae,
    method: Method::Bootstrap,
};

fn mae(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let Outcome::Number { truth, predicted } = judged.outcome() else { return None };
    weighted_mean(weights, |row| (truth[row] - predicted[row]).abs())
}
