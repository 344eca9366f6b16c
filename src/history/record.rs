//! A run as it happens, from events to rows.
//!
//! A run that computes anything has a row from its first stage on, so that one that was killed is seen. A run of cached
//! stages is written in one step at its end. Rows are written in batches: a stage's event must not cost what a
//! transaction costs.

use super::db::{History, HistoryError, set_aside};
use crate::digest::Digest;
use crate::env;
use crate::event::Event;
use crate::git::{Git, GitState};
use crate::stage::{Outcome, StageResult, outcomes_digest};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long rows may wait to be written together.
const BATCH: Duration = Duration::from_millis(500);
/// How long to wait at the end for git, which looks at every tracked file.
const GIT: Duration = Duration::from_secs(3);

/// What is known of a run before it begins.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// The manifest, relative to the workspace.
    pub manifest: String,
    /// Every param with its value.
    pub params: BTreeMap<String, Value>,
    /// The stages that were asked for; empty for all.
    pub targets: Vec<String>,
}

/// The revision that a workspace is at, which git is asked for beside other work.
pub struct Revision(Receiver<Option<GitState>>);

impl Revision {
    /// Asks git.
    #[must_use]
    pub fn ask(root: &Path) -> Self {
        let (send, state) = channel();
        let root = root.to_owned();
        // Where no thread can be had, nothing is sent, and the run is entered without a revision.
        let _ = std::thread::Builder::new().name("git state".to_owned()).spawn(move || send.send(Git::state(&root)));
        Self(state)
    }
}

/// Enters one run into the history. Events may come from several threads.
pub struct Recorder {
    path: PathBuf,
    facts: RunFacts,
    boot: String,
    git: Mutex<Revision>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    history: Option<History>,
    id: String,
    pipeline: String,
    started: u64,
    /// Of every stage its place among the others and its kind.
    stages: BTreeMap<String, (usize, String)>,
    /// Stages with a result.
    done: Vec<(String, Digest)>,
    attempts: Vec<AttemptRow>,
    flushed: Option<Instant>,
    warning: Option<String>,
    /// It cannot be written, which was told.
    lost: bool,
}

struct AttemptRow {
    stage: String,
    state: &'static str,
    seconds: f64,
    message: String,
}

impl Recorder {
    /// A recorder into the history at `path` for a run in a workspace at a revision. `boot` tells this boot of the machine
    /// from others.
    #[must_use]
    pub fn new(path: &Path, revision: Revision, boot: &str, facts: RunFacts) -> Self {
        let (boot, git) = (boot.to_owned(), Mutex::new(revision));
        Self { path: path.to_owned(), facts, boot, git, state: Mutex::default() }
    }

