//! Expected calibration error, and the bins of a reliability diagram.

use super::{Judged, Method, Metric, TaskKind};

/// So many bins of equal width.
pub const CALIBRATION_BINS: usize = 15;

/// Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", 2017, equation 3.
pub(super) const CALIBRATION_ERROR: Metric = Metric {
    name: "calibration_error",
    title: "calibration error",
    about: "How far probabilities are from the share that comes true, on average over 15 bins of equal width: of the most probable class being right, or for a binary task of yes.",
    formula: "sum over bins of rows(bin) / rows * |share that came true - mean probability|",
    range: (0.0, 1.0),
    higher_is_better: false,
    tasks: &[TaskKind::Category, TaskKind::Binary],
    compute: calibration_error,
    method: Method::Bootstrap,
};

/// One bin of a reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// The weight of the rows in it.
    pub weight: f64,
    /// Their mean probability.
    pub probability: f64,
    /// The share that came true.
    pub frequency: f64,
}

/// The bins over 0..1, each open below and closed above; empty ones have weight 0.
#[must_use]
pub fn bins(judged: &Judged, weights: &[f64]) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); CALIBRATION_BINS];
    let predicted = judged.predicted();
    for (row, weight) in weights.iter().enumerate() {
        let (probability, true_of_row) = match judged.task() {
            TaskKind::Binary => (judged.probability(row, 1), judged.truth(row) == 1),
            _ => (judged.probability(row, predicted[row]), judged.truth(row) == predicted[row]),
        };
        let bin = (probability * CALIBRATION_BINS as f64).ceil().max(1.0) as usize - 1;
        let bin = &mut bins[bin.min(CALIBRATION_BINS - 1)];
        bin.weight += weight;
        bin.probability += weight * probability;
        bin.frequency += weight * f64::from(u8::from(true_of_row));
    }
    for bin in bins.iter_mut().filter(|bin| bin.weight > 0.0) {
        bin.probability /= bin.weight;
        bin.frequency /= bin.weight;
    }
    bins
}

fn calibration_error(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let bins = bins(judged, weights);
    let total: f64 = bins.iter().map(|bin| bin.weight).sum();
    let error: f64 = bins.iter().map(|bin| bin.weight * (bin.frequency - bin.probability).abs()).sum();
    (total > 0.0).then(|| error / total)
}
