//! What an output is: a file, a folder or metrics. `dvc.yaml` does not tell; the workspace and `dvc.lock` may.

use super::Notes;
use super::dvc::{Out, OutKind, Project, Stage};
use super::paths::{inside, is_below};
use super::template::read as read_file;
use crate::yaml::Yaml;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where one looks.
pub(super) struct Seen<'a> {
    folder: &'a Path,
    /// Of the outputs in `dvc.lock`, whether they are folders.
    locked: BTreeMap<String, bool>,
    /// What some stage reads.
    read: BTreeSet<&'a str>,
}

impl<'a> Seen<'a> {
    pub(super) fn of(project: &'a Project, folder: &'a Path) -> Self {
        let files = |stage: &'a Stage| stage.params.iter().map(|(file, _)| file.as_str());
        let read = project.stages.iter().flat_map(|stage| stage.deps.iter().map(String::as_str).chain(files(stage)));
        Self { folder, locked: locked(project, folder), read: read.collect() }
    }

    /// The type of an output; `None` for a file. `port` is what it is called.
    pub(super) fn ty(&self, stage: &Stage, out: &Out, port: &str, notes: &mut Notes) -> Option<&'static str> {
        let is_metrics = out.kind == OutKind::Metrics;
        if self.is_folder(stage, out, port, notes) {
            if is_metrics {
                notes.of(&stage.name, format!("the metrics `{}` are kept as the folder that they are", out.path));
            }
            return Some("dir");
        }
        (is_metrics && self.is_metrics(stage, out, port, notes)).then_some("metrics")
    }

    fn is_folder(&self, stage: &Stage, out: &Out, port: &str, notes: &mut Notes) -> bool {
        let path = &out.path;
        let place = self.folder.join(path);
        if out.is_folder || place.exists() {
            return out.is_folder || place.is_dir();
        }
        if let Some(is_folder) = self.locked.get(path) {
            return *is_folder;
        }
        if self.read.iter().any(|dep| is_below(dep, path)) {
            return true;
        }
        let has_ending = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
        if !has_ending {
            let text = format!("`{path}` is taken for a folder; if it is a file, write `outputs.{port} = \"{path}\"`");
            notes.of(&stage.name, text);
        }
        !has_ending
    }

    /// Whether an output can be read as metrics: JSON, and read by no stage, which would want it as it was written.
    fn is_metrics(&self, stage: &Stage, out: &Out, port: &str, notes: &mut Notes) -> bool {
        let path = &out.path;
        let mut kept = |why: &str| {
            notes.of(&stage.name, format!("the metrics `{path}` are kept as a file{why}"));
            false
        };
        if !path.ends_with(".json") {
            return kept(": kilter reads metrics from JSON");
        }
        if self.read.iter().any(|dep| dep == path || is_below(path, dep)) {
            return kept(", because another stage reads it");
        }
        match read_file(self.folder, path) {
            Ok(tree @ Yaml::Map(_)) if is_numbers(&tree) => true,
            Ok(_) => kept(": not all of its values are numbers"),
            Err(_) if self.folder.join(path).exists() => kept(": it cannot be read"),
            Err(_) => {
                let text = format!(
                    "`{path}` is not here, and is taken for metrics: numbers only; else write `outputs.{port} = \"{path}\"`"
                );
                notes.of(&stage.name, text);
                true
            }
        }
    }
}

fn is_numbers(tree: &Yaml) -> bool {
    match tree {
        Yaml::Map(entries) => entries.iter().all(|(_, value)| is_numbers(value)),
        Yaml::Int(_) | Yaml::Float(_) | Yaml::Bool(_) => true,
        _ => false,
    }
}

/// The outputs in `dvc.lock`, where paths are those of the stage's folder.
fn locked(project: &Project, folder: &Path) -> BTreeMap<String, bool> {
    let lock = read_file(folder, "dvc.lock").unwrap_or_default();
    let wdirs: BTreeMap<&str, &str> = project.stages.iter().map(|stage| (&*stage.name, &*stage.wdir)).collect();
    let mut found = BTreeMap::new();
    for (name, locked) in lock.get("stages").map(Yaml::entries).unwrap_or_default() {
        let Some(wdir) = wdirs.get(name.as_str()) else { continue };
        for out in locked.get("outs").map(Yaml::items).unwrap_or_default() {
            let Some(path) = out.get("path").and_then(Yaml::plain) else { continue };
            let is_folder = out.get("nfiles").is_some() || is_folder_hash(out);
            found.extend(inside(wdir, &path).map(|path| (path, is_folder)));
        }
    }
    found
}

/// Whether the hash of an output, in `dvc.lock` or a `.dvc` file, is that of a folder.
pub(super) fn is_folder_hash(out: &Yaml) -> bool {
    out.get("md5").and_then(Yaml::as_str).is_some_and(|md5| md5.ends_with(".dir"))
}
