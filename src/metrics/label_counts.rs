//! What averages over labels are made of: for each label how often it was rightly said, said, and there.

use super::confusion::Ratio;
use super::{Judged, Outcome};

/// Weights of rows by label.
pub(super) struct LabelCounts(Vec<Counts>);

/// The counts of one label.
#[derive(Clone, Copy, Default)]
struct Counts {
    right: f64,
    said: f64,
    are: f64,
}

impl Counts {
    /// The ratio; 0 where its denominator is.
    fn ratio(self, ratio: Ratio) -> f64 {
        let Self { right, said, are } = self;
        let (above, below) = match ratio {
            Ratio::Precision => (right, said),
            Ratio::Recall => (right, are),
            Ratio::F1 => (2.0 * right, said + are),
        };
        if below > 0.0 { above / below } else { 0.0 }
    }
}

impl LabelCounts {
    /// Counts weighted rows; `None` where the task is not one of labels, or no row has weight. A label is said where its
    /// probability is above 0.5.
    pub(super) fn of(judged: &Judged, weights: &[f64]) -> Option<Self> {
        let Outcome::MultiLabel { truth, probabilities, labels } = judged.outcome() else { return None };
        let mut counts = vec![Counts::default(); *labels];
        for (row, weight) in weights.iter().enumerate() {
            for (label, counts) in counts.iter_mut().enumerate() {
                let at = row * labels + label;
                let (said, are) = (f64::from(u8::from(probabilities[at] > 0.5)), f64::from(u8::from(truth[at])));
                counts.right += weight * said * are;
                counts.said += weight * said;
                counts.are += weight * are;
            }
        }
        (weights.iter().sum::<f64>() > 0.0).then_some(Self(counts))
    }

    /// The mean of a ratio over the labels, each counting the same, as scikit-learn's `average = "macro"`.
    pub(super) fn macro_average(&self, ratio: Ratio) -> f64 {
        self.0.iter().map(|counts| counts.ratio(ratio)).sum::<f64>() / self.0.len().max(1) as f64
    }

    /// A ratio over all decisions together, as scikit-learn's `average = "micro"`.
    pub(super) fn micro_average(&self, ratio: Ratio) -> f64 {
        let add = |sum: Counts, one: &Counts| Counts {
            right: sum.right + one.right,
            said: sum.said + one.said,
            are: sum.are + one.are,
        };
        self.0.iter().fold(Counts::default(), add).ratio(ratio)
    }

    /// The share of decisions that are wrong, for rows of this weight in all.
    pub(super) fn wrong(&self, rows: f64) -> f64 {
        let wrong: f64 = self.0.iter().map(|counts| counts.said + counts.are - 2.0 * counts.right).sum();
        wrong / (rows * self.0.len().max(1) as f64)
    }
}

/// An average over labels, where the task is one of labels; else what `otherwise` gives.
pub(super) fn over_labels(
    judged: &Judged,
    weights: &[f64],
    average: impl FnOnce(&LabelCounts) -> f64,
    otherwise: impl FnOnce() -> Option<f64>,
) -> Option<f64> {
    match judged.outcome() {
        Outcome::MultiLabel { .. } => LabelCounts::of(judged, weights).map(|counts| average(&counts)),
        _ => otherwise(),
    }
}
