//! What each stage reads of its inputs, for `kilter plan --explain`.

use super::key::Key;
use crate::check::{Checked, CheckedStage};
use crate::stage::{InputTypes, Reads};
use crate::types::{ArtifactType, TableSchema};
use std::collections::BTreeSet;

/// What a stage reads of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRead {
    /// The reference as written.
    pub reference: String,
    /// The type of the input: `table`, `model`.
    pub artifact: &'static str,
    /// The columns that are read, where it is a table whose columns are known by now.
    pub columns: Option<ColumnsRead>,
}

/// Which columns of a table are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnsRead {
    /// Their names, in the order in which the stage sees them.
    pub names: Vec<String>,
    /// How many the table has.
    pub of: usize,
    /// Whether the table is read whole: all columns, in its own order.
    pub whole: bool,
}

/// What a stage reads of each of its inputs, in the order of its fields: as its key says, or where it has none yet, as far
/// as the types of its inputs are known.
#[must_use]
pub fn inputs_read(stage: &CheckedStage, checked: &Checked, key: Option<&Key>) -> Vec<InputRead> {
    let unknown = &ArtifactType::Unknown;
    let type_of =
        |stage: usize, port: &str| checked.stages.get(stage).and_then(|used| used.outputs.get(port)).unwrap_or(unknown);
    let types: InputTypes<'_> =
        stage.refs.iter().map(|used| (used.text.as_str(), type_of(used.stage, &used.port))).collect();
    let reads = match (key, &stage.spec) {
        (Some(key), _) => key.reads.clone(),
        (None, Some(spec)) => spec.reads(&types),
        (None, None) => Reads::everything(),
    };
    let mut seen = BTreeSet::new();
    let inputs = stage.refs.iter().filter(|used| seen.insert(used.text.as_str()));
    let read = |text: &str| {
        let ty = *types.get(text)?;
        Some(InputRead { reference: text.to_owned(), artifact: ty.name(), columns: columns(ty, reads.of(text)) })
    };
    inputs.filter_map(|used| read(&used.text)).collect()
}

fn columns(ty: &ArtifactType, read: Option<&[String]>) -> Option<ColumnsRead> {
    let ArtifactType::Table(TableSchema { columns, complete: true, .. }) = ty else { return None };
    let all = || columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    let known = |names: &&[String]| names.iter().all(|name| columns.iter().any(|column| column.name == *name));
    let (names, whole) = match read.filter(known) {
        Some(names) => (names.to_vec(), false),
        None => (all(), true),
    };
    Some(ColumnsRead { names, of: columns.len(), whole })
}
