//! Accuracy: the share of rows whose predicted class is right.

use super::judged::weighted_mean;
use super::{Judged, Method, Metric, TaskKind};

/// `sklearn.metrics.accuracy_score`
pub(super) const ACCURACY: Metric = Metric {
    name: "accuracy",
    title: "accuracy",
    about: "The share of rows whose most probable class is the right one.",
    formula: "right / rows",
    range: (0.0, 1.0),
    higher_is_better: true,
    tasks: &[TaskKind::Category, TaskKind::Binary],
    compute: accuracy,
    method: Method::Wilson,
};

fn accuracy(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let predicted = judged.predicted();
    weighted_mean(weights, |row| f64::from(u8::from(predicted[row] == judged.truth(row))))
}
