//! Targets: what a model is to predict, and how it is stored.
//!
//! | target | tensor | from columns of |
//! |---|---|---|
//! | `category` | `i64` class indices | text, bools, integers |
//! | `binary` | `f32` 0 or 1 | bools, numbers 0 and 1, or any two values with `positive` |
//! | `number` | `f32`, standardised by the training rows unless `scale = "none"` | numbers |
//! | `multi_label` | `f32` 0 or 1 for each of its columns | bools, numbers 0 and 1 |

use super::classes;
use super::exact::mean_and_std;
use super::labels::{Labels, numbers, scalable};
use super::multi_label::MultiLabelTarget;
use super::token_targets::{MaskedTokenTarget, NextTokenTarget};
use super::{Tensor, TensorData};
use crate::diag::{codes, did_you_mean, list};
use crate::path;
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{DType, Dim, Masking, Task, TokenizerType};
use polars::prelude::DataFrame;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is predicted from a column, as the manifest describes it: `"category"`, or
/// `{ category = { classes = ["no", "yes"] } }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One of several classes.
    Category(CategoryTarget),
    /// Yes or no.
    Binary(BinaryTarget),
    /// A number.
    Number(NumberTarget),
    /// Any of several labels.
    MultiLabel(MultiLabelTarget),
    /// At every place of a feature of tokens the one after it.
    NextToken(NextTokenTarget),
    /// Tokens of a feature that are hidden.
    MaskedToken(MaskedTokenTarget),
}

/// One of several classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CategoryTarget {
    /// The classes in index order. By default the values of the training rows: numbers by size, text by code points.
    pub classes: Option<Vec<Value>>,
}

/// Yes or no.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BinaryTarget {
    /// The value that counts as yes: by default `true` of bools and 1 of numbers; text has to say it.
    pub positive: Option<Value>,
}

/// A number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NumberTarget {
    /// `"standard"` (the default): the model learns `(x - mean) / std` of the training rows, and predictions are turned
    /// back. `"none"`: it learns the number as it is.
    #[serde(default)]
    pub scale: TargetScale,
}

/// How a number is scaled for the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetScale {
    /// By mean and standard deviation.
    #[default]
    Standard,
    /// Not at all.
    None,
}

/// A value of a column in a manifest: a string, an integer or a bool, compared as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Value(pub String);

/// A fitted target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedTarget {
    /// The column.
    pub column: String,
    /// What is predicted, with classes or statistics.
    pub task: Task,
    /// For binary targets: the value that counts as no, where training had one.
    #[serde(default)]
    pub negative: Option<String>,
}

