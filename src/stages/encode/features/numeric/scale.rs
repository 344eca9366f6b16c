//! Bringing numbers to a common scale.

use crate::stages::encode::exact::{mean_and_std, normal_quantile, quantile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How numbers are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Subtract the mean, divide by the population standard deviation, 1 for a constant.
    #[default]
    Standard,
    /// To 0..1.
    MinMax,
    /// Subtract the median, divide by the distance between the quartiles: outliers do not count.
    Robust,
    /// To the share of training rows below it, or to a bell of the same ranks.
    Quantile,
    /// Left as they are.
    None,
}

/// What quantiles are spread to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// 0 to 1, evenly.
    #[default]
    Uniform,
    /// A normal distribution of mean 0 and deviation 1.
    Normal,
}

/// Quantiles of the training rows: a value becomes its place among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// The values at evenly spaced shares from 0 to 1.
    pub values: Vec<f64>,
    /// What they are spread to.
    pub output: Distribution,
}

/// A fitted scale: `(x - shift) / scale`, or a place among quantiles.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fit {
    pub shift: f64,
    pub scale: f64,
    pub quantiles: Option<Quantiles>,
}

impl Scale {
    pub(super) fn fit(self, values: &[f64], count: usize, output: Distribution) -> Fit {
        let linear = |(shift, scale)| Fit { shift, scale, quantiles: None };
        match self {
            Self::Standard => linear(mean_and_std(values)),
            Self::MinMax => linear(range(values)),
            Self::Robust => linear(quartiles(values)),
            Self::None => linear((0.0, 1.0)),
            Self::Quantile => {
                let mut sorted = values.to_vec();
                sorted.sort_by(f64::total_cmp);
                let count = count.min(sorted.len()).max(2);
                let last = (count - 1) as f64;
                let values = (0..count).map(|index| quantile(&sorted, index as f64 / last)).collect();
                Fit { shift: 0.0, scale: 1.0, quantiles: Some(Quantiles { values, output }) }
            }
        }
    }
}

/// The least value and the range, 1 where that is 0.
fn range(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = most - least;
    (least, if range > 0.0 { range } else { 1.0 })
}

/// The median and the distance of the quartiles, 1 where that is 0.
fn quartiles(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let range = quantile(&sorted, 0.75) - quantile(&sorted, 0.25);
    // A distance that is only rounding counts as none, as scikit-learn does it.
    (quantile(&sorted, 0.5), if range > 10.0 * f64::EPSILON { range } else { 1.0 })
}

impl Quantiles {
    /// The place of a value. Among equal quantiles it is the middle of theirs.
    pub(super) fn apply(&self, value: f64) -> f64 {
        let (least, most) = (self.values.first().copied().unwrap_or(0.0), self.values.last().copied().unwrap_or(0.0));
        let share = match value {
            // As scikit-learn has it: the greatest is 1 and the least 0, of a constant 0.
            low if low <= least => 0.0,
            high if high >= most => 1.0,
            _ => f64::midpoint(self.interpolate(value, false), self.interpolate(value, true)),
        };
        match self.output {
            Distribution::Uniform => share,
            Distribution::Normal => normal_quantile(share.clamp(1e-7, 1.0 - 1e-7)),
        }
    }

    /// The share at a value between two quantiles; where several are equal to it, that of the first or the last of them.
    fn interpolate(&self, value: f64, first: bool) -> f64 {
        let last = (self.values.len() - 1) as f64;
        let above = self.values.partition_point(|known| if first { *known < value } else { *known <= value });
        let index = if first { above } else { above.saturating_sub(1) };
        let Some(at) = self.values.get(index).copied() else { return 1.0 };
        if at == value {
            return index as f64 / last;
        }
        let (low, high) = if first { (index.saturating_sub(1), index) } else { (index, index + 1) };
        let (Some(a), Some(b)) = (self.values.get(low), self.values.get(high)) else { return index as f64 / last };
        (low as f64 + (value - a) / (b - a)) / last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_many_digits_that_is_often_there_has_the_place_of_all_its_quantiles() {
        // QuantileTransformer(n_quantiles=11).fit(values).transform([[1 / 3], [2 / 3], [0.5]]), of floats of 16 digits.
        let (low, high) = (1.0 / 3.0, 2.0 / 3.0);
        let place = |values: &[f64], value: f64| {
            let fit = Scale::Quantile.fit(values, 11, Distribution::Uniform);
            fit.quantiles.expect("quantiles").apply(value)
        };
        let mut values = [[low; 4].as_slice(), &[0.4, 0.5, 0.6], &[high; 4]].concat();
        assert_eq!([place(&values, low), place(&values, high)], [0.0, 1.0]);
        assert!((place(&values, 0.5) - 0.5).abs() < 1e-12);
        values.splice(0..1, [0.1]);
        assert!((place(&values, low) - 0.2).abs() < 1e-12, "the middle of 0.1, 0.2 and 0.3");
        let bounds = Scale::MinMax.fit(&[low, high, low], 0, Distribution::Uniform);
        assert_eq!((bounds.shift, bounds.scale), (low, high - low));
    }
}
