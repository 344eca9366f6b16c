//! Targets of which a row can have any number: a column of yes and no for each label.

use super::labels::numbers;
use super::target::null_label;
use super::{Tensor, TensorData};
use crate::diag::codes;
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::types::Task;
use polars::prelude::{DataFrame, DataType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Any of several labels: the columns that say of each whether a row has it, as bools or as numbers 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct MultiLabelTarget(pub Vec<String>);

impl MultiLabelTarget {
    /// Its columns, in the order of the labels.
    pub(super) fn columns(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    pub(super) fn check(&self, name: &str, cx: &mut CheckCx<'_>) -> Task {
        if self.0.is_empty() {
            let message = format!("target `{name}` has no label");
            cx.error(path!["target", name, "multi_label"], codes::OUT_OF_RANGE, message)
                .hint("list the columns that say yes or no: multi_label = [\"sport\", \"politics\"]");
        }
        let twice = self.0.iter().enumerate().find(|(index, label)| self.0[..*index].contains(label));
        if let Some((index, label)) = twice {
            let place = path!["target", name, "multi_label", index];
            cx.error(place, codes::OUT_OF_RANGE, format!("label `{label}` is listed twice")).label("the second time");
        }
        self.task()
    }

    /// Looks whether every label can be learnt from the training table.
    pub(super) fn fit(&self, frame: &DataFrame) -> Result<Task, StageError> {
        for label in &self.0 {
            let yes = values(label, frame, "the training table")?.iter().filter(|value| **value > 0.5).count();
            if yes == 0 || yes == frame.height() {
                let all = if yes == 0 { "no" } else { "every" };
                return Err(StageError::data(format!("{all} training row has the label `{label}`"))
                    .hint("there is nothing to learn about it; leave it out of `multi_label`, or look at how the table was split"));
            }
        }
        Ok(self.task())
    }

    fn task(&self) -> Task {
        Task::MultiLabel { labels: self.0.clone() }
    }
}

/// `[rows, labels]`, 1 where a row has the label.
pub(super) fn encode(labels: &[String], frame: &DataFrame, table: &str) -> Result<Tensor, StageError> {
    let (rows, width) = (frame.height(), labels.len());
    let mut data = vec![0.0; rows * width];
    for (at, label) in labels.iter().enumerate() {
        for (row, value) in values(label, frame, &format!("`{table}`"))?.into_iter().enumerate() {
            data[row * width + at] = value;
        }
    }
    Ok(Tensor::of_rows(rows, &[width as u64], TensorData::F32(data)))
}

/// A label's column as 0 and 1; `table` names it in messages.
fn values(label: &str, frame: &DataFrame, table: &str) -> Result<Vec<f32>, StageError> {
    let column = super::labels::column(frame, label)?;
    let wrong = |error| StageError::data(format!("column `{label}`: {error}"));
    let column = if column.dtype().is_bool() { column.cast(&DataType::UInt8).map_err(wrong)? } else { column.clone() };
    let numbers = numbers(&DataFrame::new(frame.height(), vec![column]).map_err(wrong)?, label)?;
    let value = |(row, value): (usize, &Option<f64>)| match value {
        None => Err(null_label(label, row)),
        Some(value) if *value == 0.0 || *value == 1.0 => Ok(*value as f32),
        Some(value) => Err(StageError::data(format!("label `{label}` is {value} in row {} of {table}", row + 1))
            .note("rows are counted from 1")
            .hint("a label is 0 or 1, or a bool; make it one in a `table` stage before")),
    };
    numbers.iter().enumerate().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn bools_and_numbers_become_a_row_of_zeros_and_ones() {
        let frame = df!["a" => [true, false, true], "b" => [0_i64, 1, 1], "c" => [1.0, 0.0, 0.0]].unwrap();
        let target = MultiLabelTarget(vec!["c".into(), "a".into(), "b".into()]);
        let Task::MultiLabel { labels } = target.fit(&frame).unwrap() else { panic!() };
        let tensor = encode(&labels, &frame, "t").unwrap();
        let TensorData::F32(data) = tensor.data else { panic!() };
        assert_eq!(data, [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn what_is_no_label_is_told_by_its_row() {
        let frame =
            df!["a" => [Some(1_i64), Some(2), Some(0)], "b" => [Some(1_i64), None, Some(0)], "c" => [0_i64, 0, 0]]
                .unwrap();
        let fit = |label: &str| MultiLabelTarget(vec![label.into()]).fit(&frame).unwrap_err().message;
        assert_eq!(fit("a"), "label `a` is 2 in row 2 of the training table");
        let encoded = |label: &str| encode(&[label.to_owned()], &frame, "split.test").unwrap_err().message;
        assert_eq!(encoded("a"), "label `a` is 2 in row 2 of `split.test`");
        assert_eq!(fit("b"), "target `b` is null in row 2");
        assert_eq!(fit("c"), "no training row has the label `c`");
    }
}
