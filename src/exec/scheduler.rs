//! The loop that owns every stage's state. Threads run stages and send back how they went; nothing else changes a state,
//! and every change goes through [`Scheduler::set`].

use super::failure::{Trouble, describe};
use super::run::{RunSummary, Session};
use super::run_stage::{Made, Task, run_stage};
use crate::check::{Checked, CheckedStage};
use crate::digest::{Digest, Tree};
use crate::env;
use crate::event::{Event, Failure};
use crate::plan::{Dag, Key, KeyParts, NoKey, Selected, key};
use crate::stage::{Ancestor, ErrorKind, Input, StageError, StageResult};
use crate::store::{Found, LastKeys};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

/// How often the loop looks at the cancel flag while nothing happens.
const TICK: Duration = Duration::from_millis(50);
/// Stages run plans of the query engine, which are deep.
const STACK: usize = 16 << 20;

/// Where a stage is.
#[derive(Debug)]
enum State {
    /// Not looked at: inputs are missing.
    Waiting,
    /// Its inputs and key are known, and there is no result; waits for slots.
    Ready(Box<Key>),
    /// In a thread.
    Running { slots: usize, started: Instant },
    /// It has a result, and its gates hold.
    Done,
    /// It failed, or a gate does not hold.
    Failed,
    /// It will not run.
    Skipped,
}

/// What happened to a stage: what [`Scheduler::set`] is told.
enum Step {
    Ready(Box<Key>),
    Start { slots: usize },
    Done { made: Made, key: Digest },
    Fail(Box<Trouble>),
    Skip(String),
}

/// A stage that a pass has finished well.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) result: Arc<StageResult>,
    pub(super) key: Digest,
}

/// What a pass did.
#[derive(Default)]
pub(super) struct Finished {
    pub(super) summary: RunSummary,
    pub(super) done: BTreeMap<String, Done>,
    /// Stages that failed or were skipped.
    pub(super) lost: BTreeSet<String>,
}

/// What a thread sends back.
struct Message {
    stage: usize,
    key: Digest,
    outcome: Result<Made, Box<Trouble>>,
}

pub(super) struct Scheduler<'a> {
    session: &'a Session<'a>,
    checked: &'a Checked,
    dag: &'a Dag,
    selected: Selected,
    states: Vec<State>,
    done: Vec<Option<Done>>,
    /// Inputs that have no result yet.
    missing: Vec<usize>,
    ready: BTreeSet<usize>,
    /// Stages whose inputs are all there, not looked at yet.
    reached: VecDeque<usize>,
    free: usize,
    running: usize,
    /// Why nothing new starts.
    stop: Option<String>,
    last: LastKeys,
    last_saved: Instant,
    finished: Finished,
}

impl<'a> Scheduler<'a> {
    pub(super) fn new(session: &'a Session<'a>, checked: &'a Checked, dag: &'a Dag, selected: Selected) -> Self {
        let count = checked.stages.len();
        Self {
            session,
            checked,
            dag,
            selected,
            states: (0..count).map(|_| State::Waiting).collect(),
            done: vec![None; count],
            missing: (0..count).map(|index| dag.inputs(index).len()).collect(),
            ready: BTreeSet::new(),
            reached: VecDeque::new(),
            free: session.options.jobs.max(1),
            running: 0,
            stop: None,
            last: session.store.last_keys(&checked.manifest.pipeline.name),
            last_saved: Instant::now(),
            finished: Finished::default(),
        }
    }

    /// Runs the selected stages and gives back what came of them.
    pub(super) fn run(mut self) -> Finished {
        let (send, receive) = crossbeam_channel::unbounded();
        let missing = &self.missing;
        self.reached = self.selected.stages.iter().copied().filter(|stage| missing[*stage] == 0).collect();
        std::thread::scope(|scope| {
            loop {
                self.look_at_cancel();
                self.look_at_reached();
                self.start_ready(scope, &send);
                if self.running == 0 {
                    break;
                }
                self.wait(&receive);
            }
        });
        self.skip_the_rest();
        // Pointers for `why` alone: a folder that cannot be written shows elsewhere.
        let _ = self.last.save();
        self.finished
    }

