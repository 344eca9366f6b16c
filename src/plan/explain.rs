//! Compares the key of a stage with that of its nearest earlier result.
//!
//! The earlier result is the one of the stage's last key, in the store or as the history remembers it. Where no stage of the
//! pipeline has a last key it is that of a stage of the same name in another pipeline (this one may have got another name);
//! only where no pipeline has last keys (they were deleted) the index is looked through for the result of the same kind
//! that differs in the fewest places.

use super::key::Key;
use super::reason::{FileChange, Origin, Reason};
use super::table_change::TableChange;
use super::words::named_files;
use crate::check::{Checked, CheckedStage};
use crate::digest::{Digest, Segment, dotted};
use crate::manifest::{ParamUse, StageEntry};
use crate::span::SourceMap;
use crate::stage::StageResult;
use crate::store::{LastKeys, LastRun, Store};
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A result found by looking through the index is "the earlier one" only if it differs in at most so many places.
const NEAR: usize = 3;

/// What entered a result's key, and the result.
type Candidate = (Value, Arc<StageResult>);

/// Knows the result that was last made for a key, also of one that has left the store.
pub type Remembered<'a> = &'a dyn Fn(Digest) -> Option<StageResult>;

/// Finds earlier results of one pipeline's stages and compares with them.
pub(super) struct Explainer<'a> {
    checked: &'a Checked,
    store: &'a Store,
    remembered: Remembered<'a>,
    last: LastKeys,
    /// Of each kind the results, with what entered their keys.
    by_kind: OnceCell<BTreeMap<String, Vec<Candidate>>>,
}

/// What is known of a stage's earlier result.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// When the stage last had a result, and under which key; `None` where that was found by looking through the index.
    pub last: Option<LastRun>,
    /// The result. Its blobs may be gone, and its record too: then the history remembers it.
    pub result: Arc<StageResult>,
}

/// The stored result of a stage's kind that differs in the fewest places from a key, and in what; of several the one
/// that was made last. Reads the whole index.
#[must_use]
pub fn nearest(
    checked: &Checked,
    store: &Store,
    stage: &CheckedStage,
    key: &Key,
) -> Option<(Arc<StageResult>, Vec<Reason>)> {
    let explainer = Explainer::new(checked, store, &|_| None);
    let result = explainer.nearest(stage, key)?;
    let reasons = explainer.compared(stage, key, &result);
    Some((result, reasons))
}

impl<'a> Explainer<'a> {
    pub(super) fn new(checked: &'a Checked, store: &'a Store, remembered: Remembered<'a>) -> Self {
        let last = store.last_keys(&checked.manifest.pipeline.name);
        Self { checked, store, remembered, last, by_kind: OnceCell::new() }
    }

    /// What was last made for a key.
    fn made_for(&self, key: Digest) -> Option<Arc<StageResult>> {
        self.store.peek(key).or_else(|| (self.remembered)(key).map(Arc::new))
    }

    /// The stage's earlier result.
    pub(super) fn earlier(&self, stage: &CheckedStage, key: Option<&Key>) -> Option<Earlier> {
        if let Some(last) = self.last.get(&stage.name) {
            // Where its result is gone, another of the kind may still tell something; not where it was this very one.
            if key.is_some_and(|key| key.digest == last.key) {
                return self.made_for(last.key).map(|result| Earlier { last: Some(last), result });
            }
            if let Some(result) = self.made_for(last.key) {
                return Some(Earlier { last: Some(last), result });
            }
        } else if !self.last.is_empty() {
            return None;
        } else if let Some(namesakes) = self.store.namesakes(&stage.name) {
            let results = namesakes.into_iter().filter_map(|key| self.made_for(key));
            let alike: Vec<Candidate> =
                results.filter(|result| result.kind == stage.kind).map(|result| (result.key.json(), result)).collect();
            return self.nearest_of(&alike, stage, key?).map(|result| Earlier { last: None, result });
        }
        Some(Earlier { last: None, result: self.nearest(stage, key?)? })
    }

