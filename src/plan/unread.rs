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
    /// What became of its columns; `None` where the earlier table is not in the store any more, or neither is kept.
    pub columns: Option<ColumnChanges>,
    /// The same of what a table is made of that is not kept.
    pub behind: Vec<Self>,
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
    among(key.inputs().collect(), &result.key.json(), stage, checked, store)
}

/// Those of `taken`, the inputs of `stage`, that are others than in the key `entered`.
fn among(taken: Vec<&Taken>, entered: &Value, stage: &CheckedStage, checked: &Checked, store: &Store) -> Vec<Unread> {
    let mut then = BTreeMap::new();
    references(entered.get("spec").unwrap_or(&Value::Null), &mut then);
    let changed = |taken: &Taken| {
        let (artifact, before) = (taken.artifact()?, *then.get(taken.text.as_str())?);
        let whole: Digest = before.get("whole")?.as_str()?.parse().ok()?;
        if artifact.digest == whole {
            return None;
        }
        let used = stage.refs.iter().find(|used| used.text == taken.text)?;
        let maker = checked.stages.get(used.stage)?;
        let made_of = before.get("made_of").filter(|_| maker.is_view());
        let behind = made_of.map(|made_of| among(taken.inputs().collect(), made_of, maker, checked, store));
        let earlier = || {
            let all = store.entries_of_kind(&maker.kind).into_iter();
            let whole = |artifact: &&ArtifactRecord| artifact.digest == whole;
            all.filter(|_| made_of.is_none()).find_map(|(_, result)| result.outputs.values().find(whole).cloned())
        };
        let columns = earlier().map(|earlier| ColumnChanges::between(&earlier, artifact));
        Some(Unread { reference: taken.text.clone(), columns, behind: behind.unwrap_or_default() })
    };
    taken.into_iter().filter_map(changed).collect()
}

/// The references of a key, each with what stood for it.
fn references<'a>(key: &'a Value, found: &mut BTreeMap<&'a str, &'a Value>) {
    match key {
        Value::Object(entries) => match entries.get("ref").and_then(Value::as_str) {
            Some(reference) if entries.contains_key("digest") => {
                found.insert(reference, key);
            }
            _ => entries.values().for_each(|inner| references(inner, found)),
        },
        Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
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

impl Unread {
    /// `` `note` changed ``, and of what is behind it `` in t `note` changed ``.
    fn facts(&self) -> Vec<String> {
        let mut facts = self.columns.as_ref().map(ColumnChanges::facts).unwrap_or_default();
        for input in &self.behind {
            let inner = input.facts();
            facts.push(match inner.is_empty() {
                true => format!("{} changed", input.reference),
                false => format!("in {} {}", input.reference, inner.join(", ")),
            });
        }
        facts
    }
}

impl ColumnChanges {
    fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        for (word, names) in [("changed", &self.changed), ("new", &self.added), ("gone", &self.removed)] {
            if !names.is_empty() {
                let verb = if names.len() == 1 { "is" } else { "are" };
                let verb = if word == "changed" { String::new() } else { format!("{verb} ") };
                facts.push(format!("{} {verb}{word}", list(names.iter().map(String::as_str), 4)));
            }
        }
        if facts.is_empty() {
            facts.push("its columns stand in another order".to_owned());
        }
        facts
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} changed, but nothing that is read of it", self.reference)?;
        let facts = self.facts();
        if facts.is_empty() { Ok(()) } else { write!(f, ": {}", facts.join(", ")) }
    }
}
