//! One attempt at a stage, in its own thread: late check, lock, run, look at the inputs again, commit, restore.

use super::board::Origin;
use super::failure::Trouble;
use super::fits::misfit;
use super::inputs;
use super::run::Session;
use super::services::StageServices;
use super::sources::Sources;
use crate::check::{Checked, CheckedStage, ResolvedRef, recheck};
use crate::digest::Digest;
use crate::env::{self, Cancel};
use crate::event::Event;
use crate::numbers;
use crate::plan::{Key, KeyParts, NoKey, earlier, key, origin_of};
use crate::stage::{
    ByPort, CheckInput, ErrorKind, Input, KeyText, Onward, Outputs, Produced, RunCx, Series, StageError, StageResult,
    StageSpec,
};
use crate::store::{Begin, Pending, Store, StoreError};
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

/// Everything that a stage's thread needs.
pub(super) struct Task<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) checked: &'a Checked,
    pub(super) index: usize,
    pub(super) key: Arc<Key>,
    /// Where its inputs come from.
    pub(super) origin: Origin,
    /// Run although there is a result.
    pub(super) force: bool,
    /// Its thread budget.
    pub(super) threads: usize,
    /// The GPUs that are its alone.
    pub(super) gpus: Vec<String>,
    /// Show the result under `out/`.
    pub(super) restore: bool,
}

/// A result, and whether it was there already.
pub(super) struct Made {
    pub(super) result: Arc<StageResult>,
    pub(super) cached: bool,
}

/// How an attempt ended well.
pub(super) enum Attempt {
    Made(Made),
    /// Somebody else makes the same result: who. Nothing was done.
    Elsewhere(String),
    /// A file that the stage reads is another than when its key was made. Nothing was done.
    Changed,
}

impl<'a> Task<'a> {
    pub(super) fn stage(&self) -> &'a CheckedStage {
        &self.checked.stages[self.index]
    }

    /// What the late check is told of the inputs, by reference text: of tables all columns, because a message may name
    /// what is there beside what is read.
    fn known(&self) -> BTreeMap<String, CheckInput> {
        let input = |used: &ResolvedRef| {
            let input = self.origin.input(used, self.session.store)?;
            let files = input.files.into_iter().map(|file| (file.name, file.path)).collect();
            Some((used.text.clone(), CheckInput { ty: input.ty, files: Some(files) }))
        };
        self.stage().refs.iter().filter_map(input).collect()
    }

    /// What the stage sees of its inputs, by reference text: what its key says that it reads.
    fn seen(&self) -> BTreeMap<String, Input> {
        let input = |used: &ResolvedRef| {
            let taken = self.key.input(&used.text)?;
            Some((used.text.clone(), self.origin.seen(used, taken, self.checked, self.session.store)?))
        };
        self.stage().refs.iter().filter_map(input).collect()
    }
}

/// The key of a stage, given the results that it uses and the keys of all before it.
pub(super) fn key_of(
    stage: &CheckedStage,
    checked: &Checked,
    store: &Store,
    result_of: &dyn Fn(usize) -> Option<Arc<StageResult>>,
    key_before: &dyn Fn(usize) -> Option<Digest>,
) -> Result<Key, Box<Trouble>> {
    let Some(parts) = KeyParts::of(stage, &checked.stages) else {
        return Err(stage_trouble(StageError::bug(format!("`{}` was not decoded", stage.name))));
    };
    let origin = origin_of(stage, checked, key_before);
    let error = match key(KeyParts { origin, ..parts }, store, result_of) {
        Ok(key) => return Ok(key),
        Err(NoKey::File(error)) => StageError::from(error),
        Err(NoKey::Files(why)) => StageError::new(ErrorKind::File, why),
        Err(NoKey::Waits(_)) => StageError::bug("an input has no such output"),
    };
    Err(stage_trouble(error))
}

