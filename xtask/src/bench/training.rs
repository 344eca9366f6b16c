//! Training throughput against Python PyTorch 2.11: the same network, threads, precision and batch, run in turn.

use crate::command::{Failure, root, run};

/// What `import torch` needs besides torch itself; the rest of its requirements is for GPUs.
const PACKAGES: &[&str] = &[
    "torch==2.11.0",
    "numpy",
    "filelock",
    "typing-extensions",
    "sympy",
    "mpmath",
    "networkx",
    "jinja2",
    "markupsafe",
    "fsspec",
];

pub fn bench() -> Result<(), Failure> {
    let python = super::python_environment("torch", PACKAGES, true)?.join("python");
    let script = root().join("benches/train_python.py");
    let kilter = super::kilter()?.to_string_lossy().into_owned();
    run(&python.to_string_lossy(), [script.to_string_lossy().as_ref(), &kilter], &[])
}
