//! What of a store may go: a plan, made before anything is touched.

use super::contents::{Contents, Stored};
use crate::digest::Digest;
use std::collections::{BTreeMap, BTreeSet};

/// Why a result is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A lock of the working tree or of a branch or tag names it.
    Lock,
    /// It is a release, or a release was made from it.
    Release,
    /// One of the last runs has it.
    Run,
}

/// What limits the results that nothing needs. Without any limit all of them go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Only results that were last used before this time (seconds since 1970) go.
    pub before: Option<u64>,
    /// Only so many go that the store has at most this many bytes, those that were used longest ago first.
    pub bytes: Option<u64>,
}

/// What is kept and what goes.
#[derive(Clone, Debug, Default)]
pub struct GcPlan {
    /// What is needed, and why.
    pub needed: BTreeMap<Digest, BTreeSet<Need>>,
    /// What goes, the longest unused first, with the time of its last use in seconds since 1970.
    pub removed: Vec<(Stored, u64)>,
    /// The blobs that go with it: those that nothing else names.
    pub blobs: BTreeSet<Digest>,
    /// The bytes that all this frees.
    pub freed: u64,
    /// The bytes that stay.
    pub stays: u64,
}

/// Plans. `needed` names the keys that must stay; `used` says when keys were last used, in seconds since 1970, where that is
/// known to be later than when they were made.
#[must_use]
pub fn plan_gc(
    contents: &Contents,
    mut needed: BTreeMap<Digest, BTreeSet<Need>>,
    used: &BTreeMap<Digest, u64>,
    limits: Limits,
) -> GcPlan {
    needed.retain(|key, _| contents.results.binary_search_by_key(key, |stored| stored.key).is_ok());
    for key in of_releases(contents) {
        needed.entry(key).or_default().insert(Need::Release);
    }
    let mut users: BTreeMap<Digest, usize> = BTreeMap::new();
    for blob in contents.results.iter().flat_map(Stored::blobs) {
        *users.entry(blob).or_default() += 1;
    }
    let last_use = |stored: &Stored| stored.result.made.max(used.get(&stored.key).copied().unwrap_or(0));
    let mut candidates: Vec<(Stored, u64)> = contents
        .results
        .iter()
        .filter(|stored| !needed.contains_key(&stored.key))
        .map(|stored| (stored.clone(), last_use(stored)))
        .filter(|(_, used)| limits.before.is_none_or(|before| *used < before))
        .collect();
    candidates.sort_by_key(|(stored, used)| (*used, stored.key));
    let mut plan = GcPlan { needed, blobs: contents.orphans(), ..GcPlan::default() };
    let size = |blob: &Digest| contents.blobs.get(blob).copied().unwrap_or(0);
    plan.freed = plan.blobs.iter().map(size).sum();
    let all = contents.bytes();
    for (stored, used) in candidates {
        if limits.bytes.is_some_and(|most| all - plan.freed <= most) {
            break;
        }
        plan.freed += stored.entry_bytes;
        for blob in stored.blobs() {
            if let Some(left) = users.get_mut(&blob) {
                *left -= 1;
                if *left == 0 {
                    plan.freed += size(&blob);
                    plan.blobs.insert(blob);
                }
            }
        }
        plan.removed.push((stored, used));
    }
    plan.stays = all.saturating_sub(plan.freed);
    plan
}

/// The releases, and everything that they were made from.
fn of_releases(contents: &Contents) -> BTreeSet<Digest> {
    let mut makers: BTreeMap<Digest, Vec<&Stored>> = BTreeMap::new();
    for stored in &contents.results {
        for artifact in stored.result.outputs.values() {
            makers.entry(artifact.digest).or_default().push(stored);
        }
    }
    let is_release = |stored: &&Stored| matches!(stored.result.kind.as_str(), "release" | "bundle");
    let mut open: Vec<&Stored> = contents.results.iter().filter(is_release).collect();
    let mut found = BTreeSet::new();
    while let Some(stored) = open.pop() {
        if !found.insert(stored.key) {
            continue;
        }
        let mut inputs = Vec::new();
        digests_of_references(&stored.result.key.json(), &mut inputs);
        open.extend(inputs.iter().filter_map(|digest| makers.get(digest)).flatten());
    }
    found
}