    /// The result of the kind that differs in the fewest places.
    fn nearest(&self, stage: &CheckedStage, key: &Key) -> Option<Arc<StageResult>> {
        let all = self.by_kind.get_or_init(|| self.scan());
        self.nearest_of(all.get(stage.kind.as_str())?, stage, key)
    }

    fn nearest_of(&self, all: &[Candidate], stage: &CheckedStage, key: &Key) -> Option<Arc<StageResult>> {
        let key_json = key.json(stage, &self.checked.stages);
        let distances = all.iter().map(|(entered, result)| (differences(entered, &key_json).len(), result));
        let (distance, nearest) =
            distances.min_by_key(|(distance, result)| (*distance, std::cmp::Reverse(result.made)))?;
        (distance <= NEAR).then(|| Arc::clone(nearest))
    }

    fn scan(&self) -> BTreeMap<String, Vec<Candidate>> {
        let mut all = BTreeMap::new();
        for stage in &self.checked.stages {
            all.entry(stage.kind.clone()).or_insert_with(|| {
                let entries = self.store.entries_of_kind(&stage.kind).into_iter();
                entries.map(|(_, result)| (result.key.json(), result)).collect::<Vec<_>>()
            });
        }
        all
    }

    /// Why a stage whose key is not in the index would run.
    pub(super) fn reasons(&self, stage: &CheckedStage, key: &Key, earlier: Option<&Earlier>) -> Vec<Reason> {
        let Some(earlier) = earlier else {
            let lost = self.last.get(&stage.name).is_some();
            return vec![if lost { Reason::Lost("it is no longer in the store".into()) } else { Reason::NeverRan }];
        };
        let reasons = self.compared(stage, key, &earlier.result);
        if reasons.is_empty() { vec![Reason::Lost("it is no longer in the store".into())] } else { reasons }
    }

    /// In what a key differs from that of a result.
    fn compared(&self, stage: &CheckedStage, key: &Key, result: &StageResult) -> Vec<Reason> {
        let now = key.json(stage, &self.checked.stages);
        differences(&result.key.json(), &now).iter().map(|found| self.reason(stage, found)).collect()
    }

