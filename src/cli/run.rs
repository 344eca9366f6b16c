//! `kilter run`

use super::locate::Words;
use super::session::{self, Place, Session};
use super::{CommandError, Exit, Level, Outcome, Output, args, locate, lock, namesake, signals};
use crate::digest::Digest;
use crate::env::{self, Cancel};
use crate::event::Event;
use crate::exec::{self, RunError, RunOptions, RunSummary};
use crate::history::{Recorder, Revision, RunFacts};
use crate::manifest::Param;
use crate::plan::Selection;
use crate::report::{Frame, JsonLines, Live, Plain, Reporter, TensorBoard, junit};
use crate::store::{Standing, Store};
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub(super) fn run(options: &args::Run, output: Output, started: Instant) -> Outcome {
    let words = locate::words(&options.words)?;
    let set = &options.params.set;
    let place = Place::of(&words.manifest, set)?;
    // Before anything is looked up: what a `gc` that is just ending takes would be believed to be there.
    place.store.hold();
    let locked = options.locked || options.frozen;
    let plain = words.names.is_empty() && !options.force && !locked && options.junit.is_none();
    let revision = Revision::ask(&place.workspace.root);
    // Never dropped: the process ends with it.
    let standing = ManuallyDrop::new(if plain { place.standing(true) } else { None });
    let locked_too = |all| !set.is_empty() || lock::tells_of(&place.store, &words.manifest, all);
    if let Some(standing) = &*standing
        && let Some(all) = standing.all_held().filter(|all| locked_too(*all))
    {
        let place = ManuallyDrop::new(place);
        return run_nothing(options, output, started, (&place, &words, revision), (standing, all));
    }
    let session = place.open().or_mistakes(&words.manifest, output)?;
    if output.level != Level::Quiet {
        session::tell(&session.checked.diagnostics, &session.checked.sources, output);
    }
    let expected = locked.then(|| lock::expected(&session.checked, &words)).transpose()?;
    let cancel = Cancel::new();
    let reporter = reporter(options, output, &cancel, started);
    let said = Arc::clone(&reporter);
    signals::watch(cancel.clone(), move || said.say("stopping; a second signal ends it at once"));

    let manifest = &session.checked.manifest;
    namesake::warn(manifest, &session.store, output);
    let value = |param: &Param| (param.name.clone(), param.value.clone().unwrap_or_default());
    let params = manifest.params.iter().map(value).collect();
    let recorder = recorder(revision, &session.store, &manifest.path, params, &words);
    let board = options.tensorboard.as_deref().map(TensorBoard::new);
    let cases = Mutex::new(Vec::new());
    let finished = Mutex::new(None);
    let events = |event: Event| {
        recorder.event(&event);
        if let Some(board) = &board {
            board.event(&event);
        }
        if options.junit.is_some() {
            cases.lock().unwrap_or_else(PoisonError::into_inner).extend(junit::case(&event));
        }
        match event {
            Event::RunFinished { .. } => *finished.lock().unwrap_or_else(PoisonError::into_inner) = Some(event),
            event => reporter.event(&event),
        }
    };
    let run_options = RunOptions {
        jobs: options.jobs.map_or_else(env::cores, usize::from),
        keep_going: options.keep_going,
        selection: Selection { targets: words.names.clone(), force: options.force },
        offline: options.offline || options.frozen,
        keep: Some(set.clone()),
        locked: expected,
        ..RunOptions::default()
    };
    let Session { workspace, store, checked } = session;
    let pipeline = checked.manifest.pipeline.name.clone();
    let mut check_again = || session::check(&words.manifest, set, &workspace, &store);
    let outcome = exec::run_checking_again(
        ManuallyDrop::into_inner(checked),
        &mut check_again,
        &store,
        &run_options,
        &cancel,
        &events,
    );
    let finished = finished.into_inner().unwrap_or_else(PoisonError::into_inner);
    let moment = |key| store.peek(key).map(|result| (result.made, result.seconds));
    let told = finished.as_ref().and_then(|event| recorder.finish(event, &moment, &|key| store.peek(key)));
    if let Some(warning) = told {
        reporter.say(&format!("warning: {warning}"));
    }
    if let Some(failure) = board.as_ref().and_then(TensorBoard::failed) {
        reporter.say(&format!("warning: {failure}"));
    }
    if let Some(path) = &options.junit {
        let cases = cases.into_inner().unwrap_or_else(PoisonError::into_inner);
        std::fs::write(path, junit::report(&pipeline, &cases))
            .map_err(|error| CommandError::io("write", path, &error))?;
    }
    match outcome {
        Ok(exec::Outcome::Done(checked, summary)) => {
            let checked = ManuallyDrop::new(checked);
            if let Some(event) = finished {
                reporter.event(&if options.json { event } else { shown(event, &workspace.root) });
            }
            reporter.close();
            if !locked && set.is_empty() {
                // Whoever reads events hears of the lock only where it could not be written.
                let level = if options.json { Level::Quiet } else { output.level };
                lock::bring_up_to_date(&checked, &store, &words, &summary, Output { level, ..output });
            }
            Ok(if reporter.is_closed() { Exit::Done } else { exit(&summary) })
        }
        Ok(exec::Outcome::Mistakes(checked, _)) => {
            reporter.close();
            output.say("the data is here, and does not fit what the manifest says of it");
            session::tell(&checked.diagnostics, &checked.sources, output);
            output.warn(&session::counted(&checked.diagnostics));
            Ok(Exit::Usage)
        }
        Err(error) => {
            reporter.close();
            Err(error.into())
        }
    }
}

