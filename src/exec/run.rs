//! From a checked manifest to a finished run.

use super::board::Done;
use super::process::memory_limit;
use super::scheduler::Scheduler;
use super::worker::Workers;
use crate::check::Checked;
use crate::digest::Digest;
use crate::env::{self, Cancel};
use crate::event::{EVENT_VERSION, Event};
use crate::lock::Lock;
use crate::plan::{self, Dag, Selection, UnknownTarget, outline, select};
use crate::store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// How to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How many CPU slots there are: stages that use one core each can run so many at a time.
    pub jobs: usize,
    /// The GPUs that stages share, by name.
    pub gpus: Vec<String>,
    /// The memory that stages share, in bytes; without a number it is not counted.
    pub memory: Option<u64>,
    /// After a failure, go on with what does not depend on it.
    pub keep_going: bool,
    /// What to run.
    pub selection: Selection,
    /// Refuse to use the network.
    pub offline: bool,
    /// Keep what the run found for the next command; the `--set` values that it holds for.
    pub keep: Option<Vec<String>>,
    /// Fail every stage whose key or result is not the one in here.
    pub locked: Option<Arc<Lock>>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            jobs: env::cores(),
            gpus: env::gpus(),
            memory: memory_limit(),
            keep_going: false,
            selection: Selection::default(),
            offline: false,
            keep: None,
            locked: None,
        }
    }
}

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSummary {
    /// The run's id.
    pub run: String,
    /// Stages that ran well.
    pub ran: usize,
    /// Stages whose result was in the store.
    pub cached: usize,
    /// Stages that failed, or whose gate does not hold (also where that result was cached).
    pub failed: usize,
    /// Stages that were not run because of another, or because the run was interrupted.
    pub skipped: usize,
    /// Seconds in all.
    pub seconds: f64,
    /// Seconds that the cached results took when they were made.
    pub saved: f64,
    /// Where the results are, relative to the workspace.
    pub out: String,
    /// It was interrupted.
    pub interrupted: bool,
    /// A stage failed because the store or `out/` could not be read or written: exit code 3.
    pub store_failed: bool,
    /// A stage failed because of a bug in kilter: exit code 70.
    pub bug: bool,
    /// A stage failed because its key or its result is not the locked one: exit code 4.
    pub off_lock: bool,
    /// The stages that have a result whose gates hold, by name.
    pub done: BTreeMap<String, Done>,
}

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A target names no stage.
    #[error(transparent)]
    Target(#[from] UnknownTarget),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How [`run_checking_again`] ended.
pub enum Outcome {
    /// The run is over. With the manifest as it was checked last.
    Done(Box<Checked>, RunSummary),
    /// After the sources had been fetched, checking again found mistakes; nothing else ran. The mistakes are
    /// in its diagnostics.
    Mistakes(Box<Checked>, RunSummary),
}

/// One run, which may have two passes over the stages.
pub(super) struct Session<'a> {
    pub(super) store: &'a Store,
    pub(super) options: &'a RunOptions,
    pub(super) cancel: &'a Cancel,
    pub(super) events: &'a (dyn Fn(Event) + Sync),
    pub(super) workers: Workers,
    pub(super) id: String,
    started: Instant,
    /// What an earlier pass did, by stage name: told already, and not counted again.
    pub(super) earlier: BTreeMap<String, Done>,
    /// What failed or was skipped in an earlier pass.
    pub(super) lost: BTreeSet<String>,
    /// What is worth recording of the environment: kilter's version and the machine.
    pub(super) facts: BTreeMap<String, String>,
    /// The keys of stages that were made anew, and so began without an earlier run's checkpoints.
    anew: Mutex<BTreeSet<Digest>>,
    pub(super) summary: RunSummary,
}

/// Runs the selected stages of a manifest that has no errors.
///
/// # Errors
/// When a target names no stage. Whatever happens to stages is told by events and counted in the summary.
pub fn run(
    checked: &Checked,
    store: &Store,
    options: &RunOptions,
    cancel: &Cancel,
    events: &(dyn Fn(Event) + Sync),
) -> Result<RunSummary, RunError> {
    let mut session = Session::new(store, options, cancel, events);
    session.announce(checked)?;
    session.pass(checked, &options.selection)?;
    Ok(session.finish(checked))
}

/// Like [`run`], but sources that are not in the store yet are fetched first where the checker needs to look into them;
/// then `check_again` loads and checks the manifest once more, now with their real columns. So a mistake further down shows
/// before anything expensive has run.
///
/// # Errors
/// When a target names no stage.
pub fn run_checking_again(
    mut checked: Checked,
    check_again: &mut dyn FnMut() -> Checked,
    store: &Store,
    options: &RunOptions,
    cancel: &Cancel,
    events: &(dyn Fn(Event) + Sync),
) -> Result<Outcome, RunError> {
    let mut session = Session::new(store, options, cancel, events);
    session.announce(&checked)?;
    let first = if plan::has_open_types(&checked) {
        let planned = outline(&checked, store, &Selection { force: false, ..options.selection.clone() })?;
        plan::sources_to_fetch_first(&checked, &planned)
    } else {
        Vec::new()
    };
    if !first.is_empty() {
        let all_done = session.pass(&checked, &Selection::of(first))?;
        if all_done && !cancel.is_set() {
            checked = check_again();
            if checked.diagnostics.has_errors() {
                let summary = session.finish(&checked);
                return Ok(Outcome::Mistakes(Box::new(checked), summary));
            }
        } else if !options.keep_going || cancel.is_set() {
            let summary = session.finish_early(&checked)?;
            return Ok(Outcome::Done(Box::new(checked), summary));
        }
    }
    session.pass(&checked, &options.selection)?;
    let summary = session.finish(&checked);
    Ok(Outcome::Done(Box::new(checked), summary))
}

