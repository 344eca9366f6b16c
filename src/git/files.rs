//! Files at the tips of all branches and tags, each content once.

use super::{Git, GitError};
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

/// The branches and tags of each commit, by the commit's id.
type Tips = BTreeMap<String, BTreeSet<String>>;

impl Git {
    /// Every file whose name ends in `ending` at the tip of any branch (remote ones too) or tag, and of what is checked out.
    ///
    /// # Errors
    /// When git cannot tell of any of them: never fewer than there are.
    pub fn files_of_all_branches(&self, ending: &str) -> Result<Vec<LockedFile>, GitError> {
        let mut found: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for (commit, names) in self.tips()? {
            let Some(tree) = self.tree(&commit)? else { continue };
            for (blob, path) in tree.split('\0').filter_map(entry).filter(|(_, path)| path.ends_with(ending)) {
                found.entry((blob.to_owned(), path.to_owned())).or_default().extend(names.iter().cloned());
            }
        }
        let blobs: BTreeSet<&str> = found.keys().map(|(blob, _)| blob.as_str()).collect();
        let contents = self.contents(&blobs)?;
        let file = |((blob, path), refs): ((String, String), BTreeSet<String>)| {
            let bytes = contents.get(&blob).cloned();
            let bytes = bytes.ok_or_else(|| self.failed(format!("the file `{path}` cannot be read")))?;
            Ok(LockedFile { path, refs, bytes })
        };
        found.into_iter().map(file).collect()
    }

    fn tips(&self) -> Result<Tips, GitError> {
        let format = "--format=%(objectname) %(refname:short)";
        let told = self.ask(&["for-each-ref", format, "refs/heads", "refs/remotes", "refs/tags"], &[])?;
        // Git leaves out a branch that it cannot read, and says so without failing.
        if let Some(warning) = told.warnings.lines().find_map(|line| line.strip_prefix("warning: ignoring ")) {
            return Err(self.failed(format!("it ignores a {warning}")));
        }
        let mut tips = Tips::new();
        for (commit, name) in String::from_utf8_lossy(&told.bytes).lines().filter_map(|line| line.split_once(' ')) {
            tips.entry(commit.to_owned()).or_default().insert(name.to_owned());
        }
        // Before the first commit there is none.
        if let Some(head) = self.text(&["rev-parse", "--verify", "--quiet", "HEAD"]) {
            tips.entry(head.trim().to_owned()).or_default();
        }
        Ok(tips)
    }

    /// The entries of a commit's files; `None` where a tag is of a file and not of a commit.
    fn tree(&self, commit: &str) -> Result<Option<String>, GitError> {
        match self.ask(&["ls-tree", "-r", "-z", "--full-tree", commit], &[]) {
            // Paths are bytes, and need not be text.
            Ok(tree) => Ok(Some(String::from_utf8_lossy(&tree.bytes).into_owned())),
            Err(error) => match self.text(&["cat-file", "-t", &format!("{commit}^{{}}")]) {
                Some(kind) if kind.trim() == "blob" => Ok(None),
                _ => Err(error),
            },
        }
    }

    fn contents(&self, blobs: &BTreeSet<&str>) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
        if blobs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let input: String = blobs.iter().map(|blob| format!("{blob}\n")).collect();
        let output = self.ask(&["cat-file", "--batch"], input.as_bytes())?.bytes;
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
        Ok(contents)
    }
}

/// `MODE blob ID\tPATH`
fn entry(line: &str) -> Option<(&str, &str)> {
    let (facts, path) = line.split_once('\t')?;
    let mut words = facts.split(' ').skip(1);
    (words.next() == Some("blob")).then_some((words.next()?, path))
}
