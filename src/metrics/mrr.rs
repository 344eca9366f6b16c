//! How far down the first right one of a ranking stands.

use super::judged::weighted_mean;
use super::{Judged, Method, Metric, Outcome, TaskKind};

/// Voorhees, The TREC-8 Question Answering Track Report (1999), who looks at the first 5.
pub(super) const MRR: Metric = Metric {
    name: "mrr",
    title: "MRR",
    about: "The mean over rankings of one over the place of the first row that is yes: 1 where it is first, 0.5 where it is second, 0 where none is among the first `top`.",
    formula: "mean over rankings of 1 / place of the first yes, 0 beyond top",
    range: (0.0, 1.0),
    higher_is_better: true,
    tasks: &[TaskKind::Binary],
    compute: mrr,
    method: Method::Bootstrap,
};

fn mrr(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let Outcome::Lists { places, .. } = judged.outcome() else { return None };
    weighted_mean(weights, |list| places[list].first().map_or(0.0, |place| 1.0 / *place as f64))
}
