//! The classes of a category: those that the training rows have, or those that are listed.

use super::labels::Labels;
use super::target::null_label;
use crate::diag::{codes, list};
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::types::DType;
use polars::prelude::DataFrame;
use std::collections::BTreeSet;

/// Looks at classes that are listed.
pub(super) fn check(classes: &[String], column: &str, dtype: &DType, cx: &mut CheckCx<'_>) {
    let place = path!["target", column, "category", "classes"];
    if classes.len() < 2 {
        cx.error(place, codes::OUT_OF_RANGE, "a category has at least 2 classes")
            .label(format!("{} given", classes.len()));
        return;
    }
    let place = |index: usize| path!["target", column, "category", "classes", index];
    let twice = classes.iter().enumerate().find(|(index, class)| classes[..*index].contains(class));
    if let Some((index, class)) = twice {
        cx.error(place(index), codes::OUT_OF_RANGE, format!("class `{class}` is listed twice"))
            .label("the second time");
    }
    if let Some(index) = classes.iter().position(|class| !may_hold(dtype, class)) {
        let message = format!("column `{column}` is {dtype}, and holds no `{}`", classes[index]);
        cx.error(place(index), codes::COLUMN_TYPE, message)
            .label("none of its values")
            .hint("list the values of the column; a `table` stage before can make a column of names of them");
    }
}

/// Whether a class can be a value of a column, as text.
fn may_hold(dtype: &DType, class: &str) -> bool {
    match dtype {
        DType::Bool => class == "true" || class == "false",
        _ => !dtype.is_integer() || class.parse::<i128>().is_ok(),
    }
}

/// The classes that the training rows have.
pub(super) fn learnt(column: &str, frame: &DataFrame) -> Result<Vec<String>, StageError> {
    let labels = Labels::of(frame, column)?;
    let (counts, null) = labels.counts()?;
    if let Some(row) = null {
        return Err(null_label(column, row));
    }
    let mut classes: Vec<String> = counts.into_keys().collect();
    labels.sort(&mut classes);
    if classes.len() < 2 {
        let only = list(classes.iter().map(String::as_str), 2);
        return Err(StageError::data(format!("target `{column}` has one class in the training rows: {only}"))
            .hint("a classifier needs at least 2 classes there; look at how the table was split"));
    }
    Ok(classes)
}

/// The classes that are listed, where every training row has one of them.
pub(super) fn listed(column: &str, classes: Vec<String>, frame: &DataFrame) -> Result<Vec<String>, StageError> {
    let known: BTreeSet<&str> = classes.iter().map(String::as_str).collect();
    Labels::of(frame, column)?.visit(|row, text| {
        let text = text.ok_or_else(|| null_label(column, row))?;
        if known.contains(text) {
            return Ok(());
        }
        let message =
            format!("label `{text}` of `{column}` in row {} of the training table is not among its `classes`", row + 1);
        let names = list(classes.iter().map(String::as_str), 10);
        Err(StageError::data(message)
            .note(format!("rows are counted from 1; `classes` lists {names}"))
            .hint("list it too, or leave `classes` out: then all labels of the training rows are classes")
            .hint("or drop such rows in a `table` stage before"))
    })?;
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn a_label_that_is_not_listed_is_told_by_its_row() {
        let frame = df!["stars" => [4_i64, 1, 5]].expect("a frame");
        let classes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let all = classes(&["1", "4", "5", "2"]);
        assert_eq!(listed("stars", all.clone(), &frame).expect("all listed"), all);
        let failure = listed("stars", classes(&["1", "4"]), &frame).expect_err("5 is not listed");
        assert_eq!(failure.message, "label `5` of `stars` in row 3 of the training table is not among its `classes`");
        assert!(failure.hints.iter().all(|hint| !hint.contains("stratify")), "{:?}", failure.hints);
    }
}