    fn reason(&self, stage: &CheckedStage, found: &Difference<'_>) -> Reason {
        let text = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "none".to_owned(),
        };
        let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0);
        let [Segment::Key(part), path @ ..] = found.path.as_slice() else { return Reason::Format };
        match (part.as_str(), path) {
            ("kind", _) => Reason::Kind { old: text(found.old), new: text(found.new) },
            ("version", _) => {
                Reason::Version { kind: stage.kind.clone(), old: number(found.old), new: number(found.new) }
            }
            ("seed", _) => Reason::Seed,
            ("names", _) => Reason::Names,
            ("origin", _) => Reason::Origin,
            ("environment", [Segment::Key(name)]) => {
                Reason::Environment { name: name.clone(), old: text(found.old), new: text(found.new) }
            }
            ("spec", path) => self.field(stage, path, found),
            _ => Reason::Format,
        }
    }

    fn field(&self, stage: &CheckedStage, path: &[Segment], found: &Difference<'_>) -> Reason {
        let shown = dotted(path);
        let marked = |mark: &str| Some((found.old?.get(mark), found.new?.get(mark)?.as_str()?));
        if let Some((Some(old), reference)) = marked("ref") {
            let was = old.as_str().filter(|old| *old != reference).map(str::to_owned);
            let table = found.old.zip(found.new).and_then(|(old, new)| TableChange::between(old, new));
            let behind = self.behind(stage, reference, found);
            return Reason::Input { path: shown, reference: reference.to_owned(), was, table, behind };
        }
        if let Some((Some(Value::String(old)), file)) = marked("file")
            && old == file
        {
            return Reason::File { path: shown, file: file.to_owned(), changes: file_changes(found) };
        }
        let origin = origin(self.checked, stage, path, found);
        Reason::Field { path: shown, old: found.old.cloned(), new: found.new.cloned(), origin }
    }

    /// What changed in what a table is made of that is not kept.
    fn behind(&self, stage: &CheckedStage, reference: &str, found: &Difference<'_>) -> Vec<Reason> {
        let maker = stage.refs.iter().find(|used| used.text == reference);
        let maker = maker.and_then(|used| self.checked.stages.get(used.stage));
        let made_of = |value: Option<&'_ Value>| value.and_then(|value| value.get("made_of")).cloned();
        match (maker, made_of(found.old), made_of(found.new)) {
            (Some(maker), Some(old), Some(new)) => {
                differences(&old, &new).iter().map(|found| self.reason(maker, found)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The places at which two keys differ, as they are kept beside results: each with what stands there in the first and in the
/// second. What a reference or file stands for is compared by its digest alone.
#[must_use]
pub fn key_differences(old: &Value, new: &Value) -> Vec<(Vec<Segment>, Option<Value>, Option<Value>)> {
    let found = differences(old, new).into_iter();
    found.map(|found| (found.path, found.old.cloned(), found.new.cloned())).collect()
}

/// A place at which two keys differ.
struct Difference<'a> {
    path: Vec<Segment>,
    old: Option<&'a Value>,
    new: Option<&'a Value>,
}

/// The places at which two keys differ, in order. What a reference or file stands for is compared by its digest alone.
fn differences<'a>(old: &'a Value, new: &'a Value) -> Vec<Difference<'a>> {
    let mut found = Vec::new();
    compare(&mut Vec::new(), Some(old), Some(new), &mut found);
    found
}

fn compare<'a>(
    path: &mut Vec<Segment>,
    old: Option<&'a Value>,
    new: Option<&'a Value>,
    found: &mut Vec<Difference<'a>>,
) {
    if let (Some((was, before)), Some((is, now))) = (old.and_then(named_files), new.and_then(named_files)) {
        // Where they are written there is but the name.
        match was == is {
            true => compare(path, Some(before), Some(now), found),
            false => found.push(Difference { path: path.clone(), old, new }),
        }
        return;
    }
    match (old, new) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            if let (Some(a), Some(b)) = (a.get("digest"), b.get("digest")) {
                if a != b {
                    found.push(Difference { path: path.clone(), old, new });
                }
                return;
            }
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                path.push(name.into());
                compare(path, a.get(name), b.get(name), found);
                path.pop();
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                path.push(index.into());
                compare(path, Some(a), Some(b), found);
                path.pop();
            }
        }
        (a, b) if a != b || is_negative(a) != is_negative(b) => found.push(Difference { path: path.clone(), old, new }),
        _ => {}
    }
}

/// Whether a value is a number with a minus before it: the two zeros compare as equal, and are two values in a key.
fn is_negative(value: Option<&Value>) -> bool {
    value.and_then(Value::as_f64).is_some_and(f64::is_sign_negative)
}

/// What happened to the files that a pattern matches.
fn file_changes(found: &Difference<'_>) -> Vec<FileChange> {
    let files = |value: Option<&Value>| -> BTreeMap<String, Value> {
        let files = value.and_then(|value| value.get("files")).and_then(Value::as_object);
        files.into_iter().flatten().map(|(name, digest)| (name.clone(), digest.clone())).collect()
    };
    let (old, new) = (files(found.old), files(found.new));
    if old.len() == 1 && new.len() == 1 && old.keys().eq(new.keys()) {
        return Vec::new();
    }
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let change = |name: &String| match (old.get(name), new.get(name)) {
        (Some(a), Some(b)) => (a != b).then(|| FileChange::Changed(name.clone())),
        (None, Some(_)) => Some(FileChange::Added(name.clone())),
        _ => Some(FileChange::Removed(name.clone())),
    };
    names.into_iter().filter_map(change).collect()
}

