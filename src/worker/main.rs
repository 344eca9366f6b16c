//! `kilter-torch`, the worker: the only code that sees libtorch. The engine starts it, sends it jobs and hears events;
//! see `kilter::job` for what they say to each other.

mod bfloat;
mod checkpoint;
mod driver;
mod failure;
mod jobs;
mod kernels;
mod layers;
mod losses;
mod network;
mod numerics;
mod optim;
mod protocol;
mod shim;
mod tensors;

use std::process::ExitCode;

fn main() -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    let text =
        format!("kilter-torch {version} (libtorch {}, protocol {})", kilter::job::LIBTORCH, kilter::job::PROTOCOL);
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--version" | "-V") => return say(&text),
        Some(_) => {
            return say(&format!(
                "{text}\n\nThe worker of kilter: it is started by kilter, reads the path of a job file from each line of its \
                 standard input,\nand writes what it has to say as JSON lines to its standard output."
            ));
        }
    }
    numerics::keep_freed_memory();
    match protocol::serve() {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody is left to hear why.
        Err(_) => ExitCode::FAILURE,
    }
}

fn say(text: &str) -> ExitCode {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
