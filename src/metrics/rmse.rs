//! The root of the mean squared error, in the unit of the target.

use super::mse::{MSE, mse};
use super::{Judged, Metric};

/// `sklearn.metrics.root_mean_squared_error`
pub(super) const RMSE: Metric = Metric {
    name: "rmse",
    title: "RMSE",
    about: "The root of the mean squared error, in the unit of the target.",
    formula: "sqrt(mean((y - predicted)^2))",
    compute: rmse,
    ..MSE
};

fn rmse(judged: &Judged, weights: &[f64]) -> Option<f64> {
    mse(judged, weights).map(f64::sqrt)
}
