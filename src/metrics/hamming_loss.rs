//! Hamming loss: the share of wrong decisions about labels.

use super::label_counts::LabelCounts;
use super::{Judged, Method, Metric, TaskKind};

/// `sklearn.metrics.hamming_loss`
pub(super) const HAMMING_LOSS: Metric = Metric {
    name: "hamming_loss",
    title: "Hamming loss",
    about: "The share of all decisions, one for each row and label, that are wrong.",
    formula: "wrong decisions / (rows * labels)",
    range: (0.0, 1.0),
    higher_is_better: false,
    tasks: &[TaskKind::MultiLabel],
    compute: hamming_loss,
    method: Method::Bootstrap,
};

fn hamming_loss(judged: &Judged, weights: &[f64]) -> Option<f64> {
    LabelCounts::of(judged, weights).map(|counts| counts.wrong(weights.iter().sum()))
}
