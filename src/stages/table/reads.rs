//! What a stage reads whose work is one plan over its tables.

use super::steps::Tables;
use crate::frame::{Frames, columns_read};
use crate::stage::{InputTypes, Reads, Ref, StageError};
use crate::types::{ArtifactType, TableSchema};
use polars::prelude::LazyFrame;
use std::collections::BTreeMap;

/// The columns that `plan` reads of these tables; everything, where that cannot be told.
pub(super) fn read_by_plan(
    references: &[&Ref],
    inputs: &InputTypes<'_>,
    plan: &dyn Fn(Tables<'_>) -> Option<LazyFrame>,
) -> Reads {
    let mut schemas: BTreeMap<String, TableSchema> = BTreeMap::new();
    for reference in references {
        let Some(ArtifactType::Table(schema)) = inputs.get(reference.0.as_str()) else { return Reads::everything() };
        schemas.insert(reference.0.clone(), schema.clone());
    }
    let over = |frames: &Frames| {
        plan(&|reference| {
            let frame = frames.get(&reference.0).cloned();
            frame.ok_or_else(|| StageError::bug(format!("`{reference}` was not among the tables")))
        })
    };
    let mut read = columns_read(&schemas, &over).unwrap_or_default();
    references.iter().fold(Reads::everything(), |reads, reference| match read.remove(&reference.0) {
        Some(columns) => reads.only(reference, columns),
        None => reads,
    })
}
