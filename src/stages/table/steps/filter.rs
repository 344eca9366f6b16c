//! Keeps rows.

use super::super::columns::wrong_type;
use super::super::report::report;
use super::{Rule, Tables};
use crate::frame::sql::{check_expr, plan_expr};
use crate::frame::{FloatSums, failed};
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::{LazyFrame, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An SQL expression that is true for the rows to keep. Rows for which it is unknown (because of a missing value) go.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Filter(String);

impl Rule for Filter {
    fn check(&self, input: TableSchema, sums: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        match check_expr(&self.0, &input, sums) {
            Ok(None | Some(DType::Bool | DType::Unknown)) => {}
            Ok(Some(dtype)) => {
                wrong_type(cx, at.clone(), "the expression", &dtype, "bool").diagnostic.message =
                    format!("the expression gives {dtype}, but a filter needs bool");
            }
            Err(problems) => {
                let tables = BTreeMap::from([(String::new(), input.clone())]);
                report(problems, at, &BTreeMap::new(), &tables, cx);
            }
        }
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
        Ok(lf.filter(expr))
    }
}
