//! What a kind sees while it runs.

use super::{GateResult, Input, Onward, Ref, Seed, StageError};
use crate::digest::{Digest, TableDigest};
use crate::env::Cancel;
use crate::job::{Job, JobResult, WorkerEvent};
use crate::types::{ArtifactType, TableSchema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How far a stage is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all, where that is known.
    pub total: Option<u64>,
    /// What a unit is: `bytes`, `step`, `row`.
    pub unit: &'static str,
    /// What else to show, such as `epoch 7/10 · 1,940 rows/s · loss 0.041`.
    pub detail: String,
}

/// What the engine does for a running stage.
pub trait Services: Sync {
    /// Shows how far the stage is; may be called often, is shown rarely.
    fn progress(&self, progress: Progress);

    /// Tells the values of what it watches at a step: losses, metrics. Names have a `/` after what they belong to.
    fn values(&self, step: u64, values: std::collections::BTreeMap<String, f64>) {
        let _ = (step, values);
    }

    /// Says something that the user should see although the stage goes on.
    fn warn(&self, message: String);

    /// Says something of how the stage goes about its work.
    fn note(&self, message: String);

    /// Runs a job in the worker and waits for it; `watch` sees every event of it.
    ///
    /// # Errors
    /// When the worker cannot start, dies, or answers that the job failed.
    fn run_job(&self, job: &Job, watch: &mut dyn FnMut(&WorkerEvent)) -> Result<JobResult, StageError>;

    /// Says that the stage has read all that it will read of its workspace files: what happens to their copies' originals while it
    /// goes on is no matter, as long as they hold the same bytes in the end.
    ///
    /// # Errors
    /// When one of them was touched since the attempt began: what was read may be something else than the key says.
    fn files_are_taken(&self) -> Result<(), StageError> {
        Ok(())
    }

    /// Whether the network may be used.
    fn network_allowed(&self) -> bool;

    /// Every stage that this one's inputs come from, directly or not, in the order of the pipeline.
    fn provenance(&self) -> Vec<Ancestor> {
        Vec::new()
    }
}

/// A stage that a result comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ancestor {
    /// Its name.
    pub stage: String,
    /// Its kind.
    pub kind: String,
    /// Its key.
    pub key: Digest,
    /// Its fields with their defaults, references and files as text.
    pub fields: serde_json::Value,
    /// The content digests of its outputs, by port.
    pub outputs: BTreeMap<String, Digest>,
}

/// What a kind sees while it runs.
pub struct RunCx<'a> {
    /// The stage's name.
    pub stage: &'a str,
    /// Its seed.
    pub seed: Seed,
    /// The folder that relative paths start from: the manifest's.
    pub base: &'a Path,
    /// A folder for this attempt alone; what lies in it afterwards is removed.
    pub scratch: &'a Path,
    /// Where a program that the stage starts writes what it prints; nothing lies there yet. Kept with the run.
    pub log: &'a Path,
    /// How many CPU cores the stage may use.
    pub threads: usize,
    /// How much memory the stage may use, in bytes, where it says so: then it works in pieces if it can.
    pub memory: Option<u64>,
    /// The GPUs that are the stage's alone, by the names that `CUDA_VISIBLE_DEVICES` takes; empty where it asked for none.
    pub gpus: &'a [String],
    /// Set when the run is interrupted or the stage's time is up; long work looks at it and stops.
    pub cancel: &'a Cancel,
    /// What the engine does for the stage.
    pub services: &'a dyn Services,
    /// The inputs, by reference text.
    pub inputs: &'a BTreeMap<String, Input>,
    /// Where outputs are staged: a folder per port.
    pub staging: &'a Path,
    /// What it may go on from; of a kind that has a [`Series`](super::Series).
    pub onward: &'a Onward,
}

impl RunCx<'_> {
    /// An input.
    ///
    /// # Errors
    /// A bug, where the reference was not among the spec's references.
    pub fn input(&self, reference: &Ref) -> Result<&Input, StageError> {
        self.inputs.get(&reference.0).ok_or_else(|| StageError::bug(format!("input `{reference}` was not prepared")))
    }

    /// The one file of a `file` input.
    ///
    /// # Errors
    /// A bug, where the input has none or several files.
    pub fn input_file(&self, reference: &Ref) -> Result<&super::input::InputFile, StageError> {
        match self.input(reference)?.files.as_slice() {
            [file] => Ok(file),
            files => Err(StageError::bug(format!("`{reference}` has {} files, not one", files.len()))),
        }
    }

    /// The folder of a port, made if need be. Everything in it after the run belongs to the artefact.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn out(&self, port: &str) -> Result<PathBuf, StageError> {
        let folder = self.staging.join(port);
        std::fs::create_dir_all(&folder).map_err(|error| StageError::io("make the folder", &folder, &error))?;
        Ok(folder)
    }

    /// Stops with [`super::ErrorKind::Cancelled`] when the run was interrupted.
    ///
    /// # Errors
    /// Exactly then.
    pub fn check_cancelled(&self) -> Result<(), StageError> {
        if self.cancel.is_set() { Err(StageError::new(super::ErrorKind::Cancelled, "interrupted")) } else { Ok(()) }
    }
}

/// One output that a run produced.
#[derive(Clone, Debug)]
pub struct ProducedPort {
    /// The port.
    pub port: String,
    /// Its real type.
    pub ty: ArtifactType,
    /// The digests of its logical content, where it is a table; everything else is what its files' bytes are.
    pub table: Option<TableDigest>,
}

/// What a run produced.
#[derive(Clone, Debug, Default)]
pub struct Produced {
    /// The outputs; each port's files lie in its folder.
    pub ports: Vec<ProducedPort>,
    /// A line for people: `5,000 rows x 785 columns`.
    pub summary: String,
    /// Numbers for history and comparison.
    pub metrics: BTreeMap<String, f64>,
    /// Demands on them.
    pub gates: Vec<GateResult>,
}

impl Produced {
    /// Nothing yet, with a line for people.
    #[must_use]
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }

    /// An output whose content is its files' bytes.
    #[must_use]
    pub fn port(mut self, port: impl Into<String>, ty: ArtifactType) -> Self {
        self.ports.push(ProducedPort { port: port.into(), ty, table: None });
        self
    }

    /// A table with the digests of its logical content.
    #[must_use]
    pub fn table(mut self, port: impl Into<String>, schema: TableSchema, digests: TableDigest) -> Self {
        self.ports.push(ProducedPort { port: port.into(), ty: ArtifactType::Table(schema), table: Some(digests) });
        self
    }
}
