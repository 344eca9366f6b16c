//! Columns into rows.

use super::super::columns::{OneOrMany, not_empty, select};
use super::{Rule, Tables, after, matching};
use crate::diag::codes;
use crate::frame::FloatSums;
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{DType, TableSchema, matches_pattern};
use polars::prelude::{LazyFrame, SchemaRef, UnpivotArgsDSL, cols};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The columns that become rows: each row gives one for each of them, with the column's name and its value; first all
/// rows of the first column, then those of the second.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Unpivot {
    /// The columns that become rows, names or patterns; all must have one type.
    pub on: OneOrMany,
    /// The columns that each row keeps, names or patterns; all others without it.
    pub index: Option<OneOrMany>,
    /// The column of the names.
    #[serde(default = "variable")]
    pub variable: String,
    /// The column of the values.
    #[serde(default = "value")]
    pub value: String,
}

fn variable() -> String {
    "variable".to_owned()
}

fn value() -> String {
    "value".to_owned()
}

impl Unpivot {
    fn plan(&self, lf: LazyFrame, schema: &SchemaRef) -> LazyFrame {
        let all = |patterns: &OneOrMany| -> Vec<String> {
            patterns.0.iter().flat_map(|pattern| matching(schema, pattern)).collect()
        };
        let on = all(&self.on);
        let index = match &self.index {
            Some(index) => all(index),
            None => schema.iter_names().map(ToString::to_string).filter(|name| !on.contains(name)).collect(),
        };
        lf.unpivot(UnpivotArgsDSL {
            on: Some(cols(on)),
            index: cols(index),
            variable_name: Some(self.variable.as_str().into()),
            value_name: Some(self.value.as_str().into()),
        })
    }

    /// The field whose name another column of the result has.
    fn named_twice(&self, input: &TableSchema) -> Option<&'static str> {
        let any = |patterns: &OneOrMany, name: &str| patterns.0.iter().any(|pattern| matches_pattern(pattern, name));
        let is_kept = |name: &str| self.index.as_ref().map_or_else(|| !any(&self.on, name), |index| any(index, name));
        let is_taken = |name: &str| input.names().any(|column| column == name && is_kept(column));
        match (is_taken(&self.variable), is_taken(&self.value) || self.value == self.variable) {
            (true, _) => Some("variable"),
            (false, true) => Some("value"),
            (false, false) => None,
        }
    }

    /// Reports columns that cannot stand in one column.
    fn check_types(&self, input: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) {
        let mut first: Option<(String, DType)> = None;
        let on: Path = [at.clone(), vec!["on".into()]].concat();
        not_empty(&self.on, on.clone(), "`on` of an unpivot", cx);
        for (pattern, place) in self.on.with_paths(&on) {
            for name in select(input, pattern, place.clone(), cx) {
                let Some(found) = input.columns.iter().find(|column| column.name == name) else { continue };
                let dtype = found.dtype.clone();
                match &first {
                    _ if dtype.is_unknown() => {}
                    None => first = Some((name, dtype)),
                    Some((_, known)) if *known == dtype => {}
                    Some((other, known)) => {
                        let message = format!("`{other}` is {known}, but `{name}` is {dtype}");
                        cx.error(place, codes::COLUMN_TYPE, message)
                            .label("these cannot stand in one column")
                            .hint("cast them to one type in a step before");
                        return;
                    }
                }
            }
        }
    }
}

impl Rule for Unpivot {
    fn check(&self, input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let before = cx.count();
        self.check_types(&input, at, cx);
        for (pattern, place) in
            self.index.iter().flat_map(|index| index.with_paths(&[at.clone(), vec!["index".into()]].concat()))
        {
            select(&input, pattern, place, cx);
        }
        if cx.count() > before {
            return TableSchema::unknown();
        }
        match after(&input, |lf, schema| Ok(self.plan(lf, schema))) {
            Some(Ok(output)) => {
                if let Some(field) = self.named_twice(&input) {
                    let name = if field == "value" { &self.value } else { &self.variable };
                    cx.error(
                        [at.clone(), vec![field.into()]].concat(),
                        codes::DUPLICATE_COLUMN,
                        format!("two columns would be called `{name}`"),
                    )
                    .label("the name is taken")
                    .hint("choose other names with `variable` and `value`");
                }
                output
            }
            Some(Err(error)) => {
                let message = format!("this cannot be unpivoted: {}", crate::frame::told(&error));
                cx.error(at.clone(), codes::DUPLICATE_COLUMN, message)
                    .label("here")
                    .hint("choose other names with `variable` and `value`");
                TableSchema::unknown()
            }
            None => TableSchema::unknown(),
        }
    }

    fn apply(&self, lf: LazyFrame, schema: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        Ok(self.plan(lf, schema))
    }
}