impl Target {
    fn key(&self) -> &'static str {
        match self {
            Self::Category(_) => "category",
            Self::Binary(_) => "binary",
            Self::Number(_) => "number",
            Self::MultiLabel(_) => "multi_label",
            Self::NextToken(_) => "next_token",
            Self::MaskedToken(_) => "masked_token",
        }
    }

    /// The columns that it is made of: the one it is called after, those that it lists, or none, where it is made of a feature.
    pub fn columns<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        match self {
            Self::MultiLabel(target) => target.columns(),
            Self::NextToken(_) | Self::MaskedToken(_) => Vec::new(),
            Self::Category(_) | Self::Binary(_) | Self::Number(_) => vec![name],
        }
    }

    /// Where the manifest names its column of this number.
    pub(super) fn column_path(&self, name: &str, index: usize) -> Path {
        match self {
            Self::MultiLabel(_) => path!["target", name, "multi_label", index],
            _ => path!["target", name],
        }
    }

    /// Whether it is made of the tokens of a feature, whose name it has, and not of a column.
    pub fn is_tokens(&self) -> bool {
        matches!(self, Self::NextToken(_) | Self::MaskedToken(_))
    }

    /// Whether a column of this type can be the target.
    pub fn accepts(&self, dtype: &DType) -> bool {
        dtype.is_unknown()
            || match self {
                Self::Category(_) => dtype.is_integer() || matches!(dtype, DType::Bool | DType::Str),
                Self::Binary(_) => dtype.is_numeric() || matches!(dtype, DType::Bool | DType::Str),
                Self::Number(_) => dtype.is_numeric(),
                Self::MultiLabel(_) => dtype.is_numeric() || *dtype == DType::Bool,
                Self::NextToken(_) | Self::MaskedToken(_) => true,
            }
    }

    /// How many means the rows of a category have: one, or for more than two classes one for each.
    pub(super) fn mean_outputs(&self) -> Dim {
        match self {
            Self::Category(CategoryTarget { classes: None }) => Dim::Unknown,
            Self::Category(CategoryTarget { classes: Some(classes) }) if classes.len() > 2 => {
                Dim::Fixed(classes.len() as u64)
            }
            Self::MultiLabel(target) => Dim::Fixed(target.columns().len() as u64),
            _ => Dim::Fixed(1),
        }
    }

    /// What the target will be, before the data is seen; `dtypes` are those of its columns.
    pub fn check(&self, column: &str, dtypes: &[DType], cx: &mut CheckCx<'_>) -> Task {
        let place = path!["target", column];
        for (index, (name, dtype)) in self.columns(column).into_iter().zip(dtypes).enumerate() {
            if !self.accepts(dtype) {
                wrong_type(self, name, dtype, &self.column_path(column, index), cx);
            }
        }
        let dtype = dtypes.first().unwrap_or(&DType::Unknown);
        match self {
            Self::MultiLabel(target) => target.check(column, cx),
            Self::Category(target) => {
                let classes = target.classes.as_ref().map(|classes| texts(classes));
                if let Some(classes) = &classes {
                    classes::check(classes, column, dtype, cx);
                }
                Task::Category { classes }
            }
            Self::Binary(target) => {
                if target.positive.is_none() && *dtype == DType::Str {
                    cx.error(
                        place,
                        codes::MISSING_FIELD,
                        format!("`{column}` is text, so which value is yes must be said"),
                    )
                    .label("`positive` is missing")
                    .hint(format!("target.{column} = {{ binary = {{ positive = \"yes\" }} }}"));
                }
                Task::Binary { positive: target.positive_text(dtype) }
            }
            Self::Number(NumberTarget { scale: TargetScale::None }) => Task::Number { mean: Some(0.0), std: Some(1.0) },
            Self::Number(_) => Task::Number { mean: None, std: None },
            Self::NextToken(_) | Self::MaskedToken(_) => self.task(TokenizerType::default()),
        }
    }

    /// Learns classes or statistics from the training table.
    ///
    /// # Errors
    /// When the column holds what the target cannot be; names the row.
    pub fn fit(&self, column: &str, frame: &DataFrame) -> Result<FittedTarget, StageError> {
        let fitted = |task, negative| FittedTarget { column: column.to_owned(), task, negative };
        match self {
            Self::MultiLabel(target) => Ok(fitted(target.fit(frame)?, None)),
            Self::Category(target) => {
                let classes = match &target.classes {
                    Some(classes) => classes::listed(column, texts(classes), frame)?,
                    None => classes::learnt(column, frame)?,
                };
                Ok(fitted(Task::Category { classes: Some(classes) }, None))
            }
            Self::Binary(target) => {
                let (positive, negative) = target.fit(column, frame)?;
                Ok(fitted(Task::Binary { positive }, negative))
            }
            Self::Number(target) => {
                let values = present(column, frame)?;
                let (mean, std) = match target.scale {
                    TargetScale::Standard => mean_and_std(&values),
                    TargetScale::None => (0.0, 1.0),
                };
                scalable(column, mean, std)?;
                Ok(fitted(Task::Number { mean: Some(mean), std: Some(std) }, None))
            }
            Self::NextToken(_) | Self::MaskedToken(_) => {
                Err(StageError::bug("a target of tokens is fitted on columns"))
            }
        }
    }

    /// What is predicted of the tokens of a tokenizer.
    pub(super) fn task(&self, ty: TokenizerType) -> Task {
        match self {
            Self::MaskedToken(MaskedTokenTarget { probability }) => Task::MaskedToken {
                vocabulary: ty.vocabulary,
                masking: Masking { probability: *probability, special: ty.special },
            },
            _ => Task::NextToken { vocabulary: ty.vocabulary },
        }
    }
}

