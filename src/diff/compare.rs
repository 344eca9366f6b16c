//! The comparison itself.

use super::side::{Side, SideOutput, SideStage};
use crate::digest::{Digest, Segment, dotted};
use crate::frame::{TableChanges, table_changes};
use crate::metrics;
use crate::numbers;
use crate::plan::{in_words, key_differences};
use crate::store::Store;
use crate::types::ArtifactType;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What differs between two sides.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// The first side's label.
    pub before: String,
    /// The second side's label.
    pub after: String,
    /// Params that differ; empty also where one side does not tell its params.
    pub params: Vec<ParamChange>,
    /// Metrics that differ.
    pub metrics: Vec<MetricChange>,
    /// How many metrics are the same.
    pub same_metrics: usize,
    /// Every stage, in the order of the second side, then those that only the first has.
    pub stages: Vec<StageChange>,
}

impl Comparison {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.params.is_empty()
            && self.metrics.is_empty()
            && self.stages.iter().all(|stage| stage.status == Status::Same)
    }
}

/// A param that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamChange {
    /// Its name.
    pub name: String,
    /// Its value before; `None` where there was none.
    pub before: Option<Value>,
    /// Its value after.
    pub after: Option<Value>,
}

/// A metric that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricChange {
    /// The stage that it is of.
    pub stage: String,
    /// Its name.
    pub metric: String,
    /// Its value before; `None` where there was none.
    pub before: Option<f64>,
    /// Its value after.
    pub after: Option<f64>,
    /// Whether the change is for the better; `None` where nobody knows.
    pub better: Option<bool>,
}

/// How a stage differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its result is the same.
    Same,
    /// Its result is the same, and the first side has it under this name.
    Renamed(String),
    /// It was made anew, and came out the same.
    Remade,
    /// Its result differs.
    Changed,
    /// Only the second side has it.
    Added,
    /// Only the first side has it.
    Removed,
    /// A side has no result of it: says which, and why.
    Open(String),
}

/// A stage of both sides.
#[derive(Clone, Debug)]
pub struct StageChange {
    /// Its name.
    pub stage: String,
    /// Its kind.
    pub kind: String,
    /// How it differs.
    pub status: Status,
    /// What of its fields, inputs, files or environment differs, where both sides tell.
    pub fields: Vec<FieldChange>,
    /// The outputs that differ.
    pub outputs: Vec<OutputChange>,
    /// How long it took, in seconds, before and after.
    pub seconds: (Option<f64>, Option<f64>),
}

/// A field of a stage that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Its path: `optimizer.adam.lr`, or the name of what it refers to.
    pub path: String,
    /// Before and after, in words; `None` where not the value differs but what it stands for: an input's or a file's content.
    pub values: Option<(String, String)>,
}

/// An output that differs.
#[derive(Clone, Debug)]
pub struct OutputChange {
    /// Its port.
    pub port: String,
    /// Its size in bytes before; `None` where it was not there.
    pub before: Option<u64>,
    /// Its size after.
    pub after: Option<u64>,
    /// What differs in the table, where it is one on both sides.
    pub table: Option<TableChanges>,
    /// Why the tables were not compared, where they were not.
    pub note: Option<String>,
}

/// Compares two sides. Tables are compared row by row where the store has both.
#[must_use]
pub fn compare(before: &Side, after: &Side, store: &Store) -> Comparison {
    let mut comparison =
        Comparison { before: before.label.clone(), after: after.label.clone(), ..Comparison::default() };
    if let (Some(a), Some(b)) = (&before.params, &after.params) {
        comparison.params = params(a, b);
    }
    let (old, new) = (before.beside(after), after.beside(before));
    let renamed = renamed(before, after);
    let named: BTreeSet<&str> = after.stages.iter().map(|stage| stage.name.as_str()).collect();
    let left = |name: &str| named.contains(name) || renamed.values().any(|old| old.name == name);
    let gone = before.stages.iter().filter(|stage| !left(&stage.name));
    for stage in after.stages.iter().chain(gone) {
        let name = stage.name.as_str();
        let earlier = renamed.get(name).copied().or_else(|| old.get(name).map(|stage| &**stage));
        let pair = (earlier, new.get(name).map(|stage| &**stage));
        comparison.stages.push(stage_change(pair.0, pair.1, store));
        // A stage that has no result yet has no metrics yet, which is no change of them.
        if [pair.0, pair.1].iter().flatten().all(|stage| stage.open.is_none()) {
            metric_changes(&stage.name, pair.0, pair.1, &mut comparison);
        }
    }
    comparison
}

