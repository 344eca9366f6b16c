//! The share of rankings with something right near their beginning.

use super::judged::weighted_mean;
use super::{Judged, Method, Metric, Outcome, TaskKind};

/// Deshpande and Karypis, Item-Based Top-N Recommendation Algorithms (2004), who have one right item in each list.
pub(super) const HIT_RATE: Metric = Metric {
    name: "hit_rate",
    title: "hit rate",
    about: "The share of rankings that have a row that is yes among their first `top`. For `ranking`, as `ndcg` and `mrr`: `by` says which rows are ranked against each other; equal scores count as the worst order of them, and rankings with rows of one sort alone are left out.",
    formula: "rankings with a yes among the first top / rankings",
    range: (0.0, 1.0),
    higher_is_better: true,
    tasks: &[TaskKind::Binary],
    compute: hit_rate,
    method: Method::Bootstrap,
};

fn hit_rate(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let Outcome::Lists { places, .. } = judged.outcome() else { return None };
    weighted_mean(weights, |list| f64::from(u8::from(!places[list].is_empty())))
}
