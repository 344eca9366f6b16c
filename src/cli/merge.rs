//! `kilter lock --merge`: what git runs to merge a lock.

use super::{CommandError, Exit, Outcome, Output};
use crate::diag::list;
use crate::lock::{self, Lock, LockError};
use crate::numbers::counted;
use crate::{env, git};
use std::path::Path;

/// More names than this are not listed.
const MOST_NAMES: usize = 8;

/// Merges into `ours`. Git takes the exit code 1 for conflicts that are left.
pub(super) fn run(base: &Path, ours: &Path, theirs: &Path, output: Output) -> Outcome {
    let merged = match read_all([base, ours, theirs]) {
        Ok([base, ours, theirs]) => lock::merge(&base, &ours, &theirs),
        Err(error) => return by_lines(base, ours, theirs, &error, output),
    };
    std::fs::write(ours, &merged.text).map_err(|error| CommandError::io("write the merged lock to", ours, &error))?;
    if merged.conflicts.is_empty() {
        return Ok(Exit::Done);
    }
    let names = list(merged.conflicts.iter().map(String::as_str), MOST_NAMES);
    let count = counted(merged.conflicts.len(), "record");
    output.warn(&format!("both sides changed {count} of the lock: {names}; `kilter lock --resolve` mends it"));
    Ok(Exit::Failed)
}

/// Whatever is no lock that this kilter can read is merged as text, so that nothing is lost.
fn by_lines(base: &Path, ours: &Path, theirs: &Path, why: &LockError, output: Output) -> Outcome {
    output.warn(&format!("merged line by line, as a side is no lock that this kilter reads: {why}"));
    match git::merge_lines(base, ours, theirs) {
        Some(0) => Ok(Exit::Done),
        Some(_) => Ok(Exit::Failed),
        None => {
            let message = format!("`git merge-file` could not merge `{}`", env::shown(ours));
            Err(CommandError::environment(message)
                .hint("all three files must be there and readable, and git installed"))
        }
    }
}

fn read_all(paths: [&Path; 3]) -> Result<[Lock; 3], LockError> {
    let [base, ours, theirs] = paths.map(|path| match lock::read_text(path)? {
        // Both branches began the file.
        Some(text) if text.is_empty() => Ok(Lock::default()),
        Some(text) => Lock::parse(&text, path),
        None => Err(LockError::Unreadable { path: path.to_owned(), why: "there is no such file".to_owned() }),
    });
    Ok([base?, ours?, theirs?])
}
