//! Bending skewed numbers towards a bell: logarithms, and the power transforms of Box and Cox and of Yeo and Johnson.

use crate::diag::list;
use crate::stage::StageError;
use crate::stages::encode::exact::{exact_sum, mean, stored};
use crate::stages::encode::labels::Places;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How values are bent before they are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// The natural logarithm; every value must be above 0.
    Log,
    /// `log(1 + x)`; every value must be above -1.
    Log1p,
    /// Yeo and Johnson's power transform, its exponent chosen for the training rows by maximum likelihood.
    YeoJohnson,
    /// Box and Cox's power transform, its exponent chosen likewise; every value must be above 0.
    BoxCox,
}

/// A fitted transform.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FittedTransform {
    /// See [`Transform::Log`].
    Log,
    /// See [`Transform::Log1p`].
    Log1p,
    /// See [`Transform::YeoJohnson`]; the exponent.
    YeoJohnson(f64),
    /// See [`Transform::BoxCox`]; the exponent.
    BoxCox(f64),
}

impl Transform {
    pub(super) fn fit(self, values: &[f64]) -> FittedTransform {
        match self {
            Self::Log => FittedTransform::Log,
            Self::Log1p => FittedTransform::Log1p,
            Self::YeoJohnson => {
                let logs = exact_sum(values.iter().map(|x| x.signum() * x.abs().ln_1p()));
                FittedTransform::YeoJohnson(stored(best_exponent(values, yeo_johnson, logs)))
            }
            // Values that it cannot bend are told when it is applied.
            Self::BoxCox if values.iter().any(|value| *value <= 0.0) => FittedTransform::BoxCox(1.0),
            Self::BoxCox => {
                let logs = exact_sum(values.iter().map(|x| x.ln()));
                FittedTransform::BoxCox(stored(best_exponent(values, box_cox, logs)))
            }
        }
    }
}

impl FittedTransform {
    /// Bends values; names the first one that has no result.
    pub(super) fn apply(self, name: &str, values: &[f64], places: Places<'_>) -> Result<Vec<f64>, StageError> {
        let (least, word, others, bend): (f64, _, &[&str], &dyn Fn(f64) -> f64) = match self {
            Self::YeoJohnson(exponent) => return Ok(values.iter().map(|x| yeo_johnson(*x, exponent)).collect()),
            Self::BoxCox(exponent) => (0.0, "box_cox", &["yeo_johnson"], &move |x| box_cox(x, exponent)),
            Self::Log => (0.0, "log", &["log1p", "yeo_johnson"], &f64::ln),
            Self::Log1p => (-1.0, "log1p", &["yeo_johnson"], &f64::ln_1p),
        };
        if let Some(row) = values.iter().position(|value| *value <= least) {
            let shown = format!("column `{name}` is {} in {}, which has no {word}", values[row], places.told(row));
            return Err(StageError::data(shown)
                .note("rows are counted from 1; a null counts as what `impute` fills in")
                .hint(format!("`clip` bounds it before, or transform it by {}", list(others.iter().copied(), 2))));
        }
        Ok(values.iter().map(|x| bend(*x)).collect())
    }
}

/// `(x^exponent - 1) / exponent`, the logarithm at 0.
fn box_cox(x: f64, exponent: f64) -> f64 {
    if exponent.abs() < f64::EPSILON { x.ln() } else { (exponent * x.ln()).exp_m1() / exponent }
}

fn yeo_johnson(x: f64, exponent: f64) -> f64 {
    // As scikit-learn has it: exponents this close to 0 and 2 count as them.
    let near = f64::EPSILON;
    if x >= 0.0 {
        if exponent.abs() < near { x.ln_1p() } else { (exponent * x.ln_1p()).exp_m1() / exponent }
    } else if (exponent - 2.0).abs() > near {
        -((2.0 - exponent) * (-x).ln_1p()).exp_m1() / (2.0 - exponent)
    } else {
        -(-x).ln_1p()
    }
}

/// The exponent of the greatest likelihood under a normal distribution, searched from -2 to 2 and beyond; `logs` is the sum
/// of the logarithms of what `bend` is a power of. A constant keeps its values: exponent 1.
fn best_exponent(values: &[f64], bend: fn(f64, f64) -> f64, logs: f64) -> f64 {
    let Some(first) = values.first() else { return 1.0 };
    if values.iter().all(|value| value == first) {
        return 1.0;
    }
    let loss = |exponent: f64| {
        let bent: Vec<f64> = values.iter().map(|x| bend(*x, exponent)).collect();
        if bent.iter().any(|value| !value.is_finite()) {
            return f64::INFINITY;
        }
        let mean = mean(&bent);
        let variance = exact_sum(bent.iter().map(|value| (value - mean) * (value - mean))) / bent.len() as f64;
        if variance < f64::MIN_POSITIVE {
            return f64::INFINITY;
        }
        bent.len() as f64 / 2.0 * variance.ln() - (exponent - 1.0) * logs
    };
    let (low, high) = bracket(&loss);
    minimum(&loss, low, high)
}

/// Two places with a lower one between them: begun at -2 and 2, and widened while the loss falls outwards.
fn bracket(loss: &dyn Fn(f64) -> f64) -> (f64, f64) {
    let (mut low, mut high) = (-2.0_f64, 2.0_f64);
    for _ in 0..30 {
        let step = (high - low) * 0.1;
        if loss(low) < loss(low + step) {
            low -= high - low;
        } else if loss(high) < loss(high - step) {
            high += high - low;
        } else {
            break;
        }
    }
    (low, high)
}

/// The place of the least loss between two places, by golden sections: the loss has one valley.
fn minimum(loss: &dyn Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut left, mut right) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut at_left, mut at_right) = (loss(left), loss(right));
    while high - low > 1e-8 {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - RATIO * (high - low);
            at_left = loss(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + RATIO * (high - low);
            at_right = loss(right);
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_cannot_be_bent_are_named() {
        let fitted = Transform::BoxCox.fit(&[1.0, 2.0, 0.0]);
        let error = fitted.apply("x", &[1.0, 2.0, 0.0], Places::Rows).expect_err("0 has no power");
        assert_eq!(error.message, "column `x` is 0 in row 3, which has no box_cox");
        assert!(error.hints[0].ends_with("transform it by `yeo_johnson`"), "{:?}", error.hints);
        let logs = FittedTransform::BoxCox(0.0).apply("x", &[1.0, std::f64::consts::E], Places::Rows).expect("bent");
        assert_eq!(logs, [0.0, 1.0]);
        assert_eq!(Transform::BoxCox.fit(&[3.0, 3.0]), FittedTransform::BoxCox(1.0));
    }
}
