//! Sequences: for every row the last so many rows of its group up to itself, in an order, as one tensor
//! `[length, columns]`; where there are fewer, what is missing at the beginning is padding. Or lists that a `group` step
//! made, one list a step. Numbers are padded with 0 after scaling, with `indicator` beside a 1 that says so;
//! categories (`encode = "index"`) with an index of their own, the last.

use super::FittedFeature;
use super::category::{Category, FittedValues, Unseen, is_category};
use super::encoding::{Encoding, Fitted, Known, Training, float_type, list_hint};
use super::numeric::{FittedNumber, NumberSteps, is_number};
use crate::diag::codes;
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::labels::{Places, column, finite, floats, numbers};
use crate::stages::encode::order::Groups;
use crate::stages::encode::{Names, Tensor, TensorData};
use crate::types::{DType, Dim, FeatureType, Shape, TensorType};
use polars::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Sequences as the manifest describes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sequence {
    /// The columns: numbers, categories, or lists of numbers.
    pub columns: Names,
    /// How many rows a sequence has.
    pub length: u64,
    /// What orders the rows; without it the columns hold lists.
    pub order: Option<String>,
    /// Rows belong together where they agree in these columns.
    pub by: Vec<String>,
    /// How many rows before the row itself the sequence ends; 0 ends with it.
    pub offset: u64,
    /// What becomes of numbers.
    pub steps: NumberSteps,
    /// Whether padding is told by a number of its own.
    pub indicator: bool,
    /// Categories: their fields. Without them the columns are numbers.
    pub category: Option<Category>,
}

/// Fitted sequences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedSequence {
    /// What a step consists of.
    pub values: SequenceValues,
    /// How many steps there are.
    pub length: u64,
    /// What orders the rows; without it the columns hold lists.
    pub order: Option<String>,
    /// What groups them.
    pub by: Vec<String>,
    /// How many rows before the row itself the sequence ends.
    pub offset: u64,
    /// Whether padding is told by a number of its own.
    pub indicator: bool,
}

/// What a step of a sequence consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SequenceValues {
    /// Numbers.
    Numbers(Vec<FittedNumber>),
    /// Indices of categories.
    Categories {
        /// The columns.
        columns: Vec<FittedValues>,
        /// Whether each has one category more, for what is unknown.
        unknown: Unseen,
    },
}

impl Sequence {
    fn is_list(&self) -> bool {
        self.order.is_none()
    }

    fn row(&self, columns: Option<usize>) -> Shape {
        let length = Dim::Fixed(self.length);
        match (columns, &self.category) {
            (Some(1), Some(_)) => Shape(vec![length]),
            (Some(columns), _) => Shape(vec![length, Dim::Fixed(columns as u64 + u64::from(self.indicator))]),
            (None, _) => Shape(vec![length, Dim::Unknown]),
        }
    }
}

fn is_list_of_numbers(dtype: &DType) -> bool {
    match dtype {
        DType::List(inner) | DType::Array(inner, _) => is_number(inner) || inner.is_unknown(),
        _ => false,
    }
}

