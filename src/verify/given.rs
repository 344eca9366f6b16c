//! What a stage is given to run again: the results that it uses, where their blobs lie, and everything that it comes from.

use crate::check::Checked;
use crate::digest::Digest;
use crate::exec::Given;
use crate::lock::Record;
use crate::plan::Dag;
use crate::stage::{Ancestor, StageResult};
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A result that stages can be given.
#[derive(Clone)]
pub(super) struct Held<'a> {
    pub(super) result: Arc<StageResult>,
    /// The store that has its blobs.
    pub(super) store: &'a Store,
}

/// The key of an ancestor, and its outputs' digests.
pub(super) type Known = (Digest, BTreeMap<String, Digest>);

/// What `stage` is given of `held`; the name of a stage whose result is missing otherwise.
pub(super) fn given<'a>(
    checked: &Checked,
    stage: usize,
    held: &dyn Fn(usize) -> Option<Held<'a>>,
    ancestors: Vec<Ancestor>,
) -> Result<Given, String> {
    let mut given = Given { ancestors, ..Given::default() };
    for used in checked.read_by(stage) {
        let name = || checked.stages[used.stage].name.clone();
        let found = held(used.stage).ok_or_else(name)?;
        let artifact = found.result.outputs.get(&used.port).ok_or_else(name)?;
        given.inputs.insert((used.stage, used.port.clone()), found.store.input(artifact));
        given.results.insert(used.stage, found.result);
    }
    Ok(given)
}

/// Everything that a stage comes from, as far as `known` knows it: its key, and its outputs' digests.
pub(super) fn ancestors(
    checked: &Checked,
    dag: &Dag,
    stage: usize,
    known: &dyn Fn(&str) -> Option<Known>,
) -> Vec<Ancestor> {
    let mut before = dag.with_ancestors(&[stage]);
    before.retain(|index| *index != stage);
    let ancestor = |index: usize| {
        let stage = &checked.stages[index];
        let (key, outputs) = known(&stage.name)?;
        let fields = stage.spec.as_ref()?.tree().to_json();
        Some(Ancestor { stage: stage.name.clone(), kind: stage.kind.clone(), key, fields, outputs })
    };
    before.into_iter().filter_map(ancestor).collect()
}

/// What the lock knows of an ancestor.
pub(super) fn of_record(record: &Record) -> Known {
    (record.key, record.outputs.iter().map(|(port, output)| (port.clone(), output.digest)).collect())
}

/// What a result tells of an ancestor.
pub(super) fn of_result(key: Digest, result: &StageResult) -> Known {
    (key, result.outputs.iter().map(|(port, made)| (port.clone(), made.digest)).collect())
}
