//! Bounds on values: given, or quantiles of the training rows.

use crate::diag::codes;
use crate::path;
use crate::stage::CheckCx;
use crate::stages::encode::exact::quantile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds on values. What lies beyond becomes the bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Clip {
    /// The least value.
    pub min: Option<f64>,
    /// The greatest.
    pub max: Option<f64>,
    /// Instead of them: two quantiles of the training rows, such as `[0.01, 0.99]`.
    pub quantiles: Option<[f64; 2]>,
}

impl Clip {
    pub(super) fn check(&self, name: &str, cx: &mut CheckCx<'_>) {
        let place = path!["features", name, "clip"];
        if let Some([low, high]) = self.quantiles {
            if self.min.is_some() || self.max.is_some() {
                cx.error(place, codes::CONFLICT, "`clip` has either bounds or quantiles")
                    .label("`quantiles` beside `min` or `max`");
            } else if !(0.0 <= low && low < high && high <= 1.0) {
                cx.error(place, codes::OUT_OF_RANGE, format!("{low} and {high} are no two quantiles from 0 to 1"))
                    .label("the lower one first")
                    .hint("clip = { quantiles = [0.01, 0.99] }");
            }
            return;
        }
        let bounds = [self.min, self.max];
        if bounds.iter().flatten().any(|bound| !bound.is_finite()) {
            cx.error(place, codes::OUT_OF_RANGE, "the bounds of `clip` are finite numbers")
                .hint("leave out the bound that there is not");
        } else if bounds == [None, None] {
            cx.error(place, codes::MISSING_FIELD, "`clip` needs `min`, `max` or `quantiles`")
                .label("bounds nothing")
                .hint("clip = { min = 0, max = 100 }");
        } else if let [Some(min), Some(max)] = bounds
            && min > max
        {
            cx.error(place, codes::OUT_OF_RANGE, format!("nothing is at least {min} and at most {max}"))
                .label("`min` is above `max`");
        }
    }

    /// The bounds, given the training rows' values; quantiles become bounds.
    pub(super) fn fit(&self, values: &[f64]) -> Self {
        match self.quantiles {
            None => *self,
            Some(quantiles) => {
                let mut sorted = values.to_vec();
                sorted.sort_by(f64::total_cmp);
                let [min, max] = quantiles.map(|share| Some(quantile(&sorted, share)));
                Self { min, max, quantiles: None }
            }
        }
    }

    /// A value within the bounds.
    pub(super) fn apply(&self, value: f64) -> f64 {
        let low = self.min.map_or(value, |min| value.max(min));
        self.max.map_or(low, |max| low.min(max))
    }
}