/// What the stages that only the second side names were called before: each is the one stage of two that are not named alike
/// that has the same key, and its result.
fn renamed<'a>(before: &'a Side, after: &'a Side) -> BTreeMap<&'a str, &'a SideStage> {
    let (gone, come) = (unpaired(before, after), unpaired(after, before));
    let pair = |(key, new): (Digest, Option<&'a SideStage>)| {
        let (old, new) = (gone.get(&key).copied().flatten()?, new?);
        let same = old.has_outputs_of(new) && same_metrics(&old.metrics, &new.metrics);
        same.then_some((new.name.as_str(), old))
    };
    come.into_iter().filter_map(pair).collect()
}

/// By key, the stages with results that one side names and the other, which can tell of all, does not; `None` for several.
fn unpaired<'a>(one: &'a Side, other: &Side) -> BTreeMap<Digest, Option<&'a SideStage>> {
    let mut found = BTreeMap::new();
    if other.partial.is_some() {
        return found;
    }
    let named: BTreeSet<&str> = other.stages.iter().map(|stage| stage.name.as_str()).collect();
    let alone = one.stages.iter().filter(|stage| stage.open.is_none() && !named.contains(stage.name.as_str()));
    for (key, stage) in alone.filter_map(|stage| Some((stage.key?, stage))) {
        found.entry(key).and_modify(|several| *several = None).or_insert(Some(stage));
    }
    found
}

fn params(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<ParamChange> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| {
        let (before, after) = (before.get(name).cloned(), after.get(name).cloned());
        (before != after).then(|| ParamChange { name: name.clone(), before, after })
    };
    names.into_iter().filter_map(change).collect()
}

fn metric_changes(name: &str, before: Option<&SideStage>, after: Option<&SideStage>, into: &mut Comparison) {
    let names: BTreeSet<&String> =
        [before, after].into_iter().flatten().flat_map(|stage| stage.metrics.keys()).collect();
    for metric in names {
        let value = |stage: Option<&SideStage>| stage.and_then(|stage| stage.metrics.get(metric).copied());
        let (before, after) = (value(before), value(after));
        if before.zip(after).is_some_and(|(before, after)| numbers::same(before, after)) {
            into.same_metrics += 1;
            continue;
        }
        let better = match (before, after, higher_is_better(metric)) {
            (Some(before), Some(after), Some(higher)) if !by_rounding(before, after) => {
                Some((after > before) == higher)
            }
            _ => None,
        };
        into.metrics.push(MetricChange { stage: name.to_owned(), metric: metric.clone(), before, after, better });
    }
}

/// Whether two numbers are apart by no more than the order of a sum: then neither is better.
fn by_rounding(before: f64, after: f64) -> bool {
    before == after || (after - before).abs() <= 1e-12 * before.abs().max(after.abs())
}

/// Whether more of a metric is better, by its name: `accuracy`, `val_accuracy`, `test.loss`.
#[must_use]
pub fn higher_is_better(name: &str) -> Option<bool> {
    let name = name.rsplit(['.', '/']).next().unwrap_or(name);
    let known = |name: &str| metrics::metric(name).map(|metric| metric.higher_is_better);
    let part =
        ["train_", "val_", "valid_", "validation_", "test_", "best_"].iter().find_map(|part| name.strip_prefix(part));
    let of = |name: &str| known(name).or_else(|| (name == "loss" || name.ends_with("_loss")).then_some(false));
    of(name).or_else(|| of(part?))
}

