//! From DVC's stages, which name paths, to kilter's, which name each other: who makes what others read, and what lies in the
//! workspace.

use super::Notes;
use super::command::{Command, PARAM, command, mentioned};
use super::dvc::{Project, Stage, can_pick};
use super::outs::{Seen, is_folder_hash};
use super::paths::{ALL, HIDDEN, inside, is_below, literal};
use super::template::{Params, read as read_file};
use super::top::has_ignore_rules;
use super::write::tidy;
use crate::yaml::Yaml;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Everything that is to be written.
#[derive(Debug, Default)]
pub(super) struct Wired {
    pub(super) picks: Vec<Pick>,
    pub(super) stages: Vec<Exec>,
}

impl Wired {
    /// The params that stand in commands: name, path in DVC, value.
    pub(super) fn used<'a>(&self, params: &'a Params) -> Vec<(&'a str, &'a str, &'a Yaml)> {
        let stands = |param: &str| {
            let mark = format!("{}{param}{}", PARAM.0, PARAM.1);
            self.stages.iter().any(|stage| stage.command.words.iter().any(|word| word.contains(&mark)))
        };
        let used = params.0.iter().filter(|(param, _)| stands(param));
        used.map(|(param, (path, value))| (param.as_str(), path.as_str(), value)).collect()
    }
}

/// A `pick` stage: the values of a params file that some stages read.
#[derive(Debug)]
pub(super) struct Pick {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) keys: Vec<String>,
}

/// An `exec` stage.
#[derive(Debug)]
pub(super) struct Exec {
    pub(super) name: String,
    pub(super) about: Option<String>,
    pub(super) command: Command,
    /// Name in the stage, the reference, and where it lies.
    pub(super) inputs: Vec<(String, String, String)>,
    pub(super) files: Vec<String>,
    /// Port, path, and type where it is not a file.
    pub(super) outputs: Vec<(String, String, Option<&'static str>)>,
    pub(super) cached: bool,
}

/// An output and who makes it.
struct Maker {
    /// Index of the DVC stage.
    stage: usize,
    /// The kilter stage's name and port.
    reference: String,
    path: String,
}

/// Everything that wiring a stage looks things up in.
struct Wiring<'a> {
    folder: &'a Path,
    project: &'a Project,
    names: Vec<String>,
    makers: Vec<Maker>,
    wired: Wired,
}

/// Wires a project that lies in `folder`.
pub(super) fn wire(project: &Project, folder: &Path, notes: &mut Notes) -> Wired {
    let left_out = frozen(project, folder, notes);
    let mut taken = BTreeSet::new();
    let names: Vec<String> = project.stages.iter().map(|stage| unique(&tidy(&stage.name), &mut taken)).collect();
    let seen = Seen::of(project, folder);
    let mut makers = Vec::new();
    let mut outputs = Vec::new();
    for (index, stage) in project.stages.iter().enumerate() {
        let mut ports = BTreeSet::new();
        let mut of_stage = Vec::new();
        for out in stage.outs.iter().filter(|_| !left_out.contains(&index)) {
            let name = out.path.rsplit('/').next().unwrap_or(&out.path);
            let port = unique(&tidy(stem(name)), &mut ports);
            let ty = seen.ty(stage, out, &port, notes);
            makers.push(Maker { stage: index, reference: format!("{}.{port}", names[index]), path: out.path.clone() });
            of_stage.push((port, out.path.clone(), ty));
        }
        outputs.push(of_stage);
    }
    let mut wiring = Wiring { folder, project, names, makers, wired: Wired::default() };
    for (index, outputs) in outputs.into_iter().enumerate().filter(|(index, _)| !left_out.contains(index)) {
        wiring.stage(index, outputs, notes);
    }
    moved(&wiring.wired, &project.params, notes);
    general_notes(&wiring.wired, notes);
    wiring.wired
}

/// Tells that `params.yaml` is no longer what decides a value in a command, and which values programs read there all the same.
fn moved(wired: &Wired, params: &Params, notes: &mut Notes) {
    let used = wired.used(params);
    if used.is_empty() {
        return;
    }
    notes.general("values of `${…}` in commands stand in `[params]` now: a change of the file that they were in no longer reaches commands");
    for (param, path, _) in used {
        let read = wired.picks.iter().find(|pick| pick.keys.iter().any(|key| key == path || is_within(path, key)));
        if let Some(pick) = read {
            notes.general(format!(
                "`{path}` stands in `{}` too, where a program reads it: change both, it and the param `{param}`",
                pick.file
            ));
        }
    }
}

