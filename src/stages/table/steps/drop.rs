//! Leaves columns out.

use super::super::columns::{OneOrMany, select};
use super::{Rule, Tables};
use crate::frame::FloatSums;
use crate::stage::{CheckCx, Path, StageError};
use crate::types::TableSchema;
use polars::prelude::{LazyFrame, SchemaRef, col};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names and patterns of columns to leave out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Drop(OneOrMany);

impl Rule for Drop {
    fn check(&self, mut input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let whole = input.clone();
        for (pattern, at) in self.0.with_paths(at) {
            let out = select(&whole, pattern, at, cx);
            input.columns.retain(|column| !out.contains(&column.name));
        }
        input
    }

    fn apply(&self, lf: LazyFrame, schema: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        let out: Vec<String> = self.0.0.iter().flat_map(|pattern| super::matching(schema, pattern)).collect();
        let kept = schema.iter_names().filter(|name| !out.iter().any(|out| out == name.as_str()));
        Ok(lf.select(kept.map(|name| col(name.clone())).collect::<Vec<_>>()))
    }
}
