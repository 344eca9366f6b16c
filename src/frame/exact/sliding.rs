//! The exact sum of terms that come and go, as a frame moves along its rows.

use super::ExactSum;

/// The sum of some terms from which terms are taken out again: exact as well, so that it does not tell what went before.
#[derive(Clone, Default)]
pub struct SlidingSum {
    finite: ExactSum,
    count: usize,
    /// How many terms are infinite, which cannot be subtracted: above and below, and NaN.
    special: [usize; 3],
}

impl SlidingSum {
    /// Adds a term.
    pub fn add(&mut self, term: f64) {
        self.count += 1;
        match special(term) {
            Some(kind) => self.special[kind] += 1,
            None => self.finite.add(term),
        }
    }

    /// Takes out a term that was added.
    pub fn remove(&mut self, term: f64) {
        self.count -= 1;
        match special(term) {
            Some(kind) => self.special[kind] -= 1,
            None => self.finite.add(-term),
        }
    }

    /// How many terms there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The sum, rounded once.
    #[must_use]
    pub fn value(&self) -> f64 {
        match self.special {
            [0, 0, 0] => self.finite.value(),
            [_, 0, 0] => f64::INFINITY,
            [0, _, 0] => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }
}

fn special(term: f64) -> Option<usize> {
    match term {
        _ if term.is_nan() => Some(2),
        f64::INFINITY => Some(0),
        f64::NEG_INFINITY => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::exact_sum;
    use super::*;

    #[test]
    fn what_was_taken_out_leaves_nothing_behind() {
        let terms = [1e300, f64::NAN, 0.1, f64::INFINITY, -1e-300, f64::NEG_INFINITY, 0.2];
        let mut sum = SlidingSum::default();
        terms.iter().for_each(|term| sum.add(*term));
        assert!(sum.value().is_nan());
        [f64::NAN, f64::NEG_INFINITY].iter().for_each(|term| sum.remove(*term));
        assert_eq!(sum.value(), f64::INFINITY);
        [f64::INFINITY, 1e300, -1e-300].iter().for_each(|term| sum.remove(*term));
        assert_eq!((sum.value(), sum.count()), (exact_sum([0.1, 0.2]), 2));
    }
}
