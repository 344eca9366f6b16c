//! Why a stage does not run although its inputs changed: nothing changed in what it reads of them.

use super::key::Key;
use super::taken::Taken;
use crate::check::{Checked, CheckedStage};
use crate::diag::list;
use crate::digest::Digest;
use crate::stage::{ArtifactRecord, StageResult};
use crate::store::Store;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// An input that is another table than the one that a cached result was made of, and not in what is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The reference as written.
    pub reference: String,
    /// What became of its columns; `None` where the earlier table is not in the store any more.
    pub columns: Option<ColumnChanges>,
}

/// How a table's columns differ from an earlier one's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnChanges {
    /// Columns with other content.
    pub changed: Vec<String>,
    /// Columns that were not there.
    pub added: Vec<String>,
    /// Columns that are not there any more.
    pub removed: Vec<String>,
}

/// The inputs of a cached stage that changed since its result was made.
#[must_use]
pub fn unread(stage: &CheckedStage, checked: &Checked, store: &Store, key: &Key, result: &StageResult) -> Vec<Unread> {
    let mut then = BTreeMap::new();
    let entered = result.key.json();
    tables(entered.get("spec").unwrap_or(&Value::Null), &mut then);
    let changed = |taken: &Taken| {
        let (artifact, whole) = (taken.artifact()?, *then.get(taken.text.as_str())?);
        if artifact.digest == whole {
            return None;
        }
        let used = stage.refs.iter().find(|used| used.text == taken.text)?;
        let kind = &checked.stages.get(used.stage)?.kind;
        let earlier = store
            .entries_of_kind(kind)
            .into_iter()
            .find_map(|(_, result)| result.outputs.values().find(|artifact| artifact.digest == whole).cloned());
        let columns = earlier.map(|earlier| ColumnChanges::between(&earlier, artifact));
        Some(Unread { reference: taken.text.clone(), columns })
    };
    key.taken().filter_map(changed).collect()
}

/// The whole tables behind the references of a key, by reference.
fn tables(key: &Value, found: &mut BTreeMap<String, Digest>) {
    match key {
        Value::Object(entries) => {
            let text = |name: &str| entries.get(name).and_then(Value::as_str);
            if let (Some(reference), Some(whole)) = (text("ref"), text("whole").and_then(|text| text.parse().ok())) {
                found.insert(reference.to_owned(), whole);
            }
            entries.values().for_each(|inner| tables(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| tables(inner, found)),
        _ => {}
    }
}

impl ColumnChanges {
    fn between(old: &ArtifactRecord, new: &ArtifactRecord) -> Self {
        let digests = |artifact: &ArtifactRecord| -> BTreeMap<String, Digest> {
            artifact.columns().map(|(column, digest)| (column.name.clone(), digest)).collect()
        };
        let (old, new) = (digests(old), digests(new));
        let others = |a: &BTreeMap<String, Digest>, b: &BTreeMap<String, Digest>| {
            a.keys().filter(|name| !b.contains_key(*name)).cloned().collect::<Vec<_>>()
        };
        let changed = new.iter().filter(|(name, digest)| old.get(*name).is_some_and(|old| old != *digest));
        Self {
            changed: changed.map(|(name, _)| name.clone()).collect(),
            added: others(&new, &old),
            removed: others(&old, &new),
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} changed, but nothing that is read of it", self.reference)?;
        let Some(columns) = &self.columns else { return Ok(()) };
        let mut facts = Vec::new();
        for (word, names) in [("changed", &columns.changed), ("new", &columns.added), ("gone", &columns.removed)] {
            if !names.is_empty() {
                let verb = if names.len() == 1 { "is" } else { "are" };
                let verb = if word == "changed" { String::new() } else { format!("{verb} ") };
                facts.push(format!("{} {verb}{word}", list(names.iter().map(String::as_str), 4)));
            }
        }
        if facts.is_empty() {
            facts.push("its columns stand in another order".to_owned());
        }
        write!(f, ": {}", facts.join(", "))
    }
}
