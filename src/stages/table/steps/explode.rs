//! One row for each item of a list.

use super::super::columns::{OneOrMany, column, not_empty, wrong_type};
use super::{Rule, Tables};
use crate::frame::FloatSums;
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::{ExplodeOptions, LazyFrame, SchemaRef, cols};
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