/// The content digests of the references in a key, as it is kept beside a result.
fn digests_of_references(key: &serde_json::Value, found: &mut Vec<Digest>) {
    match key {
        serde_json::Value::Object(fields) => {
            // Where a stage reads some columns of a table, the digest is of those; the table's own stands beside it.
            let text = |name: &str| fields.get(name).and_then(serde_json::Value::as_str);
            if let (Some(_), Some(digest)) = (text("ref"), text("whole").or_else(|| text("digest"))) {
                found.extend(digest.parse::<Digest>());
            }
            fields.values().for_each(|field| digests_of_references(field, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| digests_of_references(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{ArtifactRecord, FileRecord, KeyText, StageResult};
    use crate::types::ArtifactType;
    use serde_json::json;
    use std::sync::Arc;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn stored(name: &str, kind: &str, made: u64, blobs: &[&str], inputs: &[&str]) -> Stored {
        let files = blobs.iter().map(|blob| FileRecord { name: (*blob).into(), size: 100, digest: digest(blob) });
        let record = ArtifactRecord {
            ty: ArtifactType::File,
            digest: digest(name),
            columns: Vec::new(),
            files: files.collect(),
        };
        let refs: Vec<_> = inputs
            .iter()
            .map(|input| json!({"ref": input, "digest": digest("some columns"), "whole": digest(input)}))
            .collect();
        let result = StageResult {
            kind: kind.into(),
            version: 1,
            outputs: [("out".to_owned(), record)].into(),
            summary: String::new(),
            metrics: BTreeMap::new(),
            gates: Vec::new(),
            seconds: 1.0,
            made,
            environment: BTreeMap::new(),
            key: KeyText::of(&json!({"spec": {"inputs": refs}})),
        };
        Stored { key: digest(&format!("key of {name}")), result: Arc::new(result), entry_bytes: 10 }
    }

    fn contents() -> Contents {
        let mut contents = Contents {
            results: vec![
                stored("old", "exec", 10, &["a", "shared"], &[]),
                stored("new", "exec", 90, &["b", "shared"], &[]),
                stored("base", "exec", 20, &["c"], &[]),
                stored("release", "release", 30, &["d"], &["base"]),
            ],
            ..Contents::default()
        };
        contents.results.sort_by_key(|stored| stored.key);
        contents.blobs = ["a", "b", "c", "d", "shared", "orphan"].map(|blob| (digest(blob), 100)).into();
        contents
    }

    fn names(plan: &GcPlan) -> Vec<u64> {
        plan.removed.iter().map(|(stored, _)| stored.result.made).collect()
    }

    fn key(name: &str) -> Digest {
        digest(&format!("key of {name}"))
    }

    #[test]
    fn what_nothing_needs_goes_and_shared_blobs_stay() {
        let needed = BTreeMap::from([(key("new"), BTreeSet::from([Need::Lock]))]);
        let plan = plan_gc(&contents(), needed, &BTreeMap::new(), Limits::default());
        assert_eq!(names(&plan), [10]);
        assert_eq!(plan.blobs, BTreeSet::from([digest("a"), digest("orphan")]));
        assert_eq!((plan.freed, plan.stays), (210, 430));
        assert_eq!(plan.needed[&key("base")], BTreeSet::from([Need::Release]));
    }

    #[test]
    fn limits_spare_what_is_young_or_fits() {
        let plan = |used: &[(Digest, u64)], limits| {
            names(&plan_gc(&contents(), BTreeMap::new(), &used.iter().copied().collect(), limits))
        };
        assert_eq!(plan(&[], Limits::default()), [10, 90]);
        assert_eq!(plan(&[], Limits { before: Some(50), bytes: None }), [10]);
        // Used again lately.
        assert_eq!(plan(&[(key("old"), 95)], Limits { before: Some(50), bytes: None }), [0; 0]);
        assert_eq!(plan(&[], Limits { before: None, bytes: Some(10_000) }), [0; 0]);
        assert_eq!(plan(&[], Limits { before: None, bytes: Some(500) }), [10]);
        assert_eq!(plan(&[], Limits { before: None, bytes: Some(0) }), [10, 90]);
    }

    #[test]
    fn a_need_of_what_is_not_there_is_no_need() {
        let needed = BTreeMap::from([(key("gone"), BTreeSet::from([Need::Run]))]);
        let plan = plan_gc(&contents(), needed, &BTreeMap::new(), Limits::default());
        assert!(!plan.needed.contains_key(&key("gone")));
    }
}
