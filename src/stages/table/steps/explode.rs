//! One row for each item of a list.

use super::super::columns::{OneOrMany, column, not_empty, wrong_type};
use super::{Rule, Tables};
use crate::frame::{FloatSums, run_plan};
use crate::numbers;
use crate::stage::{CheckCx, Path, RunCx, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::{DataFrame, ExplodeOptions, LazyFrame, ListNameSpaceImpl, PolarsResult, SchemaRef, cols};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The list columns to take apart, all of them together: their lists must be equally long in each row. A missing or empty
/// list gives one row with a missing value.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Explode(OneOrMany);

impl Rule for Explode {
    fn check(&self, mut input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        not_empty(&self.0, at.clone(), "`explode`", cx);
        // A single name stands at the field itself, also where an error names it.
        for (name, place) in self.0.with_paths(at) {
            match column(&input, name, place.clone(), cx) {
                Some(DType::List(inner)) => {
                    if let Some(column) = input.columns.iter_mut().find(|column| column.name == name) {
                        column.dtype = *inner;
                    }
                }
                None | Some(DType::Unknown) => {}
                Some(other) => {
                    wrong_type(cx, place, name, &other, "a list").hint("`string_to_array` makes a list of a text");
                }
            }
        }
        input
    }

    fn apply(&self, lf: LazyFrame, _: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        let options = ExplodeOptions { empty_as_null: true, keep_nulls: true };
        Ok(lf.explode(cols(self.0.0.iter().map(String::as_str)), options))
    }
}

impl Explode {
    /// After the step failed: the first row of its table whose lists are not equally long.
    pub(super) fn blame(&self, cx: &RunCx<'_>, before: LazyFrame) -> Option<String> {
        let (mut rows, mut found): (usize, Option<String>) = (0, None);
        let lists = before.select([cols(self.0.0.iter().map(String::as_str)).as_expr()]);
        let ran = run_plan(cx, lists, &mut |df| {
            if found.is_none()
                && let Ok(Some((row, said))) = unequal(&df)
            {
                found = Some(format!("row {} has {said}", numbers::count((rows + row) as u64 + 1)));
            }
            rows += df.height();
            Ok(())
        });
        ran.ok()?;
        found
    }
}

/// The first row whose lists are not equally long, and what they have; a missing list has nothing.
fn unequal(lists: &DataFrame) -> PolarsResult<Option<(usize, String)>> {
    let Some((first, others)) = lists.columns().split_first() else { return Ok(None) };
    let lengths = first.list()?.lst_lengths();
    let mut found: Option<(usize, String)> = None;
    for other in others {
        let other_lengths = other.list()?.lst_lengths();
        for (row, (a, b)) in lengths.iter().zip(other_lengths.iter()).enumerate() {
            let (a, b) = (a.unwrap_or(0), b.unwrap_or(0));
            if a != b && found.as_ref().is_none_or(|(before, _)| row < *before) {
                let items = if a == 1 { "item" } else { "items" };
                found = Some((row, format!("{a} {items} in `{}`, but {b} in `{}`", first.name(), other.name())));
            }
        }
    }
    Ok(found)
}