    fn stage(&self, stage: usize) -> &'a CheckedStage {
        &self.checked.stages[stage]
    }

    fn look_at_cancel(&mut self) {
        if self.session.cancel.is_set() {
            self.stop = Some("interrupted".to_owned());
        }
    }

    fn look_at_reached(&mut self) {
        while self.stop.is_none()
            && let Some(stage) = self.reached.pop_front()
        {
            self.consider(stage);
            self.look_at_cancel();
        }
    }

    fn wait(&mut self, receive: &Receiver<Message>) {
        let message = match receive.recv_timeout(TICK) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        };
        let Message { stage, key, outcome } = message;
        match outcome {
            Ok(made) => self.set(stage, Step::Done { made, key }),
            Err(trouble) if trouble.is_cancelled() => self.set(stage, Step::Skip("interrupted".to_owned())),
            Err(trouble) => self.set(stage, Step::Fail(trouble)),
        }
    }

    /// Looks at a stage whose inputs are all there: cached, or ready to run.
    fn consider(&mut self, stage: usize) {
        if self.session.lost.contains(&self.stage(stage).name) {
            self.states[stage] = State::Failed;
            return self.skip_users(stage, "which failed");
        }
        if let Some(done) = self.session.earlier.get(&self.stage(stage).name).cloned() {
            self.states[stage] = State::Done;
            self.done[stage] = Some(done);
            self.unblock(stage);
            return;
        }
        let step = match self.key_of(stage) {
            Ok(key) => self.look_up(stage, key),
            Err(trouble) => Step::Fail(trouble),
        };
        self.set(stage, step);
    }

    fn key_of(&self, stage: usize) -> Result<Key, Box<Trouble>> {
        let checked = self.stage(stage);
        let result_of = |input: usize| self.done[input].as_ref().map(|done| Arc::clone(&done.result));
        let Some(parts) = KeyParts::of(checked) else {
            return Err(Trouble::from(StageError::bug(format!("`{}` was not decoded", checked.name))).into());
        };
        let error = match key(parts, self.session.store, &result_of) {
            Ok(key) => return Ok(key),
            Err(NoKey::File(error)) => StageError::from(error),
            Err(NoKey::Files(why)) => StageError::new(ErrorKind::File, why),
            Err(NoKey::Waits(_)) => StageError::bug("an input has no such output"),
        };
        Err(Trouble::from(error).into())
    }

    fn look_up(&self, stage: usize, key: Key) -> Step {
        if !self.may_be_cached(stage) {
            return Step::Ready(Box::new(key));
        }
        match self.session.store.lookup(key.digest) {
            Found::Hit(result) => match self.restore(stage, &result) {
                Ok(()) => Step::Done { made: Made { result, cached: true }, key: key.digest },
                Err(trouble) => Step::Fail(trouble),
            },
            Found::Absent => Step::Ready(Box::new(key)),
            Found::Lost(why) => {
                let stage = self.stage(stage).name.clone();
                let message = format!("its cached result is lost and is made again: {why}");
                (self.session.events)(Event::StageWarning { stage, message });
                Step::Ready(Box::new(key))
            }
        }
    }

    fn may_be_cached(&self, stage: usize) -> bool {
        self.stage(stage).common.cache && !self.selected.forced.contains(&stage)
    }

    fn restore(&self, stage: usize, result: &StageResult) -> Result<(), Box<Trouble>> {
        let (store, pipeline) = (self.session.store, &self.checked.manifest.pipeline.name);
        let folder = store.layout().out_stage(pipeline, &self.stage(stage).name);
        store.restore(result, &folder).map(|_| ()).map_err(|error| Trouble::from(StageError::from(error)).into())
    }

    /// Starts what is ready, in topological order, as far as there are slots.
    fn start_ready<'scope>(&mut self, scope: &'scope Scope<'scope, 'a>, send: &Sender<Message>)
    where
        'a: 'scope,
    {
        for stage in self.ready.clone() {
            let slots = self.slots(stage);
            if self.stop.is_some() || self.free == 0 {
                return;
            }
            if slots > self.free {
                continue;
            }
            let State::Ready(key) = &self.states[stage] else { continue };
            let task = self.task(stage, (**key).clone(), slots);
            self.set(stage, Step::Start { slots });
            let send = send.clone();
            let name = format!("stage {}", task.stage().name);
            let spawned = std::thread::Builder::new().name(name).stack_size(STACK).spawn_scoped(scope, move || {
                let outcome = run_stage(&task);
                // The loop lives until every stage has answered.
                let _ = send.send(Message { stage, key: task.key.digest, outcome });
            });
            if let Err(error) = spawned {
                let error = StageError::new(ErrorKind::Process, format!("cannot start a thread: {error}"));
                self.set(stage, Step::Fail(Box::new(Trouble::from(error))));
            }
        }
    }

    fn task(&self, stage: usize, key: Key, slots: usize) -> Task<'a> {
        let store = self.session.store;
        let mut inputs: BTreeMap<String, Input> = BTreeMap::new();
        for used in &self.stage(stage).refs {
            let artifact = self.done[used.stage].as_ref().and_then(|done| done.result.outputs.get(&used.port));
            inputs.extend(artifact.map(|artifact| (used.text.clone(), store.input(artifact))));
        }
        let results = self.stage(stage).refs.iter().map(|used| used.stage);
        let results = results.filter_map(|input| Some((input, Arc::clone(&self.done[input].as_ref()?.result))));
        Task {
            session: self.session,
            checked: self.checked,
            index: stage,
            key,
            results: results.collect(),
            inputs,
            ancestors: self.ancestors(stage),
            force: !self.may_be_cached(stage),
            slots,
        }
    }

    fn ancestors(&self, stage: usize) -> Vec<Ancestor> {
        let mut before = self.dag.with_ancestors(&[stage]);
        before.retain(|index| *index != stage);
        let ancestor = |index: usize| {
            let (stage, done) = (self.stage(index), self.done[index].as_ref()?);
            Some(Ancestor {
                stage: stage.name.clone(),
                kind: stage.kind.clone(),
                key: done.key,
                fields: stage.spec.as_ref()?.tree().to_json(),
                outputs: done.result.outputs.iter().map(|(port, made)| (port.clone(), made.digest)).collect(),
            })
        };
        before.into_iter().filter_map(ancestor).collect()
    }

    /// How many slots a stage takes: what it needs, else its field `threads`, else one; never more than there are.
    fn slots(&self, stage: usize) -> usize {
        let stage = self.stage(stage);
        let field = || match stage.spec.as_ref()?.tree() {
            Tree::Map(fields) => match fields.get("threads")? {
                Tree::Int(threads) => usize::try_from(*threads).ok(),
                _ => None,
            },
            _ => None,
        };
        let needed = stage.common.needs.cpus.and_then(|cpus| usize::try_from(cpus).ok()).or_else(field);
        needed.unwrap_or(1).clamp(1, self.session.options.jobs.max(1))
    }

    /// Changes a stage's state: the only place that does, and that tells of it.
    fn set(&mut self, stage: usize, step: Step) {
        let mut seconds = 0.0;
        match &self.states[stage] {
            State::Running { slots, started } => {
                self.free += slots;
                self.running -= 1;
                seconds = started.elapsed().as_secs_f64();
            }
            State::Ready(_) => {
                self.ready.remove(&stage);
            }
            State::Waiting => {}
            State::Done | State::Failed | State::Skipped => return,
        }
        match step {
            Step::Ready(key) => {
                self.states[stage] = State::Ready(key);
                self.ready.insert(stage);
            }
            Step::Start { slots } => {
                self.states[stage] = State::Running { slots, started: Instant::now() };
                self.free -= slots;
                self.running += 1;
                let (name, kind) = (self.stage(stage).name.clone(), self.stage(stage).kind.clone());
                (self.session.events)(Event::StageStarted { stage: name, kind });
            }
            Step::Done { made, key } => self.has_result(stage, made, key, seconds),
            Step::Fail(trouble) => {
                self.finished.summary.store_failed |= trouble.is_store();
                self.finished.summary.bug |= trouble.is_bug();
                let failure = describe(&trouble, self.checked, stage, self.session.store.layout());
                self.fail(stage, failure, seconds, false);
            }
            Step::Skip(reason) => {
                self.states[stage] = State::Skipped;
                let stage = self.stage(stage).name.clone();
                if !self.session.lost.contains(&stage) {
                    self.finished.summary.skipped += 1;
                    self.finished.lost.insert(stage.clone());
                    (self.session.events)(Event::StageSkipped { stage, reason });
                }
            }
        }
    }

    fn has_result(&mut self, stage: usize, made: Made, key: Digest, seconds: f64) {
        let name = self.stage(stage).name.clone();
        self.last.note(&name, key, env::unix_seconds());
        if !made.cached && self.last_saved.elapsed() > Duration::from_secs(1) {
            let _ = self.last.save();
            self.last_saved = Instant::now();
        }
        if made.result.broken_gates().next().is_some() {
            let failure = super::failure::broken_gates(&made.result, made.cached);
            return self.fail(stage, failure, seconds, true);
        }
        let summary = &mut self.finished.summary;
        if made.cached {
            summary.cached += 1;
            summary.saved += made.result.seconds;
        } else {
            summary.ran += 1;
        }
        (self.session.events)(Event::StageDone {
            stage: name.clone(),
            kind: self.stage(stage).kind.clone(),
            cached: made.cached,
            seconds: made.result.seconds,
            summary: made.result.summary.clone(),
            metrics: made.result.metrics.clone(),
        });
        let done = Done { result: made.result, key };
        self.finished.done.insert(name, done.clone());
        self.states[stage] = State::Done;
        self.done[stage] = Some(done);
        self.unblock(stage);
    }

    fn unblock(&mut self, stage: usize) {
        for user in self.dag.users(stage) {
            self.missing[user] -= 1;
            if self.missing[user] == 0 && self.selected.stages.binary_search(&user).is_ok() {
                self.reached.push_back(user);
            }
        }
    }

    fn fail(&mut self, stage: usize, failure: Failure, seconds: f64, gate: bool) {
        self.states[stage] = State::Failed;
        self.finished.summary.failed += 1;
        let (name, kind) = (self.stage(stage).name.clone(), self.stage(stage).kind.clone());
        (self.session.events)(Event::StageFailed { stage: name.clone(), kind, seconds, failure, gate });
        self.skip_users(stage, if gate { "whose gate does not hold" } else { "which failed" });
        if !self.session.options.keep_going && self.stop.is_none() {
            self.stop = Some(format!("not started, because `{name}` failed"));
        }
        self.finished.lost.insert(name);
    }

    /// Skips everything that comes from a stage.
    fn skip_users(&mut self, stage: usize, what: &str) {
        let name = self.stage(stage).name.clone();
        let mut lost = vec![stage];
        while let Some(next) = lost.pop() {
            for user in self.dag.users(next) {
                if matches!(self.states[user], State::Waiting) && self.selected.stages.binary_search(&user).is_ok() {
                    self.set(user, Step::Skip(format!("it needs `{name}`, {what}")));
                    lost.push(user);
                }
            }
        }
    }

    fn skip_the_rest(&mut self) {
        let reason = self.stop.clone().unwrap_or_else(|| "not reached".to_owned());
        for stage in self.selected.stages.clone() {
            if matches!(self.states[stage], State::Waiting | State::Ready(_)) {
                self.set(stage, Step::Skip(reason.clone()));
            }
        }
    }
}
