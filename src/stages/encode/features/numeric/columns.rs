//! One numeric column: the steps that it goes through, as they are asked for and as they were fitted.

use super::clip::Clip;
use super::impute::{Impute, fill_nulls};
use super::scale::{Distribution, Quantiles, Scale};
use super::transform::{FittedTransform, Transform};
use crate::diag::codes;
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::labels::{Places, scalable};
use serde::{Deserialize, Serialize};

/// What becomes of each column, in this order: `impute`, `clip`, `transform`, `scale`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct NumberSteps {
    /// What stands for nulls.
    pub impute: Impute,
    /// Bounds.
    pub clip: Option<Clip>,
    /// Bending.
    pub transform: Option<Transform>,
    /// Scaling.
    pub scale: Scale,
    /// How many quantiles are learnt; 1,000 where it is not said.
    pub n_quantiles: Option<u64>,
    /// What quantiles are spread to.
    pub output_distribution: Distribution,
}

/// One fitted numeric column: nulls filled, bounded, bent, and `(x - shift) / scale` or its place among quantiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedNumber {
    /// The column.
    pub name: String,
    /// What stands for null; without it a null is an error.
    pub fill: Option<f64>,
    /// The bounds.
    #[serde(default)]
    pub clip: Option<Clip>,
    /// How values are bent.
    #[serde(default)]
    pub transform: Option<FittedTransform>,
    /// What is subtracted.
    pub shift: f64,
    /// What is divided by then.
    pub scale: f64,
    /// Instead of both: quantiles.
    #[serde(default)]
    pub quantiles: Option<Quantiles>,
}

/// `n_quantiles` where it is not said, as scikit-learn has it.
const QUANTILES: u64 = 1000;

impl NumberSteps {
    pub(crate) fn check(&self, name: &str, cx: &mut CheckCx<'_>) {
        if let Impute::Value(value) = self.impute
            && !value.is_finite()
        {
            cx.error(path!["features", name, "impute"], codes::OUT_OF_RANGE, "`impute` must be a finite number");
        }
        if let Some(clip) = &self.clip {
            clip.check(name, cx);
        }
        if let Some(count) = self.n_quantiles
            && !(2..=100_000).contains(&count)
        {
            let message = format!("n_quantiles is from 2 to 100,000, found {count}");
            cx.error(path!["features", name, "n_quantiles"], codes::OUT_OF_RANGE, message);
        }
    }

    /// Fits every step on what the step before it gives for these values, those of the training rows.
    pub(crate) fn fit(
        &self,
        name: &str,
        values: &[Option<f64>],
        places: Places<'_>,
    ) -> Result<FittedNumber, StageError> {
        let present: Vec<f64> = values.iter().copied().flatten().collect();
        if present.is_empty() && !matches!(self.impute, Impute::Value(_)) {
            return Err(StageError::data(format!("column `{name}` has no value in the training rows"))
                .note("all of them are null")
                .hint("leave the column out, or fill it with `impute = 0`"));
        }
        let mut fitted = FittedNumber {
            name: name.to_owned(),
            fill: self.impute.fit(&present),
            clip: None,
            transform: None,
            shift: 0.0,
            scale: 1.0,
            quantiles: None,
        };
        let filled = fill_nulls(name, values, fitted.fill, places)?;
        fitted.clip = self.clip.as_ref().map(|clip| clip.fit(&filled));
        let clipped = fitted.clipped(filled);
        fitted.transform = self.transform.map(|transform| transform.fit(&clipped));
        let bent = fitted.bent(clipped, places)?;
        let count = usize::try_from(self.n_quantiles.unwrap_or(QUANTILES)).unwrap_or(usize::MAX);
        let scale = self.scale.fit(&bent, count, self.output_distribution);
        (fitted.shift, fitted.scale, fitted.quantiles) = (scale.shift, scale.scale, scale.quantiles);
        scalable(name, fitted.shift, fitted.scale)?;
        Ok(fitted)
    }
}

impl FittedNumber {
    /// Whether values stay as they are.
    pub(crate) fn is_plain(&self) -> bool {
        let scaled = self.scale != 1.0 || self.shift != 0.0 || self.quantiles.is_some();
        !scaled && self.clip.is_none() && self.transform.is_none()
    }

    fn clipped(&self, mut values: Vec<f64>) -> Vec<f64> {
        if let Some(clip) = &self.clip {
            values.iter_mut().for_each(|value| *value = clip.apply(*value));
        }
        values
    }

    fn bent(&self, values: Vec<f64>, places: Places<'_>) -> Result<Vec<f64>, StageError> {
        match self.transform {
            Some(transform) => transform.apply(&self.name, &values, places),
            None => Ok(values),
        }
    }

    /// Encodes values.
    pub(crate) fn apply(
        &self,
        feature: &str,
        values: &[Option<f64>],
        places: Places<'_>,
    ) -> Result<Vec<f32>, StageError> {
        let filled = fill_nulls(&self.name, values, self.fill, places)?;
        let bent = self.bent(self.clipped(filled), places)?;
        let place = |value: &f64| match &self.quantiles {
            Some(quantiles) => quantiles.apply(*value) as f32,
            None => ((value - self.shift) / self.scale) as f32,
        };
        let scaled: Vec<f32> = bent.iter().map(place).collect();
        match scaled.iter().position(|value| !value.is_finite()) {
            None => Ok(scaled),
            Some(row) => Err(StageError::data(format!(
                "column `{}` is {:?} in {}, too large for a 32-bit float",
                self.name,
                values[row].or(self.fill).unwrap_or(f64::NAN),
                places.told(row)
            ))
            .hint("bound it with `clip`")
            .at(path!["features", feature])),
        }
    }
}