fn wrong_type(target: &Target, column: &str, dtype: &DType, place: &Path, cx: &mut CheckCx<'_>) {
    let hint = match target {
        Target::Category(_) if dtype.is_float() => {
            "a float is a `number`; cast it to an integer where it means a class"
        }
        Target::MultiLabel(_) => "a label is a bool, or a number that is 0 or 1; make one in a `table` stage before",
        Target::Number(_) if matches!(dtype, DType::Str | DType::Bool) => "text and bools are a `category` or `binary`",
        _ => "cast it in a `table` stage before",
    };
    cx.error(
        place.clone(),
        codes::COLUMN_TYPE,
        format!("column `{column}` is {dtype}, which cannot be a {} target", target.key()),
    )
    .label(format!("`{}` does not take {dtype}", target.key()))
    .hint(hint);
}

fn texts(values: &[Value]) -> Vec<String> {
    values.iter().map(|value| value.0.clone()).collect()
}

pub(super) fn null_label(column: &str, row: usize) -> StageError {
    StageError::data(format!("target `{column}` is null in row {}", row + 1))
        .note("rows are counted from 1")
        .hint(format!("drop rows without a target in a `table` stage before: {{ filter = \"{column} IS NOT NULL\" }}"))
}

/// The numbers of a column without nulls.
fn present(column: &str, frame: &DataFrame) -> Result<Vec<f64>, StageError> {
    let values = numbers(frame, column)?;
    values.iter().enumerate().map(|(row, value)| value.ok_or_else(|| null_label(column, row))).collect()
}

impl BinaryTarget {
    /// The value that counts as yes, as text; empty while the column's type is unknown.
    fn positive_text(&self, dtype: &DType) -> String {
        match (&self.positive, dtype) {
            (Some(value), _) => value.0.clone(),
            (None, DType::Bool) => "true".to_owned(),
            (None, numeric) if numeric.is_numeric() => "1".to_owned(),
            (None, _) => String::new(),
        }
    }

    fn fit(&self, column: &str, frame: &DataFrame) -> Result<(String, Option<String>), StageError> {
        let (mut values, positive) = distinct(column, frame)?;
        let positive = match &self.positive {
            Some(value) => value.0.clone(),
            None if positive.is_empty() => {
                let seen = list(values.iter().map(String::as_str), 4);
                return Err(StageError::data(format!(
                    "which value of target `{column}` is yes must be said; it has {seen}"
                ))
                .hint(format!(
                    "target.{column} = {{ binary = {{ positive = \"{}\" }} }}",
                    values.last().map_or("yes", String::as_str)
                )));
            }
            None => positive.to_owned(),
        };
        let seen = list(values.iter().map(String::as_str), 6);
        let found = values.len();
        values.retain(|value| *value != positive);
        let remedy = match (found, values.as_slice()) {
            (2, [negative]) => return Ok((positive, Some(negative.clone()))),
            (2, [.., last]) => did_you_mean(&positive, values.iter().map(String::as_str)).unwrap_or_else(|| {
                format!("`positive` is one of them: target.{column} = {{ binary = {{ positive = \"{last}\" }} }}")
            }),
            (0 | 1, _) => "yes and no have to be there to be told apart; look at how the table was split".to_owned(),
            _ => "more than two values are a `category`, and measures a `number`".to_owned(),
        };
        Err(StageError::data(format!(
            "target `{column}` should have two values in the training rows, `{positive}` and another; it has {seen}"
        ))
        .hint(remedy))
    }
}

/// The distinct values of a binary column (17 of them at most), sorted, and what counts as yes by default.
fn distinct(column: &str, frame: &DataFrame) -> Result<(Vec<String>, &'static str), StageError> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let dtype = super::labels::column(frame, column)?.dtype().clone();
    let default = if dtype.is_bool() {
        "true"
    } else if dtype.is_numeric() {
        "1"
    } else {
        ""
    };
    visit_binary(column, frame, &mut |row, text| {
        let text = text.ok_or_else(|| null_label(column, row))?;
        if seen.len() <= 16 && !seen.contains(text) {
            seen.insert(text.to_owned());
        }
        Ok(())
    })?;
    Ok((seen.into_iter().collect(), default))
}

