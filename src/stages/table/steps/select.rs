//! Keeps columns.

use super::super::columns::{OneOrMany, is_pattern, select};
use super::{Rule, Tables};
use crate::frame::FloatSums;
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{Column, DType, TableSchema};
use polars::prelude::{Expr, LazyFrame, SchemaRef, col};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names and patterns; a pattern gives its columns in table order, and each column comes once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Select(OneOrMany);

impl Rule for Select {
    fn check(&self, input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let mut columns: Vec<Column> = Vec::new();
        let mut complete = true;
        for (pattern, at) in self.0.with_paths(at) {
            complete &= input.complete || !is_pattern(pattern);
            for name in select(&input, pattern, at, cx) {
                if !columns.iter().any(|column| column.name == name) {
                    let known = input.columns.iter().find(|column| column.name == name);
                    columns.push(known.cloned().unwrap_or_else(|| Column::new(name, DType::Unknown)));
                }
            }
        }
        TableSchema { columns, complete, rows: None }
    }

    fn apply(&self, lf: LazyFrame, schema: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        let mut names: Vec<String> = Vec::new();
        for pattern in &self.0.0 {
            let new = super::matching(schema, pattern);
            names.extend(new.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
        }
        Ok(lf.select(names.into_iter().map(col).collect::<Vec<Expr>>()))
    }
}
