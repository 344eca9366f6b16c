//! Log loss, also called cross-entropy.

use super::judged::weighted_mean;
use super::{Judged, Method, Metric, TaskKind};

/// `sklearn.metrics.log_loss`
pub(super) const LOG_LOSS: Metric = Metric {
    name: "log_loss",
    title: "log loss",
    about: "The mean of minus the logarithm of the probability that was given to the right class, in nats. Probabilities count as at least 2.2e-16.",
    formula: "-mean(ln p(right class))",
    range: (0.0, f64::INFINITY),
    higher_is_better: false,
    tasks: &[TaskKind::Category, TaskKind::Binary],
    compute: log_loss,
    method: Method::Bootstrap,
};

fn log_loss(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let clip = |p: f64| p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    // scikit-learn clips all probabilities of a row and leaves them at that; so does this.
    weighted_mean(weights, |row| -clip(judged.probability(row, judged.truth(row))).ln())
}
