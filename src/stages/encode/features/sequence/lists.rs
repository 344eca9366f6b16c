//! What is in columns of lists.

use crate::stage::StageError;
use crate::stages::encode::labels::{Places, column, finite, floats};
use crate::types::DType;
use polars::prelude::*;

/// Whether these are lists of what `is_step` says can be a step.
pub(super) fn is_list_of(dtype: &DType, is_step: fn(&DType) -> bool) -> bool {
    match dtype {
        DType::List(inner) | DType::Array(inner, _) => is_step(inner) || inner.is_unknown(),
        _ => false,
    }
}

/// Where each row's numbers begin and end.
pub(super) type Spans = Vec<(usize, usize)>;

/// Numbers of lists one after another, and where each row's begin and end.
pub(super) struct Lists {
    pub(super) values: Vec<Option<f64>>,
    pub(super) spans: Spans,
}

/// What is in a column of lists, one after another, and where each row's begin and end; a null list is an empty one.
pub(super) fn items(frame: &DataFrame, name: &str) -> Result<(Series, Spans), StageError> {
    let series = column(frame, name)?.as_materialized_series();
    let wrong = |error: PolarsError| StageError::data(format!("column `{name}` is {}: {error}", series.dtype()));
    let series = match series.dtype() {
        DataType::Array(inner, _) => series.cast(&DataType::List(inner.clone())).map_err(wrong)?,
        _ => series.clone(),
    };
    let mut end = 0;
    let lengths = series.list().map_err(wrong)?.lst_lengths();
    let span = |length: Option<IdxSize>| {
        let start = end;
        end += length.unwrap_or(0) as usize;
        (start, end)
    };
    let spans: Spans = lengths.iter().map(span).collect();
    let items = series.explode(ExplodeOptions { empty_as_null: false, keep_nulls: false }).map_err(wrong)?;
    Ok((items, spans))
}

/// The numbers in a column of lists.
pub(super) fn listed_numbers(frame: &DataFrame, name: &str) -> Result<Lists, StageError> {
    let (items, spans) = items(frame, name)?;
    let values = floats(&items, name)?;
    finite(name, &values, Places::Lists(&spans))?;
    Ok(Lists { values, spans })
}

/// The place of the value that is so many from the end of a row's, among those of all rows.
pub(super) fn from_end(spans: &[(usize, usize)], row: usize, back: usize) -> Option<usize> {
    spans[row].1.checked_sub(back).filter(|at| *at >= spans[row].0)
}
