//! Repository chores: `cargo xtask run|test|setup|ci|bless|bench|faults|fuzz|gpu`. Has no dependency but `libc`, so that it builds in seconds;
//! it needs cargo, python3 with pip, and a C++ compiler, and installs the rest into ignored folders of the workspace.

mod bench;
mod command;
mod faults;
mod fuzz;
mod gpu;
mod setup;

use command::{Failure, run};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  run MANIFEST [ARG ...]   set up, build, and run a pipeline: `kilter run MANIFEST ARG ...`
  test [ARG ...]           set up, and run every test: `cargo test --workspace ARG ...`
  setup [--cuda]           get libtorch 2.11.0 into .libtorch/ (--cuda: with its CUDA libraries)
  ci                       what continuous integration runs: .ci/run
  bless                    rewrite expectations and generated files from what the program does now
  bench [NAME ...]         measure; without names, everything; --release: the program as `cargo build --release` makes it
  faults [NAME ...]        kill, fail and compare with a model: --kills N, --histories N, --seed N
  gpu [NAME ...]           what needs a CUDA GPU, where there is one: --worker PATH, --libtorch FOLDER of a worker built elsewhere
  fuzz [TARGET ...]        cargo-fuzz on what reads bytes from outside: --seconds N (an hour each if nothing is said)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(ended) = fuzz::in_place_of_rustc(&args) {
        return ended;
    }
    let rest = args.get(1..).unwrap_or_default();
    let outcome = match args.first().map(String::as_str) {
        Some("run") => run_pipeline(rest),
        Some("test") => test(rest),
        Some("setup") => setup::setup(rest.iter().any(|arg| arg == "--cuda")).map(|_| ()),
        Some("ci") => run("bash", [".ci/run"], &[]),
        Some("bless") => bless(rest),
        Some("bench") => bench::bench(rest),
        Some("fuzz") => fuzz::fuzz(rest),
        Some("faults") => faults::faults(rest),
        Some("gpu") => gpu::gpu(rest),
        None | Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(other) => Err(Failure::new(format!("no command `{other}`\n\n{USAGE}"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run_pipeline(args: &[String]) -> Result<(), Failure> {
    build()?;
    let rest = ["run", "--quiet", "--bin", "kilter", "--", "run"].into_iter().chain(args.iter().map(String::as_str));
    run("cargo", rest, &[])
}

/// Both programs: `cargo run --bin kilter` alone would leave the worker out.
fn build() -> Result<(), Failure> {
    setup::setup(false)?;
    eprintln!("building (the first time about ten minutes on two cores, with everything it needs; later seconds)");
    run("cargo", ["build", "--bins"], &[])
}

fn test(args: &[String]) -> Result<(), Failure> {
    setup::setup(false)?;
    run("cargo", ["test", "--workspace"].into_iter().chain(args.iter().map(String::as_str)), &[])
}

fn bless(args: &[String]) -> Result<(), Failure> {
    setup::setup(false)?;
    run("cargo", ["test", "--workspace"].into_iter().chain(args.iter().map(String::as_str)), &[("UPDATE", "1")])
}