/// Is shown the index and text of every row.
type Visit<'a> = dyn FnMut(usize, Option<&str>) -> Result<(), StageError> + 'a;

/// Visits a column as text; floats that hold whole numbers read as integers, so `1.0` is `1`.
fn visit_binary(column: &str, frame: &DataFrame, visit: &mut Visit<'_>) -> Result<(), StageError> {
    let dtype = super::labels::column(frame, column)?.dtype();
    if dtype.is_numeric() && !dtype.is_integer() {
        let values = numbers(frame, column)?;
        return values.iter().enumerate().try_for_each(|(row, value)| {
            let text = value.map(|value| value.to_string());
            visit(row, text.as_deref())
        });
    }
    Labels::of(frame, column)?.visit(visit)
}

impl FittedTarget {
    /// Encodes the column of a table; `table` names it in messages.
    ///
    /// # Errors
    /// When a label was not in the training data, or is null, NaN or infinite; names the row.
    pub fn apply(&self, frame: &DataFrame, table: &str) -> Result<Tensor, StageError> {
        let rows = frame.height();
        match &self.task {
            Task::MultiLabel { labels } => super::multi_label::encode(labels, frame, table),
            Task::Category { classes } => {
                let classes = classes.as_deref().unwrap_or_default();
                let lookup: BTreeMap<&str, i64> =
                    classes.iter().enumerate().map(|(index, class)| (class.as_str(), index as i64)).collect();
                let mut data = Vec::with_capacity(rows);
                Labels::of(frame, &self.column)?.visit(|row, text| {
                    let text = text.ok_or_else(|| null_label(&self.column, row))?;
                    data.push(*lookup.get(text).ok_or_else(|| self.unseen(text, row, table, classes))?);
                    Ok(())
                })?;
                Ok(Tensor::of_rows(rows, &[], TensorData::I64(data)))
            }
            Task::Binary { positive } => {
                let both: Vec<String> = self.negative.iter().chain([positive]).cloned().collect();
                let mut data = Vec::with_capacity(rows);
                visit_binary(&self.column, frame, &mut |row, text| {
                    let text = text.ok_or_else(|| null_label(&self.column, row))?;
                    if !both.iter().any(|value| value == text) {
                        return Err(self.unseen(text, row, table, &both));
                    }
                    data.push(f32::from(u8::from(text == positive)));
                    Ok(())
                })?;
                Ok(Tensor::of_rows(rows, &[], TensorData::F32(data)))
            }
            Task::Number { mean, std } => {
                let (mean, std) = (mean.unwrap_or(0.0), std.unwrap_or(1.0));
                let values = present(&self.column, frame)?;
                let data: Vec<f32> = values.iter().map(|value| ((value - mean) / std) as f32).collect();
                if let Some(row) = data.iter().position(|value| !value.is_finite()) {
                    let message = format!("target `{}` is {:?} in row {}", self.column, values[row], row + 1);
                    return Err(StageError::data(format!("{message}, too large for a 32-bit float"))
                        .hint("divide it, or take its logarithm, in a `table` stage before"));
                }
                Ok(Tensor::of_rows(rows, &[], TensorData::F32(data)))
            }
            Task::NextToken { .. } | Task::MaskedToken { .. } => {
                Err(StageError::bug("a target of tokens is made of a feature"))
            }
        }
    }

    fn unseen(&self, label: &str, row: usize, table: &str, known: &[String]) -> StageError {
        let failure = StageError::data(format!(
            "label `{label}` of `{}` in row {} of `{table}` is not in the training data",
            self.column,
            row + 1
        ))
        .note(format!("rows are counted from 1; training has {}", list(known.iter().map(String::as_str), 10)))
        .hint(format!("split with `stratify = \"{}\"`, so that every part has every label", self.column));
        match self.task {
            Task::Category { .. } => failure
                .hint(format!("or list every label: target.{} = {{ category = {{ classes = […] }} }}", self.column))
                .hint("or drop such rows in a `table` stage before"),
            _ => failure.hint("or drop such rows in a `table` stage before"),
        }
    }
}
