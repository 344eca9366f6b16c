//! New names.

use super::super::columns::column;
use super::{Rule, Tables};
use crate::diag::codes;
use crate::frame::FloatSums;
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{Column, DType, TableSchema};
use polars::prelude::{LazyFrame, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// New names by old ones. All at once, so two columns can change places.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Rename(BTreeMap<String, String>);

impl Rule for Rename {
    fn check(&self, input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let mut output = input.clone();
        for (old, new) in &self.0 {
            let at: Path = [at.clone(), vec![old.into()]].concat();
            if column(&input, old, at, cx).is_none() {
                if let Some(finding) = cx.last() {
                    finding.at_key();
                }
                // What comes after names it as it was to be called.
                if output.names().all(|name| name != new) {
                    output.columns.push(Column::new(new.as_str(), DType::Unknown));
                }
                continue;
            }
            match input.columns.iter().position(|column| column.name == *old) {
                Some(index) => output.columns[index].name.clone_from(new),
                None => output.columns.push(Column::new(new.as_str(), DType::Unknown)),
            }
        }
        let mut seen = BTreeSet::new();
        let twice: Vec<String> = output.names().filter(|name| !seen.insert(*name)).map(str::to_owned).collect();
        for name in twice {
            let by = self.0.iter().find(|(_, new)| **new == name).map_or(name.as_str(), |(old, _)| old.as_str());
            let at: Path = [at.clone(), vec![by.into()]].concat();
            cx.error(at, codes::DUPLICATE_COLUMN, format!("there would be two columns `{name}`"))
                .label("this name is taken")
                .hint(format!("drop or rename the other `{name}` too"));
            if let Some(last) = output.columns.iter().rposition(|column| column.name == name) {
                output.columns.remove(last);
            }
            // Which of the two is meant is not known, and so is its type.
            output.columns.iter_mut().filter(|column| column.name == name).for_each(|one| one.dtype = DType::Unknown);
        }
        output
    }

    fn apply(&self, lf: LazyFrame, _: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        Ok(lf.rename(self.0.keys(), self.0.values(), true))
    }
}
