//! Lines of JSON that cannot be rows: with a byte that is no text, or a value that is not of its declared type.

use super::super::cells;
use super::super::rejects::{Reject, Rejects};
use super::super::text::{LEAVE_OUT, Text, line_at};
use super::super::{BadFile, Layout, binary};
use super::value::Json;
use crate::frame::cast::{cast_with_losses, shown};
use crate::frame::from_polars;
use crate::types::DType;
use polars::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The lines without those that hold a byte which the encoding does not have.
pub(super) fn without_strays(
    decoded: &Text<'_>,
    mut lines: Vec<Range<usize>>,
    layout: &Layout,
    rejects: &mut Rejects,
) -> Vec<Range<usize>> {
    let mut strays = decoded.strays.iter().peekable();
    let whole = |line: &Range<usize>| {
        while strays.next_if(|stray| stray.at < line.start).is_some() {}
        let Some(stray) = strays.peek().filter(|stray| stray.at < line.end) else { return true };
        rejects.push(Reject::new(line.start, None, stray.reason(layout.encoding), &decoded.text[line.clone()]));
        false
    };
    lines.retain(whole);
    lines
}

/// The lines without those whose value is of another kind than its declared type, where other lines hold values of that kind. Which
/// of them comes first does not count: of what is not declared it does.
pub(super) fn without_odd(
    text: &str,
    mut lines: Vec<Range<usize>>,
    layout: &Layout,
    rejects: &mut Rejects,
) -> Vec<Range<usize>> {
    if layout.types.is_empty() {
        return lines;
    }
    let fields = |line: &Range<usize>| match serde_json::from_str(&text[line.clone()]) {
        Ok(Json::Object(fields)) => fields,
        _ => Vec::new(),
    };
    let fits = |key: &str, value: &Json| layout.types.get(key).and_then(|dtype| is_of_kind(value, dtype));
    let mut settled = BTreeSet::new();
    for line in &lines {
        settled
            .extend(fields(line).into_iter().filter(|(key, value)| fits(key, value) == Some(true)).map(|(key, _)| key));
    }
    lines.retain(|line| {
        let odd = |(key, value): &(String, Json)| settled.contains(key) && fits(key, value) == Some(false);
        let Some((key, value)) = fields(line).into_iter().find(odd) else { return true };
        let expected = layout.types.get(&key).map(cells::words).unwrap_or_default();
        let reason = format!("found `{value}`, expected {expected}");
        rejects.push(Reject::new(line.start, Some(&key), reason, &text[line.clone()]));
        false
    });
    lines
}

/// Whether a value is of the kind that values of a type are written as; `None` where that says nothing.
fn is_of_kind(value: &Json, dtype: &DType) -> Option<bool> {
    if matches!(value, Json::Null) {
        return None;
    }
    match dtype {
        DType::Bool => Some(matches!(value, Json::Bool(_))),
        DType::Date | DType::Time | DType::Datetime => Some(matches!(value, Json::Text(_))),
        number if number.is_numeric() => Some(matches!(value, Json::Whole(_) | Json::Float(_))),
        _ => None,
    }
}

/// The table of these lines in its declared types, without the rows that hold a value of another, where that is asked for.
pub(super) fn typed(
    df: DataFrame,
    text: &str,
    lines: &[Range<usize>],
    layout: &Layout,
    rejects: &mut Rejects,
) -> Result<DataFrame, BadFile> {
    let height = df.height();
    let mut bad: BTreeMap<usize, Reject> = BTreeMap::new();
    let mut columns = Vec::with_capacity(df.width());
    for column in df.into_columns() {
        let found = from_polars(column.dtype());
        let Some(dtype) = layout.types.get(column.name()).filter(|dtype| **dtype != found) else {
            columns.push(column);
            continue;
        };
        let (cast, lost) = cast_with_losses(&column, dtype).ok_or_else(|| binary::no_form(&column, dtype))?;
        let name = column.name().as_str();
        let reason = |row| format!("found `{}`, expected {}", shown(&column, row), cells::words(dtype));
        if let ([row, ..], false) = (&lost[..], layout.reject) {
            let line = line_at(text, lines[*row].start);
            return Err(BadFile::new(format!("line {line}, column `{name}`: {}", reason(*row)))
                .hint(format!("declare another type for `{name}`"))
                .hint(LEAVE_OUT));
        }
        for row in lost {
            let line = &lines[row];
            let reject = || Reject::new(line.start, Some(name), reason(row), &text[line.clone()]);
            bad.entry(row).or_insert_with(reject);
        }
        columns.push(cast);
    }
    let keep = (!bad.is_empty())
        .then(|| BooleanChunked::from_iter_values("keep".into(), (0..height).map(|row| !bad.contains_key(&row))));
    bad.into_values().for_each(|reject| rejects.push(reject));
    let df = DataFrame::new(height, columns);
    let df = df.and_then(|df| keep.map_or(Ok(df.clone()), |keep| df.filter(&keep)));
    df.map_err(|error| BadFile::polars("make a table of the file", &error))
}
