//! The command line: one file per command. A command turns options into library calls and outcomes into output.

pub mod args;
mod bug;
mod completions;
mod exit;
mod output;

use args::Command;
pub use exit::{CommandError, EXITS, Exit, Outcome};
pub use output::{Level, Output};
use std::process::ExitCode;
use std::time::Instant;

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let started = Instant::now();
    bug::install_hook();
    let arguments = args::parse();
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
    let _ = started;
    match command {
        Command::Completions(options) => completions::run(*options, output),
        _ => Err(CommandError::environment("not here yet")),
    }
}
