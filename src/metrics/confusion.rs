//! The confusion matrix, and what precision, recall and F1 are made of.

use super::Judged;

/// Weights of rows by right and predicted class.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    /// How many classes there are.
    pub classes: usize,
    /// `counts[right * classes + predicted]`
    pub counts: Vec<f64>,
}

/// Ratios that a macro average is taken of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ratio {
    /// Right among those predicted as the class.
    Precision,
    /// Right among those that are of the class.
    Recall,
    /// Their harmonic mean.
    F1,
}

impl Confusion {
    /// Counts weighted rows.
    #[must_use]
    pub fn of(judged: &Judged, weights: &[f64]) -> Self {
        let classes = judged.classes();
        let mut counts = vec![0.0; classes * classes];
        for (row, (predicted, weight)) in judged.predicted().iter().zip(weights).enumerate() {
            counts[judged.truth(row) * classes + predicted] += weight;
        }
        Self { classes, counts }
    }

    /// The matrix as whole numbers, a row per right class.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<u64>> {
        self.counts.chunks(self.classes.max(1)).map(|row| row.iter().map(|count| *count as u64).collect()).collect()
    }

    /// Right predictions of a class, predictions of it, and rows of it.
    fn of_class(&self, class: usize) -> (f64, f64, f64) {
        let right = self.counts[class * self.classes + class];
        let predicted = (0..self.classes).map(|row| self.counts[row * self.classes + class]).sum();
        let actual = self.counts[class * self.classes..(class + 1) * self.classes].iter().sum();
        (right, predicted, actual)
    }

    /// A ratio for one class; 0 where its denominator is.
    pub(super) fn class(&self, ratio: Ratio, class: usize) -> f64 {
        let (right, predicted, actual) = self.of_class(class);
        let (above, below) = match ratio {
            Ratio::Precision => (right, predicted),
            Ratio::Recall => (right, actual),
            Ratio::F1 => (2.0 * right, predicted + actual),
        };
        if below > 0.0 { above / below } else { 0.0 }
    }

    /// The unweighted mean of a ratio over the classes that occur, as right or as predicted.
    pub(super) fn macro_average(&self, ratio: Ratio) -> Option<f64> {
        let occurring: Vec<usize> = (0..self.classes)
            .filter(|class| {
                let (_, predicted, actual) = self.of_class(*class);
                predicted + actual > 0.0
            })
            .collect();
        let sum: f64 = occurring.iter().map(|class| self.class(ratio, *class)).sum();
        (!occurring.is_empty()).then(|| sum / occurring.len() as f64)
    }

    /// Precision, recall and F1 over all decisions at once: with one class per row all three are the share of right rows.
    pub(super) fn micro_average(&self) -> Option<f64> {
        let total: f64 = self.counts.iter().sum();
        let right: f64 = (0..self.classes).map(|class| self.counts[class * self.classes + class]).sum();
        (total > 0.0).then(|| right / total)
    }

    /// A ratio of the class yes of a binary task.
    pub(super) fn yes(&self, ratio: Ratio) -> Option<f64> {
        (self.classes == 2 && self.counts.iter().sum::<f64>() > 0.0).then(|| self.class(ratio, 1))
    }
}