/// Enters the run into the history.
fn recorder(
    revision: Revision,
    store: &Store,
    manifest: &Path,
    params: BTreeMap<String, serde_json::Value>,
    words: &Words,
) -> Recorder {
    let layout = store.layout();
    let facts = RunFacts { manifest: layout.shown(manifest), params, targets: words.names.clone() };
    Recorder::new(&layout.history(), revision, store.boot(), facts)
}

/// Tells a run that has nothing to do, and enters it into the history.
fn run_nothing(
    options: &args::Run,
    output: Output,
    started: Instant,
    (place, words, revision): (&Place<'_>, &Words, Revision),
    (standing, all): (&Standing, Digest),
) -> Outcome {
    let Place { workspace, store, .. } = place;
    let manifest = words.manifest.canonicalize().unwrap_or_else(|_| words.manifest.clone());
    let recorder = recorder(revision, store, &manifest, standing.params().clone(), words);
    let reporter = reporter(options, output, &Cancel::new(), started);
    let finished = Mutex::new(None);
    let summary = exec::run_nothing(standing, store, reporter.tells_cached(), &|event| match event {
        Event::RunFinished { .. } => *finished.lock().unwrap_or_else(PoisonError::into_inner) = Some(event),
        event => reporter.event(&event),
    });
    store.stat_cache.save();
    let finished = finished.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((event, summary)) = finished.zip(summary.as_ref()) {
        let (names, outcomes) = ((summary.run.as_str(), standing.pipeline()), || standing.outcomes().collect());
        if let Some(warning) = recorder.finish_cached(names, &event, all, &outcomes, &|key| store.peek(key)) {
            reporter.say(&format!("warning: {warning}"));
        }
        reporter.event(&if options.json { event } else { shown(event, &workspace.root) });
    }
    reporter.close();
    Ok(summary.filter(|_| !reporter.is_closed()).map_or(Exit::Done, |summary| exit(&summary)))
}

/// Events to stdout, a live display on a terminal, or lines of a log.
fn reporter(options: &args::Run, output: Output, cancel: &Cancel, started: Instant) -> Arc<dyn Reporter + Send + Sync> {
    let (verbose, quiet) = (output.level == Level::Verbose, output.level == Level::Quiet);
    let frame = Frame { paint: output.err, width: output.width, verbose, quiet, started };
    if options.json {
        let cancel = cancel.clone();
        Arc::new(JsonLines::new(move || cancel.set()))
    } else if output.live {
        Arc::new(Live::new(frame))
    } else {
        Arc::new(Plain::new(frame))
    }
}

/// The last event with the results' folder as seen from the current one.
fn shown(mut event: Event, root: &Path) -> Event {
    if let Event::RunFinished { out, .. } = &mut event {
        *out = env::shown(&root.join(&*out));
    }
    event
}

fn exit(summary: &RunSummary) -> Exit {
    if summary.bug {
        Exit::Bug
    } else if summary.interrupted {
        Exit::Interrupted
    } else if summary.store_failed {
        Exit::Environment
    } else if summary.off_lock {
        Exit::Verification
    } else if summary.failed > 0 {
        Exit::Failed
    } else {
        Exit::Done
    }
}

impl From<RunError> for CommandError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Target(error) => error.into(),
            RunError::Store(error) => {
                let mut told = Self::environment(error.to_string());
                told.hints = error.hints();
                told
            }
        }
    }
}