/// Whether a path such as `train.lr` leads into the value of a key such as `train`.
fn is_within(path: &str, key: &str) -> bool {
    path.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', '[']))
}

fn general_notes(wired: &Wired, notes: &mut Notes) {
    notes.general("results lie in `out/PIPELINE/STAGE/`, and no longer at the paths of dvc.yaml");
    notes.general("a program sees what is declared and nothing else: files that a script imports or opens must be among its `files`");
    if wired.stages.iter().any(|stage| stage.command.shell) {
        notes.general("commands that need a shell run in `sh`; DVC takes the user's own");
    }
}

/// Frozen stages whose outputs are there: they are data now.
fn frozen(project: &Project, folder: &Path, notes: &mut Notes) -> BTreeSet<usize> {
    let mut left_out = BTreeSet::new();
    for (index, stage) in project.stages.iter().enumerate().filter(|(_, stage)| stage.frozen) {
        if stage.outs.iter().all(|out| folder.join(&out.path).exists()) {
            notes.of(&stage.name, "is frozen: its outputs are taken as files of the workspace, and it is left out");
            left_out.insert(index);
        } else {
            notes.of(&stage.name, "is frozen, but its outputs are not here, so it runs as any other");
        }
    }
    left_out
}

/// A file's name without its endings; the digits behind a point, as in `lr-0.1.txt`, are none.
fn stem(name: &str) -> &str {
    let ends = name.match_indices('.').find(|(at, _)| name[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()));
    ends.map_or(name, |(at, _)| &name[..at])
}

fn unique(base: &str, taken: &mut BTreeSet<String>) -> String {
    let base = if base.is_empty() { "stage" } else { base };
    let mut names = std::iter::once(base.to_owned()).chain((2..).map(|number| format!("{base}_{number}")));
    let name = names.find(|name| !taken.contains(name)).unwrap_or_else(|| base.to_owned());
    taken.insert(name.clone());
    name
}

impl Wiring<'_> {
    fn stage(&mut self, index: usize, outputs: Vec<(String, String, Option<&'static str>)>, notes: &mut Notes) {
        let stage = &self.project.stages[index];
        let in_wdir = |path: &str| stage.wdir.is_empty() || is_below(path, &stage.wdir);
        let made = stage.deps.iter().chain(stage.outs.iter().map(|out| &out.path)).any(|path| in_wdir(path));
        let command = command(&stage.commands, &stage.wdir, !made, &self.project.params);
        let mut inputs: BTreeMap<String, String> = BTreeMap::new();
        let mut files = BTreeSet::new();
        for dep in &stage.deps {
            self.dependency(index, dep, &mut inputs, &mut files, notes);
        }
        for (file, keys) in &stage.params {
            self.params(index, file, keys, &mut inputs, &mut files, notes);
        }
        for word in mentioned(&command) {
            self.mention(stage, &word, &inputs, &mut files, notes);
        }
        if stage.always_changed {
            notes.of(&stage.name, "always runs again (`cache = false`)");
        }
        let idle = stage.deps.is_empty() && stage.params.is_empty() && stage.outs.is_empty();
        let mut names = BTreeSet::new();
        let inputs = inputs.into_iter().map(|(at, reference)| {
            let name = at.rsplit('/').next().unwrap_or(&at);
            (unique(&tidy(stem(name)), &mut names), reference, at)
        });
        self.wired.stages.push(Exec {
            name: self.names[index].clone(),
            about: stage.about.clone(),
            command,
            inputs: inputs.collect(),
            files: files.iter().map(|file| literal(file)).collect(),
            outputs,
            cached: !stage.always_changed && !idle,
        });
    }

    /// A path that a stage reads: what another stage makes, or files of the workspace.
    fn dependency(
        &self,
        index: usize,
        dep: &str,
        inputs: &mut BTreeMap<String, String>,
        files: &mut BTreeSet<String>,
        notes: &mut Notes,
    ) {
        let name = &self.project.stages[index].name;
        let mut found = false;
        for maker in &self.makers {
            let whole = maker.path == dep || is_below(dep, &maker.path);
            if !whole && !is_below(&maker.path, dep) {
                continue;
            }
            if maker.stage == index {
                notes.of(
                    name,
                    format!("reads its own output `{dep}`, which cannot be carried over: it starts without it"),
                );
                return;
            }
            inputs.insert(maker.path.clone(), maker.reference.clone());
            found |= whole;
        }
        if found {
            return;
        }
        let place = self.folder.join(dep);
        let inside: Vec<&str> =
            self.makers.iter().map(|maker| maker.path.as_str()).filter(|path| is_below(path, dep)).collect();
        if !inside.is_empty() {
            // What other stages make lies in the workspace too, if DVC ran here; it is no source.
            let is_made = |file: &String| inside.iter().any(|made| file == made || is_below(file, made));
            let mut sources = files_below(self.folder, dep);
            sources.retain(|file| !is_made(file));
            if !sources.is_empty() {
                let text = format!(
                    "the files of `{dep}` that no stage makes are listed as they are now: a new one has to be added to `files`"
                );
                notes.of(name, text);
            }
            files.extend(sources);
            return;
        }
        if place.is_dir() || is_tracked_folder(&place) {
            files.insert(format!("{dep}{ALL}"));
            let hidden = hidden(&place);
            if !hidden.is_empty() {
                files.insert(format!("{dep}{HIDDEN}"));
            }
            if hidden.iter().any(|file| file.ends_with(".dvcignore") && file.parent().is_some_and(has_ignore_rules)) {
                notes.of(
                    name,
                    format!("a `.dvcignore` in `{dep}` is not carried over: what it leaves out is among `files`"),
                );
            }
        } else {
            files.insert(dep.to_owned());
        }
        if !place.exists() {
            let pull = if self.folder.join(format!("{dep}.dvc")).is_file() { ": `dvc pull` brings it" } else { "" };
            notes.of(name, format!("`{dep}` is not here{pull}"));
        }
    }

    fn params(
        &mut self,
        index: usize,
        file: &str,
        keys: &[String],
        inputs: &mut BTreeMap<String, String>,
        files: &mut BTreeSet<String>,
        notes: &mut Notes,
    ) {
        let name = &self.project.stages[index].name;
        if self.makers.iter().any(|maker| maker.path == file || is_below(file, &maker.path)) {
            return self.dependency(index, file, inputs, files, notes);
        }
        if files.contains(file) {
            return;
        }
        if keys.is_empty() || !can_pick(self.folder, file, keys) {
            if !keys.is_empty() {
                notes.of(
                    name,
                    format!(
                        "depends on all of `{file}`, because {} cannot be picked out of it",
                        crate::diag::list(keys.iter().map(String::as_str), 4)
                    ),
                );
            }
            files.insert(file.to_owned());
            return;
        }
        let mut keys = keys.to_vec();
        keys.sort();
        keys.dedup();
        let known = self.wired.picks.iter().find(|pick| pick.file == file && pick.keys == keys);
        let pick = match known {
            Some(pick) => pick.name.clone(),
            None => {
                let mut taken: BTreeSet<String> = self.names.iter().cloned().collect();
                taken.extend(self.wired.picks.iter().map(|pick| pick.name.clone()));
                let pick = unique(&format!("{}_params", self.names[index]), &mut taken);
                self.wired.picks.push(Pick { name: pick.clone(), file: file.to_owned(), keys });
                pick
            }
        };
        inputs.insert(file.to_owned(), format!("{pick}.file"));
    }

    /// A word of a command that names what was not declared, which DVC lets a program see.
    fn mention(
        &self,
        stage: &Stage,
        word: &str,
        inputs: &BTreeMap<String, String>,
        files: &mut BTreeSet<String>,
        notes: &mut Notes,
    ) {
        let is_named = |path: &String| path != "." && *path != stage.wdir;
        let Some(path) = inside(&stage.wdir, word).filter(is_named) else { return };
        let lies_in = |at: &str| at == path || is_below(&path, at);
        let declared = files.iter().map(|file| file.strip_suffix(ALL).unwrap_or(file));
        let declared: Vec<&str> = declared
            .chain(inputs.keys().map(String::as_str))
            .chain(stage.outs.iter().map(|out| out.path.as_str()))
            .collect();
        // Of a folder in which something is declared it is not known whether there is need of more.
        if declared.iter().any(|at| lies_in(at) || is_below(at, &path)) {
            return;
        }
        let place = self.folder.join(&path);
        if let Some(maker) = self.makers.iter().find(|maker| lies_in(&maker.path) || is_below(&maker.path, &path)) {
            notes.of(
                &stage.name,
                format!(
                    "`{path}` is in its command and not among its `deps`; if it reads it, write `inputs.… = {{ from = \"{}\", at = \"{}\" }}`",
                    maker.reference, maker.path
                ),
            );
        } else if place.is_file() {
            notes.of(&stage.name, format!("`{path}` is in its command and not among its `deps`; it is declared now"));
            files.insert(path);
        } else if place.is_dir() {
            notes.of(
                &stage.name,
                format!("the folder `{path}` is in its command and not among its `deps`; if it reads it, write `files = [\"{path}/**/*\"]`"),
            );
        }
    }
}

fn files_below(folder: &Path, dep: &str) -> Vec<String> {
    let walk = walkdir::WalkDir::new(folder.join(dep)).sort_by_file_name().into_iter().filter_map(Result::ok);
    walk.filter(|item| item.file_type().is_file())
        .filter_map(|item| item.path().strip_prefix(folder).ok().map(|path| path.to_string_lossy().into_owned()))
        .collect()
}

/// The places of the files in a folder whose names begin with a dot.
fn hidden(folder: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(folder).min_depth(1).into_iter().filter_map(Result::ok);
    let is_hidden = |name: &OsStr| name.as_encoded_bytes().starts_with(b".");
    files
        .filter(|item| item.file_type().is_file() && is_hidden(item.file_name()))
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// Whether the `.dvc` file beside a path that is not here says that it is a folder.
fn is_tracked_folder(place: &Path) -> bool {
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else { return false };
    let tracked = read_file(folder, &format!("{}.dvc", name.to_string_lossy())).unwrap_or_default();
    let outs = tracked.get("outs").map(Yaml::items).unwrap_or_default();
    outs.iter().any(is_folder_hash)
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn digits_behind_a_point_are_no_ending() {
        let names = ["a.csv", "y.tar.gz", "lr-0.1.txt", "v1.2", ".h", "plain"];
        assert_eq!(names.map(stem), ["a", "y", "lr-0.1", "v1.2", "", "plain"]);
    }
}
