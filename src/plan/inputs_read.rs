//! What each stage reads of its inputs, for `kilter plan --explain`.

use super::key::Key;
use super::taken::Taken;
use crate::check::{Checked, CheckedStage, ResolvedRef};
use crate::stage::{Columns, InputTypes, Reads};
use crate::types::{ArtifactType, TableSchema};
use std::collections::BTreeSet;

/// What a stage reads of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRead {
    /// The reference as written; inside of a module, where that names one of the module's own inputs, what it stands for.
    pub reference: String,
    /// The type of the input: `table`, `model`.
    pub artifact: &'static str,
    /// The columns that are read, where it is a table whose columns are known by now.
    pub columns: Option<ColumnsRead>,
    /// Of a table that is not kept, what is read for that of what it is made of.
    pub behind: Vec<Self>,
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
    match key {
        Some(key) => of_stage(stage, checked, Known::Taken(&|reference| key.input(reference))),
        None => of_stage(stage, checked, Known::Wanted(None)),
    }
}

/// What is known of a stage.
#[derive(Clone, Copy)]
enum Known<'a> {
    /// What it takes.
    Taken(&'a dyn Fn(&str) -> Option<&'a Taken>),
    /// Which columns of its own table are used, where those are not all.
    Wanted(Option<&'a [String]>),
}

fn of_stage(stage: &CheckedStage, checked: &Checked, known: Known<'_>) -> Vec<InputRead> {
    let unknown = &ArtifactType::Unknown;
    let type_of =
        |stage: usize, port: &str| checked.stages.get(stage).and_then(|used| used.outputs.get(port)).unwrap_or(unknown);
    let types: InputTypes<'_> =
        stage.refs.iter().map(|used| (used.text.as_str(), type_of(used.stage, &used.port))).collect();
    let reads = match (known, &stage.spec) {
        (Known::Wanted(None), Some(spec)) => spec.reads(&types),
        (Known::Wanted(Some(columns)), Some(spec)) => spec.reads_for(&types, columns),
        (Known::Taken(_), _) | (_, None) => Reads::everything(),
    };
    let mut seen = BTreeSet::new();
    let inputs = stage.refs.iter().filter(|used| seen.insert(used.text.as_str()));
    let read = |used: &ResolvedRef| {
        let ty = *types.get(used.text.as_str())?;
        let taken = match known {
            Known::Taken(find) => find(&used.text),
            Known::Wanted(_) => None,
        };
        let read = if let Some(taken) = taken { taken.columns() } else { reads.of(&used.text) };
        let maker = checked.stages.get(used.stage).filter(|maker| maker.is_view());
        let wanted: Option<Vec<String>> = read.map(|columns| columns.read().map(str::to_owned).collect());
        let behind = maker.map(|maker| match taken {
            Some(taken) => of_stage(maker, checked, Known::Taken(&|reference| taken.input(reference))),
            None => of_stage(maker, checked, Known::Wanted(wanted.as_deref())),
        });
        let columns = columns(ty, read);
        Some(InputRead {
            reference: name_of(used, stage, checked),
            artifact: ty.name(),
            columns,
            behind: behind.unwrap_or_default(),
        })
    };
    inputs.filter_map(read).collect()
}

fn name_of(used: &ResolvedRef, stage: &CheckedStage, checked: &Checked) -> String {
    match checked.stages.get(used.stage) {
        Some(maker) if stage.name.contains('/') && maker.outputs.ports.len() == 1 => maker.name.clone(),
        Some(maker) if stage.name.contains('/') => format!("{}.{}", maker.name, used.port),
        _ => used.text.clone(),
    }
}

fn columns(ty: &ArtifactType, read: Option<&Columns>) -> Option<ColumnsRead> {
    let ArtifactType::Table(TableSchema { columns, complete: true, .. }) = ty else { return None };
    let all = || columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    let known = |read: &&Columns| read.read().all(|name| columns.iter().any(|column| column.name == name));
    let (names, whole) = match read.filter(known) {
        Some(read) => (read.read().map(str::to_owned).collect(), false),
        None => (all(), true),
    };
    Some(ColumnsRead { names, of: columns.len(), whole })
}
