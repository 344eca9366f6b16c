//! The loop that owns every stage's state. Threads run attempts of stages and send back how they went; nothing else
//! changes a state, and every change goes through [`Scheduler::set`].

use super::board::{Board, Done, Origin};
use super::failure::{Trouble, broken_gates, describe};
use super::locked;
use super::ready::Ready;
use super::run::{RunSummary, Session};
use super::run_stage::{Attempt, Made, Task};
use super::slots::{Grant, Need, Slots};
use super::state::{State, Step, Turn, pause};
use super::threads::{Message, Threads};
use super::urgency::urgencies;
use crate::check::{Checked, CheckedStage};
use crate::digest::Digest;
use crate::env;
use crate::event::{Event, Failure};
use crate::numbers;
use crate::plan::{Dag, Key, Selected};
use crate::stage::{ErrorKind, StageError};
use crate::store::LastKeys;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the loop looks at the cancel flag, at locks of others and at the clock while nothing happens.
const TICK: Duration = Duration::from_millis(25);
/// The key of a result that took so many seconds is noted at once, and those of others about every second.
const DEAR: f64 = 10.0;

/// What a pass did.
#[derive(Default)]
pub(super) struct Finished {
    pub(super) summary: RunSummary,
    pub(super) done: BTreeMap<String, Done>,
    /// Stages that failed or were skipped.
    pub(super) lost: BTreeSet<String>,
}

pub(super) struct Scheduler<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) checked: &'a Checked,
    dag: &'a Dag,
    pub(super) selected: Selected,
    states: Vec<State>,
    pub(super) board: Arc<Board>,
    /// Inputs that have no result yet.
    missing: Vec<usize>,
    /// Stages whose inputs are all there, not looked at yet.
    reached: VecDeque<usize>,
    ready: Ready,
    urgency: Vec<u64>,
    pub(super) slots: Slots,
    running: usize,
    elsewhere: BTreeSet<usize>,
    resting: BTreeSet<(Instant, usize)>,
    /// Why nothing new starts.
    stop: Option<String>,
    last: LastKeys,
    last_saved: Instant,
    finished: Finished,
}

impl<'a> Scheduler<'a> {
    pub(super) fn new(session: &'a Session<'a>, checked: &'a Checked, dag: &'a Dag, selected: Selected) -> Self {
        let count = checked.stages.len();
        let options = session.options;
        let last = session.store.last_keys(&checked.manifest.pipeline.name);
        Self {
            session,
            checked,
            dag,
            selected,
            states: (0..count).map(|_| State::Waiting).collect(),
            board: Arc::new(Board::new(count)),
            missing: (0..count).map(|index| dag.inputs(index).len()).collect(),
            reached: VecDeque::new(),
            ready: Ready::default(),
            urgency: urgencies(checked, dag, &last),
            slots: Slots::new(options.jobs, &options.gpus, options.memory),
            running: 0,
            elsewhere: BTreeSet::new(),
            resting: BTreeSet::new(),
            stop: None,
            last,
            last_saved: Instant::now(),
            finished: Finished::default(),
        }
    }

    /// Runs the selected stages and gives back what came of them.
    pub(super) fn run(mut self) -> Finished {
        let missing = &self.missing;
        self.reached = self.selected.stages.iter().copied().filter(|stage| missing[*stage] == 0).collect();
        std::thread::scope(|scope| {
            let mut threads = Threads::new(scope);
            loop {
                self.look_at_cancel();
                self.look_at_reached();
                self.look_at_others();
                self.start_ready(&mut threads);
                let idle = self.elsewhere.is_empty() && self.resting.is_empty();
                if self.running == 0 && self.reached.is_empty() && (idle || self.stop.is_some()) {
                    break;
                }
                self.wait(&threads);
            }
        });
        self.skip_the_rest();
        // Pointers for `why` and `gc` alone: a folder that cannot be written shows elsewhere.
        let _ = self.last.save();
        self.finished
    }

