//! Categories as the mean target of the training rows that have them, pulled towards the mean of all rows the more, the
//! fewer they are; as scikit-learn's `TargetEncoder`. A training row gets the mean of the other folds' rows, so that it is
//! never shown its own target. A null is a value like others; what training did not see gets the mean of all rows.

use super::is_category;
use crate::numbers;
use crate::stage::StageError;
use crate::stages::encode::exact::stored;
use crate::stages::encode::features::encoding::{Fitted, Training, float_type};
use crate::stages::encode::labels::Labels;
use crate::stages::encode::tensor::interleave;
use crate::stages::encode::{FittedTarget, Tensor, TensorData};
use crate::types::{DType, FeatureType, Shape, Task};
use polars::prelude::DataFrame;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much weight the mean of all rows has beside a category's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Smooth {
    /// As much as the variances within the category and over all rows suggest (empirical Bayes).
    #[default]
    Auto,
    /// That of so many rows.
    Value(f64),
}

/// Fitted means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedTargetMean {
    /// The columns.
    pub columns: Vec<FittedMeans>,
    /// The target.
    pub target: String,
    /// The mean of all rows: one number, or for more than two classes the share of each.
    pub prior: Vec<f64>,
    /// How means are pulled towards it.
    pub smooth: Smooth,
    /// In how many parts the training rows were split.
    pub folds: u64,
}

/// The means of one column's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedMeans {
    /// The column.
    pub name: String,
    /// Its values, sorted as text; null among them, last.
    pub values: Vec<Option<String>>,
    /// Of each value the means, as many as `prior`.
    pub means: Vec<Vec<f64>>,
}

/// The target as numbers: one list, or for more than two classes one of 0 and 1 for each.
fn outputs(target: &FittedTarget, frame: &DataFrame) -> Result<Vec<Vec<f64>>, StageError> {
    Ok(match (target.apply(frame, "the training table")?.data, &target.task) {
        (TensorData::I64(classes), Task::Category { classes: Some(names) }) => {
            let class = |wanted: i64| classes.iter().map(|class| f64::from(u8::from(*class == wanted))).collect();
            let wanted = if names.len() == 2 { 1..2 } else { 0..names.len() as i64 };
            wanted.map(class).collect()
        }
        (TensorData::F32(values), Task::MultiLabel { labels }) => {
            let of =
                |label: usize| values.iter().skip(label).step_by(labels.len()).map(|value| f64::from(*value)).collect();
            (0..labels.len()).map(of).collect()
        }
        (TensorData::F32(values), _) => vec![values.iter().map(|value| f64::from(*value)).collect()],
        _ => return Err(StageError::bug(format!("target `{}` is neither class nor number", target.column))),
    })
}

/// A column's rows as numbers of its values.
struct Coded {
    values: Vec<Option<String>>,
    codes: Vec<usize>,
}

impl Coded {
    fn of(name: &str, frame: &DataFrame) -> Result<Self, StageError> {
        let labels = Labels::of(frame, name)?;
        let (counts, null) = labels.counts()?;
        let mut values: Vec<Option<String>> = counts.into_keys().map(Some).collect();
        values.extend(null.map(|_| None));
        let lookup: BTreeMap<Option<&str>, usize> =
            values.iter().enumerate().map(|(index, value)| (value.as_deref(), index)).collect();
        let mut codes = Vec::with_capacity(frame.height());
        labels.visit(|_, text| {
            codes.push(lookup.get(&text).copied().unwrap_or(0));
            Ok(())
        })?;
        Ok(Self { codes, values })
    }

    /// The smoothed mean of each value over the rows that are used, with the mean of all of those.
    fn means(&self, target: &[f64], smooth: Smooth, used: &dyn Fn(usize) -> bool) -> (Vec<f64>, f64) {
        let rows = || (0..self.codes.len()).filter(|row| used(*row));
        let (mut counts, mut sums) = (vec![0.0; self.values.len()], vec![0.0; self.values.len()]);
        for row in rows() {
            counts[self.codes[row]] += 1.0;
            sums[self.codes[row]] += target[row];
        }
        let all = counts.iter().sum::<f64>().max(1.0);
        let prior = sums.iter().sum::<f64>() / all;
        if let Smooth::Value(weight) = smooth {
            let mean = |(count, sum): (&f64, &f64)| {
                if count + weight > 0.0 { (sum + weight * prior) / (count + weight) } else { prior }
            };
            return (counts.iter().zip(&sums).map(mean).collect(), prior);
        }
        let means: Vec<f64> = counts.iter().zip(&sums).map(|(count, sum)| sum / count).collect();
        let (mut within, mut variance) = (vec![0.0; means.len()], 0.0);
        for row in rows() {
            let code = self.codes[row];
            within[code] += (target[row] - means[code]).powi(2);
            variance += (target[row] - prior).powi(2);
        }
        variance /= all;
        let smoothed = (0..means.len()).map(|code| {
            let own = variance * counts[code];
            let share = own / (own + within[code] / counts[code]);
            if share.is_nan() { prior } else { share * means[code] + (1.0 - share) * prior }
        });
        (smoothed.collect(), prior)
    }
}

