//! The command line: one file per command. A command turns options into library calls and outcomes into output.

pub mod args;
mod bug;
mod cache;
mod check;
mod completions;
mod diff;
mod exit;
mod failures;
mod gc;
mod graph;
mod import;
mod locate;
mod lock;
mod merge;
mod named;
mod namesake;
mod new;
mod output;
mod plan;
mod run;
mod runs;
mod session;
mod show;
mod signals;
mod status;
mod verify;
mod why;

use args::Command;
pub use exit::{CommandError, EXITS, Exit, Outcome};
pub use output::{Level, Output};
use std::process::ExitCode;
use std::time::Instant;

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let started = Instant::now();
    if let Some(exit) = crate::store::serve_mapped() {
        return exit;
    }
    bug::install_hook();
    let arguments = args::parse();
    if let Command::Run(args::Run { jobs: Some(jobs), .. }) = &arguments.command {
        crate::env::limit_threads(usize::from(*jobs));
    }
    crate::frame::set_up();
    let output = Output::new(&arguments.global);
    let outcome = std::panic::catch_unwind(|| dispatch(&arguments.command, output, started));
    match outcome {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => {
            output.error(&error);
            error.exit.into()
        }
        Err(_) => Exit::Bug.into(),
    }
}

fn dispatch(command: &Command, output: Output, started: Instant) -> Outcome {
    match command {
        Command::Check(options) => check::run(options, output, started),
        Command::Plan(options) => plan::run(options, output),
        Command::Run(options) => run::run(options, output, started),
        Command::Status(options) => status::run(options, output),
        Command::Lock(options) => lock::run(options, output),
        Command::Verify(options) => verify::run(options, output, started),
        Command::Why(options) => why::run(options, output),
        Command::Show(options) => show::run(options, output),
        Command::Runs(options) => runs::run(options, output),
        Command::Diff(options) => diff::run(options, output),
        Command::Gc(options) => gc::run(options, output),
        Command::Cache(options) => cache::run(options, output),
        Command::Import(options) => import::run(options, output),
        Command::Graph(options) => graph::run(options, output),
        Command::New(options) => new::run(options, output),
        Command::Completions(options) => completions::run(*options, output),
    }
}

impl From<crate::stage::StageError> for CommandError {
    fn from(error: crate::stage::StageError) -> Self {
        let mut told = CommandError::environment(error.message);
        told.notes = error.notes;
        told.hints = error.hints;
        told
    }
}
