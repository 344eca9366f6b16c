//! Files at the tips of all branches and tags, each content once.

use super::Git;
use std::collections::{BTreeMap, BTreeSet};

/// A file that is committed somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedFile {
    /// Its path in the repository.
    pub path: String,
    /// The branches and tags whose tip has it with this content, by short name.
    pub refs: BTreeSet<String>,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Git {
    /// Every file whose name ends in `ending` at the tip of any branch (remote ones too) or tag.
    #[must_use]
    pub fn files_of_all_branches(&self, ending: &str) -> Vec<LockedFile> {
        let mut commits: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let format = "--format=%(objectname) %(refname:short)";
        let refs = self.text(&["for-each-ref", format, "refs/heads", "refs/remotes", "refs/tags"]).unwrap_or_default();
        for (commit, name) in refs.lines().filter_map(|line| line.split_once(' ')) {
            commits.entry(commit.to_owned()).or_default().insert(name.to_owned());
        }
        if let Some(head) = self.commit("HEAD") {
            commits.entry(head).or_default();
        }
        let mut found: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for (commit, names) in commits {
            let tree = self.text(&["ls-tree", "-r", "-z", "--full-tree", &commit]).unwrap_or_default();
            for (blob, path) in tree.split('\0').filter_map(entry).filter(|(_, path)| path.ends_with(ending)) {
                found.entry((blob.to_owned(), path.to_owned())).or_default().extend(names.iter().cloned());
            }
        }
        let blobs: BTreeSet<&str> = found.keys().map(|(blob, _)| blob.as_str()).collect();
        let contents = self.contents(&blobs);
        let file = |((blob, path), refs): ((String, String), BTreeSet<String>)| {
            Some(LockedFile { path, refs, bytes: contents.get(&blob)?.clone() })
        };
        found.into_iter().filter_map(file).collect()
    }

    fn contents(&self, blobs: &BTreeSet<&str>) -> BTreeMap<String, Vec<u8>> {
        if blobs.is_empty() {
            return BTreeMap::new();
        }
        let input: String = blobs.iter().map(|blob| format!("{blob}\n")).collect();
        let output = self.bytes(&["cat-file", "--batch"], input.as_bytes()).unwrap_or_default();
        let mut contents = BTreeMap::new();
        let mut rest = output.as_slice();
        // Each is `ID blob SIZE\n`, the bytes, `\n`.
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let header = String::from_utf8_lossy(&rest[..end]).into_owned();
            let mut words = header.split(' ');
            let (blob, size) = (words.next().unwrap_or_default(), words.nth(1).and_then(|size| size.parse().ok()));
            let Some(bytes) = size.and_then(|size: usize| rest.get(end + 1..end + 1 + size)) else { break };
            contents.insert(blob.to_owned(), bytes.to_vec());
            rest = rest.get(end + 2 + bytes.len()..).unwrap_or_default();
        }
        contents
    }
}

/// `MODE blob ID\tPATH`
fn entry(line: &str) -> Option<(&str, &str)> {
    let (facts, path) = line.split_once('\t')?;
    let mut words = facts.split(' ').skip(1);
    (words.next() == Some("blob")).then_some((words.next()?, path))
}
