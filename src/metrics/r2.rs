//! The coefficient of determination.

use super::judged::weighted_mean;
use super::{Judged, Method, Metric, Outcome, TaskKind};

/// `sklearn.metrics.r2_score`
pub(super) const R2: Metric = Metric {
    name: "r2",
    title: "R2",
    about: "How much smaller the squared error is than that of always predicting the mean: 1 is perfect, 0 no better than the mean. For a constant target 1 where it is met and 0 otherwise; not defined for fewer than 2 rows.",
    formula: "1 - sum((y - predicted)^2) / sum((y - mean(y))^2)",
    range: (f64::NEG_INFINITY, 1.0),
    higher_is_better: true,
    tasks: &[TaskKind::Number],
    compute: r2,
    method: Method::Bootstrap,
};

fn r2(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let Outcome::Number { truth, predicted } = judged.outcome() else { return None };
    if truth.len() < 2 {
        return None;
    }
    let mean = weighted_mean(weights, |row| truth[row])?;
    let spread = weighted_mean(weights, |row| (truth[row] - mean) * (truth[row] - mean))?;
    let error = weighted_mean(weights, |row| (truth[row] - predicted[row]) * (truth[row] - predicted[row]))?;
    Some(match (error == 0.0, spread == 0.0 || is_constant(truth, weights)) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => 1.0 - error / spread,
    })
}

/// Told from the values: their mean may be rounded, and then each of them is a little away from it.
fn is_constant(truth: &[f64], weights: &[f64]) -> bool {
    let mut values = truth.iter().zip(weights).filter(|(_, weight)| **weight != 0.0).map(|(value, _)| *value);
    let first = values.next();
    values.all(|value| Some(value) == first)
}
