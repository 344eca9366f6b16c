//! `dvc.yaml` as data: stages with `foreach` and `matrix` opened and templates filled in.

use super::opened::opened;
use super::paths::inside;
use super::template::{Context, DEFAULT_FILE, Params, Piece, named, read as read_file};
use super::{ImportError, Notes, top};
use crate::yaml::Yaml;
use std::collections::BTreeSet;
use std::path::Path;

/// A project.
#[derive(Clone, Debug, Default)]
pub(super) struct Project {
    pub(super) stages: Vec<Stage>,
    pub(super) params: Params,
}

/// One stage, as DVC would run it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage {
    /// `train`, or `train@us` out of a `foreach`.
    pub(super) name: String,
    pub(super) about: Option<String>,
    /// Command lines, one after the other.
    pub(super) commands: Vec<Vec<Piece>>,
    /// Where it runs, from the project's folder; empty for the folder itself.
    pub(super) wdir: String,
    /// Paths from the project's folder.
    pub(super) deps: Vec<String>,
    /// Files with the keys that are read; all of the file where there are none.
    pub(super) params: Vec<(String, Vec<String>)>,
    pub(super) outs: Vec<Out>,
    pub(super) frozen: bool,
    pub(super) always_changed: bool,
}

/// What kind of output it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutKind {
    Data,
    Metrics,
    Plot,
}

/// An output.
#[derive(Clone, Debug)]
pub(super) struct Out {
    /// From the project's folder.
    pub(super) path: String,
    pub(super) kind: OutKind,
    /// The path ends in a slash.
    pub(super) is_folder: bool,
}

/// Fields of a stage besides [`LISTS`].
const STAGE: &[&str] = &["cmd", "wdir", "frozen", "locked", "always_changed", "desc", "meta", "set", "matrix"];

/// Fields of a stage that are lists, so that what is none must not be taken for an empty one.
const LISTS: &[&str] = &[
    "deps",
    "params",
    "outs",
    "outs_no_cache",
    "outs_persist",
    "outs_persist_no_cache",
    "metrics",
    "metrics_no_cache",
    "plots",
    "plots_no_cache",
    "vars",
];

/// Fields of a stage in which no path stands.
const NOT_PATHS: &[&str] = &["cmd", "desc", "meta", "vars", "set", "foreach", "matrix"];

/// Reads a project.
pub(super) fn read(file: &Path, folder: &Path, notes: &mut Notes) -> Result<Project, ImportError> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        ImportError::new(format!("cannot read `{}`: {}", file.display(), crate::stage::io_words(&error)))
    })?;
    let tree = Yaml::parse(&text).map_err(|why| ImportError::new(format!("`{}`: {why}", file.display())))?;
    top::sections(&tree, notes);
    top::ignored(folder, notes);
    let Some(stages) = tree.get("stages").filter(|stages| !stages.entries().is_empty()) else {
        return Err(ImportError::new(format!("`{}` has no stages", file.display())));
    };
    let mut context = Context::new(folder, tree.get("vars"))?;
    for (_, definition) in stages.entries() {
        let definition = definition.get("do").unwrap_or(definition);
        let fields = definition.entries().iter().filter(|(field, _)| !NOT_PATHS.contains(&field.as_str()));
        fields.for_each(|(_, value)| named(value, &mut context.fixed));
    }
    written_down(stages, &context, notes);
    let mut project = Project::default();
    for (name, definition) in stages.entries() {
        unknown(name, definition, notes);
        for (name, definition, context) in opened(name, definition, &context)? {
            let stage = Reader { folder, name, context, params: &mut project.params, notes }.stage(&definition)?;
            project.stages.push(stage);
        }
    }
    top::metrics(&tree, &context, &mut project, notes)?;
    Ok(project)
}

/// Tells which values a change of which no longer reaches the manifest, without becoming params of it.
fn written_down(stages: &Yaml, context: &Context, notes: &mut Notes) {
    let mut paths = context.fixed.clone();
    for (_, definition) in stages.entries() {
        for field in ["foreach", "matrix"] {
            definition.get(field).into_iter().for_each(|field| named(field, &mut paths));
        }
        let mut in_command = BTreeSet::new();
        definition.get("do").unwrap_or(definition).get("cmd").into_iter().for_each(|cmd| named(cmd, &mut in_command));
        // A table or a list is several words.
        paths.extend(in_command.into_iter().filter(|path| context.is_table(path)));
    }
    paths.retain(|path| context.knows(path));
    if !paths.is_empty() {
        let names = crate::diag::list(paths.iter().map(String::as_str), 8);
        notes.general(format!(
            "written down as they are now, as files, stages or words of a command follow from them: {names}; after a change, import again"
        ));
    }
}

