//! What most commands begin with: the workspace, its store, and the checked manifest.

use super::exit::{CommandError, Exit};
use super::named;
use super::output::Output;
use crate::check::{self, Checked, Mistake};
use crate::diag::{Diagnostics, Format, Severity, list, render};
use crate::history::History;
use crate::manifest::{self, LoadOptions};
use crate::plan::{Plan, Selection, StoreResults, UnknownTarget, plan, standing};
use crate::registry;
use crate::span::SourceMap;
use crate::stage::{ArtifactRecord, StageResult};
use crate::store::{Standing, Store, Workspace};
use crate::{env, numbers};
use std::cell::OnceCell;
use std::mem::ManuallyDrop;
use std::path::Path;

/// A manifest in its workspace.
pub(super) struct Session {
    pub(super) workspace: Workspace,
    pub(super) store: Store,
    /// Never dropped: the process ends with it, and taking a large pipeline apart piece by piece takes time.
    pub(super) checked: ManuallyDrop<Checked>,
}

/// A manifest that was not looked at yet.
pub(super) struct Place<'a> {
    pub(super) workspace: Workspace,
    pub(super) store: Store,
    manifest: &'a Path,
    set: &'a [String],
}

impl<'a> Place<'a> {
    /// The workspace of a manifest and its store.
    pub(super) fn of(manifest: &'a Path, set: &'a [String]) -> Result<Self, CommandError> {
        let workspace = Workspace::find(manifest).map_err(|error| CommandError::environment(error.to_string()))?;
        let store = Store::open(&workspace);
        store.stat_cache.look_once();
        Ok(Self { workspace, store, manifest, set })
    }

    /// What the last look found, where nothing that it depended on has changed; see [`Standing`].
    pub(super) fn standing(&self, in_place: bool) -> Option<Standing> {
        self.store.standing(&self.manifest.canonicalize().ok()?, self.set, in_place)
    }

    /// Loads and checks the manifest, whatever is wrong with it.
    pub(super) fn open(self) -> Session {
        let checked = check(self.manifest, self.set, &self.workspace, &self.store);
        Session { workspace: self.workspace, store: self.store, checked: ManuallyDrop::new(checked) }
    }
}

impl Session {
    /// Loads and checks a manifest, whatever is wrong with it.
    pub(super) fn open(manifest: &Path, set: &[String]) -> Result<Self, CommandError> {
        Ok(Place::of(manifest, set)?.open())
    }

    /// Keeps what was found for the next command.
    pub(super) fn keep(&self, set: &[String]) {
        if let Some(standing) = standing(&self.checked, &self.store, set) {
            self.store.keep_standing(&self.checked.manifest.path, &standing);
            self.store.stat_cache.save();
        }
    }

    /// The same as [`Session::open`], ended by mistakes in the manifest, which are shown.
    pub(super) fn sound(manifest: &Path, set: &[String], output: Output) -> Result<Self, CommandError> {
        Self::open(manifest, set)?.or_mistakes(manifest, output)
    }

    /// The same of a command that uses results: what it finds in the store stays there until it ends.
    pub(super) fn held(manifest: &Path, set: &[String], output: Output) -> Result<Self, CommandError> {
        let place = Place::of(manifest, set)?;
        place.store.hold();
        place.open().or_mistakes(manifest, output)
    }

    /// Itself for a command that only looks, at what `name` names or, without one, at all: the mistakes of stages that what is asked
    /// for does not come from are told in a line, and end nothing.
    pub(super) fn or_mistakes_in(
        self,
        manifest: &Path,
        name: Option<&str>,
        output: Output,
    ) -> Result<Self, CommandError> {
        if !self.checked.diagnostics.has_errors() || !self.can_show(name) {
            return self.or_mistakes(manifest, output);
        }
        let wrong = self.checked.stages.iter().filter(|stage| stage.mistake == Some(Mistake::Own));
        let stages = list(wrong.map(|stage| stage.name.as_str()), 4);
        let errors = self.checked.diagnostics.count(Severity::Error);
        output.warn(&format!(
            "{}: {} in {stages}, left out here: `kilter check {}` shows {}",
            output.err.yellow("warning"),
            numbers::counted(errors, "error"),
            env::manifest_words(manifest, &self.checked.manifest.set),
            if errors == 1 { "it" } else { "them" }
        ));
        self.or_module(manifest)
    }

