//! One stage, in its own thread: late check, lock, run, look at the inputs again, commit, restore.

use super::failure::Trouble;
use super::fits::misfit;
use super::run::Session;
use super::services::StageServices;
use crate::check::{Checked, CheckedStage, recheck};
use crate::env;
use crate::event::Event;
use crate::plan::{Key, KeyParts, key};
use crate::stage::{
    Ancestor, CheckInput, ErrorKind, Input, Outputs, Produced, RunCx, StageError, StageResult, StageSpec,
};
use crate::store::{Begin, Pending, StoreError};
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
    pub(super) key: Key,
    /// The results that it uses, by the stage's index.
    pub(super) results: BTreeMap<usize, Arc<StageResult>>,
    /// The inputs, by reference text.
    pub(super) inputs: BTreeMap<String, Input>,
    pub(super) ancestors: Vec<Ancestor>,
    /// Run although there is a result.
    pub(super) force: bool,
    pub(super) slots: usize,
}

/// A result, and whether it was there already.
pub(super) struct Made {
    pub(super) result: Arc<StageResult>,
    pub(super) cached: bool,
}

impl<'a> Task<'a> {
    pub(super) fn stage(&self) -> &'a CheckedStage {
        &self.checked.stages[self.index]
    }

    fn tell(&self, event: Event) {
        (self.session.events)(event);
    }
}

/// Runs a stage, or takes the result that another process made meanwhile.
pub(super) fn run_stage(task: &Task<'_>) -> Result<Made, Box<Trouble>> {
    let predicted = check_late(task)?;
    let store = task.session.store;
    let mut waiting = |reason: String| task.tell(Event::StageWaiting { stage: task.stage().name.clone(), reason });
    let begun = store.begin(task.key.digest, task.force, task.session.cancel, &mut waiting).map_err(store_trouble)?;
    let made = match begin_result(begun) {
        Ok(result) => Made { result, cached: true },
        Err(pending) => Made { result: make(task, pending, &predicted)?, cached: false },
    };
    let pipeline = &task.checked.manifest.pipeline.name;
    let folder = store.layout().out_stage(pipeline, &task.stage().name);
    store.restore(&made.result, &folder).map_err(store_trouble)?;
    Ok(made)
}

fn begin_result(begun: Begin<'_>) -> Result<Arc<StageResult>, Pending<'_>> {
    match begun {
        Begin::Hit(result) => Ok(result),
        Begin::Miss(pending) => Err(pending),
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
    let known = |input: &Input| CheckInput {
        ty: input.ty.clone(),
        files: Some(input.files.iter().map(|file| (file.name.clone(), file.path.clone())).collect()),
    };
    let inputs = task.inputs.iter().map(|(text, input)| (text.clone(), known(input))).collect();
    let (outputs, found) = recheck(task.stage(), &inputs, task.checked);
    if found.has_errors() { Err(Box::new(Trouble::Mistakes(found))) } else { Ok(outputs) }
}

/// Runs the stage and commits what it made.
fn make(task: &Task<'_>, pending: Pending<'_>, predicted: &Outputs) -> Result<Arc<StageResult>, Box<Trouble>> {
    let Some(spec) = task.stage().spec.clone() else {
        return Err(stage_trouble(StageError::bug("the stage was not decoded")));
    };
    let layout = task.session.store.layout();
    let log = layout.log(&task.session.id, &task.stage().name);
    let folder = layout.run(&task.session.id);
    std::fs::create_dir_all(&folder)
        .map_err(|error| stage_trouble(StageError::io("make the folder", &folder, &error)))?;
    let services = StageServices::new(task.session, &task.stage().name, &log, &task.ancestors);
    let (produced, seconds) = attempts(task, &pending, &*spec, &services, &log)?;
    if task.session.cancel.is_set() {
        return Err(stage_trouble(StageError::new(ErrorKind::Cancelled, "interrupted")));
    }
    examine(&produced, &pending.staging(), predicted).map_err(stage_trouble)?;
    same_sources(task).map_err(stage_trouble)?;
    let result = StageResult {
        kind: task.stage().kind.clone(),
        version: spec.info().version,
        outputs: BTreeMap::new(),
        summary: produced.summary,
        metrics: produced.metrics,
        gates: produced.gates,
        seconds,
        made: env::unix_seconds(),
        environment: services.facts(),
        key: task.key.json.clone(),
    };
    pending.commit(result, &produced.ports).map_err(store_trouble)
}

/// Runs the stage, again where it may be tried again and trying again can help.
fn attempts(
    task: &Task<'_>,
    pending: &Pending<'_>,
    spec: &dyn StageSpec,
    services: &StageServices<'_>,
    log: &Path,
) -> Result<(Produced, f64), Box<Trouble>> {
    let most = task.stage().common.attempts.max(1);
    let mut attempt = 1;
    loop {
        let started = Instant::now();
        let error = match run_once(task, pending, spec, services, log) {
            Ok(produced) => return Ok((produced, started.elapsed().as_secs_f64())),
            Err(error) => error,
        };
        let can_help = matches!(error.kind, ErrorKind::Network | ErrorKind::Process);
        if attempt >= most || !can_help || task.session.cancel.is_set() {
            return Err(stage_trouble(error));
        }
        let message = format!("attempt {attempt} of {most} failed: {}", error.message);
        task.tell(Event::StageWarning { stage: task.stage().name.clone(), message });
        let pause = Instant::now() + Duration::from_secs(1 << attempt.min(5));
        while Instant::now() < pause && !task.session.cancel.is_set() {
            std::thread::sleep(Duration::from_millis(50));
        }
        pending.clear().map_err(store_trouble)?;
        attempt += 1;
    }
}

fn run_once(
    task: &Task<'_>,
    pending: &Pending<'_>,
    spec: &dyn StageSpec,
    services: &StageServices<'_>,
    log: &Path,
) -> Result<Produced, StageError> {
    let stage = task.stage();
    let (staging, scratch) = (pending.staging(), pending.scratch());
    let cx = RunCx {
        stage: &stage.name,
        seed: stage.seed,
        base: &stage.base,
        scratch: &scratch,
        log,
        threads: task.slots,
        cancel: task.session.cancel,
        services,
        inputs: &task.inputs,
        staging: &staging,
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

/// Whether the workspace files that the stage read are still what its key says.
fn same_sources(task: &Task<'_>) -> Result<(), StageError> {
    let result_of = |index: usize| task.results.get(&index).cloned();
    let now = KeyParts::of(task.stage()).map(|parts| key(parts, task.session.store, &result_of));
    match now {
        Some(Ok(now)) if now.digest == task.key.digest => Ok(()),
        _ => Err(StageError::data("a file that the stage reads changed while it ran, so its result was not kept")
            .hint("run again when nothing writes to the files")),
    }
}
