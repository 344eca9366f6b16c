//! What a stage reads whose work is one plan over its tables.

use super::steps::Tables;
use crate::frame::{Frames, columns_read, with_columns_alone};
use crate::stage::{InputTypes, Reads, Ref, StageError};
use crate::types::{ArtifactType, TableSchema};
use polars::prelude::LazyFrame;
use std::collections::BTreeMap;

/// A stage's tables, and its plan over them.
pub(super) struct Planned<'a> {
    pub(super) references: Vec<&'a Ref>,
    /// Where the stage names columns.
    pub(super) text: String,
    pub(super) plan: &'a dyn Fn(Tables<'_>) -> Option<LazyFrame>,
}

impl Planned<'_> {
    /// The columns that the plan reads of these tables; everything, where that cannot be told.
    pub(super) fn reads(&self, inputs: &InputTypes<'_>) -> Reads {
        self.reads_of(inputs, self.plan)
    }

    /// The same where of what the plan gives only these columns are used.
    pub(super) fn reads_for(&self, inputs: &InputTypes<'_>, columns: &[String]) -> Reads {
        self.reads_of(inputs, &|tables| Some(with_columns_alone((self.plan)(tables)?, columns)))
    }

    fn reads_of(&self, inputs: &InputTypes<'_>, plan: &dyn Fn(Tables<'_>) -> Option<LazyFrame>) -> Reads {
        let mut schemas: BTreeMap<String, TableSchema> = BTreeMap::new();
        for reference in &self.references {
            let Some(ArtifactType::Table(schema)) = inputs.get(reference.0.as_str()) else {
                return Reads::everything();
            };
            schemas.insert(reference.0.clone(), schema.clone());
        }
        let over = |frames: &Frames| {
            plan(&|reference| {
                let frame = frames.get(&reference.0).cloned();
                frame.ok_or_else(|| StageError::bug(format!("`{reference}` was not among the tables")))
            })
        };
        let mentioned = |name: &str| mentions(&self.text, name);
        let mut read = columns_read(&schemas, &mentioned, &over).unwrap_or_default();
        self.references.iter().fold(Reads::everything(), |reads, reference| match read.remove(&reference.0) {
            Some(columns) => reads.seeing(reference, columns),
            None => reads,
        })
    }
}

/// Whether a name stands in a text, and is not a part of a longer one.
fn mentions(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    !name.is_empty()
        && text
            .match_indices(name)
            .any(|(at, _)| !text[..at].ends_with(is_word) && !text[at + name.len()..].starts_with(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_mentioned_where_it_is_a_word() {
        assert!(mentions("SELECT a, b_c FROM t", "a"));
        assert!(mentions("a+b", "b"));
        assert!(!mentions("SELECT a_b FROM t", "a"));
        assert!(!mentions("", ""));
    }
}