    /// Takes note of an event.
    pub fn event(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::RunStarted { run, pipeline, stages, .. } => {
                state.id.clone_from(run);
                state.pipeline.clone_from(pipeline);
                state.started = env::unix_seconds();
                let places = stages.iter().cloned().enumerate();
                state.stages = places.map(|(place, (name, kind))| (name, (place, kind))).collect();
            }
            Event::StageStarted { .. } | Event::StageWaiting { .. } if state.flushed.is_none() => {
                self.flush(&mut state)
            }
            Event::StageDone { stage, key, cached, seconds, summary, .. } => {
                state.done.push((stage.clone(), *key));
                if !cached {
                    state.attempt(stage, "ran", *seconds, summary);
                }
            }
            Event::StageFailed { stage, key, seconds, failure, gate, .. } => {
                state.done.extend(key.map(|key| (stage.clone(), key)));
                let word = match (*gate, failure.refused) {
                    (true, _) => "gate",
                    (false, true) => "refused",
                    (false, false) => "failed",
                };
                state.attempt(stage, word, *seconds, &failure.message);
            }
            Event::StageSkipped { stage, reason } => state.attempt(stage, "skipped", 0.0, reason),
            _ => {}
        }
        if state.flushed.is_some_and(|flushed| flushed.elapsed() > BATCH) {
            self.flush(&mut state);
        }
    }

    /// Ends the run: `finished` is its last event, `moment_of` tells when the result of a key was made and how many seconds
    /// that took, `result_of` gives the stored result, which is asked for only where the history has none. Gives a warning
    /// where the history is not as it should be.
    pub fn finish(
        &self,
        finished: &Event,
        moment_of: &dyn Fn(Digest) -> Option<(u64, f64)>,
        result_of: &dyn Fn(Digest) -> Option<Arc<StageResult>>,
    ) -> Option<String> {
        let git = self.git();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = std::mem::take(&mut state.done);
        // Not in the order in which they ended, so that the same results are the same snapshot.
        done.sort_by_cached_key(|(stage, _)| state.stages.get(stage).map_or(usize::MAX, |(place, _)| *place));
        let results: Vec<Outcome<'_>> = done
            .iter()
            .filter_map(|(stage, key)| {
                moment_of(*key).map(|(made, seconds)| Outcome { stage, key: *key, made, seconds })
            })
            .collect();
        let digest = outcomes_digest(results.iter().copied());
        self.write(&mut state, &|change, state| {
            self.begin_row(change, state)?;
            write_attempts(change, state)?;
            let snapshot = write_snapshot(change, digest, &|| results.clone(), result_of)?;
            end_row(change, &state.id, finished, &git, snapshot)
        });
        state.warning.take()
    }

    /// Enters a run in which every stage was cached, without having heard of each: `all` is the digest of the outcomes, which
    /// are asked for only where the history does not know them.
    pub fn finish_cached<'a>(
        &self,
        (run, pipeline): (&str, &str),
        finished: &Event,
        all: Digest,
        outcomes: &dyn Fn() -> Vec<Outcome<'a>>,
        result_of: &dyn Fn(Digest) -> Option<Arc<StageResult>>,
    ) -> Option<String> {
        let git = self.git();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.id, state.pipeline) = (run.to_owned(), pipeline.to_owned());
        state.started = env::unix_seconds();
        self.write(&mut state, &|change, state| {
            self.begin_row(change, state)?;
            let snapshot = write_snapshot(change, all, outcomes, result_of)?;
            end_row(change, &state.id, finished, &git, snapshot)
        });
        state.warning.take()
    }

    fn git(&self) -> GitState {
        let Revision(git) = &*self.git.lock().unwrap_or_else(PoisonError::into_inner);
        git.recv_timeout(GIT).ok().flatten().unwrap_or_default()
    }

    fn flush(&self, state: &mut State) {
        state.flushed = Some(Instant::now());
        self.write(state, &|change, state| {
            self.begin_row(change, state)?;
            write_attempts(change, state)
        });
        if !state.lost {
            state.attempts.clear();
        }
    }

    /// Writes in one transaction. A damaged database is set aside and the work done again in a new one; whatever else goes
    /// wrong becomes a warning.
    fn write(&self, state: &mut State, work: &dyn Fn(&Transaction<'_>, &State) -> Result<(), HistoryError>) {
        if state.lost || state.id.is_empty() {
            return;
        }
        let mut outcome = self.try_write(state, work);
        if matches!(&outcome, Err(error) if error.is_damage()) {
            state.history = None;
            outcome = set_aside(&self.path).and_then(|told| {
                state.warning = told.or(state.warning.take());
                self.try_write(state, work)
            });
        }
        if let Err(error) = outcome {
            state.lost = true;
            state.warning = Some(format!("this run is not in the history: {error}"));
        }
    }

    fn try_write(
        &self,
        state: &mut State,
        work: &dyn Fn(&Transaction<'_>, &State) -> Result<(), HistoryError>,
    ) -> Result<(), HistoryError> {
        let mut history = match state.history.take() {
            Some(history) => history,
            None => {
                let (history, told) = History::open_or_create(&self.path)?;
                state.warning = told.or(state.warning.take());
                history
            }
        };
        let change = history.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work(&change, state)?;
        change.commit()?;
        state.history = Some(history);
        Ok(())
    }

    fn begin_row(&self, change: &Transaction<'_>, state: &State) -> Result<(), HistoryError> {
        let text = |value: &dyn Fn() -> serde_json::Result<String>| value().unwrap_or_default();
        let mut row = change.prepare_cached(
            "INSERT OR IGNORE INTO runs (id, pipeline, manifest, started, state, process, boot, params, targets)
             VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6, ?7, ?8)",
        )?;
        row.execute(params![
            state.id,
            state.pipeline,
            self.facts.manifest,
            i64::try_from(state.started).unwrap_or(0),
            std::process::id(),
            self.boot,
            text(&|| serde_json::to_string(&self.facts.params)),
            text(&|| serde_json::to_string(&self.facts.targets)),
        ])?;
        Ok(())
    }
}

