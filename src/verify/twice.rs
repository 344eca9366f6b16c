//! Two runs of each stage, with the same inputs: one with one thread on one core, one with several on all. What must not
//! depend on the machine's cores, is so seen not to. Declared fields (a training's `threads`) are the same in both.

use super::given::Held;
use super::half::{Half, HalfRequest, Line};
use super::judge::{Before, judge};
use super::locked::unreadable;
use super::scratch::{Scratch, store_at};
use super::select::with_missing;
use super::verdict::{StageVerdict, Verdict, Verification};
use super::{Tell, Told};
use crate::check::{Checked, CheckedStage};
use crate::env::{self, Cancel};
use crate::lock::Claim;
use crate::plan::Plan;
use crate::stage::{ErrorKind, StageError};
use crate::store::Store;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The second half uses at least so many threads, also on machines with fewer cores.
const THREADS: usize = 4;

/// What a half said of its stages.
type Lines = BTreeMap<String, Line>;

/// Runs stages two times and compares. `plan` tells which results the store has; `command` gives the command line of a half with
/// this request's file, and so many threads.
///
/// # Errors
/// When there is no room for a scratch store, or a half cannot be started.
pub fn twice(
    checked: &Checked,
    store: &Store,
    plan: &Plan,
    wanted: &[usize],
    command: &dyn Fn(&Path, usize) -> Command,
    cancel: &Cancel,
    tell: Tell<'_>,
) -> Result<Verification, StageError> {
    store.hold();
    let scratch = Scratch::new(store)?;
    let cached = |index: usize| Some((plan.get(index)?.key.as_ref()?.digest, plan.get(index)?.cached()?));
    let order = with_missing(checked, wanted, &|index| cached(index).is_some());
    let name = |index: &usize| checked.stages[*index].name.clone();
    let stages: Vec<String> = order.iter().map(name).collect();
    let mut given = BTreeMap::new();
    for index in (0..checked.stages.len()).filter(|index| !order.contains(index)) {
        if let Some((key, result)) = cached(index) {
            let half = Half { key, result: (**result).clone(), store: store.folder().to_owned() };
            given.insert(name(&index), half);
        }
    }
    let many = env::cores().max(THREADS);
    let sides = ("with 1 thread".to_owned(), format!("with {many} threads"));
    let mut found = Verification { sides, fed: order.len() - wanted.len(), ..Verification::default() };
    let count = stages.len() * 2;
    let mut at = 0;
    let mut half = |request: &HalfRequest, threads: usize| {
        let file = scratch.place(&format!("half-{threads}.json"));
        run(
            request,
            &file,
            command(&file, threads),
            &mut |stage| {
                at += 1;
                tell(Told::Stage(stage, at, count));
            },
            cancel,
            tell,
        )
    };
    let request = HalfRequest {
        stages: stages.clone(),
        given: given.clone(),
        scratch: scratch.place("one"),
        chain: true,
        one_core: true,
    };
    let first = half(&request, 1)?;
    given.extend(first.iter().filter_map(|(stage, line)| Some((stage.clone(), done(line)?.clone()))));
    let second = HalfRequest { given, scratch: scratch.place("many"), chain: false, one_core: false, ..request };
    let interrupted =
        cancel.is_set() || first.values().any(|line| matches!(line, Line::Failed { interrupted: true, .. }));
    let second = if interrupted { Lines::new() } else { half(&second, many)? };
    for index in order {
        let stage = &checked.stages[index];
        let verdict = verdict(stage, first.get(&stage.name), second.get(&stage.name), store, &mut found);
        found.stages.push(verdict);
    }
    Ok(found)
}

fn done(line: &Line) -> Option<&Half> {
    match line {
        Line::Done { half, .. } => Some(half),
        _ => None,
    }
}

