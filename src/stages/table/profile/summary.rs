//! A picture as numbers: the table of columns and the metrics.

use super::Picture;
use super::measure::{Measured, Numbers};
use crate::frame::failed;
use crate::numbers;
use crate::stage::StageError;
use crate::types::{Column as ColumnType, DType, TableSchema};
use polars::prelude::*;
use std::collections::BTreeMap;

/// The bars of a histogram in a terminal.
const BARS: usize = 16;

type Texts = Vec<Option<String>>;
type Floats = Vec<Option<f64>>;
type Counts = Vec<Option<i64>>;

/// The columns of the table of columns.
pub(super) fn schema() -> TableSchema {
    let text = ["column", "type", "histogram"].map(|name| (name, DType::Str));
    let counts = ["missing", "distinct"].map(|name| (name, DType::I64));
    let ends = ["min", "median", "max", "top"].map(|name| (name, DType::Str));
    let floats = ["mean", "std", "q05", "q25", "q75", "q95"].map(|name| (name, DType::F64));
    let more = ["top_count", "zeros", "nan", "length_min", "length_max"].map(|name| (name, DType::I64));
    let all = text.into_iter().chain(counts).chain(ends).chain(floats).chain(more).chain([("length_mean", DType::F64)]);
    TableSchema::new(all.map(|(name, dtype)| ColumnType::new(name, dtype)).collect())
}

/// A row for each column.
pub(super) fn table(picture: &Picture) -> Result<DataFrame, StageError> {
    let columns = &picture.columns;
    let text = |of: &dyn Fn(&Measured) -> Option<String>| -> Texts { columns.iter().map(of).collect() };
    let float = |of: &dyn Fn(&Numbers) -> Option<f64>| -> Floats {
        let of = |column: &Measured| column.numbers.as_ref().filter(|_| column.dtype.is_numeric()).and_then(of);
        columns.iter().map(of).collect()
    };
    let count = |of: &dyn Fn(&Measured) -> Option<usize>| -> Counts {
        columns.iter().map(|column| of(column).map(|count| count as i64)).collect()
    };
    let shown =
        |of: fn(&Numbers) -> f64| text(&|column| column.numbers.as_ref().map(|numbers| column.words(of(numbers))));
    let length = |of: fn(&Numbers) -> f64| count(&|column| column.lengths.as_ref().map(|lengths| of(lengths) as usize));
    let lengths: Floats = columns.iter().map(|column| column.lengths.as_ref().map(|lengths| lengths.mean)).collect();
    let values: Vec<Column> = vec![
        Column::new("column".into(), text(&|column| Some(column.name.clone()))),
        Column::new("type".into(), text(&|column| Some(column.dtype.to_string()))),
        Column::new("histogram".into(), text(&bars)),
        Column::new("missing".into(), count(&|column| Some(column.missing))),
        Column::new("distinct".into(), count(&|column| column.distinct)),
        Column::new("min".into(), shown(|numbers| numbers.min)),
        Column::new("median".into(), shown(|numbers| numbers.quantiles[2])),
        Column::new("max".into(), shown(|numbers| numbers.max)),
        Column::new("top".into(), text(&|column| column.top.first().map(|(value, _)| value.clone()))),
        Column::new("mean".into(), float(&|numbers| Some(numbers.mean))),
        Column::new("std".into(), float(&|numbers| numbers.std)),
        Column::new("q05".into(), float(&|numbers| Some(numbers.quantiles[0]))),
        Column::new("q25".into(), float(&|numbers| Some(numbers.quantiles[1]))),
        Column::new("q75".into(), float(&|numbers| Some(numbers.quantiles[3]))),
        Column::new("q95".into(), float(&|numbers| Some(numbers.quantiles[4]))),
        Column::new("top_count".into(), count(&|column| column.top.first().map(|(_, count)| *count as usize))),
        Column::new(
            "zeros".into(),
            count(&|column| column.numbers.as_ref().filter(|_| column.dtype.is_numeric()).map(|numbers| numbers.zeros)),
        ),
        Column::new("nan".into(), count(&|column| column.dtype.is_float().then_some(column.nan))),
        Column::new("length_min".into(), length(|lengths| lengths.min)),
        Column::new("length_max".into(), length(|lengths| lengths.max)),
        Column::new("length_mean".into(), lengths),
    ];
    DataFrame::new(columns.len(), values).map_err(|error| failed("make the table of columns", &error))
}

/// The histogram of numbers, or of the counts of a text's frequent values, as a line of bars.
fn bars(column: &Measured) -> Option<String> {
    let counts: Vec<f64> = match (&column.numbers, column.top.is_empty()) {
        (Some(Numbers { histogram: Some(histogram), .. }), _) => {
            histogram.counts.iter().map(|count| *count as f64).collect()
        }
        (_, false) => column.top.iter().map(|(_, count)| *count as f64).collect(),
        _ => return None,
    };
    Some(numbers::histogram(&counts, BARS))
}

/// The numbers of the whole table, for history and comparison.
pub(super) fn overview(picture: &Picture, target: Option<&str>) -> BTreeMap<String, f64> {
    let cells = (picture.rows * picture.columns.len()).max(1) as f64;
    let missing: usize = picture.columns.iter().map(|column| column.missing).sum();
    let mut found = BTreeMap::from([
        ("rows".to_owned(), picture.rows as f64),
        ("columns".to_owned(), picture.columns.len() as f64),
        ("missing_share".to_owned(), missing as f64 / cells),
    ]);
    found.extend(picture.repeated.map(|repeated| ("repeated_rows".to_owned(), repeated as f64)));
    if let Some(column) = picture.columns.iter().find(|column| Some(column.name.as_str()) == target) {
        let all = column.present().max(1) as f64;
        found.extend(column.classes.iter().map(|(class, count)| (format!("share.{class}"), *count as f64 / all)));
    }
    found
}

/// The numbers of the whole table and of its columns; histograms are drawn, and dates and times stand in the table of columns.
pub(super) fn numbers(picture: &Picture, target: Option<&str>) -> BTreeMap<String, f64> {
    let mut found = overview(picture, target);
    for column in &picture.columns {
        let mut add = |what: &str, value: f64| found.insert(format!("{}.{what}", column.name), value);
        add("missing", column.missing as f64);
        if let Some(distinct) = column.distinct {
            add("distinct", distinct as f64);
        }
        for (numbers, prefix) in [(column.numbers.as_ref(), ""), (column.lengths.as_ref(), "length_")] {
            let Some(numbers) = numbers.filter(|_| !column.dtype.is_temporal()) else { continue };
            let [q05, q25, median, q75, q95] = numbers.quantiles;
            let all = [
                ("mean", numbers.mean),
                ("min", numbers.min),
                ("max", numbers.max),
                ("q05", q05),
                ("q25", q25),
                ("median", median),
                ("q75", q75),
                ("q95", q95),
                ("std", numbers.std.unwrap_or(f64::NAN)),
            ];
            for (what, value) in all {
                add(&format!("{prefix}{what}"), value);
            }
        }
    }
    let pairs = picture.correlations.pairs();
    found.extend(pairs.map(|(name, other, value)| (format!("correlation.{other}.{name}"), value)));
    // What is no number has no place in JSON.
    found.retain(|_, value| value.is_finite());
    found
}
