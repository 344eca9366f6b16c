//! Workspace files that stages name: whether they are there. Kinds look at the files they read while checking; this
//! looks at the rest, so that none is forgotten.

use crate::diag::codes;
use crate::digest::{Segment, Tree};
use crate::stage::{CheckCx, FilePath, Finding};
use std::path::{Path, PathBuf};

/// Whether a file's text is a pattern of several files.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// The files that a pattern names under a folder, sorted. `*` stays inside a folder, `**` does not.
#[must_use]
pub fn expand(base: &Path, pattern: &str) -> Vec<PathBuf> {
    let glob = globset::GlobBuilder::new(pattern.trim_start_matches("./")).literal_separator(true).build();
    let Ok(glob) = glob.map(|glob| glob.compile_matcher()) else { return Vec::new() };
    let fixed: PathBuf =
        Path::new(pattern).components().take_while(|part| !is_pattern(&part.as_os_str().to_string_lossy())).collect();
    let deep = if pattern.contains("**") { usize::MAX } else { Path::new(pattern).components().count() };
    let below = fixed.components().count();
    walkdir::WalkDir::new(base.join(&fixed))
        .max_depth(deep.saturating_sub(below))
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .filter(|found| found.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.strip_prefix(base).is_ok_and(|relative| glob.is_match(relative)))
        .collect()
}

/// Looks for the files of a stage that its kind did not report on.
pub(super) fn check_files(tree: &Tree, cx: &mut CheckCx<'_>, base: &Path, reported: &[Finding]) {
    let mut files: Vec<(Vec<Segment>, String)> = Vec::new();
    tree.visit_files(&mut |path, text| files.push((path.to_vec(), text.to_owned())));
    for (path, text) in files {
        if reported.iter().any(|finding| finding.path == path) {
            continue;
        }
        if !is_pattern(&text) || base.join(&text).is_file() {
            cx.workspace_file(&FilePath(text), path);
        } else if Path::new(&text).is_absolute() || text.split('/').any(|part| part == "..") {
            cx.error(path, codes::OUTSIDE_WORKSPACE, format!("the pattern `{text}` leads out of the folder"))
                .label("patterns stay below the manifest's folder");
        } else if expand(base, &text).is_empty() {
            cx.error(path, codes::EMPTY_GLOB, format!("no file matches `{text}`"))
                .label("names no file")
                .hint("patterns are relative to the manifest's folder; `**` goes into folders");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_files_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let base = folder.path();
        std::fs::create_dir_all(base.join("lib/deep")).expect("made");
        for name in ["b.py", "a.py", "lib/c.py", "lib/deep/d.py", "x.txt"] {
            std::fs::write(base.join(name), "").expect("written");
        }
        let names = |pattern: &str| -> Vec<String> {
            let found = expand(base, pattern);
            found.iter().map(|p| p.strip_prefix(base).expect("below").to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names("*.py"), ["a.py", "b.py"]);
        assert_eq!(names("lib/**/*.py"), ["lib/c.py", "lib/deep/d.py"]);
        assert!(names("*.rs").is_empty());
    }
}