/// Runs a stage, or takes the result that another process made meanwhile.
pub(super) fn run_stage(task: &Task<'_>) -> Result<Attempt, Box<Trouble>> {
    let Some(sources) = Sources::look(task) else { return Ok(Attempt::Changed) };
    let predicted = check_late(task)?;
    let store = task.session.store;
    let made = match store.begin(task.key.digest, task.force).map_err(store_trouble)? {
        Begin::Busy(owner) => return Ok(Attempt::Elsewhere(owner)),
        Begin::Hit(result) => Made { result, cached: true },
        Begin::Miss(pending) => {
            tell_start(task);
            inputs::hold(task).map_err(stage_trouble)?;
            Made { result: make(task, pending, &sources, &predicted)?, cached: false }
        }
    };
    if task.restore {
        let pipeline = &task.checked.manifest.pipeline.name;
        let folder = store.layout().out_stage(pipeline, &task.stage().name);
        store.restore(&made.result, &folder).map_err(store_trouble)?;
    }
    Ok(Attempt::Made(made))
}

/// Told once the result is this run's to make: a stage that waits for another process has not started.
fn tell_start(task: &Task<'_>) {
    if let Origin::Run(_) = task.origin {
        let (stage, kind) = (task.stage().name.clone(), task.stage().kind.clone());
        (task.session.events)(Event::StageStarted { stage, kind });
    }
}

fn store_trouble(error: StoreError) -> Box<Trouble> {
    Box::new(Trouble::Store(error))
}

fn stage_trouble(error: StageError) -> Box<Trouble> {
    Box::new(Trouble::Stage(error))
}

/// Checks the stage again, now with its inputs' real types. Gives what it will output.
fn check_late(task: &Task<'_>) -> Result<Outputs, Box<Trouble>> {
    let (outputs, found) = recheck(task.stage(), &task.known(), task.checked);
    if found.has_errors() { Err(Box::new(Trouble::Mistakes(found))) } else { Ok(outputs) }
}

/// Runs the stage and commits what it made.
fn make(
    task: &Task<'_>,
    pending: Pending<'_>,
    sources: &Sources,
    predicted: &Outputs,
) -> Result<Arc<StageResult>, Box<Trouble>> {
    let Some(spec) = task.stage().spec.clone() else {
        return Err(stage_trouble(StageError::bug("the stage was not decoded")));
    };
    let layout = task.session.store.layout();
    let log = layout.log(&task.session.id, &task.stage().name);
    task.session.store.begin_logs(&task.session.id).map_err(store_trouble)?;
    let limit = task.stage().common.needs.time.map(Duration::from_secs);
    let cancel = task.session.cancel.within(limit);
    let services = StageServices::new(task, sources, &log, &cancel);
    let series = spec.series().zip(task.key.series);
    let onward = series.as_ref().map_or_else(Onward::default, |(series, id)| onward(task, series, *id));
    let started = Instant::now();
    let produced = run_once(task, &pending, &task.seen(), &onward, &*spec, &services);
    let seconds = started.elapsed().as_secs_f64();
    let produced = produced.map_err(|error| stage_trouble(timed_out(error, task.session.cancel, limit)))?;
    if task.session.cancel.is_set() {
        return Err(stage_trouble(StageError::new(ErrorKind::Cancelled, "interrupted")));
    }
    examine(&produced, &pending.staging(), predicted).map_err(stage_trouble)?;
    sources.hold(task).and_then(|()| inputs::hold(task)).map_err(stage_trouble)?;
    let result = StageResult {
        kind: task.stage().kind.clone(),
        version: spec.info().version,
        outputs: ByPort::new(),
        summary: produced.summary,
        metrics: produced.metrics,
        gates: produced.gates,
        seconds,
        made: env::unix_seconds(),
        environment: services.facts(),
        key: KeyText::of(&task.key.json(task.stage(), &task.checked.stages)),
    };
    let store = task.session.store;
    if let Some((series, id)) = &series {
        store.note_member(*id, series.length, task.key.digest).map_err(store_trouble)?;
    }
    let result = pending.commit(result, &produced.ports).map_err(store_trouble)?;
    if let Some((_, id)) = series {
        store.forget_checkpoints(id, task.key.digest);
    }
    Ok(result)
}

