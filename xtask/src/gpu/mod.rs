//! The checks that need a CUDA GPU: jobs for the worker, and what must come of them. They talk to the worker as kilter does,
//! by job files and events, so that a worker that was built elsewhere can be carried to a machine with a GPU and checked as it
//! is, with that machine's libtorch: `xtask gpu --worker PATH --libtorch FOLDER`. `--on-the-processor` tries the checks themselves.

mod checks;
mod job;
mod worker;

use crate::command::{Failure, root, run};
use crate::setup;
use std::path::{Path, PathBuf};

/// Where and with what to check.
struct Place {
    worker: PathBuf,
    /// The folder of libtorch's libraries; `None` where the worker finds its own.
    libtorch: Option<PathBuf>,
    /// `cuda`; or `cpu`, to try the checks themselves.
    device: &'static str,
}

/// Runs the checks that the words name, or all.
pub fn gpu(args: &[String]) -> Result<(), Failure> {
    let (mut worker, mut libtorch, mut device, mut names) = (None, None, "cuda", Vec::new());
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--worker" => worker = rest.next().map(PathBuf::from),
            "--on-the-processor" => device = "cpu",
            "--libtorch" => libtorch = rest.next().map(PathBuf::from),
            name if checks::CHECKS.iter().any(|check| check.name == name) => names.push(name.to_owned()),
            other => return Err(unknown(other)),
        }
    }
    let chosen: Vec<_> =
        checks::CHECKS.iter().filter(|check| names.is_empty() || names.iter().any(|name| name == check.name)).collect();
    if device == "cuda" && !has_gpu() {
        println!("there is no CUDA GPU here: the {} checks that need one did NOT run", chosen.len());
        return Ok(());
    }
    let place = match worker {
        Some(worker) => Place { worker, libtorch, device },
        None => built(device)?,
    };
    let failed: Vec<&str> = chosen.iter().filter(|check| !told(check, &place)).map(|check| check.name).collect();
    if failed.is_empty() {
        let place = if device == "cuda" { "on the GPU" } else { "on the processor" };
        println!("all {} checks {place} hold", chosen.len());
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} of {} checks on the GPU do not hold: {}",
        failed.len(),
        chosen.len(),
        failed.join(", ")
    )))
}

fn unknown(word: &str) -> Failure {
    let names: Vec<&str> = checks::CHECKS.iter().map(|check| check.name).collect();
    Failure::new(format!("no check `{word}`; there is {}, with --worker PATH and --libtorch FOLDER", names.join(", ")))
}

/// Whether this machine has a GPU that CUDA could use.
pub fn has_gpu() -> bool {
    Path::new("/dev/nvidia0").exists()
        || Path::new("/proc/driver/nvidia/gpus").is_dir()
        || Path::new("/dev/dxg").exists()
}

/// This checkout's worker, with a libtorch that has its CUDA half.
fn built(device: &'static str) -> Result<Place, Failure> {
    setup::setup(device == "cuda")?;
    run("cargo", ["build", "--bin", "kilter-torch"], &[])?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(Place { worker: target.join("debug/kilter-torch"), libtorch: None, device })
}

/// Runs a check, says how it came out, and whether it holds.
fn told(check: &checks::Check, place: &Place) -> bool {
    let started = std::time::Instant::now();
    let outcome = worker::Worker::start(place).and_then(|mut worker| (check.run)(&mut worker));
    let seconds = started.elapsed().as_secs_f64();
    match &outcome {
        Ok(words) => println!("holds   {} ({seconds:.1} s): {words}", check.name),
        Err(why) => println!("FAILS   {} ({seconds:.1} s): {why}", check.name),
    }
    outcome.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs are written by hand here: that the worker of today understands them is seen without a GPU too.
    #[test]
    fn the_worker_understands_the_checks() {
        let beside = std::env::current_exe().ok().and_then(|test| Some(test.parent()?.parent()?.join("kilter-torch")));
        // There after `cargo test --workspace`, and not where this crate is tested alone.
        let Some(worker) = beside.filter(|worker| worker.is_file()) else { return };
        let place = Place { worker, libtorch: None, device: "cpu" };
        for name in ["near_the_processor", "called_by_its_name", "rows_from_the_processor"] {
            let check = checks::CHECKS.iter().find(|check| check.name == name).expect("a check");
            let outcome = worker::Worker::start(&place).and_then(|mut worker| (check.run)(&mut worker));
            assert!(outcome.is_ok(), "{name}: {outcome:?}");
        }
    }
}