impl<'a> Session<'a> {
    /// Whether a stage that is to be made anew begins its first attempt in this run.
    pub(super) fn begins_anew(&self, key: Digest) -> bool {
        self.anew.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }

    pub(super) fn new(
        store: &'a Store,
        options: &'a RunOptions,
        cancel: &'a Cancel,
        events: &'a (dyn Fn(Event) + Sync),
    ) -> Self {
        store.hold();
        store.sweep();
        store.stat_cache.look_always();
        let id = new_id();
        let summary = RunSummary { run: id.clone(), ..RunSummary::default() };
        let workers = Workers::new(options.jobs);
        let started = Instant::now();
        Self {
            store,
            options,
            cancel,
            events,
            workers,
            id,
            started,
            earlier: BTreeMap::new(),
            anew: Mutex::default(),
            lost: BTreeSet::new(),
            facts: facts(),
            summary,
        }
    }

    fn announce(&self, checked: &Checked) -> Result<(), RunError> {
        let selected = select(checked, &Dag::new(checked), &self.options.selection)?;
        let stage = |index: usize| (checked.stages[index].name.clone(), checked.stages[index].kind.clone());
        (self.events)(Event::RunStarted {
            version: EVENT_VERSION,
            run: self.id.clone(),
            pipeline: checked.manifest.pipeline.name.clone(),
            stages: selected.stages.into_iter().map(stage).collect(),
        });
        Ok(())
    }

    /// Runs some stages. Says whether all of them have a result whose gates hold.
    fn pass(&mut self, checked: &Checked, selection: &Selection) -> Result<bool, RunError> {
        let dag = Dag::new(checked);
        let selected = select(checked, &dag, selection)?;
        let mut finished = Scheduler::new(self, checked, &dag, selected).run();
        self.summary.ran += finished.summary.ran;
        self.summary.cached += finished.summary.cached;
        self.summary.failed += finished.summary.failed;
        self.summary.skipped += finished.summary.skipped;
        self.summary.saved += finished.summary.saved;
        self.summary.store_failed |= finished.summary.store_failed;
        self.summary.bug |= finished.summary.bug;
        self.summary.off_lock |= finished.summary.off_lock;
        self.earlier.append(&mut finished.done);
        self.lost.append(&mut finished.lost);
        Ok(finished.summary.failed + finished.summary.skipped == 0)
    }

    /// Ends a run whose sources could not be fetched: what was selected besides them is skipped.
    fn finish_early(mut self, checked: &Checked) -> Result<RunSummary, RunError> {
        let selected = select(checked, &Dag::new(checked), &self.options.selection)?;
        let reason = if self.cancel.is_set() { "interrupted" } else { "not started, because a source failed" };
        for index in selected.stages {
            let stage = &checked.stages[index].name;
            if !self.earlier.contains_key(stage) && !self.lost.contains(stage) {
                self.summary.skipped += 1;
                (self.events)(Event::StageSkipped { stage: stage.clone(), reason: reason.to_owned() });
            }
        }
        Ok(self.finish(checked))
    }

    fn finish(mut self, checked: &Checked) -> RunSummary {
        let layout = self.store.layout();
        self.keep_standing(checked);
        self.store.stat_cache.save();
        if self.summary.ran + self.summary.failed > 0 {
            self.store.forget_old_runs();
            self.store.clear_litter();
        }
        self.summary.seconds = self.started.elapsed().as_secs_f64();
        self.summary.out = layout.shown(&layout.out(&checked.manifest.pipeline.name));
        self.summary.interrupted = self.cancel.is_set();
        self.summary.done = self.earlier;
        let summary = self.summary;
        (self.events)(summary.finished());
        summary
    }

    /// Keeps what is known now for the next command, where all of the pipeline is done.
    fn keep_standing(&self, checked: &Checked) {
        let all = self.summary.failed + self.summary.skipped == 0 && self.options.selection.targets.is_empty();
        if let Some(set) = self.options.keep.as_ref().filter(|_| all && !self.cancel.is_set())
            && let Some(standing) = plan::standing(checked, self.store, set)
        {
            self.store.keep_standing(&checked.manifest.path, &standing);
        }
    }
}

impl RunSummary {
    /// The last event of the run.
    pub(super) fn finished(&self) -> Event {
        Event::RunFinished {
            ran: self.ran,
            cached: self.cached,
            failed: self.failed,
            skipped: self.skipped,
            seconds: self.seconds,
            saved: self.saved,
            out: self.out.clone(),
            interrupted: self.interrupted,
        }
    }
}

fn facts() -> BTreeMap<String, String> {
    let facts = [
        ("kilter", env!("CARGO_PKG_VERSION").to_owned()),
        ("system", format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)),
        ("cores", env::cores().to_string()),
        ("cpu", env::cpu().to_owned()),
    ];
    facts.map(|(name, fact)| (name.to_owned(), fact)).into()
}

/// A run's id. Only to tell runs apart: nothing that is computed depends on it.
pub(super) fn new_id() -> String {
    let seed = format!("{} {}", env::unix_nanos(), std::process::id());
    Digest::of(seed.as_bytes()).short()[..8].to_owned()
}
