//! How the numbers of a column are spread: sorted, their quantiles, and how many lie in equal steps.

use crate::frame::failed;
use crate::stage::StageError;
use polars::prelude::{Column, DataType};

/// Numbers in rising order; missing values and NaN are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spread(Vec<f64>);

impl Spread {
    /// Of a column of numbers, truth values, dates or times: what they are stored as.
    pub(super) fn of(column: &Column) -> Result<Self, StageError> {
        let wide = column.to_physical_repr().cast(&DataType::Float64);
        let wide = wide.map_err(|error| failed("take the numbers of a column", &error))?;
        let wide = wide.f64().map_err(|error| failed("take the numbers of a column", &error))?;
        Ok(Self::from(wide.iter().flatten().collect::<Vec<f64>>()))
    }

    /// All of them, rising.
    pub(super) fn values(&self) -> &[f64] {
        &self.0
    }

    /// The smallest and the largest.
    pub(super) fn ends(&self) -> Option<(f64, f64)> {
        Some((*self.0.first()?, *self.0.last()?))
    }

    /// The number below which this share lies, between neighbours on a straight line (as numpy and R's type 7).
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let last = self.0.len().checked_sub(1)?;
        let place = share.clamp(0.0, 1.0) * last as f64;
        let (low, rest) = (place.floor() as usize, place.fract());
        let (a, b) = (self.0[low], self.0[(low + 1).min(last)]);
        Some(if rest == 0.0 || a == b { a } else { a + (b - a) * rest })
    }

    /// How many lie in each of `bins` equal steps between the smallest and the largest, which belongs to the last. Numbers
    /// that are infinite are left out.
    pub(super) fn histogram(&self, bins: usize) -> Option<Histogram> {
        let finite: Vec<f64> = self.0.iter().copied().filter(|value| value.is_finite()).collect();
        let (low, high) = (*finite.first()?, *finite.last()?);
        let mut counts = vec![0_u64; if low == high { 1 } else { bins.max(1) }];
        // Halves first: the distance of two large numbers may be no number.
        let (width, last) = (high / 2.0 - low / 2.0, counts.len() - 1);
        for value in finite {
            let share = if width > 0.0 { (value / 2.0 - low / 2.0) / width } else { 0.0 };
            counts[((share * (last + 1) as f64) as usize).min(last)] += 1;
        }
        Some(Histogram { low, high, whole: None, counts })
    }

    /// The same of whole numbers: how many lie in each of at most `bins` steps of equally many whole numbers, of which the last may
    /// have fewer.
    pub(super) fn whole_histogram(&self, bins: usize) -> Option<Histogram> {
        let (low, high) = self.ends()?;
        let values = high - low + 1.0;
        if [values, low, high].iter().any(|number| number.abs() >= WHOLE) {
            return self.histogram(bins);
        }
        let step = (values / bins.max(1) as f64).ceil();
        let mut counts = vec![0_u64; (values / step).ceil() as usize];
        for value in &self.0 {
            counts[((value - low) / step) as usize] += 1;
        }
        Some(Histogram { low, high, whole: Some(step), counts })
    }
}

/// From here on there are whole numbers that are no floats.
const WHOLE: f64 = 9_007_199_254_740_992.0;

impl From<Vec<f64>> for Spread {
    fn from(mut values: Vec<f64>) -> Self {
        values.retain(|value| !value.is_nan());
        values.sort_unstable_by(f64::total_cmp);
        Self(values)
    }
}

/// Numbers counted in equal steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    /// Where the first step begins.
    pub(super) low: f64,
    /// Where the last one ends.
    pub(super) high: f64,
    /// How many whole numbers a step has, where it is of whole numbers.
    pub(super) whole: Option<f64>,
    /// How many numbers lie in each.
    pub(super) counts: Vec<u64>,
}

impl Histogram {
    /// Where a step begins and ends; of whole numbers its first and its last.
    pub(super) fn step(&self, index: usize) -> (f64, f64) {
        if let Some(step) = self.whole {
            let from = self.low + index as f64 * step;
            return (from, (from + step - 1.0).min(self.high));
        }
        let edge = |index: usize| self.low + (self.high - self.low) * (index as f64 / self.counts.len() as f64);
        (edge(index), edge(index + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numpy_s() {
        let spread = Spread::from(vec![7.0, 1.0, f64::NAN, 2.0, 10.0]);
        let found = [0.0, 0.05, 0.25, 0.5, 0.9, 1.0].map(|share| spread.quantile(share).expect("some"));
        // numpy.quantile([1, 2, 7, 10], [0, 0.05, 0.25, 0.5, 0.9, 1])
        assert!(found.iter().zip([1.0, 1.15, 1.75, 4.5, 9.1, 10.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert_eq!(Spread::default().quantile(0.5), None);
    }

    #[test]
    fn a_histogram_counts_everything_once() {
        let spread = Spread::from((0..100).map(f64::from).collect::<Vec<_>>());
        assert_eq!(spread.histogram(4).expect("some").counts, [25, 25, 25, 25]);
        assert_eq!(Spread::from(vec![3.0; 5]).histogram(4).expect("some").counts, [5]);
        let far = Spread::from(vec![f64::MIN, 0.0, f64::MAX, f64::INFINITY]).histogram(2).expect("some");
        assert_eq!(far.counts, [1, 2]);
        assert_eq!(Spread::default().histogram(3), None);
    }

    #[test]
    fn whole_numbers_are_counted_in_whole_steps() {
        let days = Spread::from(vec![1.0, 2.0, 2.0, 9.0]).whole_histogram(30).expect("some");
        assert_eq!(days.counts, [1, 2, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((days.step(0), days.step(8)), ((1.0, 1.0), (9.0, 9.0)));
        let many = Spread::from((-3..=7).map(f64::from).collect::<Vec<_>>()).whole_histogram(4).expect("some");
        assert_eq!(many.counts, [3, 3, 3, 2]);
        assert_eq!((many.step(0), many.step(3)), ((-3.0, -1.0), (6.0, 7.0)));
        let far = Spread::from(vec![-9e18, 9e18]);
        assert_eq!(far.whole_histogram(2), far.histogram(2));
        assert_eq!(Spread::from(vec![5.0; 3]).whole_histogram(3).expect("some").counts, [3]);
        assert_eq!(Spread::default().whole_histogram(3), None);
    }
}
