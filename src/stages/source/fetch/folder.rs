//! Workspace files that a pattern names, as a folder.

use super::Spec;
use crate::diag::codes;
use crate::numbers;
use crate::path;
use crate::stage::files::expand;
use crate::stage::{CheckCx, FilePath, Outputs, Produced, RunCx, StageError};
use crate::types::ArtifactType;

/// What a pattern gives.
pub(super) fn check(file: &FilePath, spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
    let one = [
        ("member", spec.member.is_some()),
        ("members", spec.members.is_some()),
        ("sha256", spec.sha256.is_some()),
        ("file", spec.file.is_some()),
    ];
    for (field, _) in one.into_iter().filter(|(_, given)| *given) {
        cx.error(path![field], codes::CONFLICT, format!("`{field}` goes with one file, but `path` is a pattern"))
            .at_key()
            .label("a pattern names many files")
            .related(path!["path"], "the pattern");
    }
    let outputs = Outputs::one("dir", ArtifactType::Dir);
    let Some(found) = cx.workspace_files(file, path!["path"]) else { return outputs };
    outputs.lying("dir", found.into_iter().map(|(name, place)| (below(file, &name).to_owned(), place)).collect())
}

/// The name of a file in the folder: what follows the pattern's folders without wildcards.
fn below<'a>(file: &FilePath, name: &'a str) -> &'a str {
    let pattern = file.0.trim_start_matches("./");
    let wildcard = pattern.find(['*', '?', '[', '{']).unwrap_or(0);
    let prefix = pattern[..wildcard].rfind('/').map_or(0, |slash| slash + 1);
    name.get(prefix..).unwrap_or(name)
}

/// Copies the files.
pub(super) fn deliver(file: &FilePath, cx: &RunCx<'_>) -> Result<Produced, StageError> {
    let out = cx.out("dir")?;
    let found = expand(cx.base, &file.0).map_err(|error| StageError::io("look for", &cx.base.join(&file.0), &error))?;
    if found.is_empty() {
        return Err(StageError::data(format!("`{file}` matches no file")).at(path!["path"]));
    }
    let mut bytes = 0;
    for (name, place) in &found {
        let to = out.join(below(file, name));
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(|error| StageError::io("make the folder", parent, &error))?;
        }
        reflink_copy::reflink_or_copy(place, &to).map_err(|error| StageError::io("copy", place, &error))?;
        bytes += std::fs::metadata(&to).map_or(0, |meta| meta.len());
    }
    let summary = format!("{}, {}", numbers::counted(found.len(), "file"), numbers::bytes(bytes));
    Ok(Produced::new(summary).port("dir", ArtifactType::Dir))
}
