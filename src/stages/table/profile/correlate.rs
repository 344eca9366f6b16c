//! Correlations between columns of numbers, each pair over the rows in which both have one.

use super::measure::Measured;
use crate::frame::exact::exact_sum;
use crate::frame::failed;
use crate::stage::StageError;
use polars::prelude::{DataFrame, DataType};
use rayon::prelude::*;

/// Pearson's correlations.
#[derive(Clone, Debug, Default)]
pub(super) struct Correlations {
    /// The columns of numbers.
    pub(super) names: Vec<String>,
    /// A row for each; `None` where two columns have no rows in common or one does not vary there.
    pub(super) values: Vec<Vec<Option<f64>>>,
}

impl Correlations {
    /// Every pair that has one, the later column first.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str, f64)> {
        let row = move |row: usize| {
            let pair = move |column: usize| {
                Some((self.names[row].as_str(), self.names[column].as_str(), self.values[row][column]?))
            };
            (0..row).filter_map(pair)
        };
        (0..self.names.len()).flat_map(row)
    }
}

/// The correlations between the first `most` columns of numbers that vary.
pub(super) fn correlations(df: &DataFrame, columns: &[Measured], most: usize) -> Result<Correlations, StageError> {
    let varies = |column: &&Measured| column.numbers.as_ref().is_some_and(|numbers| numbers.min < numbers.max);
    let chosen: Vec<&Measured> =
        columns.iter().filter(|column| column.dtype.is_numeric()).filter(varies).take(most).collect();
    let mut values: Vec<Vec<f64>> = Vec::new();
    for column in &chosen {
        let doing = |error| failed("read the numbers", &error);
        let numbers = df.column(&column.name).and_then(|column| column.cast(&DataType::Float64)).map_err(doing)?;
        values.push(numbers.f64().map_err(doing)?.iter().map(|value| value.unwrap_or(f64::NAN)).collect());
    }
    let pairs: Vec<(usize, usize)> =
        (0..values.len()).flat_map(|row| (0..row).map(move |column| (row, column))).collect();
    let found: Vec<Option<f64>> = pairs.par_iter().map(|(a, b)| pearson(&values[*a], &values[*b])).collect();
    let mut matrix = vec![vec![None; values.len()]; values.len()];
    for (index, row) in matrix.iter_mut().enumerate() {
        row[index] = Some(1.0);
    }
    for ((row, column), value) in pairs.into_iter().zip(found) {
        matrix[row][column] = value;
        matrix[column][row] = value;
    }
    Ok(Correlations { names: chosen.into_iter().map(|column| column.name.clone()).collect(), values: matrix })
}

fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let pairs = || a.iter().copied().zip(b.iter().copied()).filter(|(a, b)| a.is_finite() && b.is_finite());
    let count = pairs().count() as f64;
    if count < 2.0 {
        return None;
    }
    let (mean_a, mean_b) =
        (exact_sum(pairs().map(|pair| pair.0)) / count, exact_sum(pairs().map(|pair| pair.1)) / count);
    // One pass, always in the order of the rows: the bits do not follow the threads.
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in pairs() {
        let (a, b) = (a - mean_a, b - mean_b);
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    let value = ab / (aa.sqrt() * bb.sqrt());
    value.is_finite().then(|| value.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correlation_is_numpy_s() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, f64::NAN], [2.0, 1.0, 4.0, 3.0, 9.0]);
        // numpy.corrcoef([1, 2, 3, 4], [2, 1, 4, 3])[0, 1]
        assert!((pearson(&a, &b).expect("a number") - 0.6).abs() < 1e-12);
        assert_eq!(pearson(&a, &[1.0; 5]), None);
        assert_eq!(pearson(&a[..1], &b[..1]), None);
    }
}
