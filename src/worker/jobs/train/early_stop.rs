//! When to stop before all epochs are run.

use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
use kilter::job::EarlyStop;
use kilter::nn::higher_is_better;

/// What an epoch's value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The best so far.
    Best,
    /// Not better, but patience is left.
    Wait,
    /// No patience is left.
    Stop,
}

/// Watches a metric from epoch to epoch.
#[derive(Debug)]
pub struct Watch<'a> {
    spec: &'a EarlyStop,
    best: Option<(u64, f64)>,
    waited: u64,
}

impl<'a> Watch<'a> {
    /// Nothing seen yet.
    pub fn new(spec: &'a EarlyStop) -> Self {
        Self { spec, best: None, waited: 0 }
    }

    /// Judges the value of an epoch. An improvement is a difference of more than `min_delta` to the best so far. The last of
    /// `patience` epochs without one stops, as in Keras and Lightning; with a patience of 0 the first does, as with 1.
    pub fn see(&mut self, epoch: u64, value: f64) -> Verdict {
        let better = match self.best {
            // Whatever it is compared with later, it would stay the best.
            None => !value.is_nan(),
            Some((_, best)) if higher_is_better(&self.spec.metric) => value > best + self.spec.min_delta,
            Some((_, best)) => value < best - self.spec.min_delta,
        };
        if better {
            self.best = Some((epoch, value));
            self.waited = 0;
            return Verdict::Best;
        }
        self.waited += 1;
        if self.waited >= self.spec.patience { Verdict::Stop } else { Verdict::Wait }
    }

    /// The metric that is watched.
    pub fn metric(&self) -> &str {
        &self.spec.metric
    }

    /// Whether the best epoch's weights are the result.
    pub fn restores(&self) -> bool {
        self.spec.restore_best
    }

    /// The best epoch so far.
    pub fn best_epoch(&self) -> Option<u64> {
        self.best.map(|(epoch, _)| epoch)
    }
}

impl Stateful for Watch<'_> {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        into.value("best", &self.best.map(|(epoch, value)| (epoch, value.to_bits())))?;
        into.value("waited", &self.waited)
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        let best: Option<(u64, u64)> = from.get("best")?;
        self.best = best.map(|(epoch, bits)| (epoch, f64::from_bits(bits)));
        self.waited = from.get("waited")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(metric: &str, patience: u64, min_delta: f64, values: &[f64]) -> (Vec<Verdict>, Option<u64>) {
        let spec = EarlyStop { metric: metric.to_owned(), patience, min_delta, restore_best: true };
        let mut watch = Watch::new(&spec);
        let verdicts = (1..).zip(values).map(|(epoch, value)| watch.see(epoch, *value)).collect();
        (verdicts, watch.best_epoch())
    }

    #[test]
    fn so_many_epochs_in_a_row_without_improvement_stop() {
        use Verdict::{Best, Stop, Wait};
        assert_eq!(
            verdicts("val_loss", 2, 0.0, &[0.5, 0.4, 0.45, 0.3, 0.3, 0.35]),
            (vec![Best, Best, Wait, Best, Wait, Stop], Some(4))
        );
        assert_eq!(verdicts("val_loss", 1, 0.0, &[0.5, 0.4, 0.45]), (vec![Best, Best, Stop], Some(2)));
        assert_eq!(verdicts("val_accuracy", 0, 0.0, &[0.5, 0.6, 0.6]), (vec![Best, Best, Stop], Some(2)));
    }

    #[test]
    fn what_is_no_number_is_never_the_best() {
        use Verdict::{Best, Wait};
        let nan = f64::NAN;
        assert_eq!(verdicts("val_loss", 9, 0.0, &[nan, 0.5, nan, 0.4]), (vec![Wait, Best, Wait, Best], Some(4)));
        assert_eq!(verdicts("val_loss", 9, 0.0, &[f64::INFINITY, 0.5]), (vec![Best, Best], Some(2)));
        assert_eq!(verdicts("val_accuracy", 9, 0.0, &[nan]), (vec![Wait], None));
    }

    #[test]
    fn a_small_gain_is_none() {
        use Verdict::{Best, Stop, Wait};
        assert_eq!(verdicts("val_loss", 2, 0.1, &[1.0, 0.95, 0.91]), (vec![Best, Wait, Stop], Some(1)));
        assert_eq!(verdicts("val_accuracy", 2, 0.1, &[0.5, 0.7, 0.75]), (vec![Best, Best, Wait], Some(2)));
    }
}
