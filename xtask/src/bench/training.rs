//! Training throughput against Python PyTorch 2.11: the same network, threads, precision and batch, run in turn.

use crate::command::{Failure, root, run};

/// torch as its users install it, with the CUDA libraries (3 GB) that it does not start without even on a CPU.
const PACKAGES: &[&str] = &["torch==2.11.0", "numpy"];

pub fn bench() -> Result<(), Failure> {
    let python = super::python_environment("torch", PACKAGES)?.join("python");
    let script = root().join("benches/train_python.py");
    let kilter = super::kilter()?.to_string_lossy().into_owned();
    run(&python.to_string_lossy(), [script.to_string_lossy().as_ref(), &kilter], &[])
}

/// What checkpoints cost.
pub fn checkpoints() -> Result<(), Failure> {
    worker_alone("checkpoints.py")
}

/// How long training waits for batches.
pub fn loading() -> Result<(), Failure> {
    worker_alone("loading.py")
}

/// How many tokens a second `generate` adds.
pub fn generate() -> Result<(), Failure> {
    worker_alone("generate.py")
}

/// A script that looks at kilter's worker alone, and needs no package.
fn worker_alone(name: &str) -> Result<(), Failure> {
    let script = root().join("benches").join(name);
    let kilter = super::kilter()?.to_string_lossy().into_owned();
    run("python3", [script.to_string_lossy().as_ref(), &kilter], &[])
}
