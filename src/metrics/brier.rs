//! The Brier score: squared error of probabilities.

use super::judged::weighted_mean;
use super::{Judged, Method, Metric, TaskKind};

/// `sklearn.metrics.brier_score_loss`
pub(super) const BRIER: Metric = Metric {
    name: "brier",
    title: "Brier score",
    about: "The mean squared difference between probabilities and what came true: of yes for a binary task (0 to 1), summed over the classes otherwise (0 to 2).",
    formula: "mean((p - y)^2)",
    range: (0.0, 2.0),
    higher_is_better: false,
    tasks: &[TaskKind::Category, TaskKind::Binary],
    compute: brier,
    method: Method::Bootstrap,
};

fn brier(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let first = if judged.task() == TaskKind::Binary { 1 } else { 0 };
    weighted_mean(weights, |row| {
        let truth = judged.truth(row);
        (first..judged.classes())
            .map(|class| judged.probability(row, class) - f64::from(u8::from(class == truth)))
            .map(|difference| difference * difference)
            .sum()
    })
}
