//! What the two words of `kilter diff` name.

use crate::cli::runs::{find as find_run, open, pipeline_of, revision, workspace};
use crate::cli::session::Session;
use crate::cli::{CommandError, Output, args, locate};
use crate::diff::{Side, SideOutput, SideStage};
use crate::env;
use crate::git::{self, Git};
use crate::history::{History, Run};
use crate::lock::{self, Lock, Record};
use crate::manifest::{self, LoadOptions, Param};
use crate::plan::Decision;
use crate::stage::StageResult;
use crate::store::Store;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const WORKSPACE: &str = "workspace";
/// The word for the newest run, which is also meant where nothing is named.
const LAST: &str = "last";

/// Everything that sides are looked up in.
struct Finder<'a> {
    options: &'a args::Diff,
    output: Output,
    store: Store,
    history: Option<History>,
    manifest: Option<PathBuf>,
}

/// Both sides, and the store that their results are in.
pub(super) fn find(options: &args::Diff, output: Output) -> Result<(Side, Side, Store), CommandError> {
    let (manifest, rest) = match options.words.split_first() {
        Some((first, rest)) if first.ends_with(".toml") => (Some(locate::manifest(std::slice::from_ref(first))?), rest),
        _ => (None, options.words.as_slice()),
    };
    let (before, after) = match rest {
        [] => (LAST, WORKSPACE),
        [before] => (before.as_str(), WORKSPACE),
        [before, after] => (before.as_str(), after.as_str()),
        [_, _, extra, ..] => {
            return Err(CommandError::usage(format!("unexpected `{extra}`: two sides are compared")));
        }
    };
    let store = Store::open(&workspace(manifest.as_deref().unwrap_or(Path::new(".")))?);
    let history = open(&store)?;
    let finder = Finder { options, output, store, history, manifest };
    let (before, after) = (finder.side(before)?, finder.side(after)?);
    Ok((before, after, finder.store))
}

impl Finder<'_> {
    fn side(&self, word: &str) -> Result<Side, CommandError> {
        if word == WORKSPACE {
            return self.workspace();
        }
        if word.ends_with(".lock") {
            return self.lock_file(Path::new(word));
        }
        if let Some(run) = self.run(word)? {
            return self.of_run(&run);
        }
        if let Some(side) = self.git_revision(word)? {
            return Ok(side);
        }
        if word == LAST {
            return Err(CommandError::usage("nothing ran here yet that could be compared")
                .hint("name a `.lock` file or a git revision, or `kilter run` first"));
        }
        let error = CommandError::usage(format!("`{word}` is no run, git revision or `.lock` file"));
        Err(if self.history.is_none() {
            error.note("no run of this workspace is in its history")
        } else {
            error.hint("`kilter runs --all` lists the runs; `workspace` is what a run would give now")
        })
    }

    /// The run that a word names; `None` where no run's id begins so.
    fn run(&self, word: &str) -> Result<Option<Run>, CommandError> {
        let Some(history) = &self.history else { return Ok(None) };
        if word == LAST {
            // Of this pipeline, where one is named.
            let pipeline = match &self.manifest {
                Some(path) => Some(pipeline_of(path, self.store.layout().root())?),
                None => None,
            };
            return Ok(history.runs(pipeline.as_deref(), self.store.boot(), 1)?.pop());
        }
        let is_prefix = word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_prefix || history.runs_of(word, self.store.boot())?.is_empty() {
            return Ok(None);
        }
        find_run(history, &self.store, None, word).map(Some)
    }

    fn of_run(&self, run: &Run) -> Result<Side, CommandError> {
        let Some(history) = &self.history else { return Ok(Side::default()) };
        let git = match revision(run) {
            text if text.is_empty() => text,
            text => format!(", {text}"),
        };
        let mut stages: Vec<SideStage> = history.results(run)?.iter().map(SideStage::from).collect();
        for attempt in history.attempts(run)? {
            if !stages.iter().any(|stage| stage.name == attempt.stage) {
                stages.push(SideStage::open(
                    &attempt.stage,
                    &attempt.kind,
                    format!("{} in run {}", attempt.state, run.id),
                ));
            }
        }
        let label = format!("run {} ({}{git})", run.id, env::local_time(run.started));
        let partial = (!run.targets.is_empty()).then(|| format!("not part of run {}", run.id));
        Ok(Side { label, params: Some(run.params.clone()), stages, partial })
    }

    fn session(&self) -> Result<Session, CommandError> {
        let manifest = self.manifest()?;
        Session::open(&manifest, &self.options.params.set)?.or_mistakes_in(&manifest, None, self.output)
    }

    fn manifest(&self) -> Result<PathBuf, CommandError> {
        match &self.manifest {
            Some(path) => Ok(path.clone()),
            None => locate::manifest(&[]),
        }
    }

    /// What a run would give now: cached results, and what would have to run.
    fn workspace(&self) -> Result<Side, CommandError> {
        let session = self.session()?;
        let plan = session.plan(&[], false)?;
        let mut stages = Vec::new();
        for planned in &plan.stages {
            let stage = &session.checked.stages[planned.index];
            let side = match (&planned.decision, &planned.key, stage.mistake) {
                (_, _, Some(mistake)) => SideStage::open(&stage.name, &stage.kind, mistake.to_string()),
                (Decision::Cached(result), Some(key), None) => SideStage {
                    // The result may have been made when what it is made of had other names.
                    fields: Some(key.json(stage, &session.checked.stages)),
                    ..SideStage::of_result(&stage.name, key.digest, result)
                },
                (Decision::Unknown { waits_for }, _, None) => {
                    SideStage::open(&stage.name, &stage.kind, crate::cli::plan::unknown(&session, waits_for))
                }
                (_, key, None) => {
                    let mut side = SideStage::open(&stage.name, &stage.kind, "would run");
                    side.key = key.as_ref().map(|key| key.digest);
                    side.fields = key.as_ref().map(|key| key.json(stage, &session.checked.stages));
                    side
                }
            };
            stages.push(side);
        }
        let params = Some(params(&session.checked.manifest.params));
        Ok(Side { label: WORKSPACE.to_owned(), params, stages, partial: None })
    }
}