/// What is said of a stage, after what its two halves said.
fn verdict(
    stage: &CheckedStage,
    first: Option<&Line>,
    second: Option<&Line>,
    store: &Store,
    found: &mut Verification,
) -> StageVerdict {
    let (mut claim, mut seconds) = (Claim::of(stage, &BTreeMap::new()), 0.0);
    let verdict = match (first, second) {
        (Some(Line::Done { half: one, .. }), Some(Line::Done { half: other, .. })) => {
            seconds = one.result.seconds + other.result.seconds;
            claim = Claim::of(stage, &one.result.environment);
            let (one_store, other_store) = (store_at(store, &one.store), store_at(store, &other.store));
            let before = Before::made(stage, Held { result: Arc::new(one.result.clone()), store: &one_store });
            let now = Held { result: Arc::new(other.result.clone()), store: &other_store };
            judge(stage, &before, &now).unwrap_or_else(|error| unreadable(found, error))
        }
        (Some(Line::Failed { failure, interrupted, store, bug, .. }), _)
        | (_, Some(Line::Failed { failure, interrupted, store, bug, .. })) => {
            found.interrupted |= interrupted;
            found.store_failed |= store;
            found.bug |= bug;
            if *interrupted {
                Verdict::NotCompared { because: "interrupted".to_owned() }
            } else {
                Verdict::Failed((**failure).clone())
            }
        }
        (Some(Line::Skipped { uses, .. }), _) | (_, Some(Line::Skipped { uses, .. })) => {
            Verdict::NotCompared { because: format!("it uses {uses}") }
        }
        _ => {
            found.interrupted = true;
            Verdict::NotCompared { because: "interrupted".to_owned() }
        }
    };
    StageVerdict { stage: stage.name.clone(), kind: stage.kind.clone(), determinism: claim, seconds, verdict }
}

/// Runs a half and gathers what it says.
fn run(
    request: &HalfRequest,
    file: &Path,
    mut command: Command,
    started: &mut dyn FnMut(String),
    cancel: &Cancel,
    tell: Tell<'_>,
) -> Result<Lines, StageError> {
    let text = serde_json::to_vec(request).map_err(|error| StageError::bug(format!("a half's request: {error}")))?;
    std::fs::write(file, text).map_err(|error| StageError::io("write", file, &error))?;
    crate::env::die_with_parent(&mut command);
    let failed = |what: String| StageError::new(ErrorKind::Process, what);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cannot start kilter again: {error}")))?;
    let (id, ended) = (child.id(), Cancel::new());
    let lines = std::thread::scope(|scope| {
        scope.spawn(|| pass_on(cancel, &ended, id));
        let lines = child.stdout.take().map_or_else(|| Ok(Lines::new()), |output| listen(output, started, tell));
        // The output is closed, so the half has ended or does so now; its id is its own until it is waited for.
        ended.set();
        lines
    });
    let status = child.wait().map_err(|error| failed(format!("cannot wait for a half: {error}")))?;
    let lines = lines?;
    if lines.len() < request.stages.len() && !status.success() && status.code() != Some(130) {
        return Err(failed(format!("a half of the verification ended early: {status}")));
    }
    Ok(lines)
}

/// Tells a half to stop when we are told to.
fn pass_on(cancel: &Cancel, ended: &Cancel, id: u32) {
    while !ended.is_set() {
        if cancel.is_set() {
            if let Ok(id) = libc::pid_t::try_from(id) {
                // SAFETY: signalling has no preconditions, and the process has not been waited for.
                unsafe { libc::kill(id, libc::SIGTERM) };
            }
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Gathers what a half says, until it closes its output.
fn listen(output: ChildStdout, started: &mut dyn FnMut(String), tell: Tell<'_>) -> Result<Lines, StageError> {
    let mut lines = Lines::new();
    for line in BufReader::new(output).lines() {
        let line = line
            .map_err(|error| StageError::new(ErrorKind::Process, format!("cannot read what a half says: {error}")))?;
        match serde_json::from_str::<Line>(&line) {
            Ok(Line::Started(stage)) => started(stage),
            Ok(Line::Told(event)) => tell(Told::Event(Box::new(event))),
            Ok(line @ (Line::Done { .. } | Line::Failed { .. } | Line::Skipped { .. })) => {
                let (Line::Done { stage, .. } | Line::Failed { stage, .. } | Line::Skipped { stage, .. }) = &line
                else {
                    continue;
                };
                lines.insert(stage.clone(), line);
            }
            Err(error) => return Err(StageError::bug(format!("a half said what is no line: {error}")).note(line)),
        }
    }
    Ok(lines)
}
