//! Aggregates over a frame: for each row those rows of its group that stand around it (`ROWS`), or whose order value lies around
//! its own (`RANGE`), as SQL has them. polars knows only frames that begin at the first row.
//!
//! A frame moves over the sorted rows of a group, and what leaves it is taken out again; of float sums that is exact, so
//! the same bits come whatever went before. `MIN` and `MAX` keep the rows that can still become one. Only variances look
//! at every row of every frame.
//!
//! | file | what it knows |
//! |---|---|
//! | [`sorted`](self) | groups, their order, and where each row's frame begins and ends |
//! | [`slide`](self) | an aggregate while the frame moves |

mod slide;
mod sorted;
#[cfg(test)]
mod tests;

pub(super) use sorted::sort;

use polars::prelude::*;
use polars_plan::prelude::{BaseColumnUdf, FunctionOptions, new_column_udf};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use slide::Values;
use sorted::{Order, Sorted};

/// What is told of a frame. Missing values do not count, except as first and last value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Aggregate {
    /// How many there are.
    Count,
    /// Their sum; missing where there is none.
    Sum,
    /// Their mean.
    Mean,
    /// The smallest; NaN is the largest number.
    Min,
    /// The largest; NaN is the largest number.
    Max,
    /// The variance with this many degrees of freedom less, or its root.
    Var {
        /// Degrees of freedom less.
        ddof: u8,
        /// The standard deviation instead.
        root: bool,
    },
    /// That of the first row.
    First,
    /// That of the last row.
    Last,
    /// That of the row at this place, from 1 on.
    Nth(usize),
}

/// How far from a row's order value another may lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Offset {
    /// Not at all.
    Zero,
    /// Of whole numbers.
    Int(i64),
    /// Of numbers.
    Float(f64),
    /// Of dates and times, in microseconds.
    Micros(i64),
}

/// The rows of a group that count for a row: from the one to the other, both included; without an end all on that side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Frame {
    /// By their distance in rows; negative ones come before.
    Rows {
        /// The first.
        from: Option<i64>,
        /// The last.
        to: Option<i64>,
    },
    /// By the distance of their order values.
    Range {
        /// The smallest.
        from: Option<Offset>,
        /// The largest.
        to: Option<Offset>,
    },
    /// From the first up to the row itself and those that are equal to it in order: what an order means without a frame.
    Peers,
}

/// What the text begins with that says of a plan's `COALESCE` that it is none.
pub(super) const MARK: &str = "__kilter_rolling ";

/// An aggregate over a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rolling {
    /// What is told.
    pub aggregate: Aggregate,
    /// Of which rows.
    pub frame: Frame,
    /// Whether it is of a column; else of the rows, which can only be counted.
    pub of_column: bool,
    /// For each column of the order whether the largest comes first.
    pub descending: Vec<bool>,
    /// For each column of the order whether missing values come last.
    pub nulls_last: Vec<bool>,
    /// How many columns make a group.
    pub keys: usize,
}

/// The function over its column, then the columns of the order, then those of the group.
#[must_use]
pub fn function(rolling: Rolling) -> UserDefinedFunction {
    let typed = rolling.clone();
    let fun = BaseColumnUdf::new(
        move |columns: &mut [Column]| rolling.over(columns),
        move |_: &Schema, fields: &[Field]| {
            let types: Vec<&DataType> = fields.iter().map(Field::dtype).collect();
            Ok(Field::new(fields[0].name().clone(), typed.dtype(&types)?))
        },
    );
    // Every row needs the others: nothing may be filtered or cut off before.
    let options = FunctionOptions::length_preserving();
    UserDefinedFunction { name: "rolling".into(), fun: new_column_udf(fun), options }
}

impl Rolling {
    /// Itself as a text.
    #[must_use]
    pub fn mark(&self) -> String {
        format!("{MARK}{}", serde_json::to_string(self).unwrap_or_default())
    }

