//! Files, byte by byte.

use crate::stage::{Input, InputFile, StageError};
use serde::Serialize;
use std::fs::File;
use std::io::{BufReader, Read};

/// So many bytes are shown from where two files part.
const SHOWN: usize = 32;

/// How two artefacts' files differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileDifference {
    /// Files that only the first has.
    pub removed: Vec<String>,
    /// Files that only the second has.
    pub added: Vec<String>,
    /// How many files that both have differ.
    pub differing: usize,
    /// The first of them by name.
    pub first: Option<ByteDifference>,
}

/// Where two files part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ByteDifference {
    /// The file's name.
    pub file: String,
    /// The first byte that differs, from 0; where one file is the beginning of the other, the shorter one's size.
    pub offset: u64,
    /// The sizes in bytes.
    pub sizes: (u64, u64),
    /// The bytes from there on, with what is not plain text escaped.
    pub before: String,
    /// The same of the second.
    pub now: String,
}

/// Compares the files that `counts` names; `None` where they are the same.
pub(super) fn compare(
    before: &Input,
    now: &Input,
    counts: &dyn Fn(&str) -> bool,
) -> Result<Option<FileDifference>, StageError> {
    let mut found = FileDifference::default();
    let names = |one: &Input, other: &Input| -> Vec<String> {
        let only = one.files.iter().filter(|file| other.file(&file.name).is_none());
        only.map(|file| file.name.clone()).collect()
    };
    (found.removed, found.added) = (names(before, now), names(now, before));
    for file in before.files.iter().filter(|file| counts(&file.name)) {
        let Some(other) = now.file(&file.name).filter(|other| other.digest != file.digest) else { continue };
        found.differing += 1;
        if found.first.is_none() {
            found.first = Some(difference(file, other)?);
        }
    }
    let same = found.removed.is_empty() && found.added.is_empty() && found.differing == 0;
    Ok((!same).then_some(found))
}

fn difference(before: &InputFile, now: &InputFile) -> Result<ByteDifference, StageError> {
    let open = |file: &InputFile| -> Result<_, StageError> {
        let opened = File::open(&file.path).map_err(|error| StageError::io("read", &file.path, &error))?;
        Ok(BufReader::with_capacity(1 << 20, opened).bytes())
    };
    let (mut one, mut other) = (open(before)?, open(now)?);
    let next = |bytes: &mut dyn Iterator<Item = std::io::Result<u8>>, file: &InputFile| {
        bytes.next().transpose().map_err(|error| StageError::io("read", &file.path, &error))
    };
    let mut offset = 0;
    let (mut before_bytes, mut now_bytes) = (Vec::new(), Vec::new());
    loop {
        let (a, b) = (next(&mut one, before)?, next(&mut other, now)?);
        if a == b && a.is_some() && before_bytes.is_empty() && now_bytes.is_empty() {
            offset += 1;
            continue;
        }
        before_bytes.extend(a);
        now_bytes.extend(b);
        let full = before_bytes.len().max(now_bytes.len()) >= SHOWN;
        if full || (a.is_none() && b.is_none()) {
            break;
        }
    }
    Ok(ByteDifference {
        file: before.name.clone(),
        offset,
        sizes: (before.size, now.size),
        before: before_bytes.escape_ascii().to_string(),
        now: now_bytes.escape_ascii().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::artefact;
    use super::*;
    use crate::types::ArtifactType;

    fn compared(one: &[(&str, &[u8])], other: &[(&str, &[u8])]) -> Option<FileDifference> {
        let folder = tempfile::tempdir().unwrap();
        let of = |files| artefact(folder.path(), ArtifactType::Dir, files);
        compare(&of(one), &of(other), &|_| true).unwrap()
    }

    #[test]
    fn the_first_byte_that_differs_is_shown() {
        let found = compared(&[("a", b"same"), ("b", b"one two\n")], &[("a", b"same"), ("b", b"one 2wo\n")]).unwrap();
        let first = found.first.unwrap();
        assert_eq!((first.file.as_str(), first.offset, found.differing), ("b", 4, 1));
        assert_eq!((first.before.as_str(), first.now.as_str()), ("two\\n", "2wo\\n"));
    }

    #[test]
    fn a_file_that_goes_on_parts_at_the_others_end() {
        let first = compared(&[("a", b"ab")], &[("a", b"abc\xff")]).unwrap().first.unwrap();
        assert_eq!((first.offset, first.sizes, first.before.as_str(), first.now.as_str()), (2, (2, 4), "", "c\\xff"));
    }

    #[test]
    fn files_that_one_lacks_are_named() {
        let found = compared(&[("a", b"1"), ("b", b"2")], &[("b", b"2"), ("c", b"3")]).unwrap();
        assert_eq!((found.removed, found.added, found.first), (vec!["a".to_owned()], vec!["c".to_owned()], None));
        assert_eq!(compared(&[("a", b"1")], &[("a", b"1")]), None);
    }
}