impl Encoding for Sequence {
    fn key(&self) -> &'static str {
        "sequence"
    }

    fn columns(&self) -> &Names {
        &self.columns
    }

    fn helpers(&self) -> Vec<(&'static str, &str)> {
        let order = self.order.iter().map(|order| ("order", order.as_str()));
        order.chain(self.by.iter().map(|name| ("by", name.as_str()))).collect()
    }

    fn accepts(&self, dtype: &DType) -> bool {
        match (self.is_list(), &self.category) {
            (true, _) => is_list_of_numbers(dtype),
            (false, Some(_)) => is_category(dtype),
            (false, None) => is_number(dtype),
        }
    }

    fn wanted(&self, dtype: &DType) -> (&'static str, &'static str) {
        match (self.is_list(), dtype) {
            (true, _) => (
                "lists of numbers where there is no `order`",
                list_hint(dtype).unwrap_or("order = \"COLUMN\" makes sequences of rows"),
            ),
            (false, DType::Str) => ("numbers", "encode = \"index\" makes sequences of categories"),
            (false, _) if self.category.is_some() => ("text, bools or integers", "cast it in a `table` stage"),
            (false, _) => ("numbers", "derive a number from it in a `table` stage before"),
        }
    }

    fn shows_its_row(&self) -> bool {
        self.offset == 0
    }

    fn check(&self, name: &str, known: &Known<'_>, cx: &mut CheckCx<'_>) -> FeatureType {
        self.steps.check(name, cx);
        if self.length == 0 || self.length > 1 << 20 {
            let message = format!("a sequence has from 1 to {} steps, found {}", 1 << 20, self.length);
            cx.error(path!["features", name, "length"], codes::OUT_OF_RANGE, message);
        }
        if self.is_list() {
            let stray = [("by", !self.by.is_empty()), ("offset", self.offset > 0), ("encode", self.category.is_some())];
            if let Some((key, _)) = stray.iter().find(|(_, given)| *given) {
                cx.error(path!["features", name, *key], codes::MISSING_FIELD, format!("`{key}` needs `order`"))
                    .label("of rows in an order")
                    .hint("order = \"COLUMN\" says what orders the rows; lists, without it, are sequences already");
            }
        }
        let shape = self.row(known.selected.map(<[String]>::len));
        match self.category {
            None => float_type(name, shape),
            Some(_) => index_type(name, shape, Dim::Named("categories".to_owned())),
        }
    }

    fn fit(&self, feature: &str, columns: Vec<String>, training: &Training<'_>) -> Result<FittedFeature, StageError> {
        let frame = training.frame;
        let values = match &self.category {
            Some(category) => SequenceValues::Categories {
                columns: columns
                    .into_par_iter()
                    .map(|name| FittedValues::fit(name, category, feature, training))
                    .collect::<Result<_, _>>()?,
                unknown: category.unknown,
            },
            None => SequenceValues::Numbers(
                columns
                    .into_par_iter()
                    .map(|name| {
                        if self.is_list() {
                            let Lists { values, spans } = lists(frame, &name)?;
                            return self.steps.fit(&name, &values, Places::Lists(&spans));
                        }
                        self.steps.fit(&name, &numbers(frame, &name)?, Places::Rows)
                    })
                    .collect::<Result<_, StageError>>()?,
            ),
        };
        let (order, by) = (self.order.clone(), self.by.clone());
        let (length, offset, indicator) = (self.length, self.offset, self.indicator);
        Ok(FittedFeature::Sequence(FittedSequence { values, length, order, by, offset, indicator }))
    }
}

fn index_type(name: &str, shape: Shape, cardinality: Dim) -> FeatureType {
    FeatureType { dtype: TensorType::I64, cardinality: Some(cardinality), ..float_type(name, shape) }
}

/// Where each row's numbers begin and end.
type Spans = Vec<(usize, usize)>;

/// Numbers of lists one after another, and where each row's begin and end.
struct Lists {
    values: Vec<Option<f64>>,
    spans: Spans,
}

/// The numbers in a column of lists; a null list is an empty one.
fn lists(frame: &DataFrame, name: &str) -> Result<Lists, StageError> {
    let series = column(frame, name)?.as_materialized_series();
    let wrong = |error: PolarsError| StageError::data(format!("column `{name}` is {}: {error}", series.dtype()));
    let series = match series.dtype() {
        DataType::Array(inner, _) => series.cast(&DataType::List(inner.clone())).map_err(wrong)?,
        _ => series.clone(),
    };
    let mut parts = Vec::with_capacity(series.len());
    let mut spans = Vec::with_capacity(series.len());
    let lists = series.list().map_err(wrong)?;
    for row in 0..lists.len() {
        let start = parts.len();
        if let Some(list) = lists.get_as_series(row) {
            parts.extend(floats(&list, name)?);
        }
        spans.push((start, parts.len()));
    }
    finite(name, &parts, Places::Lists(&spans))?;
    Ok(Lists { values: parts, spans })
}

impl FittedSequence {
    fn names(&self) -> Vec<&str> {
        match &self.values {
            SequenceValues::Numbers(columns) => columns.iter().map(|column| column.name.as_str()).collect(),
            SequenceValues::Categories { columns, .. } => columns.iter().map(|column| column.name.as_str()).collect(),
        }
    }

    /// Of each step the row that fills it, or none; the steps of a row one after another.
    fn steps(&self, frame: &DataFrame, order: &str) -> Result<Vec<Vec<Option<usize>>>, StageError> {
        let groups = Groups::of(frame, &self.by, order)?;
        let lags = (0..self.length).rev().map(|lag| usize::try_from(lag + self.offset).unwrap_or(usize::MAX));
        Ok(lags.map(|lag| groups.before(lag)).collect())
    }

    /// Numbers of rows.
    fn numbers(
        &self,
        feature: &str,
        columns: &[FittedNumber],
        frame: &DataFrame,
        order: &str,
    ) -> Result<Vec<f32>, StageError> {
        let steps = self.steps(frame, order)?;
        let encode = |number: &FittedNumber| number.apply(feature, &numbers(frame, &number.name)?, Places::Rows);
        let columns: Vec<Vec<f32>> = columns.par_iter().map(encode).collect::<Result<_, _>>()?;
        let mut data = Vec::with_capacity(frame.height() * steps.len() * (columns.len() + usize::from(self.indicator)));
        for row in 0..frame.height() {
            for step in &steps {
                data.extend(columns.iter().map(|column| step[row].map_or(0.0, |row| column[row])));
                data.extend(self.indicator.then_some(f32::from(u8::from(step[row].is_none()))));
            }
        }
        Ok(data)
    }

