//! Training throughput against Python PyTorch 2.11: the same network, threads, precision and batch, run in turn.

use crate::command::{Failure, root, run};

/// torch as its users install it, with the CUDA libraries (3 GB) that it does not start without even on a CPU.
const PACKAGES: &[&str] = &["torch==2.11.0", "numpy"];

pub fn bench() -> Result<(), Failure> {
    beside_python("train_python.py", &[])
}

/// The same on a GPU, and a language model of GPT-2's size there.
pub fn on_a_gpu() -> Result<(), Failure> {
    if !crate::gpu::has_gpu() {
        println!("there is no CUDA GPU here: nothing was measured");
        return Ok(());
    }
    crate::setup::setup(true)?;
    beside_python("train_python.py", &["--device", "cuda"])?;
    beside_python("train_gpt.py", &[])
}

/// A script that measures kilter beside Python's PyTorch.
fn beside_python(name: &str, options: &[&str]) -> Result<(), Failure> {
    let python = super::python_environment("torch", PACKAGES)?.join("python");
    let script = root().join("benches").join(name).to_string_lossy().into_owned();
    let kilter = super::kilter()?.to_string_lossy().into_owned();
    let arguments = [script.as_str(), &kilter].into_iter().chain(options.iter().copied());
    run(&python.to_string_lossy(), arguments, &[])
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
