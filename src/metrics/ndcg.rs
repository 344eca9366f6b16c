//! How near a ranking comes to the best order of its rows.

use super::judged::weighted_mean;
use super::{Judged, Method, Metric, Outcome, TaskKind};

/// Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques (2002); `sklearn.metrics.ndcg_score` with `k = top`, but
/// for equal scores, over which scikit-learn takes the mean.
pub(super) const NDCG: Metric = Metric {
    name: "ndcg",
    title: "NDCG",
    about: "The mean over rankings of the gain of the first `top`, as a share of the gain of the best order: a row that is yes is worth the less the further down it stands.",
    formula: "mean over rankings of DCG / DCG of the best order; DCG = sum over the first top that are yes of 1 / log2(place + 1)",
    range: (0.0, 1.0),
    higher_is_better: true,
    tasks: &[TaskKind::Binary],
    compute: ndcg,
    method: Method::Bootstrap,
};

fn ndcg(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let Outcome::Lists { places, yes, top } = judged.outcome() else { return None };
    weighted_mean(weights, |list| {
        let best = gain(1..=yes[list].min(*top));
        gain(places[list].iter().copied()) / best
    })
}

fn gain(places: impl Iterator<Item = usize>) -> f64 {
    places.map(|place| 1.0 / (place as f64 + 1.0).log2()).sum()
}
