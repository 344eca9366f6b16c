//! Metrics of rankings: which rows are ranked against each other.

use super::evaluate::EvaluateSpec;
use super::forward::Answers;
use crate::diag::{codes, did_you_mean, list};
use crate::metrics::{Judged, METRICS, Metric, TaskKind, lists, metric};
use crate::path;
use crate::stage::{CheckCx, Input, StageError};
use crate::stages::encode::{CSR_COLUMNS, DATA_FILE, read_tensor};
use crate::types::DatasetType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// Which rows are ranked against each other, and how far down is looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Ranking {
    /// The features that say for whom: rows in which they are equal make one ranking. Values that the encoder does not know are equal.
    pub by: Vec<String>,
    /// How many first ones of each ranking count.
    pub top: u64,
}

impl Default for Ranking {
    fn default() -> Self {
        Self { by: Vec::new(), top: 10 }
    }
}

/// The metrics of rankings that are asked for, with their places.
fn asked(spec: &EvaluateSpec) -> impl Iterator<Item = (usize, &'static Metric)> {
    let metrics = spec.metrics.iter().enumerate();
    metrics.filter_map(|(index, name)| Some((index, metric(name).filter(|metric| metric.ranks())?)))
}

/// Reports metrics of rankings without rankings, and rankings that cannot be.
pub(super) fn check(spec: &EvaluateSpec, data: Option<&DatasetType>, task: Option<TaskKind>, cx: &mut CheckCx<'_>) {
    let features = || data.into_iter().flat_map(|data| data.features.iter().map(|feature| feature.name.as_str()));
    let there = || format!("ranking.by = [\"user\"]; there is {}", list(features(), 8));
    let Some(ranking) = &spec.ranking else {
        let first = asked(spec).next().filter(|(_, metric)| task.is_none_or(|task| metric.fits(task)));
        if let Some((index, metric)) = first {
            let message = format!("`{}` does not know which rows are ranked against each other", metric.name);
            cx.error(path!["metrics", index], codes::MISSING_FIELD, message)
                .label("judges rankings")
                .hint(format!("say for whom rows are ranked: {}", there()));
        }
        return;
    };
    if asked(spec).next().is_none() {
        let ranks = METRICS.iter().filter(|metric| metric.ranks()).map(|metric| metric.name);
        cx.error(path!["ranking"], codes::CONFLICT, "no metric of rankings is computed")
            .at_key()
            .label("without use")
            .related(path!["metrics"], "these are computed")
            .hint(format!("metrics of rankings are {}", list(ranks, 8)));
    }
    if ranking.top == 0 {
        cx.error(path!["ranking", "top"], codes::OUT_OF_RANGE, "top is at least 1, found 0");
    }
    if ranking.by.is_empty() {
        cx.error(path!["ranking"], codes::MISSING_FIELD, "`ranking` does not say for whom rows are ranked")
            .hint(format!("name features: {}", there()));
    }
    for (index, name) in ranking.by.iter().enumerate() {
        if data.is_some_and(|data| data.complete && data.feature(name).is_none()) {
            cx.error(
                path!["ranking", "by", index],
                codes::UNKNOWN_FEATURE,
                format!("the data have no feature `{name}`"),
            )
            .from_stage(&spec.data, "encoded here")
            .maybe_hint(did_you_mean(name, features()))
            .hint(format!("there is {}", list(features(), 8)));
        }
    }
}

/// The rows as rankings, where these are asked for.
pub(super) fn judged(
    ranking: Option<&Ranking>,
    data: &Input,
    answers: &Answers,
    right: &[f64],
) -> Result<Option<Judged>, StageError> {
    let (Some(ranking), Answers::Binary { scores, .. }) = (ranking, answers) else { return Ok(None) };
    let file = data.file(DATA_FILE).ok_or_else(|| StageError::bug("a dataset without its tensors"))?;
    let list_of = list_of(&ranking.by, &file.path, right.len())?;
    let truth: Vec<bool> = right.iter().map(|yes| *yes > 0.5).collect();
    let top = usize::try_from(ranking.top).unwrap_or(usize::MAX);
    Ok(Some(Judged::new(lists(&list_of, scores, &truth, top))))
}

/// For each row the number of its list, in the order in which lists first occur.
fn list_of(by: &[String], tensors: &Path, rows: usize) -> Result<Vec<usize>, StageError> {
    let mut keys: Vec<Vec<u64>> = vec![Vec::new(); rows];
    for name in by {
        if read_tensor(tensors, &format!("{CSR_COLUMNS}{name}")).is_ok() {
            let message =
                format!("feature `{name}` is a row of many numbers, most of them 0, and not for whom rows are ranked");
            return Err(StageError::data(message)
                .hint("name one of a single value, such as an index of users")
                .at(path!["ranking", "by"]));
        }
        let (_, values) = read_tensor(tensors, &format!("feature.{name}"))?;
        let width = values.len().checked_div(rows).unwrap_or(0);
        for (key, values) in keys.iter_mut().zip(values.chunks_exact(width.max(1))) {
            key.extend(values.iter().map(|value| value.to_bits()));
        }
    }
    let mut numbers: HashMap<Vec<u64>, usize> = HashMap::new();
    let number = |key| {
        let next = numbers.len();
        *numbers.entry(key).or_insert(next)
    };
    Ok(keys.into_iter().map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::{Dtype, tensor::TensorView};

    #[test]
    fn rows_in_which_the_features_are_equal_make_one_list() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data.safetensors");
        let bytes = |values: &[i64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let (users, days, columns) = (bytes(&[7, 3, 7, 7]), bytes(&[1, 1, 1, 1, 1, 1, 1, 2]), bytes(&[9]));
        let view = |shape: &[usize], bytes| TensorView::new(Dtype::I64, shape.to_vec(), bytes).unwrap();
        let tensors = [
            ("csr.columns.words", view(&[1], &columns)),
            ("feature.day", view(&[4, 2], &days)),
            ("feature.user", view(&[4], &users)),
        ];
        safetensors::serialize_to_file(tensors, None, &file).unwrap();
        let of = |by: &[&str]| list_of(&by.iter().map(ToString::to_string).collect::<Vec<_>>(), &file, 4);
        assert_eq!(of(&["user"]).unwrap(), [0, 1, 0, 0]);
        assert_eq!(of(&["user", "day"]).unwrap(), [0, 1, 0, 2]);
        let failure = of(&["words"]).unwrap_err();
        assert!(failure.message.contains("feature `words` is a row of many numbers"), "{failure}");
    }
}