    /// What such a text says.
    #[must_use]
    pub fn of_mark(text: &str) -> Option<Self> {
        serde_json::from_str(text.strip_prefix(MARK)?).ok()
    }

    /// The type of the result.
    fn dtype(&self, inputs: &[&DataType]) -> PolarsResult<DataType> {
        let order = inputs.get(usize::from(self.of_column));
        if let (Frame::Range { from, to }, Some(order)) = (self.frame, order) {
            for offset in [from, to].into_iter().flatten() {
                sorted::check_offset(order, offset)?;
            }
        }
        let of = inputs.first().filter(|_| self.of_column).copied().unwrap_or(&DataType::Null);
        let numbers = |dtype: DataType| match of.is_primitive_numeric() || of.is_decimal() {
            true => Ok(dtype),
            false => {
                polars_bail!(InvalidOperation: "sums and means over a frame need numbers, found {}", super::from_polars(of))
            }
        };
        match self.aggregate {
            Aggregate::Count => Ok(IDX_DTYPE),
            Aggregate::Min | Aggregate::Max | Aggregate::First | Aggregate::Last | Aggregate::Nth(_) => Ok(of.clone()),
            Aggregate::Sum if of.is_integer() => match of {
                DataType::UInt64 => Ok(DataType::UInt64),
                DataType::Int128 | DataType::UInt128 => polars_bail!(
                    InvalidOperation: "a sum over a frame of {} may not fit: cast it to i64 or f64", super::from_polars(of)
                ),
                _ => Ok(DataType::Int64),
            },
            Aggregate::Sum if of.is_decimal() => match of {
                DataType::Decimal(_, scale) => Ok(DataType::Decimal(super::decimal::MOST_DIGITS, *scale)),
                _ => numbers(DataType::Float64),
            },
            Aggregate::Sum | Aggregate::Mean | Aggregate::Var { .. } if *of == DataType::Float32 => Ok(of.clone()),
            Aggregate::Sum | Aggregate::Mean | Aggregate::Var { .. } => numbers(DataType::Float64),
        }
    }

    fn over(&self, columns: &[Column]) -> PolarsResult<Column> {
        let name = columns[0].name().clone();
        let types: Vec<&DataType> = columns.iter().map(Column::dtype).collect();
        let dtype = self.dtype(&types)?;
        let (value, rest) = columns.split_at(usize::from(self.of_column));
        let (order, keys) = rest.split_at(self.descending.len());
        // What else is given only names the function.
        let keys = &keys[..self.keys.min(keys.len())];
        let used = columns.len() - rest.len() + order.len() + keys.len();
        let lengths = || columns[..used].iter().map(Column::len);
        // A constant is one value, also where there is no row.
        let height = if lengths().any(|length| length == 0) { 0 } else { lengths().max().unwrap_or(0) };
        let value = value.first().map(|value| full(value, height)).transpose()?;
        let sorted = Sorted::new(height, keys, order, &self.descending, &self.nulls_last)?;
        let by = match self.frame {
            Frame::Range { .. } => Some(Order::of(&order[0], &self.descending, &sorted)?),
            Frame::Rows { .. } | Frame::Peers => None,
        };
        let values = Values::new(value.as_ref(), self.aggregate, &sorted)?;
        let groups: Vec<slide::Out> = sorted
            .groups()
            .into_par_iter()
            .map(|group| slide::aggregate(&values, self.aggregate, &sorted.frames(&group, self.frame, by.as_ref())))
            .collect::<PolarsResult<_>>()?;
        slide::put_together(groups, &sorted, value.as_ref(), &dtype).map(|column| column.with_name(name))
    }
}

/// A column of one value for all rows, row by row.
fn full(column: &Column, height: usize) -> PolarsResult<Column> {
    Ok(if column.len() == 1 && height != 1 { column.new_from_index(0, height) } else { column.clone() })
}