/// What the stage may go on from. One that is to be made anew goes on only from what an earlier attempt of this run left.
fn onward(task: &Task<'_>, series: &Series, id: Digest) -> Onward {
    let (store, own) = (task.session.store, task.key.digest);
    let checkpoints = Some(store.layout().checkpoints(id, own));
    if task.force {
        if task.session.begins_anew(own) {
            store.forget_checkpoints(id, own);
        }
        return Onward { checkpoints, ..Onward::default() };
    }
    let readable = if series.apart.is_none() { store.checkpoints_of_others(id, own) } else { Vec::new() };
    let earlier = earlier(series, &task.key, store);
    let earlier = earlier.and_then(|result| Some(store.input(result.outputs.get(series.port)?)));
    Onward { checkpoints, readable, earlier }
}

/// A stage that stopped although the run was not interrupted has used up its time.
fn timed_out(error: StageError, run: &Cancel, limit: Option<Duration>) -> StageError {
    match limit {
        Some(limit) if error.kind == ErrorKind::Cancelled && !run.is_set() => {
            let limit = numbers::duration(limit.as_secs_f64());
            let mut told =
                StageError::new(ErrorKind::Process, format!("it was stopped after {limit}, its `needs.time`"))
                    .hint("raise `needs.time`, or find out what it waits for");
            told.notes = error.notes;
            told.log = error.log;
            told
        }
        _ => error,
    }
}

fn run_once(
    task: &Task<'_>,
    pending: &Pending<'_>,
    inputs: &BTreeMap<String, Input>,
    onward: &Onward,
    spec: &dyn StageSpec,
    services: &StageServices<'_>,
) -> Result<Produced, StageError> {
    let stage = task.stage();
    let (staging, scratch) = (pending.staging(), pending.scratch());
    let cx = RunCx {
        stage: &stage.name,
        seed: stage.seed,
        base: &stage.base,
        scratch: &scratch,
        log: services.log,
        threads: task.threads,
        memory: stage.common.needs.memory,
        gpus: &task.gpus,
        cancel: services.cancel,
        services,
        inputs,
        staging: &staging,
        onward,
    };
    let outcome = quietly(|| catch_unwind(AssertUnwindSafe(|| spec.run(&cx))));
    outcome.unwrap_or_else(|(payload, place)| Err(panicked(&*payload, place)))
}

thread_local! {
    /// In a stage's thread: where it panicked.
    static PANIC: RefCell<Option<Option<String>>> = const { RefCell::new(None) };
}

type Caught<T> = Result<T, (Box<dyn Any + Send>, Option<String>)>;

/// Keeps a panic in this thread from being printed: it becomes a failed stage. Other threads' panics are printed as before.
fn quietly<T>(work: impl FnOnce() -> Result<T, Box<dyn Any + Send>>) -> Caught<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let ours = PANIC.with_borrow_mut(|place| match place {
                Some(place) => {
                    *place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
                    true
                }
                None => false,
            });
            if !ours {
                before(info);
            }
        }));
    });
    PANIC.set(Some(None));
    let outcome = work();
    let place = PANIC.take().flatten();
    outcome.map_err(|payload| (payload, place))
}

fn panicked(payload: &(dyn Any + Send), place: Option<String>) -> StageError {
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let error = StageError::bug("a bug in kilter or one of its libraries stopped the stage");
    let what = text.unwrap_or_else(|| "it panicked without a message".to_owned());
    match place {
        Some(place) => error.note(format!("{what} ({place})")),
        None => error.note(what),
    }
}

/// What was produced is what was staged, and has the types that were predicted.
fn examine(produced: &Produced, staging: &Path, predicted: &Outputs) -> Result<(), StageError> {
    for port in &produced.ports {
        if !staging.join(&port.port).is_dir() {
            return Err(StageError::bug(format!("output `{}` was promised but not written", port.port)));
        }
    }
    let entries = std::fs::read_dir(staging).map_err(|error| StageError::io("read", staging, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| StageError::io("read", staging, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !produced.ports.iter().any(|port| port.port == name) {
            return Err(StageError::bug(format!("output `{name}` was written but not declared")));
        }
    }
    if cfg!(debug_assertions)
        && let Some(misfit) = misfit(predicted, &produced.ports)
    {
        return Err(StageError::bug("the stage produced something else than it had predicted").note(misfit));
    }
    Ok(())
}
