//! Sequences: for every row the last so many rows of its group up to itself, in an order, as one tensor
//! `[length, columns]`; where there are fewer, what is missing at the beginning is padding. Or lists that a `group` step
//! made, one list a step. Numbers are padded with 0 after scaling, with `indicator` beside a 1 that says so;
//! categories (`encode = "index"`) with an index of their own, the last.

mod lists;

use super::FittedFeature;
use super::category::{Category, FittedValues, Unseen, is_category};
use super::encoding::{Encoding, Fitted, Known, Training, float_type, list_hint};
use super::numeric::{FittedNumber, NumberSteps, is_number};
use crate::diag::codes;
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::labels::{Labels, Places, numbers};
use crate::stages::encode::order::Groups;
use crate::stages::encode::{Names, Tensor, TensorData};
use crate::types::{DType, Dim, FeatureType, Shape, TensorType};
use lists::{Lists, Spans, from_end, is_list_of, items, listed_numbers};
use polars::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Sequences as the manifest describes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sequence {
    /// The columns: numbers, categories, or lists of them.
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
            (true, Some(_)) => is_list_of(dtype, is_category),
            (true, None) => is_list_of(dtype, is_number),
            (false, Some(_)) => is_category(dtype),
            (false, None) => is_number(dtype),
        }
    }

    fn wanted(&self, dtype: &DType) -> (&'static str, &'static str) {
        match (self.is_list(), dtype) {
            (true, _) if self.category.is_some() => (
                "lists of text, bools or integers where there is no `order`",
                list_hint(dtype).unwrap_or("order = \"COLUMN\" makes sequences of rows"),
            ),
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
            let stray = [("by", !self.by.is_empty()), ("offset", self.offset > 0)];
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
                    .map(|name| {
                        if self.is_list() {
                            let (items, spans) = items(frame, &name)?;
                            let labels = Labels::of_values(&items, &name)?;
                            return FittedValues::learn(name, category, feature, &labels, Places::Lists(&spans));
                        }
                        let labels = Labels::of(frame, &name)?;
                        FittedValues::learn(name, category, feature, &labels, Places::Rows)
                    })
                    .collect::<Result<_, StageError>>()?,
                unknown: category.unknown,
            },
            None => SequenceValues::Numbers(
                columns
                    .into_par_iter()
                    .map(|name| {
                        if self.is_list() {
                            let Lists { values, spans } = listed_numbers(frame, &name)?;
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
            let lists = listed_numbers(frame, &number.name)?;
            Ok((number.apply(feature, &lists.values, Places::Lists(&lists.spans))?, lists.spans))
        };
        let columns = columns.par_iter().map(encode).collect::<Result<Vec<(Vec<f32>, Spans)>, StageError>>()?;
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let mut data = Vec::with_capacity(frame.height() * length * (columns.len() + usize::from(self.indicator)));
        for row in 0..frame.height() {
            for back in (1..=length).rev() {
                let place = |spans: &[(usize, usize)]| from_end(spans, row, back);
                data.extend(columns.iter().map(|(values, spans)| place(spans).map_or(0.0, |at| values[at])));
                let padded = columns.iter().all(|(_, spans)| place(spans).is_none());
                data.extend(self.indicator.then_some(f32::from(u8::from(padded))));
            }
        }
        Ok(data)
    }

    /// Indices of categories of rows.
    fn indices(
        &self,
        feature: &str,
        columns: &[FittedValues],
        unknown: Unseen,
        frame: &DataFrame,
        order: &str,
    ) -> Result<Vec<i64>, StageError> {
        let steps = self.steps(frame, order)?;
        let padding = self.padding(columns, unknown);
        let encode = |column: &FittedValues| {
            let labels = Labels::of(frame, &column.name)?;
            column.indices(feature, &labels, Places::Rows, other(column, unknown))
        };
        let indices = columns.par_iter().map(encode).collect::<Result<Vec<_>, StageError>>()?;
        let mut data = Vec::with_capacity(frame.height() * steps.len() * columns.len());
        for row in 0..frame.height() {
            for step in &steps {
                data.extend(indices.iter().map(|column| step[row].map_or(padding, |row| column[row])));
            }
        }
        Ok(data)
    }

    /// Indices of categories of lists; the last of each list stands last.
    fn listed_indices(
        &self,
        feature: &str,
        columns: &[FittedValues],
        unknown: Unseen,
        frame: &DataFrame,
    ) -> Result<Vec<i64>, StageError> {
        let padding = self.padding(columns, unknown);
        let encode = |column: &FittedValues| {
            let (items, spans) = items(frame, &column.name)?;
            let labels = Labels::of_values(&items, &column.name)?;
            let indices = column.indices(feature, &labels, Places::Lists(&spans), other(column, unknown))?;
            Ok((indices, spans))
        };
        let columns = columns.par_iter().map(encode).collect::<Result<Vec<(Vec<i64>, Spans)>, StageError>>()?;
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let mut data = Vec::with_capacity(frame.height() * length * columns.len());
        for row in 0..frame.height() {
            for back in (1..=length).rev() {
                let step =
                    |(indices, spans): &(Vec<i64>, Spans)| from_end(spans, row, back).map_or(padding, |at| indices[at]);
                data.extend(columns.iter().map(step));
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

/// The index of what is unknown, if it has one.
fn other(column: &FittedValues, unknown: Unseen) -> Option<i64> {
    (unknown == Unseen::Other).then_some(column.values.len() as i64)
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
            (SequenceValues::Numbers(_), None) => is_list_of(dtype, is_number),
            (SequenceValues::Categories { .. }, Some(_)) => is_category(dtype),
            (SequenceValues::Categories { .. }, None) => is_list_of(dtype, is_category),
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
            (SequenceValues::Categories { columns, unknown }, Some(order)) => {
                TensorData::I64(self.indices(feature, columns, *unknown, frame, order)?)
            }
            (SequenceValues::Categories { columns, unknown }, None) => {
                TensorData::I64(self.listed_indices(feature, columns, *unknown, frame)?)
            }
        };
        Ok(Tensor::of_rows(frame.height(), &self.row(), data))
    }
}

#[cfg(test)]
mod tests {
    use crate::stage::testing::fields;
    use crate::stages::encode::{EncodeSpec, Encoder, TensorData};
    use polars::prelude::*;

    /// Lists of texts and of numbers as categories.
    fn frame(lists: &[&[&str]]) -> DataFrame {
        let texts = lists.iter().map(|list| Series::new("".into(), *list)).collect::<Vec<_>>();
        let numbers = lists
            .iter()
            .map(|list| Series::new("".into(), list.iter().map(|text| text.len() as i64).collect::<Vec<_>>()));
        df!["tags" => texts, "sizes" => numbers.collect::<Vec<_>>()].expect("a frame")
    }

    fn indices(feature: &str, training: &DataFrame, of: &DataFrame) -> Result<(Vec<i64>, Vec<usize>), String> {
        let text = format!("fit = \"t\"\nfeatures.s = {{ {feature} }}");
        let spec: EncodeSpec = serde_json::from_value(fields(&text)).expect("a spec");
        let encoder = Encoder::fit(&spec, training).map_err(|error| error.message)?;
        let encoded = encoder.apply(of, "t", false).map_err(|error| error.message)?;
        let tensor = &encoded.features["s"];
        match &tensor.data {
            TensorData::I64(data) => Ok((data.clone(), tensor.shape.clone())),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lists_of_categories_are_padded_in_front() {
        let training = frame(&[&["b", "a"], &[], &["cc", "a", "b", "a"]]);
        let tags = indices("sequence = 'tags', length = 3, encode = 'index'", &training, &training).expect("encoded");
        assert_eq!(tags, (vec![3, 1, 0, 3, 3, 3, 0, 1, 0], vec![3, 3]));
        let both = "sequence = ['tags', 'sizes'], length = 2, encode = 'index', unknown = 'other'";
        let new = frame(&[&["new", "b"], &["a"]]);
        let both = indices(both, &training, &new).expect("encoded");
        assert_eq!(both, (vec![3, 2, 1, 0, 4, 4, 0, 0], vec![2, 2, 2]));
        let unseen = indices("sequence = 'tags', length = 3, encode = 'index'", &training, &new).expect_err("unseen");
        assert_eq!(unseen, "column `tags` is `new` in the list of row 1, which training did not see");
    }
}
