//! Workspace files that stages name: whether they are there. Kinds look at the files they read while checking; this
//! looks at the rest, so that none is forgotten.

use crate::digest::{Segment, Tree};
use crate::stage::{CheckCx, FilePath, Finding};

/// Looks for the files of a stage that its kind did not report on.
pub(super) fn check_files(tree: &Tree, cx: &mut CheckCx<'_>, reported: &[Finding]) {
    let mut files: Vec<(Vec<Segment>, String)> = Vec::new();
    tree.visit_files(&mut |path, text| files.push((path.to_vec(), text.to_owned())));
    let said = |path: &[Segment]| {
        reported.iter().any(|finding| path.starts_with(&finding.path) || finding.path.starts_with(path))
    };
    for (path, text) in files.into_iter().filter(|(path, _)| !said(path)) {
        cx.has_workspace_files(&FilePath(text), path);
    }
}
