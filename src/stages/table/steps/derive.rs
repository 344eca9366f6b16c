//! New columns by expressions.

use super::super::report::report_expr;
use super::{Rule, Tables};
use crate::frame::sql::{Problem, ProblemKind, check_expr, plan_expr};
use crate::frame::{FloatSums, failed};
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::{Expr, LazyFrame, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// SQL expressions by the name of the column they give.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Derive(BTreeMap<String, String>);

impl Derive {
    fn report(&self, problem: Problem, input: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) {
        let made = matches!(&problem.kind, ProblemKind::UnknownColumn { name, .. } if self.0.contains_key(name));
        report_expr(vec![problem], input, at, cx);
        if let Some(finding) = cx.last().filter(|_| made) {
            finding.hint(
                "expressions of one step see the columns from before it: put this one into a `derive` step behind it",
            );
        }
    }
}

impl Rule for Derive {
    fn check(&self, input: TableSchema, sums: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let mut output = input.clone();
        for (name, text) in &self.0 {
            let place = [at.clone(), vec![name.into()]].concat();
            let dtype = check_expr(text, &input, sums).unwrap_or_else(|problems| {
                problems.into_iter().for_each(|problem| self.report(problem, &input, &place, cx));
                None
            });
            output.set(name, dtype.unwrap_or(DType::Unknown));
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
        let exprs: Vec<Expr> = self
            .0
            .iter()
            .map(|(name, text)| plan_expr(text, schema, sums).map(|expr| expr.alias(name.as_str())))
            .collect::<Result<_, _>>()
            .map_err(|error| failed("read the expression", &error))?;
        Ok(lf.with_columns(exprs))
    }
}
