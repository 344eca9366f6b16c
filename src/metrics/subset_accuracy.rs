//! Subset accuracy: the share of rows that are right in every label.

use super::judged::weighted_mean;
use super::{Judged, Method, Metric, Outcome, TaskKind};

/// `sklearn.metrics.accuracy_score` of several labels.
pub(super) const SUBSET_ACCURACY: Metric = Metric {
    name: "subset_accuracy",
    title: "subset accuracy",
    about: "The share of rows for which exactly the right labels were said.",
    formula: "rows right in every label / rows",
    range: (0.0, 1.0),
    higher_is_better: true,
    tasks: &[TaskKind::MultiLabel],
    compute: subset_accuracy,
    method: Method::Wilson,
};

fn subset_accuracy(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let Outcome::MultiLabel { truth, probabilities, labels } = judged.outcome() else { return None };
    weighted_mean(weights, |row| {
        let range = row * labels..(row + 1) * labels;
        let right = truth[range.clone()].iter().zip(&probabilities[range]).all(|(are, p)| *are == (*p > 0.5));
        f64::from(u8::from(right))
    })
}