    pub(super) fn stage(&self, stage: usize) -> &'a CheckedStage {
        &self.checked.stages[stage]
    }

    fn look_at_cancel(&mut self) {
        if self.session.cancel.is_set() {
            self.stop = Some("interrupted".to_owned());
        }
    }

    /// Looks at the stages whose inputs are all there, wave by wave: cached, or ready to run.
    fn look_at_reached(&mut self) {
        while !self.reached.is_empty() && self.stop.is_none() {
            let wave: Vec<usize> = self.reached.drain(..self.reached.len().min(super::look::WAVE)).collect();
            for (stage, step) in wave.iter().zip(self.look_all(&wave)) {
                if self.stop.is_some() {
                    break;
                }
                match step {
                    Some(step) => self.set(*stage, step),
                    None => self.take_over(*stage),
                }
            }
            self.look_at_cancel();
        }
        if self.stop.is_some() {
            self.reached.clear();
        }
    }

    /// Takes over what an earlier pass of this run did.
    fn take_over(&mut self, stage: usize) {
        match self.session.earlier.get(&self.stage(stage).name) {
            Some(done) => {
                self.states[stage] = State::Done;
                self.board.put(stage, done.clone());
                self.unblock(stage);
            }
            None => {
                self.states[stage] = State::Failed;
                self.skip_users(stage, "which failed");
            }
        }
    }

    /// Looks whether others have made what we wait for, and whether pauses are over.
    fn look_at_others(&mut self) {
        if self.stop.is_some() {
            return;
        }
        for stage in self.elsewhere.clone() {
            let State::Elsewhere(turn) = &self.states[stage] else { continue };
            match self.session.store.is_free(turn.key.digest) {
                Ok(false) => {}
                Ok(true) => {
                    let step = self.look_up(stage, turn.clone());
                    self.set(stage, step);
                }
                Err(error) => self.set(stage, Step::Fail(Box::new(error.into()))),
            }
        }
        let now = Instant::now();
        while let Some((until, stage)) = self.resting.first().copied().filter(|(until, _)| *until <= now) {
            let State::Resting { turn, .. } = &self.states[stage] else {
                self.resting.remove(&(until, stage));
                continue;
            };
            self.set(stage, Step::Ready(turn.clone()));
        }
    }

    fn wait(&mut self, threads: &Threads<'_, '_>) {
        let Some(Message { stage, outcome }) = threads.answer(TICK) else { return };
        let State::Running { turn, .. } = &self.states[stage] else { return };
        let turn = turn.clone();
        match outcome {
            Ok(Attempt::Made(made)) => self.set(stage, Step::Done(made, turn.key.digest)),
            Ok(Attempt::Elsewhere(owner)) => self.set(stage, Step::Elsewhere(turn, owner)),
            Ok(Attempt::Changed) => self.set(stage, self.look_again(stage, turn.attempt)),
            Err(trouble) if trouble.is_cancelled() => self.set(stage, Step::Skip(trouble.why_cancelled())),
            Err(trouble) => self.failed(stage, turn, trouble),
        }
    }

    /// An attempt failed: the stage rests before another one, or has failed.
    fn failed(&mut self, stage: usize, mut turn: Turn, trouble: Box<Trouble>) {
        let common = &self.stage(stage).common;
        if turn.attempt >= common.attempts.max(1) || !trouble.may_pass() || self.stop.is_some() {
            return self.set(stage, Step::Fail(trouble));
        }
        let pause = pause(common.backoff, turn.attempt);
        let why = describe(&trouble, self.checked, stage, self.session.store.layout()).message;
        let message = format!(
            "attempt {} of {} failed: {why}; the next begins in {}",
            turn.attempt,
            common.attempts,
            numbers::duration(pause.as_secs_f64())
        );
        (self.session.events)(Event::StageWarning { stage: self.stage(stage).name.clone(), message });
        turn.attempt += 1;
        self.set(stage, Step::Rest(turn, pause));
    }

    /// Starts what is ready, the most urgent first, as far as there are slots.
    fn start_ready<'scope>(&mut self, threads: &mut Threads<'scope, 'a>)
    where
        'a: 'scope,
    {
        while self.stop.is_none()
            && let Some(stage) = self.ready.next(&self.slots)
        {
            let State::Ready(turn) = &self.states[stage] else { return };
            let turn = turn.clone();
            let grant = self.slots.take(turn.need);
            let task = self.task(stage, &turn, &grant);
            self.set(stage, Step::Start(turn, grant));
            if let Err(error) = threads.run(stage, task, self.running) {
                let error = StageError::new(ErrorKind::Process, format!("cannot start a thread: {error}"));
                self.set(stage, Step::Fail(Box::new(Trouble::from(error))));
            }
        }
    }

    fn task(&self, stage: usize, turn: &Turn, grant: &Grant) -> Task<'a> {
        Task {
            session: self.session,
            checked: self.checked,
            index: stage,
            key: Arc::clone(&turn.key),
            origin: Origin::Run(Arc::clone(&self.board)),
            force: !self.may_be_taken(stage, turn.key.digest),
            threads: grant.need.cpus,
            gpus: grant.gpus.clone(),
            restore: true,
        }
    }

    /// A stage's first attempt.
    pub(super) fn first_turn(&self, stage: usize, key: Key) -> Turn {
        Turn { key: Arc::new(key), need: Need::of(self.stage(stage), &self.slots), attempt: 1 }
    }

    /// Why a stage can never run on this machine.
    pub(super) fn refuses(&self, turn: &Turn) -> Option<String> {
        self.slots.refuses(&turn.need)
    }

    /// Changes a stage's state: the only place that does, and that tells of it.
    fn set(&mut self, stage: usize, step: Step) {
        let Some(seconds) = self.leave(stage) else { return };
        match step {
            Step::Ready(turn) => {
                self.ready.insert(stage, turn.need, self.urgency[stage]);
                self.states[stage] = State::Ready(turn);
            }
            Step::Start(turn, grant) => {
                self.states[stage] = State::Running { turn, grant, started: Instant::now() };
                self.running += 1;
            }
            Step::Elsewhere(turn, owner) => {
                self.states[stage] = State::Elsewhere(turn);
                self.elsewhere.insert(stage);
                let reason = format!("{owner} is computing the same result");
                (self.session.events)(Event::StageWaiting { stage: self.stage(stage).name.clone(), reason });
            }
            Step::Rest(turn, pause) => {
                let until = Instant::now() + pause;
                self.states[stage] = State::Resting { turn, until };
                self.resting.insert((until, stage));
                let reason = "pausing before the next attempt".to_owned();
                (self.session.events)(Event::StageWaiting { stage: self.stage(stage).name.clone(), reason });
            }
            Step::Done(made, key) => self.has_result(stage, made, key, seconds),
            Step::Fail(trouble) => {
                self.finished.summary.store_failed |= trouble.is_store();
                self.finished.summary.bug |= trouble.is_bug();
                self.finished.summary.off_lock |= trouble.is_off_lock();
                let failure = describe(&trouble, self.checked, stage, self.session.store.layout());
                self.fail(stage, failure, seconds, None);
            }
            Step::Skip(reason) => self.skip(stage, reason),
        }
    }

    /// Leaves a state, and gives the seconds that it ran; `None` where the state is a last one.
    fn leave(&mut self, stage: usize) -> Option<f64> {
        match std::mem::replace(&mut self.states[stage], State::Waiting) {
            State::Waiting => {}
            State::Ready(turn) => self.ready.remove(stage, turn.need, self.urgency[stage]),
            State::Elsewhere(_) => {
                self.elsewhere.remove(&stage);
            }
            State::Resting { until, .. } => {
                self.resting.remove(&(until, stage));
            }
            State::Running { grant, started, .. } => {
                self.slots.give(grant);
                self.running -= 1;
                return Some(started.elapsed().as_secs_f64());
            }
            last @ (State::Done | State::Failed | State::Skipped) => {
                self.states[stage] = last;
                return None;
            }
        }
        Some(0.0)
    }

    fn has_result(&mut self, stage: usize, made: Made, key: Digest, seconds: f64) {
        let name = self.stage(stage).name.clone();
        self.last.note(&name, key, env::unix_seconds(), made.result.seconds);
        // What took long at once: of a run that is killed `gc` keeps what is noted here.
        if !made.cached && (made.result.seconds >= DEAR || self.last_saved.elapsed() > Duration::from_secs(1)) {
            let _ = self.last.save();
            self.last_saved = Instant::now();
        }
        if let Some(error) = locked::result_off(self.session.options, self.checked, stage, &made.result) {
            return self.set_off_lock(stage, error, seconds);
        }
        if made.result.broken_gates().next().is_some() {
            let manifest = &self.checked.manifest;
            let named = env::command_words(&manifest.path, &name, &manifest.set);
            let failure = broken_gates(&named, &made.result, made.cached);
            return self.fail(stage, failure, seconds, Some(key));
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
            key,
            cached: made.cached,
            seconds: made.result.seconds,
            summary: made.result.summary.clone(),
            metrics: made.result.metrics.clone(),
        });
        let done = Done { result: made.result, key };
        self.finished.done.insert(name, done.clone());
        self.states[stage] = State::Done;
        self.board.put(stage, done);
        self.unblock(stage);
    }

    fn set_off_lock(&mut self, stage: usize, error: StageError, seconds: f64) {
        self.finished.summary.off_lock = true;
        let layout = self.session.store.layout();
        let failure = describe(&Trouble::OffLock(error), self.checked, stage, layout);
        self.fail(stage, failure, seconds, None);
    }

    fn unblock(&mut self, stage: usize) {
        for user in self.dag.users(stage) {
            self.missing[user] -= 1;
            if self.missing[user] == 0 && self.selected.stages.binary_search(&user).is_ok() {
                self.reached.push_back(user);
            }
        }
    }

    /// Notes a failure; where it is a gate that does not hold there is a result, under `key`.
    fn fail(&mut self, stage: usize, failure: Failure, seconds: f64, key: Option<Digest>) {
        let gate = key.is_some();
        self.states[stage] = State::Failed;
        self.finished.summary.failed += 1;
        let (name, kind) = (self.stage(stage).name.clone(), self.stage(stage).kind.clone());
        (self.session.events)(Event::StageFailed { stage: name.clone(), kind, key, seconds, failure, gate });
        self.skip_users(stage, if gate { "whose gate does not hold" } else { "which failed" });
        if !self.session.options.keep_going && self.stop.is_none() {
            self.stop = Some(format!("not started, because `{name}` failed"));
        }
        self.finished.lost.insert(name);
    }

    fn skip(&mut self, stage: usize, reason: String) {
        self.states[stage] = State::Skipped;
        let stage = self.stage(stage).name.clone();
        if !self.session.lost.contains(&stage) {
            self.finished.summary.skipped += 1;
            self.finished.lost.insert(stage.clone());
            (self.session.events)(Event::StageSkipped { stage, reason });
        }
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
            let ended = matches!(self.states[stage], State::Done | State::Failed | State::Skipped);
            if !ended {
                self.set(stage, Step::Skip(reason.clone()));
            }
        }
    }
}
