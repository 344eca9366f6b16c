//! Keeps rows.

use super::super::report::condition;
use super::{Rule, Tables};
use crate::frame::sql::plan_expr;
use crate::frame::{FloatSums, asked_of_rows, failed};
use crate::stage::{CheckCx, Path, StageError};
use crate::types::TableSchema;
use polars::prelude::{LazyFrame, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An SQL expression that is true for the rows to keep. Rows for which it is unknown (because of a missing value) go.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Filter(String);

impl Rule for Filter {
    fn check(&self, input: TableSchema, sums: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        condition(&self.0, &input, sums, "a filter", at, cx);
        input
    }

    fn apply(
        &self,
        lf: LazyFrame,
        schema: &SchemaRef,
        sums: FloatSums,
        _: Tables<'_>,
    ) -> Result<LazyFrame, StageError> {
        let expr = plan_expr(&self.0, schema, sums).map_err(|error| failed("read the expression", &error))?;
        Ok(lf.filter(asked_of_rows(expr, &|| Some(schema))))
    }
}