impl State {
    fn attempt(&mut self, stage: &str, state: &'static str, seconds: f64, message: &str) {
        self.attempts.push(AttemptRow { stage: stage.to_owned(), state, seconds, message: message.to_owned() });
    }
}

fn write_attempts(change: &Transaction<'_>, state: &State) -> Result<(), HistoryError> {
    let mut row = change.prepare_cached(
        "INSERT OR REPLACE INTO attempts (run, stage, kind, state, seconds, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for attempt in &state.attempts {
        let kind = state.stages.get(&attempt.stage).map_or("", |(_, kind)| kind.as_str());
        row.execute(params![state.id, attempt.stage, kind, attempt.state, attempt.seconds, attempt.message])?;
    }
    Ok(())
}

/// The snapshot of these outcomes, written where it is new.
fn write_snapshot<'a>(
    change: &Transaction<'_>,
    all: Digest,
    outcomes: &dyn Fn() -> Vec<Outcome<'a>>,
    result_of: &dyn Fn(Digest) -> Option<Arc<StageResult>>,
) -> Result<i64, HistoryError> {
    let digest = all.to_string();
    let known = change
        .prepare_cached("SELECT id FROM snapshots WHERE digest = ?1")?
        .query_row([&digest], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    let outcomes = outcomes();
    let mut members = Vec::with_capacity(outcomes.len());
    for outcome in &outcomes {
        if let Some(id) = write_result(change, outcome, result_of)? {
            members.push((outcome.stage, id));
        }
    }
    let stages = pack(&members)?;
    change.execute("INSERT INTO snapshots (digest, stages) VALUES (?1, ?2)", params![digest, stages])?;
    Ok(change.last_insert_rowid())
}

fn write_result(
    change: &Transaction<'_>,
    outcome: &Outcome<'_>,
    result_of: &dyn Fn(Digest) -> Option<Arc<StageResult>>,
) -> Result<Option<i64>, HistoryError> {
    let (key, made) = (outcome.key.to_string(), i64::try_from(outcome.made).unwrap_or(0));
    let took = outcome.seconds.to_bits().cast_signed();
    let known = change
        .prepare_cached("SELECT id FROM results WHERE key = ?1 AND made = ?2 AND took = ?3")?
        .query_row(params![key, made, took], |row| row.get(0))
        .optional()?;
    if known.is_some() {
        return Ok(known);
    }
    let Some(result) = result_of(outcome.key) else { return Ok(None) };
    let mut row = change.prepare_cached("INSERT INTO results (key, made, took, json) VALUES (?1, ?2, ?3, ?4)")?;
    row.execute(params![key, made, took, pack(&*result)?])?;
    Ok(Some(change.last_insert_rowid()))
}

fn pack(value: &impl serde::Serialize) -> Result<Vec<u8>, HistoryError> {
    let text = serde_json::to_vec(value).map_err(|error| HistoryError::Entry(error.to_string()))?;
    zstd::bulk::compress(&text, 1).map_err(|error| HistoryError::Entry(error.to_string()))
}

fn end_row(
    change: &Transaction<'_>,
    id: &str,
    finished: &Event,
    git: &GitState,
    snapshot: i64,
) -> Result<(), HistoryError> {
    let Event::RunFinished { ran, cached, failed, skipped, seconds, interrupted, .. } = finished else {
        return Ok(());
    };
    let state = match (interrupted, failed) {
        (true, _) => "interrupted",
        (false, 0) => "done",
        (false, _) => "failed",
    };
    let count = |count: &usize| i64::try_from(*count).unwrap_or(i64::MAX);
    let mut row = change.prepare_cached(
        "UPDATE runs SET seconds = ?2, state = ?3, ran = ?4, cached = ?5, failed = ?6, skipped = ?7,
                revision = ?8, branch = ?9, dirty = ?10, snapshot = ?11 WHERE id = ?1",
    )?;
    row.execute(params![
        id,
        seconds,
        state,
        count(ran),
        count(cached),
        count(failed),
        count(skipped),
        git.revision,
        git.branch,
        git.revision.as_ref().map(|_| git.dirty),
        snapshot,
    ])?;
    Ok(())
}
