//! What stands in `dvc.yaml` beside its stages, and in `.dvcignore`.

use super::dvc::{OutKind, Project};
use super::paths::{inside, is_below};
use super::template::Context;
use super::{ImportError, Notes};
use crate::yaml::Yaml;
use std::path::Path;

/// Notes the sections that are not carried over.
pub(super) fn sections(tree: &Yaml, notes: &mut Notes) {
    for (key, value) in tree.entries() {
        let is_empty = matches!(value, Yaml::Null | Yaml::List(_) | Yaml::Map(_))
            && value.entries().is_empty()
            && value.items().is_empty();
        match key.as_str() {
            _ if is_empty => {}
            "stages" | "vars" | "metrics" => {}
            "params" => notes.general("the top-level `params` are not carried over: no stage depends on them"),
            "plots" => notes
                .general("the top-level `plots` are not carried over: kilter draws what `evaluate` and `train` make"),
            "artifacts" => notes.general("`artifacts` are not carried over: a `release` stage releases a model"),
            "datasets" => notes.general("`datasets` are not carried over: a `fetch` stage brings data in"),
            "meta" => notes.general("`meta` is not carried over"),
            key => notes.general(format!("`{key}` is not known and not carried over")),
        }
    }
}

/// The top-level `metrics`: outputs of those paths are metrics.
pub(super) fn metrics(
    tree: &Yaml,
    context: &Context,
    project: &mut Project,
    notes: &mut Notes,
) -> Result<(), ImportError> {
    for item in tree.get("metrics").map(Yaml::items).unwrap_or_default() {
        let text = item.plain().ok_or_else(|| ImportError::expected("metrics", "a path", item))?;
        let text = context.text(&text, "metrics")?;
        let path = inside("", &text).unwrap_or(text);
        let mut is_made = false;
        for stage in &mut project.stages {
            for out in &mut stage.outs {
                if out.path == path {
                    out.kind = OutKind::Metrics;
                } else if is_below(&path, &out.path) {
                    let text = format!(
                        "the metrics `{path}` stay a file of the folder `{}`: metrics that kilter compares are an output of their own",
                        out.path
                    );
                    notes.of(&stage.name, text);
                } else {
                    continue;
                }
                is_made = true;
            }
        }
        if !is_made {
            notes.general(format!("the metrics `{path}` are not carried over: no stage has them among its `outs`"));
        }
    }
    Ok(())
}

/// Notes rules of `.dvcignore`, here and up to where the repository of DVC begins.
pub(super) fn ignored(folder: &Path, notes: &mut Notes) {
    let here = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let root = here.ancestors().find(|above| above.join(".dvc").is_dir()).unwrap_or(&here);
    if here.ancestors().take_while(|above| above.starts_with(root)).any(has_ignore_rules) {
        notes.general("`.dvcignore` is not carried over: what it leaves out of a folder, and programs see in DVC all the same, is among its `files` here, so that a change of it reruns them");
    }
}

/// Whether a folder's `.dvcignore` has a line that is no comment.
pub(super) fn has_ignore_rules(folder: &Path) -> bool {
    let text = std::fs::read_to_string(folder.join(".dvcignore")).unwrap_or_default();
    text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#'))
}
