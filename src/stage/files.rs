//! Workspace files by name or pattern. What enters a key and what a stage receives are found by the same function.

use super::io_words;
use globset::GlobBuilder;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Whether a path holds wildcards: `*`, `?`, `[…]` or `{…}`.
#[must_use]
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

/// The files that `path` names, as (path relative to `base`, with `/`; place), sorted by that path. A path without
/// wildcards names itself, whether it exists or not. In a pattern `*` stays inside a folder and `**` does not; files
/// and folders whose name begins with `.` are found only where the pattern spells the dot. A link to a folder that it lies in
/// leads to nothing new, and is left alone.
///
/// # Errors
/// When the pattern cannot be read ([`io::ErrorKind::InvalidInput`]), or a folder cannot; when what it matches is a link that
/// leads nowhere, or has a name that is not UTF-8.
pub fn expand(base: &Path, path: &str) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    find(base, path, &mut |name, place| {
        found.push((name, place));
        ControlFlow::Continue(())
    })?;
    found.sort();
    Ok(found)
}

/// Whether `path` names a file, or is a pattern that matches one: [`expand`] would give one at least.
///
/// # Errors
/// Like [`expand`], unless a file is found before the folder that cannot be read.
pub fn names_any(base: &Path, path: &str) -> io::Result<bool> {
    let mut any = false;
    find(base, path, &mut |_, _| {
        any = true;
        ControlFlow::Break(())
    })?;
    Ok(any)
}

/// Gives the files that `path` names to `take` until it breaks off, in no order.
fn find(base: &Path, path: &str, take: &mut dyn FnMut(String, PathBuf) -> ControlFlow<()>) -> io::Result<()> {
    let path = path.trim_start_matches("./");
    if !is_pattern(path) {
        let _ = take(path.to_owned(), base.join(path));
        return Ok(());
    }
    let invalid = |error: globset::Error| io::Error::new(io::ErrorKind::InvalidInput, error.kind().to_string());
    let matcher = GlobBuilder::new(path).literal_separator(true).build().map_err(invalid)?.compile_matcher();
    let wildcard = path.find(['*', '?', '[', '{']).unwrap_or(0);
    let prefix = path[..wildcard].rfind('/').map_or("", |slash| &path[..=slash]);
    let hidden = path[prefix.len()..].split('/').any(|part| part.starts_with('.'));
    let folder = base.join(prefix);
    if !folder.is_dir() {
        return Ok(());
    }
    let walk = walkdir::WalkDir::new(&folder).follow_links(true).max_depth(deepest(&path[prefix.len()..])).into_iter();
    let shown = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || hidden || !entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    // Names are cut out of whole paths, which taking those apart part by part would make slow.
    let above = folder.as_os_str().len() + usize::from(!folder.as_os_str().as_encoded_bytes().ends_with(b"/"));
    let below = |place: &Path| {
        let below = place.as_os_str().as_encoded_bytes().get(above..).unwrap_or_default();
        format!("{prefix}{}", String::from_utf8_lossy(below))
    };
    for entry in walk.filter_entry(shown) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if is_other(&error, hidden, &|place| matcher.is_match(below(place))) => continue,
            Err(error) => return Err(named(error, &below)),
        };
        if !entry.file_type().is_file() {
            continue;
        }
        let name = below(entry.path());
        if !matcher.is_match(&name) {
            continue;
        }
        // Two of them can look alike, and a manifest can name none.
        if name.contains(char::REPLACEMENT_CHARACTER) && entry.path().to_str().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("the name of `{name}` is not UTF-8")));
        }
        if take(name, entry.into_path()).is_break() {
            break;
        }
    }
    Ok(())
}

/// How many folders deep a pattern can match at most.
fn deepest(pattern: &str) -> usize {
    if pattern.contains("**") { usize::MAX } else { pattern.matches('/').count() + 1 }
}

/// Whether what cannot be followed is nothing that the pattern asks for: a link to a folder that it lies in, or one that leads
/// nowhere, such as an editor leaves beside a file that it has open.
fn is_other(error: &walkdir::Error, hidden: bool, matches: &dyn Fn(&Path) -> bool) -> bool {
    if error.loop_ancestor().is_some() {
        return true;
    }
    let gone = error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) && error.depth() > 0;
    let is_hidden = |place: &Path| place.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    gone && error.path().is_some_and(|place| (!hidden && is_hidden(place)) || !matches(place))
}

/// The error with the place that it is about.
fn named(error: walkdir::Error, below: &dyn Fn(&Path) -> String) -> io::Error {
    let place = error.path().map(below).filter(|place| !place.is_empty());
    let error = error.into_io_error().unwrap_or_else(|| io::Error::other("folders contain each other"));
    match place {
        Some(place) => io::Error::other(format!("`{place}`: {}", io_words(&error))),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["a.py", "lib/b.py", "lib/c.txt", "lib/deep/d.py", ".hidden/e.py"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let names = |pattern| -> Vec<String> {
            expand(folder.path(), pattern).unwrap().into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names("./a.py"), ["a.py"]);
        assert_eq!(names("gone.py"), ["gone.py"]);
        assert_eq!(names("lib/*.py"), ["lib/b.py"]);
        assert_eq!(names("lib/**/*.py"), ["lib/b.py", "lib/deep/d.py"]);
        assert_eq!(names("**/*.py"), ["a.py", "lib/b.py", "lib/deep/d.py"]);
        assert_eq!(names(".hidden/*"), [".hidden/e.py"]);
        assert_eq!(names("none/*.py"), Vec::<String>::new());
        assert_eq!(
            ["**/d.py", "*.txt", "gone.py"].map(|path| names_any(folder.path(), path).unwrap()),
            [true, false, true]
        );
        assert_eq!(expand(folder.path(), "a[").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn links_that_lead_nowhere_or_back_are_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("lib/deep")).unwrap();
        for file in ["lib/a.py", "lib/deep/b.py"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let link = |to: &str, from: &str| std::os::unix::fs::symlink(to, folder.path().join(from)).unwrap();
        let names = |pattern| -> io::Result<Vec<String>> {
            Ok(expand(folder.path(), pattern)?.into_iter().map(|(name, _)| name).collect())
        };
        // As Emacs leaves it beside a file that it has open.
        link("user@host.1:2", "lib/.#a.py");
        link("gone.txt", "lib/c.txt");
        link("..", "lib/deep/back");
        assert_eq!(names("lib/*.py").unwrap(), ["lib/a.py"]);
        assert_eq!(names("lib/**/*.py").unwrap(), ["lib/a.py", "lib/deep/b.py"]);
        assert_eq!(names("lib/*/*.py").unwrap(), ["lib/deep/b.py"]);
        assert_eq!(names("lib/{a,deep/b}.py").unwrap(), ["lib/a.py", "lib/deep/b.py"]);
        // What is asked for must be there.
        assert_eq!(names("lib/*.txt").unwrap_err().to_string(), "`lib/c.txt`: it does not exist");
        assert_eq!(names("lib/.#*.py").unwrap_err().to_string(), "`lib/.#a.py`: it does not exist");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn two_names_that_are_no_text_are_not_taken_for_one() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.txt"), "").unwrap();
        for name in [b"\xfe.csv", b"\xff.csv"] {
            std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
        }
        let error = expand(folder.path(), "*.csv").unwrap_err();
        assert_eq!(error.to_string(), "the name of `\u{fffd}.csv` is not UTF-8");
        assert_eq!(expand(folder.path(), "*.txt").unwrap().len(), 1);
    }
}
