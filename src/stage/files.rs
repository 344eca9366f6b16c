//! Workspace files by name or pattern. What enters a key and what a stage receives are found by the same function.

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
/// and folders whose name begins with `.` are found only where the pattern spells the dot.
///
/// # Errors
/// When the pattern cannot be read ([`io::ErrorKind::InvalidInput`]), or a folder cannot.
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
    let walk = walkdir::WalkDir::new(&folder).follow_links(true).into_iter();
    let shown = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || hidden || !entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    // Names are cut out of whole paths, which taking those apart part by part would make slow.
    let above = folder.as_os_str().len() + usize::from(!folder.as_os_str().as_encoded_bytes().ends_with(b"/"));
    for entry in walk.filter_entry(shown) {
        let entry = entry?;
        if !entry.file_type().is_file() {
            continue;
        }
        let below = entry.path().as_os_str().as_encoded_bytes().get(above..).unwrap_or_default();
        let name = format!("{prefix}{}", String::from_utf8_lossy(below));
        if matcher.is_match(&name) && take(name, entry.into_path()).is_break() {
            break;
        }
    }
    Ok(())
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
}
