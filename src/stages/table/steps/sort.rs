//! Sorts rows.

use super::super::columns::{OneOrMany, column};
use super::{Rule, Tables};
use crate::diag::codes;
use crate::frame::{FloatSums, by_rows};
use crate::numbers;
use crate::stage::{CheckCx, Path, StageError};
use crate::types::TableSchema;
use polars::prelude::{LazyFrame, SchemaRef, SortMultipleOptions, col};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// What to sort by. Rows that are equal keep their order.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sort {
    /// The columns, most important first.
    pub by: OneOrMany,
    /// Largest first; one for all columns, or one for each.
    #[serde(default)]
    pub descending: Flags,
    /// Missing values last instead of first.
    #[serde(default)]
    pub nulls_last: bool,
}

/// One truth value, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flags(Vec<bool>);

impl Default for Flags {
    fn default() -> Self {
        Self(vec![false])
    }
}

impl<'de> Deserialize<'de> for Flags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Flags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a list of them")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Flags, E> {
                Ok(Flags(vec![flag]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Flags, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(Flags)
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl JsonSchema for Flags {
    fn schema_name() -> Cow<'static, str> {
        "Flags".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "True, false or a list of them.",
            "anyOf": [{ "type": "boolean" }, { "type": "array", "items": { "type": "boolean" } }],
        })
    }
}

impl Rule for Sort {
    fn check(&self, input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let (columns, flags) = (self.by.0.len(), self.descending.0.len());
        if columns == 0 {
            cx.error([at.clone(), vec!["by".into()]].concat(), codes::OUT_OF_RANGE, "a sort needs a column to sort by")
                .label("names no column");
        }
        for (name, at) in self.by.with_paths(&[at.clone(), vec!["by".into()]].concat()) {
            column(&input, name, at, cx);
        }
        if flags != 1 && flags != columns {
            let message = format!(
                "`descending` has {}, but there are {}",
                numbers::counted(flags, "flag"),
                numbers::counted(columns, "column")
            );
            cx.error(
                [at.clone(), vec!["descending".into()]].concat(),
                codes::OUT_OF_RANGE,
                message.replace("entrys", "entries"),
            )
            .label("one for all columns, or one for each");
        }
        input
    }

    fn apply(&self, lf: LazyFrame, schema: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        let options = SortMultipleOptions::default()
            .with_order_descending_multi(self.descending.0.iter().copied())
            .with_nulls_last(self.nulls_last)
            .with_maintain_order(true);
        let by = self.by.0.iter().map(|name| col(name.as_str())).collect();
        Ok(lf.sort_by_exprs(by_rows(by, schema), options))
    }
}
