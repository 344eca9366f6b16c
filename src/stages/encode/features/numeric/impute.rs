//! What stands for nulls.

use crate::stage::StageError;
use crate::stages::encode::exact::{mean, median};
use crate::stages::encode::labels::Places;
use serde::Serialize;

/// What stands for nulls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Impute {
    /// The mean of the values that are there.
    Mean,
    /// Their median.
    Median,
    /// The value that occurs most often; of several the smallest.
    MostFrequent,
    /// Nothing: a null is an error.
    #[default]
    None,
    /// A number.
    Value(f64),
}

impl Impute {
    /// The number that stands for nulls, given the values that are there.
    pub(super) fn fit(self, present: &[f64]) -> Option<f64> {
        match self {
            Self::Mean => Some(mean(present)),
            Self::Median => Some(median(present)),
            Self::MostFrequent => Some(most_frequent(present)),
            Self::Value(value) => Some(value),
            Self::None => None,
        }
    }
}

fn most_frequent(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let runs = sorted.chunk_by(|a, b| a == b);
    runs.rev().max_by_key(|run| run.len()).map_or(0.0, |run| run[0])
}

/// Values with nulls filled.
pub(super) fn fill_nulls(
    name: &str,
    values: &[Option<f64>],
    fill: Option<f64>,
    places: Places<'_>,
) -> Result<Vec<f64>, StageError> {
    values
        .iter()
        .enumerate()
        .map(|(row, value)| {
            value.or(fill).ok_or_else(|| {
                StageError::data(format!("column `{name}` is null in {}", places.told(row)))
                    .note("rows are counted from 1")
                    .hint(
                        "say what stands for nulls with `impute`: \"mean\", \"median\", \"most_frequent\" or a number",
                    )
                    .hint("or drop such rows in a `table` stage before")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_is_the_smallest_of_several() {
        assert_eq!(Impute::MostFrequent.fit(&[3.0, 2.0, 3.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(Impute::MostFrequent.fit(&[3.0, 2.0, 3.0]), Some(3.0));
    }
}