    /// Whether what is asked for, or any stage, has no mistake and comes from none that has one.
    fn can_show(&self, name: Option<&str>) -> bool {
        let stages = &self.checked.stages;
        let is_sound = |index: usize| stages[index].mistake.is_none();
        !self.checked.wrong_as_a_whole
            && stages.iter().any(|stage| stage.mistake == Some(Mistake::Own))
            && match name {
                Some(name) => named::meant(&self.checked, name).into_iter().all(is_sound),
                None => (0..stages.len()).any(is_sound),
            }
    }

    /// Itself, or an end by mistakes in the manifest, which are shown.
    pub(super) fn or_mistakes(self, manifest: &Path, output: Output) -> Result<Self, CommandError> {
        if self.checked.diagnostics.has_errors() {
            tell(&self.checked.diagnostics, &self.checked.sources, output);
            output.warn(&counted(&self.checked.diagnostics));
            return Err(CommandError::said(Exit::Usage));
        }
        self.or_module(manifest)
    }

    /// Itself, or an end where the manifest is a module, which takes what it works on from others.
    fn or_module(self, manifest: &Path) -> Result<Self, CommandError> {
        if let Some(root) = self.checked.manifest.scopes.first().filter(|root| !root.inputs.is_empty()) {
            let inputs = list(root.inputs.iter().map(|input| input.name.as_str()), 8);
            let message =
                format!("`{}` is a module: it takes {inputs} from the manifest that uses it", manifest.display());
            return Err(CommandError::usage(message)
                .hint("`kilter check` checks it by itself; a stage with `use = \"./…\"` runs it"));
        }
        Ok(self)
    }

    /// What a run of these stages would do.
    pub(super) fn plan(&self, targets: &[String], force: bool) -> Result<Plan, CommandError> {
        let selection = Selection { targets: targets.to_vec(), force };
        // Opened for the first result that has left the store. Without it there is less to tell, and all else is the same.
        let history = OnceCell::new();
        let remembered = |key| {
            let open = || History::open(&self.store.layout().history()).ok().flatten();
            history.get_or_init(open).as_ref()?.made_for(key).ok()?.into_iter().next()
        };
        Ok(plan(&self.checked, &self.store, &selection, &remembered)?)
    }

    /// The pipeline's name.
    pub(super) fn pipeline(&self) -> &str {
        &self.checked.manifest.pipeline.name
    }
}

/// Loads and checks a manifest with what the store holds by now.
pub(super) fn check(manifest: &Path, set: &[String], workspace: &Workspace, store: &Store) -> Checked {
    let loaded = manifest::load(&LoadOptions { path: manifest, workspace: &workspace.root, set });
    let absolute = manifest.canonicalize().unwrap_or_else(|_| manifest.to_path_buf());
    let mut results = StoreResults::of_manifest(store, &absolute);
    let checked = check::check(loaded, registry::STAGES, &mut results, &workspace.root);
    results.keep_types();
    checked
}

/// Shows diagnostics on stderr.
pub(super) fn tell(diagnostics: &Diagnostics, sources: &SourceMap, output: Output) {
    if !diagnostics.is_empty() {
        let format = Format::Human { color: output.err.is_on(), width: output.width };
        output.warn(&render(diagnostics, sources, format));
    }
}

/// `2 errors, 1 warning`
pub(super) fn counted(diagnostics: &Diagnostics) -> String {
    let of = |severity: Severity| {
        let count = diagnostics.count(severity);
        (count > 0).then(|| numbers::counted(count, severity.name()))
    };
    [of(Severity::Error), of(Severity::Warning)].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The size of an artefact's files in bytes.
pub(super) fn size(artifact: &ArtifactRecord) -> u64 {
    artifact.files.iter().map(|file| file.size).sum()
}

/// The size of a result's files in bytes.
pub(super) fn result_size(result: &StageResult) -> u64 {
    result.outputs.values().map(size).sum()
}

impl From<UnknownTarget> for CommandError {
    fn from(error: UnknownTarget) -> Self {
        Self::usage(error.to_string()).hint(error.hint)
    }
}