/// The fold of each row. Rows are dealt out in an order that follows from their numbers alone, one class after another,
/// so that folds have the classes in the same shares.
fn deal(classes: &[Vec<f64>], rows: usize, folds: u64) -> Vec<u64> {
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by_key(|row| scramble(*row as u64));
    let is_class = classes.iter().flatten().all(|value| *value == 0.0 || *value == 1.0);
    let class = |row: &usize| classes.iter().position(|output| is_class && output[*row] == 1.0);
    order.sort_by_key(class);
    let mut fold_of = vec![0; rows];
    for (place, row) in order.into_iter().enumerate() {
        fold_of[row] = place as u64 % folds;
    }
    fold_of
}

/// A number that looks random (Steele, Lea and Flood, "SplitMix", 2014).
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl FittedTargetMean {
    pub(super) fn fit(
        columns: Vec<String>,
        target: Option<&str>,
        smooth: Smooth,
        folds: u64,
        training: &Training<'_>,
    ) -> Result<Self, StageError> {
        let target = training.targets.iter().find(|fitted| target.is_none_or(|name| fitted.column == name));
        let target = target.ok_or_else(|| StageError::bug("there is no target to take the mean of"))?;
        let rows = training.frame.height();
        if (rows as u64) < folds {
            return Err(StageError::data(format!(
                "{} cannot be split into {folds} folds",
                numbers::counted(rows, "row")
            ))
            .hint("use fewer `folds`, or encode the category in another way"));
        }
        let outputs = outputs(target, training.frame)?;
        let fit = |name: String| {
            let coded = Coded::of(&name, training.frame)?;
            let each: Vec<Vec<f64>> = outputs.iter().map(|output| coded.means(output, smooth, &|_| true).0).collect();
            let means = (0..coded.values.len()).map(|code| each.iter().map(|means| stored(means[code])).collect());
            Ok(FittedMeans { name, means: means.collect(), values: coded.values })
        };
        let columns = columns.into_par_iter().map(fit).collect::<Result<_, StageError>>()?;
        let prior = outputs.iter().map(|output| stored(output.iter().sum::<f64>() / rows as f64)).collect();
        Ok(Self { columns, target: target.column.clone(), prior, smooth, folds })
    }

    fn tensor(&self, columns: &[Vec<f32>], rows: usize) -> Tensor {
        let slices: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
        Tensor::of_rows(rows, &[slices.len() as u64], TensorData::F32(interleave(&slices, rows)))
    }
}

impl Fitted for FittedTargetMean {
    fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    fn accepts(&self, _: &str, dtype: &DType) -> bool {
        is_category(dtype)
    }

    fn becomes(&self) -> String {
        format!("the mean of `{}` in the training rows with the value", self.target)
    }

    fn ty(&self, name: &str) -> FeatureType {
        float_type(name, Shape::fixed(&[(self.columns.len() * self.prior.len()) as u64]))
    }

    fn apply(&self, _: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        let mut columns: Vec<Vec<f32>> = Vec::new();
        for column in &self.columns {
            let lookup: BTreeMap<Option<&str>, &Vec<f64>> =
                column.values.iter().map(Option::as_deref).zip(&column.means).collect();
            let mut out = vec![Vec::with_capacity(frame.height()); self.prior.len()];
            Labels::of(frame, &column.name)?.visit(|_, text| {
                let means = lookup.get(&text).copied().unwrap_or(&self.prior);
                out.iter_mut().zip(means).for_each(|(out, mean)| out.push(*mean as f32));
                Ok(())
            })?;
            columns.append(&mut out);
        }
        Ok(self.tensor(&columns, frame.height()))
    }

    fn apply_training(&self, _: &str, training: &Training<'_>) -> Result<Tensor, StageError> {
        let target = training.targets.iter().find(|target| target.column == self.target);
        let target = target.ok_or_else(|| StageError::bug("the target of the means is gone"))?;
        let outputs = outputs(target, training.frame)?;
        let rows = training.frame.height();
        let fold_of = deal(&outputs, rows, self.folds);
        let encode = |column: &FittedMeans| {
            let coded = Coded::of(&column.name, training.frame)?;
            let mut out = vec![vec![0.0_f32; rows]; outputs.len()];
            for fold in 0..self.folds {
                for (output, out) in outputs.iter().zip(&mut out) {
                    let (means, prior) = coded.means(output, self.smooth, &|row| fold_of[row] != fold);
                    for row in (0..rows).filter(|row| fold_of[*row] == fold) {
                        let mean = means[coded.codes[row]];
                        out[row] = if mean.is_nan() { prior } else { mean } as f32;
                    }
                }
            }
            Ok(out)
        };
        let columns: Vec<Vec<Vec<f32>>> = self.columns.par_iter().map(encode).collect::<Result<_, StageError>>()?;
        Ok(self.tensor(&columns.concat(), rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_of_one_size_and_have_the_classes_in_equal_shares() {
        let yes: Vec<f64> = (0..100).map(|row| f64::from(u8::from(row < 20))).collect();
        let folds = deal(std::slice::from_ref(&yes), 100, 5);
        for fold in 0..5 {
            let rows: Vec<usize> = (0..100).filter(|row| folds[*row] == fold).collect();
            assert_eq!(rows.len(), 20);
            assert_eq!(rows.iter().filter(|row| yes[**row] == 1.0).count(), 4);
        }
    }
}