/// Locks, from files and out of git.
impl Finder<'_> {
    fn lock_file(&self, path: &Path) -> Result<Side, CommandError> {
        let lock = lock::read(path)?;
        let lock = lock.ok_or_else(|| {
            CommandError::usage(format!("the lock `{}` does not exist", path.display()))
                .hint("`kilter run` writes it beside its manifest")
        })?;
        self.of_lock(&lock, path.display().to_string())
    }

    /// The lock of the manifest at a git revision, nothing where there is none yet; `None` where the word names no revision.
    fn git_revision(&self, word: &str) -> Result<Option<Side>, CommandError> {
        let root = self.store.layout().root();
        let Some(git) = Git::of(root)? else { return Ok(None) };
        let Some(commit) = git.commit(word) else { return Ok(None) };
        let manifest = self.manifest()?;
        let full = std::path::absolute(&manifest).map_err(|error| CommandError::io("find", &manifest, &error))?;
        let full = full.canonicalize().unwrap_or(full);
        let name = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        // A run with `--set` writes no lock, so the params of a lock are those of its manifest.
        let params = git.file_at(&commit, &name(&full)).and_then(|text| self.params_of(&full, &text));
        let name = name(&lock::lock_path(&full));
        let Some(bytes) = git.file_at(&commit, &name) else {
            let (warning, revision) = (self.output.err.yellow("warning"), revision_label(word, &commit, ""));
            let what = "every stage of the other side counts as new";
            self.output.warn(&format!("{warning}: there is no `{name}` at {revision}: {what}"));
            let label = revision_label(word, &commit, "no lock");
            return Ok(Some(Side { label, params, ..Side::default() }));
        };
        let lock = Lock::parse(&String::from_utf8_lossy(&bytes), Path::new(&name))?;
        Ok(Some(Side { params, ..self.of_lock(&lock, revision_label(word, &commit, ""))? }))
    }

    /// The params of a manifest whose text was another; `None` where it cannot be understood.
    fn params_of(&self, path: &Path, text: &[u8]) -> Option<BTreeMap<String, Value>> {
        let options = LoadOptions { path, workspace: self.store.layout().root(), set: &[] };
        let loaded = manifest::load_text(&options, &String::from_utf8_lossy(text));
        Some(params(&loaded.manifest?.params))
    }

    /// The side of a lock. What the store or the history still knows of its results is taken from there: a lock tells
    /// digests and metrics, not fields and types.
    fn of_lock(&self, lock: &Lock, label: String) -> Result<Side, CommandError> {
        let stage = |(name, record): (&String, &Record)| {
            let mut side = match self.known(record)? {
                Some(result) => SideStage::of_result(name, record.key, &result),
                None => SideStage { name: name.clone(), kind: record.kind.clone(), ..SideStage::default() },
            };
            side.key = Some(record.key);
            side.metrics.clone_from(&record.metrics);
            // A time is the machine's and the day's, and no lock has one.
            side.seconds = None;
            for (port, output) in &record.outputs {
                let bare = SideOutput { digest: output.digest, bytes: output.size, record: None };
                side.outputs.entry(port.clone()).or_insert(bare);
            }
            Ok(side)
        };
        let stages = lock.stages.iter().map(stage).collect::<Result<_, CommandError>>()?;
        Ok(Side { label, params: None, stages, partial: None })
    }

    /// The result that a record tells of, from the store, or from the history where it has left that.
    fn known(&self, record: &Record) -> Result<Option<Arc<StageResult>>, CommandError> {
        let stored = self.store.peek(record.key).filter(|result| record.is_of(result));
        let (None, Some(history)) = (&stored, &self.history) else { return Ok(stored) };
        let made = history.made_for(record.key)?;
        Ok(made.into_iter().find(|result| record.is_of(result)).map(Arc::new))
    }
}

fn params(params: &[Param]) -> BTreeMap<String, Value> {
    params.iter().map(|param| (param.name.clone(), param.value.clone().unwrap_or_default())).collect()
}

/// `main (1a2b3c4)`, or `1a2b3c4` where the word is the beginning of the commit's id; with a remark where there is one.
fn revision_label(word: &str, commit: &str, remark: &str) -> String {
    let short = git::short(commit);
    let named = !commit.starts_with(word);
    let facts: Vec<&str> =
        [short, remark].into_iter().skip(usize::from(!named)).filter(|fact| !fact.is_empty()).collect();
    let name = if named { word } else { short };
    if facts.is_empty() { name.to_owned() } else { format!("{name} ({})", facts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_labelled_by_its_name_and_its_commit() {
        let commit = "1a2b3c4d5e";
        assert_eq!(revision_label("main", commit, ""), "main (1a2b3c4)");
        assert_eq!(revision_label("main", commit, "no lock"), "main (1a2b3c4, no lock)");
        assert_eq!(revision_label("1a2b", commit, ""), "1a2b3c4");
        assert_eq!(revision_label("1a2b", commit, "no lock"), "1a2b3c4 (no lock)");
    }
}