    /// Numbers of lists; the last of each list stands last.
    fn listed(&self, feature: &str, columns: &[FittedNumber], frame: &DataFrame) -> Result<Vec<f32>, StageError> {
        let encode = |number: &FittedNumber| {
            let lists = lists(frame, &number.name)?;
            Ok((number.apply(feature, &lists.values, Places::Lists(&lists.spans))?, lists.spans))
        };
        let columns = columns.par_iter().map(encode).collect::<Result<Vec<(Vec<f32>, Spans)>, StageError>>()?;
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let mut data = Vec::with_capacity(frame.height() * length * (columns.len() + usize::from(self.indicator)));
        for row in 0..frame.height() {
            for back in (1..=length).rev() {
                let place = |spans: &[(usize, usize)]| spans[row].1.checked_sub(back).filter(|at| *at >= spans[row].0);
                data.extend(columns.iter().map(|(values, spans)| place(spans).map_or(0.0, |at| values[at])));
                let padded = columns.iter().all(|(_, spans)| place(spans).is_none());
                data.extend(self.indicator.then_some(f32::from(u8::from(padded))));
            }
        }
        Ok(data)
    }

    /// Indices of categories.
    fn indices(
        &self,
        feature: &str,
        columns: &[FittedValues],
        unknown: Unseen,
        frame: &DataFrame,
    ) -> Result<Vec<i64>, StageError> {
        let steps = self.steps(frame, self.order.as_deref().unwrap_or_default())?;
        let padding = self.padding(columns, unknown);
        let indices = columns
            .par_iter()
            .map(|column| {
                let other = (unknown == Unseen::Other).then_some(column.values.len() as i64);
                column.indices(feature, frame, other)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut data = Vec::with_capacity(frame.height() * steps.len() * columns.len());
        for row in 0..frame.height() {
            for step in &steps {
                data.extend(indices.iter().map(|column| step[row].map_or(padding, |row| column[row])));
            }
        }
        Ok(data)
    }

    /// The index of padding: the last, the same for every column.
    fn padding(&self, columns: &[FittedValues], unknown: Unseen) -> i64 {
        let most = columns.iter().map(|column| column.values.len()).max().unwrap_or(0);
        most as i64 + i64::from(unknown == Unseen::Other)
    }

    fn row(&self) -> Vec<u64> {
        let columns = self.names().len() as u64;
        match &self.values {
            SequenceValues::Categories { .. } if columns == 1 => vec![self.length],
            _ => vec![self.length, columns + u64::from(self.indicator)],
        }
    }
}

impl Fitted for FittedSequence {
    fn columns(&self) -> Vec<&str> {
        let mut names = self.names();
        for name in self.order.iter().chain(&self.by) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    fn accepts(&self, column: &str, dtype: &DType) -> bool {
        if !self.names().contains(&column) {
            return true;
        }
        match (&self.values, &self.order) {
            (SequenceValues::Numbers(_), Some(_)) => is_number(dtype),
            (SequenceValues::Numbers(_), None) => is_list_of_numbers(dtype),
            (SequenceValues::Categories { .. }, _) => is_category(dtype),
        }
    }

    fn becomes(&self) -> String {
        match &self.order {
            Some(order) => format!("the last {} rows, ordered by `{order}`", self.length),
            None => format!("the last {} of a list", self.length),
        }
    }

    fn ty(&self, name: &str) -> FeatureType {
        let shape = Shape::fixed(&self.row());
        match &self.values {
            SequenceValues::Numbers(_) => float_type(name, shape),
            SequenceValues::Categories { columns, unknown } => {
                let cardinality = self.padding(columns, *unknown).unsigned_abs() + 1;
                index_type(name, shape, Dim::Fixed(cardinality))
            }
        }
    }

    fn apply(&self, feature: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        let data = match (&self.values, &self.order) {
            (SequenceValues::Numbers(columns), Some(order)) => {
                TensorData::F32(self.numbers(feature, columns, frame, order)?)
            }
            (SequenceValues::Numbers(columns), None) => TensorData::F32(self.listed(feature, columns, frame)?),
            (SequenceValues::Categories { columns, unknown }, _) => {
                TensorData::I64(self.indices(feature, columns, *unknown, frame)?)
            }
        };
        Ok(Tensor::of_rows(frame.height(), &self.row(), data))
    }
}
