//! How far a column is spread otherwise than in a reference: the population stability index and the
//! Kolmogorov–Smirnov distance.

use super::super::spread::Spread;
use crate::frame::compare::exact;
use crate::frame::failed;
use crate::stage::StageError;
use polars::prelude::Column;
use std::collections::BTreeMap;

/// A share of nothing counts as this share, so that an index stays a number.
const LEAST_SHARE: f64 = 1e-4;

/// The population stability index of counts by bin: the sum of `(a - e) ln(a / e)` over the shares `e` of the reference
/// and `a` of what is compared.
pub(super) fn psi(counts: impl Iterator<Item = (u64, u64)> + Clone) -> f64 {
    let (expected, actual) = counts.clone().fold((0, 0), |(e, a), (expected, found)| (e + expected, a + found));
    let share = |count: u64, all: u64| (count as f64 / all.max(1) as f64).max(LEAST_SHARE);
    let terms = counts.map(|(e, a)| (share(e, expected), share(a, actual)));
    terms.map(|(expected, found)| (found - expected) * (found / expected).ln()).sum()
}

/// Counts of numbers between the quantiles of the reference, a number that is a quantile belonging to the bin below it.
pub(super) fn counts_of_numbers(reference: &Spread, found: &Spread, bins: u64) -> Vec<(u64, u64)> {
    let mut edges: Vec<f64> = (1..bins).filter_map(|bin| reference.quantile(bin as f64 / bins as f64)).collect();
    edges.dedup();
    let mut counts = vec![(0, 0); edges.len() + 1];
    let bin = |value: f64| edges.partition_point(|edge| *edge < value);
    reference.values().iter().for_each(|value| counts[bin(*value)].0 += 1);
    found.values().iter().for_each(|value| counts[bin(*value)].1 += 1);
    counts
}

/// Counts of values of any type by their texts; a missing value is one too.
pub(super) fn counts_of_values(reference: &Column, found: &Column) -> Result<Vec<(u64, u64)>, StageError> {
    let mut counts: BTreeMap<Option<String>, (u64, u64)> = BTreeMap::new();
    for (column, is_reference) in [(reference, true), (found, false)] {
        for row in 0..column.len() {
            let value = column.get(row).map_err(|error| failed("compare the columns", &error))?;
            let key = (!value.is_null()).then(|| exact(&value));
            let count = counts.entry(key).or_default();
            *if is_reference { &mut count.0 } else { &mut count.1 } += 1;
        }
    }
    Ok(counts.into_values().collect())
}

/// The two-sample Kolmogorov–Smirnov distance; `None` where one of them has no numbers.
pub(super) fn kolmogorov_smirnov(a: &Spread, b: &Spread) -> Option<f64> {
    let (a, b) = (a.values(), b.values());
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (mut i, mut j, mut most) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        let value = a[i].min(b[j]);
        i += a[i..].iter().take_while(|number| **number == value).count();
        j += b[j..].iter().take_while(|number| **number == value).count();
        most = most.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    Some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_scipy_s() {
        let spread = |values: &[f64]| Spread::from(values.to_vec());
        // scipy.stats.ks_2samp(a, b).statistic
        let (a, b) = (spread(&[1.0, 2.0, 2.0, 3.0, 5.0]), spread(&[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]));
        let found = kolmogorov_smirnov(&a, &b).expect("numbers");
        assert!((found - 0.514_285_714_285_714_2).abs() < 1e-12, "{found}");
        assert_eq!(kolmogorov_smirnov(&a, &a), Some(0.0));
        assert_eq!(kolmogorov_smirnov(&a, &spread(&[9.0])), Some(1.0));
        assert_eq!(kolmogorov_smirnov(&a, &spread(&[])), None);
    }

    #[test]
    fn the_index_is_the_sum_by_hand() {
        let counts = [(50_u64, 30_u64), (30, 30), (20, 40)];
        let by_hand = (0.3_f64 - 0.5) * (0.3_f64 / 0.5).ln() + (0.4 - 0.2) * (0.4_f64 / 0.2).ln();
        assert!((psi(counts.into_iter()) - by_hand).abs() < 1e-12);
        assert_eq!(psi([(5, 10), (5, 10)].into_iter()), 0.0);
        assert!(psi([(5, 0), (5, 10)].into_iter()).is_finite(), "an empty bin is a small one");
    }

    #[test]
    fn long_lists_are_told_apart_by_what_is_in_their_middle() {
        use polars::prelude::{NamedFrom, Series};
        let lists = |middle: [f64; 4]| {
            let list = |value: f64| Series::new("".into(), [1.0, 2.0, value, 4.0, 5.0, 6.0, 7.0]);
            Column::new("l".into(), middle.map(list).to_vec())
        };
        let counts = counts_of_values(&lists([3.0, 3.0, 8.0, 9.0]), &lists([3.0, 8.0, 8.0, 9.0])).expect("counted");
        assert_eq!(counts, [(2, 1), (1, 2), (1, 1)]);
    }

    #[test]
    fn bins_are_the_reference_s_quantiles() {
        let reference = Spread::from((1..=100).map(f64::from).collect::<Vec<_>>());
        let counts = counts_of_numbers(&reference, &reference, 4);
        assert_eq!(counts, [(25, 25), (25, 25), (25, 25), (25, 25)]);
        // A value that fills several quantiles makes fewer bins.
        let same = Spread::from(vec![1.0; 90].into_iter().chain([2.0; 10]).collect::<Vec<_>>());
        assert_eq!(counts_of_numbers(&same, &same, 4), [(90, 90), (10, 10)]);
    }
}