/// Where a field's value comes from.
fn origin(checked: &Checked, stage: &CheckedStage, path: &[Segment], found: &Difference<'_>) -> Origin {
    let Some(entry) = checked.manifest.stages.get(stage.entry) else {
        return Origin::default();
    };
    let sources: &SourceMap = &checked.sources;
    let used = param_of(entry, path, found);
    let set = used.and_then(|used| used.set.clone());
    let param = used.map(|used| used.name.clone());
    let written = found.new.is_some() && entry.locate(path).exact;
    let place = match used {
        Some(used) => Some(sources.place(used.value)),
        None => written.then(|| sources.place(entry.value_span(sources, path))),
    };
    Origin { param, set, place }
}

/// The param that a field's other value comes from. Of several in one text it is one that differs, first of all by `--set`, and
/// none where the text around them was changed.
fn param_of<'a>(entry: &'a StageEntry, path: &[Segment], found: &Difference<'_>) -> Option<&'a ParamUse> {
    let located = entry.locate(path);
    let text = |value: Option<&'_ Value>| value.and_then(Value::as_str).map(str::to_owned);
    let is_whole = located.exact && located.node.as_str() == text(found.new).as_deref();
    let has_pieces = located.node.origin.as_ref().is_some_and(|origin| !origin.pieces.is_empty());
    match text(found.old).filter(|_| is_whole && has_pieces) {
        Some(old) => {
            let changed = located.node.params_changed_from(&old)?;
            changed.iter().find(|used| used.set.is_some()).or(changed.first()).copied()
        }
        None => entry.params_at(path).first(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_name_the_deepest_place() {
        let old =
            json!({"version": 1, "spec": {"lr": 0.1, "data": {"ref": "a", "digest": "1"}, "gone": 1, "l": [1, 2]}});
        let new =
            json!({"version": 1, "spec": {"lr": 0.2, "data": {"ref": "b", "digest": "1"}, "come": 2, "l": [1, 3]}});
        let paths: Vec<String> = differences(&old, &new).iter().map(|found| dotted(&found.path)).collect();
        assert_eq!(paths, ["spec.come", "spec.gone", "spec.l[1]", "spec.lr"]);
    }

    #[test]
    fn the_two_zeros_differ() {
        let told = |old: f64, new: f64| differences(&json!({ "fill": old }), &json!({ "fill": new })).len();
        assert_eq!((told(0.0, -0.0), told(-0.0, -0.0), told(0.0, 0.0)), (1, 0, 0));
    }

    #[test]
    fn a_list_of_files_is_compared_name_by_name() {
        let pair = |name: &str, digest: &str| json!([name, { "file": name, "digest": digest }]);
        let told = |old: Value, new: Value| {
            let (old, new) = (json!({ "spec": { "files": old } }), json!({ "spec": { "files": new } }));
            let found = differences(&old, &new);
            found.iter().map(|found| (dotted(&found.path), found.new.cloned())).collect::<Vec<_>>()
        };
        let changed = json!({ "file": "a", "digest": "2" });
        assert_eq!(told(json!([pair("a", "1")]), json!([pair("a", "2")])), [("spec.files[0]".into(), Some(changed))]);
        let another = pair("b", "1");
        assert_eq!(told(json!([pair("a", "1")]), json!([another])), [("spec.files[0]".into(), Some(another))]);
        assert!(told(json!([pair("a", "1")]), json!([pair("a", "1")])).is_empty());
        let longer = json!([pair("a", "1"), pair("b", "1")]);
        assert_eq!(told(json!([pair("a", "1")]), longer.clone()), [("spec.files".into(), Some(longer))]);
    }

    #[test]
    fn files_of_a_pattern_are_compared_one_by_one() {
        let old = json!({"file": "*.py", "digest": "1", "files": {"a.py": "1", "b.py": "1"}});
        let new = json!({"file": "*.py", "digest": "2", "files": {"a.py": "2", "c.py": "1"}});
        let found = Difference { path: Vec::new(), old: Some(&old), new: Some(&new) };
        let name = |name: &str| name.to_owned();
        assert_eq!(
            file_changes(&found),
            [FileChange::Changed(name("a.py")), FileChange::Removed(name("b.py")), FileChange::Added(name("c.py"))]
        );
    }
}