fn stage_change(before: Option<&SideStage>, after: Option<&SideStage>, store: &Store) -> StageChange {
    let either = after.or(before);
    let mut change = StageChange {
        stage: either.map(|stage| stage.name.clone()).unwrap_or_default(),
        kind: either.map(|stage| stage.kind.clone()).unwrap_or_default(),
        status: Status::Same,
        fields: Vec::new(),
        outputs: Vec::new(),
        seconds: (before.and_then(|stage| stage.seconds), after.and_then(|stage| stage.seconds)),
    };
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, _) => {
            change.status = Status::Added;
            return change;
        }
        (_, None) => {
            change.status = Status::Removed;
            return change;
        }
    };
    if before.key != after.key
        && let (Some(old), Some(new)) = (&before.fields, &after.fields)
    {
        change.fields = key_differences(old, new).into_iter().filter_map(field_change).collect();
    }
    if let Some(why) = after.open.as_ref().or(before.open.as_ref()) {
        change.status = Status::Open(why.clone());
        return change;
    }
    change.outputs = output_changes(before, after, store);
    let same = change.outputs.is_empty() && same_metrics(&before.metrics, &after.metrics);
    change.status = match (same, before.key == after.key) {
        (true, true) if before.name != after.name => Status::Renamed(before.name.clone()),
        (true, true) => Status::Same,
        (true, false) => Status::Remade,
        (false, _) => Status::Changed,
    };
    change
}

fn same_metrics(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> bool {
    let same = |((a, before), (b, after)): ((&String, &f64), (&String, &f64))| a == b && numbers::same(*before, *after);
    before.len() == after.len() && before.iter().zip(after).all(same)
}

fn field_change((path, old, new): (Vec<Segment>, Option<Value>, Option<Value>)) -> Option<FieldChange> {
    let [Segment::Key(part), inner @ ..] = path.as_slice() else { return None };
    let shown = if part == "spec" { dotted(inner) } else { dotted(&path) };
    for mark in ["ref", "file"] {
        let name = |value: &Option<Value>| value.as_ref()?.get(mark)?.as_str().map(str::to_owned);
        if let (Some(old), Some(new)) = (name(&old), name(&new)) {
            let same = old == new;
            return Some(match same {
                true => FieldChange { path: new, values: None },
                false => FieldChange { path: shown, values: Some((old, new)) },
            });
        }
    }
    if part == "seed" {
        return Some(FieldChange { path: "seed".to_owned(), values: None });
    }
    Some(FieldChange { path: shown, values: Some((in_words(old.as_ref()), in_words(new.as_ref()))) })
}

fn output_changes(before: &SideStage, after: &SideStage, store: &Store) -> Vec<OutputChange> {
    let ports: BTreeSet<&String> = before.outputs.keys().chain(after.outputs.keys()).collect();
    let mut changes = Vec::new();
    for port in ports {
        let (old, new) = (before.outputs.get(port), after.outputs.get(port));
        if old.map(|output| output.digest) == new.map(|output| output.digest) {
            continue;
        }
        let (table, note) = match (old, new) {
            (Some(old), Some(new)) => tables(old, new, store),
            _ => (None, None),
        };
        let (before, after) = (old.map(|output| output.bytes), new.map(|output| output.bytes));
        changes.push(OutputChange { port: port.clone(), before, after, table, note });
    }
    changes
}

fn tables(before: &SideOutput, after: &SideOutput, store: &Store) -> (Option<TableChanges>, Option<String>) {
    let (Some(old), Some(new)) = (&before.record, &after.record) else { return (None, None) };
    let (ArtifactType::Table(_), ArtifactType::Table(_)) = (&old.ty, &new.ty) else { return (None, None) };
    let (old, new) = (store.input(old), store.input(new));
    if [&old, &new].iter().flat_map(|input| &input.files).any(|file| !file.path.is_file()) {
        return (None, Some("not compared: the store no longer has both tables".to_owned()));
    }
    match table_changes(&old, &new) {
        Ok(changes) => (Some(changes), None),
        Err(error) => (None, Some(format!("not compared: {}", error.message))),
    }
}
