//! Merging three locks record by record, as git asks a merge driver to: two branches that each add a stage beside the other's have
//! touched the same lines, and still nothing that the other side knows.

use super::text::{self, Side};
use super::{Lock, Record};
use std::collections::{BTreeMap, BTreeSet};

/// What came of a merge.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The lock's text; each record that the sides disagree on stands in it two times, between git's markers.
    pub text: String,
    /// The stages whose records the sides disagree on.
    pub conflicts: Vec<String>,
}

/// Merges what two sides made of `base`. A record that one side alone changed, added or dropped is as that side has it.
#[must_use]
pub fn merge(base: &Lock, ours: &Lock, theirs: &Lock) -> Merged {
    let names: BTreeSet<&String> = [base, ours, theirs].into_iter().flat_map(|lock| lock.stages.keys()).collect();
    let mut records = BTreeMap::new();
    let mut conflicts = Vec::new();
    for name in names {
        let [base, ours, theirs] = [base, ours, theirs].map(|lock| lock.stages.get(name));
        match settle(base, ours, theirs) {
            Some(record) => records.extend(record.map(|record| (name.as_str(), Side::Both(record)))),
            None => {
                conflicts.push(name.clone());
                records.insert(name.as_str(), Side::Apart(ours, theirs));
            }
        }
    }
    Merged { text: text::write_sides(&records), conflicts }
}

/// What a record becomes, which may be that it goes; `None` where both sides changed it, each in its way.
fn settle<'a>(
    base: Option<&'a Record>,
    ours: Option<&'a Record>,
    theirs: Option<&'a Record>,
) -> Option<Option<&'a Record>> {
    let same = |one: Option<&Record>, other: Option<&Record>| match (one, other) {
        (Some(one), Some(other)) => one.same_result(other),
        (one, other) => one.is_none() && other.is_none(),
    };
    // Records of the same result may still tell of two environments; one that did not change stays.
    if same(ours, theirs) {
        return Some(if ours == base { theirs } else { ours });
    }
    match (same(base, ours), same(base, theirs)) {
        (true, _) => Some(theirs),
        (_, true) => Some(ours),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{lock, record};
    use super::super::sides;
    use super::*;

    #[test]
    fn what_one_side_did_is_kept() {
        let base = lock(&[("a", record("1")), ("dropped", record("2")), ("m", record("3")), ("z", record("4"))]);
        let ours = lock(&[("a", record("x")), ("m", record("3")), ("n", record("ours")), ("z", record("4"))]);
        let theirs = lock(&[("a", record("1")), ("dropped", record("2")), ("m", record("y")), ("o", record("theirs"))]);
        let both = lock(&[("a", record("x")), ("m", record("y")), ("n", record("ours")), ("o", record("theirs"))]);
        assert_eq!(merge(&base, &ours, &theirs), Merged { text: both.text(), conflicts: vec![] });
        assert_eq!(merge(&base, &theirs, &ours).text, both.text());
        assert_eq!(merge(&Lock::default(), &both, &both).text, both.text());
    }

    #[test]
    fn what_both_changed_is_left_to_be_resolved() {
        let base = lock(&[("a", record("1")), ("b", record("2")), ("c", record("3"))]);
        let ours = lock(&[("a", record("1")), ("b", record("x")), ("d", record("4"))]);
        let theirs = lock(&[("a", record("z")), ("b", record("y")), ("c", record("changed"))]);
        let merged = merge(&base, &ours, &theirs);
        assert_eq!(merged.conflicts, ["b", "c"]);
        let (one, other) = sides(&merged.text).expect("markers");
        let (one, other) = (text::read(&one).unwrap(), text::read(&other).unwrap());
        assert_eq!(one, lock(&[("a", record("z")), ("b", record("x")), ("d", record("4"))]));
        let theirs = [("a", record("z")), ("b", record("y")), ("c", record("changed")), ("d", record("4"))];
        assert_eq!(other, lock(&theirs));
    }

    #[test]
    fn the_same_result_of_two_machines_is_no_conflict() {
        let on = |cores: &str| {
            let mut record = record("new");
            record.environment.insert("cores".into(), cores.into());
            lock(&[("a", record)])
        };
        let merged = merge(&lock(&[("a", record("old"))]), &on("2"), &on("64"));
        assert_eq!(merged, Merged { text: on("2").text(), conflicts: vec![] });
    }
}
