//! Workspace files by name or pattern. What enters a key and what a stage receives are found by the same function.

use globset::GlobBuilder;
use std::io;
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
    let path = path.trim_start_matches("./");
    if !is_pattern(path) {
        return Ok(vec![(path.to_owned(), base.join(path))]);
    }
    let invalid = |error: globset::Error| io::Error::new(io::ErrorKind::InvalidInput, error.kind().to_string());
    let matcher = GlobBuilder::new(path).literal_separator(true).build().map_err(invalid)?.compile_matcher();
    let wildcard = path.find(['*', '?', '[', '{']).unwrap_or(0);
    let prefix = path[..wildcard].rfind('/').map_or("", |slash| &path[..=slash]);
    let hidden = path[prefix.len()..].split('/').any(|part| part.starts_with('.'));
    let folder = base.join(prefix);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let walk = walkdir::WalkDir::new(&folder).follow_links(true).sort_by_file_name().into_iter();
    let shown = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || hidden || !entry.file_name().to_string_lossy().starts_with('.')
    };
    let mut found = Vec::new();
    for entry in walk.filter_entry(shown) {
        let entry = entry?;
        let Ok(below) = entry.path().strip_prefix(&folder) else { continue };
        let name = format!("{prefix}{}", below.to_string_lossy());
        if entry.file_type().is_file() && matcher.is_match(&name) {
            found.push((name, entry.into_path()));
        }
    }
    found.sort();
    Ok(found)
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
        assert_eq!(expand(folder.path(), "a[").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
