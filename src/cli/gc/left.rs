//! Results under `out/` of stages that no manifest has any more: what somebody wrote there stays.

use crate::cli::session;
use crate::digest::Digest;
use crate::history::Run;
use crate::manifest::pipeline_name;
use crate::stage::StageResult;
use crate::store::{Limits, Store, StoreError, Workspace};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folders under `out/` that a stage filled which is no more.
#[derive(Default)]
pub(super) struct Left {
    /// Those that hold what the stage gave last, and nothing else.
    goes: Vec<Gone>,
    /// Those that hold anything else.
    stays: Vec<String>,
}

struct Gone {
    folder: PathBuf,
    /// The pipeline's folder, which stays.
    above: PathBuf,
    shown: String,
    result: Arc<StageResult>,
}

impl Left {
    /// Looks at every pipeline that ran. `used` says when results were used last.
    pub(super) fn of(
        store: &Store,
        workspace: &Workspace,
        runs: &[Run],
        used: &BTreeMap<Digest, u64>,
        limits: Limits,
    ) -> Self {
        let mut manifests: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for run in runs {
            manifests.entry(&run.pipeline).or_default().insert(&run.manifest);
        }
        let mut left = Self::default();
        for (pipeline, manifests) in manifests {
            if let Some(stages) = stages(store, workspace, pipeline, &manifests) {
                left.look(store, pipeline, &stages, used, limits);
            }
        }
        left
    }

    fn look(
        &mut self,
        store: &Store,
        pipeline: &str,
        stages: &BTreeSet<String>,
        used: &BTreeMap<Digest, u64>,
        limits: Limits,
    ) {
        let layout = store.layout();
        for (stage, last) in store.last_keys(pipeline).stages().filter(|(stage, _)| !stages.contains(*stage)) {
            let folder = layout.out_stage(pipeline, stage);
            // A folder that holds those of others, or lies in another's, as of a module that took a stage's place, is theirs.
            let within = |one: &str, other: &str| Path::new(one).starts_with(other);
            let is_shared = stages.iter().any(|other| within(other, stage) || within(stage, other));
            let at = used.get(&last.key).map_or(last.at, |used| last.at.max(*used));
            let is_old = limits.before.is_none_or(|before| at < before);
            if !is_old || is_shared || !folder.symlink_metadata().is_ok_and(|there| there.is_dir()) {
                continue;
            }
            let shown = layout.shown(&folder);
            match store.peek(last.key).filter(|result| !holds_links(&folder) && store.is_in_place(result, &folder)) {
                Some(result) => self.goes.push(Gone { folder, above: layout.out(pipeline), shown, result }),
                None => self.stays.push(shown),
            }
        }
    }

    pub(super) fn remove(&self, store: &Store) -> Result<(), StoreError> {
        self.goes.iter().try_for_each(|gone| store.take_back(&gone.result, &gone.folder, &gone.above))
    }

    /// `out/p/old goes: its manifest has no such stage any more`
    pub(super) fn lines(&self) -> Vec<String> {
        let goes = self.goes.iter().map(|gone| format!("{} goes: no manifest has the stage any more", gone.shown));
        let stays = self.stays.iter().map(|shown| {
            format!(
                "{shown} stays, although no manifest has the stage any more: it holds other files than the stage gave"
            )
        });
        goes.chain(stays).collect()
    }

    /// The folders that go.
    pub(super) fn shown(&self) -> Vec<&str> {
        self.goes.iter().map(|gone| gone.shown.as_str()).collect()
    }
}

/// Whether a link lies in a folder, which kilter makes none of.
fn holds_links(folder: &Path) -> bool {
    walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok).any(|entry| entry.path_is_symlink())
}

/// The stages that the manifests which ran under a pipeline's name have now. `None` where that is not known: all of them are
/// gone, perhaps only from this branch, or one of them has mistakes.
fn stages(
    store: &Store,
    workspace: &Workspace,
    pipeline: &str,
    manifests: &BTreeSet<&str>,
) -> Option<BTreeSet<String>> {
    let there: Vec<PathBuf> =
        manifests.iter().map(|manifest| workspace.root.join(manifest)).filter(|path| path.is_file()).collect();
    let mut stages = (!there.is_empty()).then(BTreeSet::new)?;
    for manifest in there {
        // It may be called otherwise now.
        if pipeline_name(&std::fs::read_to_string(&manifest).ok()?)? != pipeline {
            continue;
        }
        let checked = session::check(&manifest, &[], workspace, store);
        if checked.diagnostics.has_errors() {
            return None;
        }
        stages.extend(checked.stages.iter().map(|stage| stage.name.clone()));
    }
    Some(stages)
}
