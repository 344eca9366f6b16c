//! Leaves out rows that repeat another.

use super::super::columns::{OneOrMany, select};
use super::{Rule, Tables};
use crate::frame::FloatSums;
use crate::stage::{CheckCx, Path, StageError};
use crate::types::TableSchema;
use polars::prelude::{LazyFrame, SchemaRef, UniqueKeepStrategy, col};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which rows count as the same, and which of them stays.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Dedupe {
    /// The columns to compare, names or patterns; all columns without it.
    pub by: Option<OneOrMany>,
    /// Which row stays.
    #[serde(default)]
    pub keep: Keep,
}

/// Which of several equal rows stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The first.
    #[default]
    First,
    /// The last.
    Last,
    /// None of them: only rows that are alone stay.
    None,
}

impl Rule for Dedupe {
    fn check(&self, input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        if let Some(by) = &self.by {
            for (pattern, at) in by.with_paths(&[at.clone(), vec!["by".into()]].concat()) {
                select(&input, pattern, at, cx);
            }
        }
        input
    }

    fn apply(&self, lf: LazyFrame, schema: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        let subset = self.by.as_ref().map(|by| {
            let names = by.0.iter().flat_map(|pattern| super::matching(schema, pattern));
            names.map(col).collect::<Vec<_>>()
        });
        let keep = match self.keep {
            Keep::First => UniqueKeepStrategy::First,
            Keep::Last => UniqueKeepStrategy::Last,
            Keep::None => UniqueKeepStrategy::None,
        };
        Ok(lf.unique_stable_generic(subset, keep))
    }
}
