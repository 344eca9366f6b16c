//! What a merge leaves in a lock, and how it is mended: the two sides are read as two locks, and what they disagree on is taken
//! from the store, where that knows today's manifest, or dropped.

use super::{Lock, Record};
use std::collections::BTreeSet;

/// Git's markers, as lines of their own.
pub(super) const OURS: &str = "<<<<<<< ours\n";
pub(super) const SPLIT: &str = "=======\n";
pub(super) const THEIRS: &str = ">>>>>>> theirs\n";

/// The line of the first conflict marker, from 1.
pub(super) fn first_marker(text: &str) -> Option<usize> {
    text.lines().position(|line| is_marker(line, '<')).map(|line| line + 1)
}

fn is_marker(line: &str, sign: char) -> bool {
    let rest = line.trim_end_matches('\r').strip_prefix(&[sign; 7].iter().collect::<String>());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The two texts that a merge could not make one of; `None` where there is no conflict in it.
#[must_use]
pub fn sides(text: &str) -> Option<(String, String)> {
    first_marker(text)?;
    /// Where a line belongs.
    #[derive(Clone, Copy, PartialEq)]
    enum In {
        Both,
        Ours,
        Base,
        Theirs,
    }
    let (mut ours, mut theirs, mut place) = (String::new(), String::new(), In::Both);
    for line in text.lines() {
        place = match place {
            In::Both if is_marker(line, '<') => In::Ours,
            In::Ours if is_marker(line, '|') => In::Base,
            In::Ours | In::Base if is_marker(line, '=') => In::Theirs,
            In::Theirs if is_marker(line, '>') => In::Both,
            same => {
                if matches!(same, In::Both | In::Ours) {
                    ours.extend([line, "\n"]);
                }
                if matches!(same, In::Both | In::Theirs) {
                    theirs.extend([line, "\n"]);
                }
                same
            }
        };
    }
    Some((ours, theirs))
}

/// A lock after mending, and what became of the records that the sides disagreed on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mended {
    /// The lock.
    pub lock: Lock,
    /// Taken from the store.
    pub taken: Vec<String>,
    /// On one side alone, and so kept.
    pub kept: Vec<String>,
    /// Dropped: the sides disagree, and the store has no result for today's manifest.
    pub dropped: Vec<String>,
    /// Dropped: the manifest has no such stage any more.
    pub gone: Vec<String>,
}

/// Makes one lock of two. `names` are the manifest's stages; `now` gives the record of the store's result for today's
/// manifest.
pub fn mend(ours: &Lock, theirs: &Lock, names: &BTreeSet<&str>, now: &dyn Fn(&str) -> Option<Record>) -> Mended {
    let mut mended = Mended::default();
    let all: BTreeSet<&String> = ours.stages.keys().chain(theirs.stages.keys()).collect();
    for name in all {
        if !names.contains(name.as_str()) {
            mended.gone.push(name.clone());
            continue;
        }
        let (list, record) = match (ours.stages.get(name), theirs.stages.get(name)) {
            (Some(one), Some(other)) if one.same_result(other) => (None, Some(one.clone())),
            (one, other) => match (now(name), one.xor(other)) {
                (Some(record), _) => (Some(&mut mended.taken), Some(record)),
                (None, Some(alone)) => (Some(&mut mended.kept), Some(alone.clone())),
                (None, None) => (Some(&mut mended.dropped), None),
            },
        };
        if let Some(list) = list {
            list.push(name.clone());
        }
        if let Some(record) = record {
            mended.lock.stages.insert(name.clone(), record);
        }
    }
    mended
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{lock, record};
    use super::super::text;
    use super::*;
    use std::process::Command;

    #[test]
    fn the_sides_of_a_conflict_are_two_texts() {
        let text = "a\n<<<<<<< HEAD\nb\n||||||| base\nx\n=======\nc\n>>>>>>> other\nd\n";
        assert_eq!(sides(text), Some(("a\nb\nd\n".to_owned(), "a\nc\nd\n".to_owned())));
        assert_eq!(sides("a\n=======\nb\n"), None);
        assert_eq!(first_marker(text), Some(2));
    }

    #[test]
    fn what_the_sides_disagree_on_comes_from_the_store_or_goes() {
        let ours = lock(&[("a", record("1")), ("b", record("2")), ("c", record("3")), ("gone", record("4"))]);
        let theirs = lock(&[("a", record("1")), ("b", record("x")), ("c", record("y")), ("new", record("5"))]);
        let names = BTreeSet::from(["a", "b", "c", "new"]);
        let mended = mend(&ours, &theirs, &names, &|name| (name == "b").then(|| record("now")));
        assert_eq!(mended.lock, lock(&[("a", record("1")), ("b", record("now")), ("new", record("5"))]));
        let told = [mended.taken, mended.kept, mended.dropped, mended.gone].map(|names| names.join(" "));
        assert_eq!(told, ["b", "new", "c", "gone"]);
    }

    /// What git makes of two branches.
    fn merged(base: &Lock, ours: &Lock, theirs: &Lock) -> String {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, lock: &Lock| std::fs::write(folder.path().join(name), text::write(lock)).unwrap();
        write("base", base);
        write("ours", ours);
        write("theirs", theirs);
        let arguments = ["merge-file", "-p", "ours", "base", "theirs"];
        let git = Command::new("git").args(arguments).current_dir(folder.path()).output().unwrap();
        String::from_utf8(git.stdout).unwrap()
    }

    #[test]
    fn git_merges_branches_that_touch_different_stages() {
        let base = lock(&[("a", record("1")), ("b", record("2")), ("c", record("3"))]);
        let ours = lock(&[("a", record("x")), ("b", record("2")), ("c", record("3"))]);
        let theirs = lock(&[("a", record("1")), ("b", record("y")), ("c", record("z"))]);
        let both = lock(&[("a", record("x")), ("b", record("y")), ("c", record("z"))]);
        assert_eq!(text::read(&merged(&base, &ours, &theirs)).unwrap(), both);
    }

    #[test]
    fn a_real_conflict_is_mended() {
        let base = lock(&[("a", record("1")), ("b", record("2"))]);
        let ours = lock(&[("a", record("1")), ("b", record("x"))]);
        let theirs = lock(&[("a", record("z")), ("b", record("y"))]);
        let text = merged(&base, &ours, &theirs);
        let (one, other) = sides(&text).expect("a conflict");
        let (one, other) = (text::read(&one).unwrap(), text::read(&other).unwrap());
        // `a` was merged by git, `b` was not.
        assert_eq!(one, lock(&[("a", record("z")), ("b", record("x"))]));
        let mended = mend(&one, &other, &BTreeSet::from(["a", "b"]), &|_| None);
        assert_eq!((mended.dropped, mended.lock), (vec!["b".to_owned()], lock(&[("a", record("z"))])));
    }
}