/// Notes the fields of a stage that are not known. A `foreach` has them in its `do`, and none beside it.
fn unknown(name: &str, definition: &Yaml, notes: &mut Notes) {
    let is_foreach = definition.get("foreach").is_some();
    let inner = if is_foreach { definition.get("do").unwrap_or(definition) } else { definition };
    let is_known = |key: &str| STAGE.contains(&key) || LISTS.contains(&key);
    for (key, _) in inner.entries().iter().filter(|(key, _)| !is_known(key)) {
        notes.of(name, format!("`{key}` is not known and not carried over"));
    }
    for (key, _) in definition.entries().iter().filter(|(key, _)| is_foreach && key != "foreach" && key != "do") {
        notes.of(name, format!("`{key}` beside `foreach` is not carried over: it belongs into `do`"));
    }
}

/// Reads one stage.
struct Reader<'a> {
    folder: &'a Path,
    name: String,
    context: Context,
    params: &'a mut Params,
    notes: &'a mut Notes,
}

impl Reader<'_> {
    fn stage(mut self, definition: &Yaml) -> Result<Stage, ImportError> {
        let wdir = self.wdir(definition)?;
        let vars = self.context.add(self.folder, &wdir, definition.get("vars"));
        vars.map_err(|error| error.at(&self.what("vars")))?;
        if let Some(set) = definition.get("set") {
            let set = self.context.value(set, &self.what("set"))?;
            self.context.add(self.folder, "", Some(&Yaml::List(vec![set])))?;
        }
        let definition = &self.with_lists(definition)?;
        let mut stage = Stage { name: self.name.clone(), wdir, ..Stage::default() };
        if let Some(about) = definition.get("desc").and_then(Yaml::as_str) {
            stage.about = Some(self.context.text(about, &self.what("desc"))?);
        }
        if definition.get("meta").is_some() {
            self.notes.of(&self.name, "`meta` is not carried over");
        }
        stage.frozen = ["frozen", "locked"].iter().any(|key| definition.get(key).is_some_and(Yaml::is_true));
        stage.always_changed = definition.get("always_changed").is_some_and(Yaml::is_true);
        stage.commands = self.commands(definition)?;
        for item in definition.get("deps").map(Yaml::items).unwrap_or_default() {
            let text = item.plain().ok_or_else(|| ImportError::expected(&self.what("deps"), "a path", item))?;
            let text = self.context.text(&text, &self.what("deps"))?;
            stage.deps.extend(self.path(&stage.wdir, &text, "the dependency"));
        }
        for item in definition.get("params").map(Yaml::items).unwrap_or_default() {
            self.params_of(item, &mut stage)?;
        }
        self.outs(definition, &mut stage)?;
        Ok(stage)
    }

    /// With the lists that a template gives in their place, as in `deps: ${item.deps}`.
    fn with_lists(&self, definition: &Yaml) -> Result<Yaml, ImportError> {
        let filled = definition.entries().iter().map(|(field, given)| {
            if !LISTS.contains(&field.as_str()) || matches!(given, Yaml::List(_) | Yaml::Null) {
                return Ok((field.clone(), given.clone()));
            }
            let what = self.what(field);
            match self.context.value(given, &what)? {
                list @ Yaml::List(_) => Ok((field.clone(), list)),
                other => Err(ImportError::expected(&what, "a list", &other)),
            }
        });
        Ok(Yaml::Map(filled.collect::<Result<_, _>>()?))
    }

    fn what(&self, field: &str) -> String {
        format!("stage `{}`, {field}", self.name)
    }

    /// Where the stage runs: a folder of the project, empty for the project's own.
    fn wdir(&self, definition: &Yaml) -> Result<String, ImportError> {
        let Some(given) = definition.get("wdir").filter(|given| **given != Yaml::Null) else {
            return Ok(String::new());
        };
        let what = self.what("wdir");
        let given = given.plain().ok_or_else(|| ImportError::expected(&what, "a path", given))?;
        let text = self.context.text(&given, &what)?;
        let path = inside("", &text).ok_or_else(|| {
            ImportError::new(format!(
                "{what}: `{text}` leads out of the folder of `dvc.yaml`, below which a stage runs"
            ))
            .with_hint("move `dvc.yaml`, and the paths in it, to a folder that holds both, and import it there")
        })?;
        Ok(if path == "." { String::new() } else { path })
    }

    fn commands(&mut self, definition: &Yaml) -> Result<Vec<Vec<Piece>>, ImportError> {
        let what = self.what("cmd");
        let lines: Vec<&str> = match definition.get("cmd") {
            Some(Yaml::Str(line)) => vec![line],
            Some(Yaml::List(lines)) => {
                let wrong = |line| ImportError::expected(&what, "a command", line);
                lines.iter().map(|line| line.as_str().ok_or_else(|| wrong(line))).collect::<Result<_, _>>()?
            }
            _ => Vec::new(),
        };
        if lines.is_empty() {
            return Err(ImportError::new(format!("{what}: there is no command")));
        }
        lines.iter().map(|line| self.context.pieces(line, &what, self.params)).collect()
    }

    /// A path from the project's folder; `None`, with a note, where it leads out of it.
    fn path(&mut self, wdir: &str, text: &str, what: &str) -> Option<String> {
        let below = inside(wdir, text);
        if below.is_none() {
            self.notes.of(&self.name, format!("{what} `{text}` lies outside of the project and is not carried over: bring it in with a `fetch` stage"));
        }
        below
    }

    fn params_of(&mut self, item: &Yaml, stage: &mut Stage) -> Result<(), ImportError> {
        let item = self.context.value(item, &self.what("params"))?;
        let found: Vec<(String, Vec<String>)> = match &item {
            Yaml::Str(key) => vec![(DEFAULT_FILE.to_owned(), vec![key.clone()])],
            Yaml::Map(files) => files
                .iter()
                .map(|(file, keys)| (file.clone(), keys.items().iter().filter_map(Yaml::plain).collect()))
                .collect(),
            _ => Vec::new(),
        };
        for (file, keys) in found {
            let Some(path) = self.path(&stage.wdir, &file, "the params file") else { continue };
            match stage.params.iter_mut().find(|(known, _)| *known == path) {
                // All of a file, and some of it, is all of it.
                Some((_, known)) if keys.is_empty() || known.is_empty() => known.clear(),
                Some((_, known)) => known.extend(keys),
                None => stage.params.push((path, keys)),
            }
        }
        Ok(())
    }

    fn outs(&mut self, definition: &Yaml, stage: &mut Stage) -> Result<(), ImportError> {
        for (field, value) in definition.entries() {
            let kind = match field.as_str() {
                "outs" | "outs_no_cache" | "outs_persist" | "outs_persist_no_cache" => OutKind::Data,
                "metrics" | "metrics_no_cache" => OutKind::Metrics,
                "plots" | "plots_no_cache" => OutKind::Plot,
                _ => continue,
            };
            for item in value.items() {
                let given: Vec<(String, Option<&Yaml>)> = match item {
                    Yaml::Map(entries) => entries.iter().map(|(text, options)| (text.clone(), Some(options))).collect(),
                    other => other.plain().into_iter().map(|text| (text, None)).collect(),
                };
                for (text, options) in given {
                    let text = self.context.text(&text, &self.what(field))?;
                    self.options(field, &text, options);
                    let Some(path) = self.path(&stage.wdir, &text, "the output") else { continue };
                    stage.outs.push(Out { path, kind, is_folder: text.ends_with('/') });
                }
            }
        }
        Ok(())
    }

    /// Notes what is said of an output and not carried over; a plot may have a list of such tables.
    fn options(&mut self, field: &str, text: &str, options: Option<&Yaml>) {
        let tables = options.into_iter().flat_map(|options| std::iter::once(options).chain(options.items()));
        let given: Vec<&(String, Yaml)> = tables.flat_map(Yaml::entries).collect();
        let is = |wanted: &str, value: bool| given.iter().any(|(key, v)| key == wanted && *v == Yaml::Bool(value));
        if field.contains("persist") || is("persist", true) {
            let text =
                format!("`{text}` is kept between runs in DVC (`persist`); here a program starts in an empty folder");
            self.notes.of(&self.name, text);
        }
        if field.contains("no_cache") || is("cache", false) {
            self.notes.general("outputs with `cache: false` are kept in the store, as all others are");
        }
        let others: BTreeSet<&str> = given.iter().map(|(key, _)| key.as_str()).collect();
        let others: Vec<&str> = others.into_iter().filter(|key| !matches!(*key, "cache" | "persist")).collect();
        if !others.is_empty() {
            let listed = crate::diag::list(others.iter().copied(), others.len());
            self.notes.of(&self.name, format!("not carried over of the output `{text}`: {listed}"));
        }
    }
}

/// Whether a YAML or JSON file has all of these keys, so that they can be picked.
pub(super) fn can_pick(folder: &Path, file: &str, keys: &[String]) -> bool {
    let is_tree = [".yaml", ".yml", ".json"].iter().any(|ending| file.ends_with(ending));
    is_tree && read_file(folder, file).is_ok_and(|tree| keys.iter().all(|key| tree.at(key).is_some()))
}
