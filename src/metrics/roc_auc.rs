//! Area under the ROC curve: for a binary task of yes, for classes the mean of every class against the rest.

use super::rank::area;
use super::{Judged, Method, Metric, Outcome, TaskKind};

/// `sklearn.metrics.roc_auc_score`, with `multi_class = "ovr"` and `average = "macro"` for several classes.
pub(super) const ROC_AUC: Metric = Metric {
    name: "roc_auc",
    title: "ROC AUC",
    about: "The chance that a row of the class gets a higher probability of it than a row without, ties counting half, by their log-odds, which differ where probabilities round to 1; for several classes the mean of each against the rest, for labels the mean of each. Not defined where a class has no rows, or all.",
    formula: "P(score of yes > score of no) + P(equal) / 2",
    range: (0.0, 1.0),
    higher_is_better: true,
    tasks: &[TaskKind::Category, TaskKind::Binary, TaskKind::MultiLabel],
    compute: roc_auc,
    method: Method::Bootstrap,
};

fn roc_auc(judged: &Judged, weights: &[f64]) -> Option<f64> {
    if judged.task() == TaskKind::Binary {
        return area(judged, 1, weights);
    }
    if let Outcome::MultiLabel { labels, .. } = judged.outcome() {
        let area = |label| area(&judged.label(label)?, 1, weights);
        let areas = (0..*labels).map(area).collect::<Option<Vec<f64>>>()?;
        return (*labels > 0).then(|| areas.iter().sum::<f64>() / *labels as f64);
    }
    let classes = judged.classes();
    let areas = (0..classes).map(|class| area(judged, class, weights)).collect::<Option<Vec<f64>>>()?;
    (classes > 0).then(|| areas.iter().sum::<f64>() / classes as f64)
}
