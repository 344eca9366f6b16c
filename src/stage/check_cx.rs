//! What a kind sees while it is checked, and how it reports.

use super::{FilePath, Ref};
use crate::diag::{Code, Diagnostic, codes};
use crate::digest::Segment;
use crate::types::{ArtifactType, DatasetType, ModelType, TableSchema};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path as FsPath, PathBuf};

/// A path to a value inside a stage's table: `["optimizer", "adam", "lr"]`.
pub type Path = Vec<Segment>;

/// Builds a [`Path`] from keys and indices: `path!["layers", 3, "linear"]`.
#[macro_export]
macro_rules! path {
    ($($segment:expr),* $(,)?) => { vec![$($crate::digest::Segment::from($segment)),*] };
}

/// What is known of an input while checking.
#[derive(Clone, Debug)]
pub struct CheckInput {
    /// Its type, as far as it is known.
    pub ty: ArtifactType,
    /// Its files, name and place, where they exist already.
    pub files: Option<Vec<(String, PathBuf)>>,
}

/// A diagnostic whose places are still key paths; `check/` turns them into spans.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The value it is about.
    pub path: Path,
    /// The part of that value, in bytes of its text, where it is a string.
    pub part: Option<Range<usize>>,
    /// Point at the key instead of the value.
    pub at_key: bool,
    /// Code, message, hints; without places.
    pub diagnostic: Diagnostic,
    /// The words at the place.
    pub label: String,
    /// Other places in the same stage.
    pub related: Vec<(Path, String)>,
    /// Stages to name as the source of something: their header lines are shown.
    pub stages: Vec<(String, String)>,
}

/// Chained onto [`CheckCx::error`].
pub type DiagBuilder<'a> = &'a mut Finding;

impl Finding {
    fn new(path: Path, code: Code, message: String) -> Self {
        Self {
            path,
            part: None,
            at_key: false,
            diagnostic: Diagnostic::new(code, message),
            label: String::new(),
            related: Vec::new(),
            stages: Vec::new(),
        }
    }

    /// The words at the place, a short fragment.
    pub fn label(&mut self, text: impl Into<String>) -> &mut Self {
        self.label = text.into();
        self
    }

    /// Something to do about it.
    pub fn hint(&mut self, text: impl Into<String>) -> &mut Self {
        self.diagnostic.hints.push(text.into());
        self
    }

    /// A hint where there is one.
    pub fn maybe_hint(&mut self, text: Option<String>) -> &mut Self {
        self.diagnostic.hints.extend(text);
        self
    }

    /// Narrows the place to some bytes of the string value.
    pub fn part(&mut self, range: Range<usize>) -> &mut Self {
        self.part = Some(range);
        self
    }

    /// Points at the key instead of its value.
    pub fn at_key(&mut self) -> &mut Self {
        self.at_key = true;
        self
    }

    /// Shows another place of the same stage.
    pub fn related(&mut self, path: Path, text: impl Into<String>) -> &mut Self {
        self.related.push((path, text.into()));
        self
    }

    /// Shows where the stage behind a reference stands.
    pub fn from_stage(&mut self, reference: &Ref, text: impl Into<String>) -> &mut Self {
        self.stages.push((reference.stage().to_owned(), text.into()));
        self
    }
}

/// What a kind sees while it is checked.
pub struct CheckCx<'a> {
    inputs: &'a BTreeMap<String, CheckInput>,
    base: &'a FsPath,
    workspace: &'a FsPath,
    findings: Vec<Finding>,
}

impl<'a> CheckCx<'a> {
    /// A context over the inputs' types, by reference text. Paths are relative to `base`, inside `workspace`.
    #[must_use]
    pub fn new(inputs: &'a BTreeMap<String, CheckInput>, base: &'a FsPath, workspace: &'a FsPath) -> Self {
        Self { inputs, base, workspace, findings: Vec::new() }
    }

    /// Everything that was reported.
    #[must_use]
    pub fn finish(self) -> Vec<Finding> {
        self.findings
    }

