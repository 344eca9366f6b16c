//! `kilter verify`

mod junit;
mod progress;
mod text;

use self::progress::Progress;
use super::session::Session;
use super::{CommandError, Exit, Outcome, Output, args, locate, signals};
use crate::env::{self, Cancel};
use crate::exec::RunOptions;
use crate::lock;
use crate::numbers::counted;
use crate::plan::{Selection, outline};
use crate::verify::{self, HalfRequest, Line, Verdict, Verification, Which};
use serde_json::json;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

pub(super) fn run(options: &args::Verify, output: Output, started: Instant) -> Outcome {
    if let Some(file) = &options.half {
        return half(options, file, output);
    }
    let manifest = manifest(options)?;
    let session = Session::held(&manifest, &options.params.set, output)?;
    let which = Which { stages: options.stage.clone(), sample: options.sample, seed: options.seed };
    let stages = verify::stages(&session.checked, &which)?;
    let cancel = Cancel::new();
    let said = output;
    signals::watch(cancel.clone(), move || said.say("stopping; a second signal ends it at once"));
    if options.sample.is_some() {
        let all = verify::stages(&session.checked, &Which { sample: None, ..which })?.len();
        output.say(&format!("a sample of {} of {}, by seed {}", stages.len(), counted(all, "stage"), options.seed));
    }
    let progress = Progress::new(output);
    let tell = |told| progress.tell(told);
    let found = if options.twice {
        let plan = outline(&session.checked, &session.store, &Selection::default())?;
        let command = |request: &Path, threads: usize| half_command(options, &manifest, request, threads);
        verify::twice(&session.checked, &session.store, &plan, &stages, &command, &cancel, &tell)
    } else {
        let path = lock::lock_path(&manifest);
        let Some(locked) = lock::read(&path)? else {
            let message = format!("there is no lock `{}` to compare with", env::shown(&path));
            return Err(CommandError::new(Exit::Verification, message)
                .hint("`kilter run` writes it; `kilter verify --twice` needs none"));
        };
        verify::against_lock(&session.checked, &session.store, &locked, &stages, &run_options(options), &cancel, &tell)
    };
    progress.close();
    let found = found?;
    if let Some(path) = &options.junit {
        junit::write(path, session.pipeline(), &found)?;
    }
    if options.json {
        output.json(&as_json(&session, &found))?;
    } else {
        output.data(&text::as_text(&found, output, started.elapsed().as_secs_f64()))?;
    }
    Ok(exit(&found))
}

fn run_options(options: &args::Verify) -> RunOptions {
    RunOptions { offline: options.offline, ..RunOptions::default() }
}

fn exit(found: &Verification) -> Exit {
    let failed = found.count(|verdict| matches!(verdict, Verdict::Failed(_)));
    if found.bug {
        Exit::Bug
    } else if found.interrupted {
        Exit::Interrupted
    } else if found.store_failed {
        Exit::Environment
    } else if found.first().is_some() {
        Exit::Verification
    } else if failed > 0 {
        Exit::Failed
    } else {
        Exit::Done
    }
}

fn as_json(session: &Session, found: &Verification) -> serde_json::Value {
    json!({
        "pipeline": session.pipeline(),
        "sides": found.sides,
        "stages": found.stages,
        "in_kilter": found.count(|verdict| matches!(verdict, Verdict::InKilter { .. })),
        "differ": found.count(Verdict::is_difference),
        "first": found.first().map(|stage| &stage.stage),
        "failed": found.count(|verdict| matches!(verdict, Verdict::Failed(_))),
        "fed": found.fed,
    })
}

/// This program again, as one of two halves with so many threads.
fn half_command(options: &args::Verify, manifest: &Path, request: &Path, threads: usize) -> Command {
    let program = std::env::current_exe().unwrap_or_else(|_| "kilter".into());
    let mut command = Command::new(program);
    command.args([OsString::from("verify"), manifest.into(), "--half".into(), request.into()]);
    for set in &options.params.set {
        command.args(["--set", set]);
    }
    if options.offline {
        command.arg("--offline");
    }
    for name in ["POLARS_MAX_THREADS", "RAYON_NUM_THREADS"] {
        command.env(name, threads.to_string());
    }
    command
}

/// The manifest that is meant. Elsewhere stages are named behind it.
fn manifest(options: &args::Verify) -> Result<PathBuf, CommandError> {
    let words = options.manifest.words();
    let stages: Vec<String> =
        words.iter().filter(|word| !word.ends_with(".toml")).map(|stage| format!("--stage {stage}")).collect();
    locate::manifest(&words).map_err(|error| match stages.is_empty() {
        true => error,
        false => error.hint(format!("`{}` verifies a stage alone", stages.join(" "))),
    })
}

/// One of the two runs of `--twice`.
fn half(options: &args::Verify, file: &Path, output: Output) -> Outcome {
    let unreadable = |why: String| CommandError::environment(format!("cannot read `{}`: {why}", file.display()));
    let text = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let request: HalfRequest = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    if request.one_core {
        env::use_one_core();
    }
    let manifest = locate::manifest(&options.manifest.words())?;
    let session = Session::sound(&manifest, &options.params.set, output)?;
    let cancel = Cancel::new();
    signals::watch(cancel.clone(), || {});
    let stdout = Mutex::new(std::io::stdout());
    let closed = cancel.clone();
    let say = |line: Line| {
        let text = serde_json::to_string(&line).unwrap_or_default();
        let mut stdout = stdout.lock().unwrap_or_else(PoisonError::into_inner);
        if writeln!(stdout, "{text}").and_then(|()| stdout.flush()).is_err() {
            // Nobody listens any more.
            closed.set();
        }
    };
    verify::run_half(&request, &session.checked, &session.store, &run_options(options), &cancel, &say);
    Ok(if cancel.is_set() { Exit::Interrupted } else { Exit::Done })
}
