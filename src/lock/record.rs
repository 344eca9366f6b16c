//! Records: what a stage gave.

use super::Claim;
use crate::check::CheckedStage;
use crate::digest::Digest;
use crate::numbers;
use crate::stage::{ArtifactRecord, StageResult};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The records of a manifest's stages, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    /// The records.
    pub stages: BTreeMap<String, Record>,
}

/// What a stage gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its kind.
    pub kind: String,
    /// Its key: everything that decided the result.
    pub key: Digest,
    /// How far the result can be repeated.
    pub determinism: Claim,
    /// The outputs by port.
    #[serde(default)]
    pub outputs: BTreeMap<String, LockedOutput>,
    /// Numbers for people and for comparison.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Facts about the environment that it was made in.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// An output as the lock knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedOutput {
    /// The digest of its content.
    pub digest: Digest,
    /// The size of its files in bytes.
    pub size: u64,
}

impl LockedOutput {
    /// Of a stored artefact.
    #[must_use]
    pub fn of(artifact: &ArtifactRecord) -> Self {
        Self { digest: artifact.digest, size: artifact.files.iter().map(|file| file.size).sum() }
    }
}

impl Record {
    /// The record of a result.
    #[must_use]
    pub fn of(stage: &CheckedStage, key: Digest, result: &StageResult) -> Self {
        Self {
            kind: result.kind.clone(),
            key,
            determinism: Claim::of(stage, &result.environment),
            outputs: result.outputs.iter().map(|(port, made)| (port.clone(), LockedOutput::of(made))).collect(),
            metrics: result.metrics.clone(),
            environment: result.environment.clone(),
        }
    }

    /// Whether the outputs of a result are the ones that were locked.
    #[must_use]
    pub fn is_of(&self, result: &StageResult) -> bool {
        let locked = self.outputs.iter().map(|(port, output)| (port, output.digest));
        locked.eq(result.outputs.iter().map(|(port, made)| (port, made.digest)))
    }

    /// Whether two records tell of the same result; where it was made does not count.
    #[must_use]
    pub fn same_result(&self, other: &Self) -> bool {
        let same = |((a, one), (b, other)): ((&String, &f64), (&String, &f64))| a == b && numbers::same(*one, *other);
        self.kind == other.kind
            && self.key == other.key
            && self.outputs == other.outputs
            && self.determinism.is_like(&other.determinism)
            && self.metrics.len() == other.metrics.len()
            && self.metrics.iter().zip(&other.metrics).all(same)
    }
}

impl Lock {
    /// Takes new records in, and drops those of stages that are not in `names` any more. A record that tells of the same result
    /// as before stays as it was, so that another machine with the same results changes nothing. Gives the names of
    /// the records that are new, changed or dropped.
    pub fn update(&mut self, new: BTreeMap<String, Record>, names: &BTreeSet<&str>) -> Vec<String> {
        let mut changed = Vec::new();
        self.stages.retain(|name, _| {
            let kept = names.contains(name.as_str());
            if !kept {
                changed.push(name.clone());
            }
            kept
        });
        for (name, record) in new {
            if self.stages.get(&name).is_some_and(|old| old.same_result(&record)) {
                continue;
            }
            changed.push(name.clone());
            self.stages.insert(name, record);
        }
        changed.sort();
        changed
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::lock) fn record(word: &str) -> Record {
        let output = LockedOutput { digest: Digest::of(word.as_bytes()), size: word.len() as u64 };
        Record {
            kind: "exec".into(),
            key: Digest::of(format!("key {word}").as_bytes()),
            determinism: Claim::Bitwise,
            outputs: BTreeMap::from([("text".to_owned(), output)]),
            metrics: BTreeMap::from([("accuracy".to_owned(), 0.1 + 0.2)]),
            environment: BTreeMap::from([("cores".to_owned(), "2".to_owned())]),
        }
    }

    pub(in crate::lock) fn lock(records: &[(&str, Record)]) -> Lock {
        Lock { stages: records.iter().map(|(name, record)| ((*name).to_owned(), record.clone())).collect() }
    }

    #[test]
    fn metrics_are_the_same_number_by_number() {
        let with = |metrics: &[(&str, f64)]| {
            let metrics = metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
            Record { metrics, ..record("a") }
        };
        let nan = with(&[("loss", f64::NAN)]);
        // As it reads back from a lock's text, whatever its bits were.
        assert!(nan.same_result(&with(&[("loss", -f64::NAN)])));
        assert!(!nan.same_result(&with(&[("loss", 1.0)])) && !nan.same_result(&with(&[("error", f64::NAN)])));
        assert!(!nan.same_result(&with(&[])) && !with(&[]).same_result(&nan));
    }

    #[test]
    fn the_same_result_made_elsewhere_changes_nothing() {
        let mut elsewhere = record("a");
        elsewhere.environment.insert("cores".into(), "64".into());
        let mut found = lock(&[("a", record("a")), ("old", record("old"))]);
        let new = BTreeMap::from([("a".to_owned(), elsewhere), ("b".to_owned(), record("b"))]);
        assert_eq!(found.update(new, &BTreeSet::from(["a", "b", "c"])), ["b", "old"]);
        assert_eq!(found, lock(&[("a", record("a")), ("b", record("b"))]));
        let mut other = record("a");
        other.metrics.insert("accuracy".into(), 0.3);
        assert_eq!(found.update(BTreeMap::from([("a".to_owned(), other)]), &BTreeSet::from(["a", "b"])), ["a"]);
    }
}