    /// Reports a mistake at a value of this stage; chain `.label`, `.hint`, `.part` onto it.
    pub fn error(&mut self, path: Path, code: Code, message: impl Into<String>) -> &mut Finding {
        self.findings.push(Finding::new(path, code, message.into()));
        let last = self.findings.len() - 1;
        &mut self.findings[last]
    }

    /// How much was reported so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.findings.len()
    }

    /// What was reported last, to say more about it.
    pub fn last(&mut self) -> Option<&mut Finding> {
        self.findings.last_mut()
    }

    /// Whether nothing was reported so far.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The type of an input; [`ArtifactType::Unknown`] after a mistake upstream.
    #[must_use]
    pub fn input(&self, reference: &Ref) -> &'a ArtifactType {
        self.inputs.get(&reference.0).map_or(&ArtifactType::Unknown, |input| &input.ty)
    }

    /// An input's files, name and place, where they exist before anything ran.
    #[must_use]
    pub fn files(&self, reference: &Ref) -> Option<&'a [(String, PathBuf)]> {
        self.inputs.get(&reference.0)?.files.as_deref()
    }

    /// The schema of a table input. `None` after reporting that it is something else; an open schema where nothing is known.
    pub fn table(&mut self, reference: &Ref, path: Path) -> Option<TableSchema> {
        match self.input(reference) {
            ArtifactType::Table(schema) => Some(schema.clone()),
            ArtifactType::Unknown => Some(TableSchema::unknown()),
            other => {
                let found = other.name();
                self.wrong_artifact(reference, path, "table", found);
                None
            }
        }
    }

    /// The type of a dataset input; `None` where it is unknown, or after reporting that it is something else.
    pub fn dataset(&mut self, reference: &Ref, path: Path) -> Option<&'a DatasetType> {
        match self.input(reference) {
            ArtifactType::Dataset(dataset) => Some(dataset),
            ArtifactType::Unknown => None,
            other => {
                self.wrong_artifact(reference, path, "dataset", other.name());
                None
            }
        }
    }

    /// The type of a model input; `None` where it is unknown, or after reporting that it is something else.
    pub fn model(&mut self, reference: &Ref, path: Path) -> Option<&'a ModelType> {
        match self.input(reference) {
            ArtifactType::Model(model) => Some(model),
            ArtifactType::Unknown => None,
            other => {
                self.wrong_artifact(reference, path, "model", other.name());
                None
            }
        }
    }

    /// Reports that an input has the wrong artefact type.
    pub fn wrong_artifact(&mut self, reference: &Ref, path: Path, wanted: &str, found: &str) {
        let finding = self.error(
            path,
            codes::WRONG_ARTIFACT,
            format!("`{reference}` is a {found}, but a {wanted} is needed here"),
        );
        finding.label(format!("a {found}")).from_stage(reference, "made here");
        match (wanted, found) {
            ("table", "file") => finding.hint("a stage of kind `read` makes a table of a file"),
            ("dataset", "table") => finding.hint("a stage of kind `encode` makes datasets of tables"),
            ("table", "dataset") => finding.hint("name the table that it is made of; `predict` encodes rows itself"),
            ("tokenizer", _) => {
                finding.hint("a stage of kind `tokenizer` learns one from a table, or loads it from a file")
            }
            _ => finding,
        };
    }

    /// The workspace files that a path or pattern names, as (path relative to the manifest's folder, place), sorted;
    /// `None` after reporting that there are none, or that they are outside of the workspace.
    pub fn workspace_files(&mut self, file: &FilePath, path: Path) -> Option<Vec<(String, PathBuf)>> {
        if !super::files::is_pattern(&file.0) {
            return self.workspace_file(file, path).map(|place| vec![(file.0.clone(), place)]);
        }
        self.matched(file, path, super::files::expand, Vec::is_empty)
    }

    /// Whether a path or pattern names a workspace file; says like [`CheckCx::workspace_files`] what is wrong where it does not.
    pub fn has_workspace_files(&mut self, file: &FilePath, path: Path) -> bool {
        if !super::files::is_pattern(&file.0) {
            return self.workspace_file(file, path).is_some();
        }
        self.matched(file, path, super::files::names_any, |any| !any).is_some()
    }

    /// Whether a path is that of a workspace file; nothing is reported where it is not.
    #[must_use]
    pub fn is_workspace_file(&self, path: &str) -> bool {
        let text = FsPath::new(path);
        !text.is_absolute() && !leaves(self.base, self.workspace, text) && self.base.join(text).is_file()
    }

    /// What `look` finds for a pattern; `None` after reporting that it is nothing.
    fn matched<T>(
        &mut self,
        file: &FilePath,
        path: Path,
        look: impl Fn(&FsPath, &str) -> std::io::Result<T>,
        is_nothing: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let text = FsPath::new(&file.0);
        if text.is_absolute() || leaves(self.base, self.workspace, text) {
            self.error(path, codes::OUTSIDE_WORKSPACE, format!("`{file}` is not inside the workspace"))
                .label("leads out of the workspace")
                .hint("copy or link the files into the workspace");
            return None;
        }
        match look(self.base, &file.0) {
            Ok(found) if !is_nothing(&found) => Some(found),
            Ok(_) => {
                self.error(path, codes::EMPTY_GLOB, format!("`{file}` matches no file"))
                    .label("matches nothing")
                    .hint("`*` stays inside a folder, `**` does not; paths are relative to the manifest's folder");
                None
            }
            Err(error) => {
                self.error(path, codes::EMPTY_GLOB, format!("`{file}` cannot be looked for"))
                    .label(super::io_words(&error));
                None
            }
        }
    }

    /// The place of a workspace file; `None` after reporting that it is missing or outside of the workspace.
    pub fn workspace_file(&mut self, file: &FilePath, path: Path) -> Option<PathBuf> {
        let text = FsPath::new(&file.0);
        let inside = !text.is_absolute() && !leaves(self.base, self.workspace, text);
        if !inside {
            let error = self.error(path, codes::OUTSIDE_WORKSPACE, format!("`{file}` is not inside the workspace"));
            error
                .label("leads out of the workspace")
                .hint("copy or link the file into the workspace, or fetch it by `url`");
            if !text.is_absolute() {
                error.hint("an empty `kilter.toml` makes its folder the workspace of all manifests below");
            }
            return None;
        }
        let full = self.base.join(text);
        if !full.is_file() {
            if let Some((what, hint)) = what_is_there(&full) {
                self.error(path, codes::NO_FILE, format!("`{file}` is {what}")).label("not a file").hint(hint);
                return None;
            }
            let nearby = neighbours(&full);
            let name = text.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            self.error(path, codes::NO_FILE, format!("`{file}` does not exist"))
                .label("no such file")
                .maybe_hint(crate::diag::did_you_mean(&name, nearby.iter().map(String::as_str)))
                .hint("paths are relative to the manifest's folder");
            return None;
        }
        Some(full)
    }
}

/// Whether `path`, taken from `base`, climbs out of `workspace`.
fn leaves(base: &FsPath, workspace: &FsPath, path: &FsPath) -> bool {
    let mut depth = base.strip_prefix(workspace).map_or(0, |below| below.components().count());
    for component in path.components() {
        match component {
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
    }
    false
}

/// What a path leads to that is no file, and what to do; `None` where there is nothing.
fn what_is_there(path: &FsPath) -> Option<(&'static str, String)> {
    let name = path.file_name()?.to_string_lossy();
    let link = path.symlink_metadata().ok()?;
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            Some(("a folder", format!("name the files in it; where several may stand, `{name}/**` names all of them")))
        }
        Ok(_) => Some(("a pipe, a socket or a device", "write what it gives into a file first".to_owned())),
        Err(_) if link.is_symlink() => {
            let target = std::fs::read_link(path).unwrap_or_default();
            Some(("a link that leads to no file", format!("it leads to `{}`", target.display())))
        }
        Err(_) => None,
    }
}

fn neighbours(path: &FsPath) -> Vec<String> {
    let Some(entries) = path.parent().and_then(|folder| std::fs::read_dir(folder).ok()) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    names.sort();
    names
}
