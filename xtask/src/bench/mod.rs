//! Measurements: `cargo xtask bench [NAME …]`. What they gave is written down in docs/benchmarks.md, with commands.
//!
//! Two programs are always measured in turn, A B A B, in one run on one machine, and the ratio is taken pair by pair:
//! machines are noisy and drift. Every figure is printed as minimum, median and maximum.

mod files;
mod pipelines;
mod stages;
mod startup;
mod tables;
mod timing;
mod training;

use crate::command::{Failure, output, root, run};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

/// A measurement: its name, what it measures, and how.
type Bench = (&'static str, &'static str, fn() -> Result<(), Failure>);

const BENCHES: &[Bench] = &[
    ("startup", "`kilter --version`, and a run of digits with nothing to do", startup::bench),
    (
        "stages",
        "100, 1,000 and 10,000 trivial exec stages, cold and with nothing to do: kilter and ninja",
        stages::bench,
    ),
    ("rivals", "the same by Snakemake and DVC, which takes hours", stages::slow_ones),
    ("files", "hashing 100,000 small files and one of 4 GB against b3sum; restoring 10,000 files", files::bench),
    (
        "training",
        "training throughput: kilter against Python PyTorch, same network, threads and batch",
        training::bench,
    ),
    (
        "gpu",
        "the same where there is a CUDA GPU, and a language model of GPT-2's size in bf16: how much of the GPU it uses",
        training::on_a_gpu,
    ),
    ("checkpoints", "training with and without checkpoints", training::checkpoints),
    ("loading", "how long training waits for batches", training::loading),
    ("generate", "how fast language models write", training::generate),
    (
        "tables",
        "TPC-H and 3,000,000 flights against polars, DuckDB and pandas; exact sums; readers of text; 200 queries checked",
        tables::bench,
    ),
    ("memory", "TPC-H at scale factor 10 within 2 GiB", tables::within_memory),
    ("pipelines", "every pipeline of pipelines/, whole", pipelines::bench),
];

/// Whether the program is measured as `cargo build --release` makes it.
static RELEASE: AtomicBool = AtomicBool::new(false);

/// What wheels of polars are compiled for, too: processors of the last ten years.
const PROCESSOR: (&str, &str) = ("RUSTFLAGS", "-C target-cpu=x86-64-v3");

/// Runs the named measurements, or all.
pub fn bench(args: &[String]) -> Result<(), Failure> {
    let (options, names): (Vec<&String>, Vec<&String>) = args.iter().partition(|arg| *arg == "--release");
    RELEASE.store(!options.is_empty(), Relaxed);
    if let Some(unknown) = names.iter().find(|name| !BENCHES.iter().any(|(known, ..)| known == *name)) {
        let known: Vec<String> = BENCHES.iter().map(|(name, about, _)| format!("  {name:<11} {about}")).collect();
        return Err(Failure::new(format!("no measurement `{unknown}`; there are\n{}", known.join("\n"))));
    }
    crate::setup::setup(false)?;
    match RELEASE.load(Relaxed) {
        true => run("cargo", ["build", "--release", "--bins"], &[PROCESSOR])?,
        false => run("cargo", ["build", "--bins"], &[])?,
    }
    for (name, about, bench) in BENCHES {
        if names.is_empty() || names.iter().any(|wanted| *wanted == name) {
            println!("\n== {name}: {about}");
            bench()?;
        }
    }
    Ok(())
}

/// The folder that cargo builds into.
fn target() -> Result<PathBuf, Failure> {
    let json = output("cargo", ["metadata", "--format-version", "1", "--no-deps"])?;
    let marker = "\"target_directory\":\"";
    let start =
        json.find(marker).ok_or_else(|| Failure::new("cargo metadata names no target directory"))? + marker.len();
    let end = json[start..].find('"').map_or(json.len(), |at| start + at);
    Ok(PathBuf::from(&json[start..end]))
}

/// The built program.
pub fn kilter() -> Result<PathBuf, Failure> {
    let profile = if RELEASE.load(Relaxed) { "release" } else { "debug" };
    Ok(target()?.join(profile).join("kilter"))
}

/// An empty folder for one measurement.
pub fn fresh_folder(name: &str) -> Result<PathBuf, Failure> {
    let folder = target()?.join("bench").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", folder.display())))?;
    Ok(folder)
}

/// A Python environment with these packages, made once, outside of the user's Python.
fn python_environment(name: &str, packages: &[&str]) -> Result<PathBuf, Failure> {
    let folder = target()?.join("bench").join(format!("python-{name}"));
    let stamp = folder.join("kilter-packages");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(folder.join("bin"));
    }
    let place = folder.to_string_lossy().into_owned();
    run("python3", ["-m", "venv", "--clear", &place], &[])?;
    let pip = folder.join("bin/pip").to_string_lossy().into_owned();
    let options = ["install", "--quiet", "--disable-pip-version-check"].into_iter();
    run(&pip, options.chain(packages.iter().copied()), &[])?;
    std::fs::write(&stamp, wanted)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", stamp.display())))?;
    Ok(folder.join("bin"))
}

/// Writes a file of a measurement.
fn write(path: &std::path::Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(&root()).to_path_buf();
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}
