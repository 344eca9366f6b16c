//! One row for each group.

use super::super::columns::{OneOrMany, select};
use super::super::report::{expr_type, report_expr};
use super::{Rule, Tables, after, matching};
use crate::diag::codes;
use crate::frame::sql::{plan_expr, window_problems};
use crate::frame::{FloatSums, failed, keys_with_one_zero};
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::{Expr, LazyFrame, PolarsResult, SchemaRef, SortMultipleOptions, col};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What makes a group, and what is told of each. Groups come sorted by their keys, missing values first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// The columns whose values make a group, names or patterns.
    pub by: OneOrMany,
    /// SQL aggregates by the name of the column they give: `{ n = "count(*)", mean = "avg(delay)" }`.
    pub agg: BTreeMap<String, String>,
}

impl Group {
    fn keys(&self, schema: &SchemaRef) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        for name in self.by.0.iter().flat_map(|pattern| matching(schema, pattern)) {
            if !keys.contains(&name) {
                keys.push(name);
            }
        }
        keys
    }

    fn plan(&self, lf: LazyFrame, schema: &SchemaRef, sums: FloatSums) -> PolarsResult<LazyFrame> {
        let keys = self.keys(schema);
        let aggregates = self.agg.iter().map(|(name, text)| {
            let expr = plan_expr(text, schema, sums)?;
            Ok(expr.alias(name.as_str()))
        });
        let aggregates: Vec<Expr> = aggregates.collect::<PolarsResult<_>>()?;
        // Nested keys cannot be sorted by; they keep the order of their first appearance.
        let flat = keys.iter().filter(|key| schema.get(key).is_some_and(|dtype| !dtype.is_nested()));
        let flat: Vec<&str> = flat.map(String::as_str).collect();
        let by = keys_with_one_zero(keys.iter().map(|key| col(key.as_str())).collect(), schema)?;
        let grouped = lf.group_by_stable(by).agg(aggregates);
        Ok(match flat.is_empty() {
            true => grouped,
            false => grouped.sort(flat, SortMultipleOptions::default().with_maintain_order(true)),
        })
    }

    /// The type of each aggregate by itself; reports what is wrong with it.
    fn check_aggregates(
        &self,
        input: &TableSchema,
        keys: &[String],
        sums: FloatSums,
        at: &Path,
        cx: &mut CheckCx<'_>,
    ) -> BTreeMap<&str, DType> {
        let mut types = BTreeMap::new();
        for (name, text) in &self.agg {
            let place: Path = [at.clone(), vec!["agg".into(), name.into()]].concat();
            if keys.contains(name) {
                cx.error(place.clone(), codes::DUPLICATE_COLUMN, format!("`{name}` is a column of `by` already"))
                    .at_key()
                    .label("the name is taken")
                    .hint("give the aggregate another name");
            }
            let windows = window_problems(text);
            let dtype = match windows.is_empty() {
                true => expr_type(text, input, sums, &place, cx),
                false => {
                    report_expr(windows, input, &place, cx);
                    None
                }
            };
            types.insert(name.as_str(), dtype.unwrap_or(DType::Unknown));
        }
        types
    }
}

impl Rule for Group {
    fn check(&self, input: TableSchema, sums: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let before = cx.count();
        let mut keys = Vec::new();
        for (pattern, place) in self.by.with_paths(&[at.clone(), vec!["by".into()]].concat()) {
            keys.extend(select(&input, pattern, place, cx));
        }
        if self.by.0.is_empty() {
            cx.error(
                [at.clone(), vec!["by".into()]].concat(),
                codes::OUT_OF_RANGE,
                "a group needs a column to group by",
            )
            .label("names no column")
            .hint("for one row of the whole table, use the kind `sql`");
        }
        let types = self.check_aggregates(&input, &keys, sums, at, cx);
        if cx.count() > before {
            return TableSchema::unknown();
        }
        let Some(planned) = after(&input, |lf, schema| self.plan(lf, schema, sums)) else {
            return TableSchema::unknown();
        };
        let output = match planned {
            Ok(output) => output,
            Err(error) => {
                let message = format!("this cannot be grouped: {}", crate::frame::told(&error));
                cx.error(at.clone(), codes::COLUMN_TYPE, message).label("here");
                return TableSchema::unknown();
            }
        };
        for (name, dtype) in types {
            let found = output.columns.iter().find(|column| column.name == name).map(|column| &column.dtype);
            if matches!(found, Some(DType::List(inner)) if **inner == dtype) {
                let place: Path = [at.clone(), vec!["agg".into(), name.into()]].concat();
                cx.error(place, codes::COLUMN_TYPE, format!("`{name}` has many values in each group"))
                    .label("not an aggregate")
                    .hint("aggregate it: first(…), max(…), avg(…), count(*)");
            }
        }
        output
    }

    fn apply(
        &self,
        lf: LazyFrame,
        schema: &SchemaRef,
        sums: FloatSums,
        _: Tables<'_>,
    ) -> Result<LazyFrame, StageError> {
        self.plan(lf, schema, sums).map_err(|error| failed("read the aggregates", &error))
    }
}
