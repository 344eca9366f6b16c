//! Runs a kind without an engine: a workspace in a temporary folder, inputs from plain files, outputs to look at.

use super::{
    CheckCx, CheckInput, Finding, Input, InputFile, Kind, Onward, Outputs, Produced, Progress, RunCx, Seed, Services,
    StageError,
};
use crate::digest::Digest;
use crate::env::Cancel;
use crate::job::{Job, JobResult, WorkerEvent};
use crate::types::ArtifactType;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use tempfile::TempDir;

/// What stands in for the worker: a job's answer.
pub type StandIn = fn(&Job) -> Result<JobResult, StageError>;

/// A workspace, and what a stage in it would be given.
pub struct Bench {
    folder: TempDir,
    /// The inputs, by reference text.
    pub inputs: BTreeMap<String, Input>,
    /// The memory that the stage says it needs.
    pub memory: Option<u64>,
    /// The cancel flag.
    pub cancel: Cancel,
    /// Whether the network may be used.
    pub network: bool,
    /// What stands in for the worker.
    pub worker: Option<StandIn>,
    /// What it may go on from.
    pub onward: Onward,
    /// What was noted.
    pub notes: Mutex<Vec<String>>,
    /// What was warned of.
    pub warnings: Mutex<Vec<String>>,
    /// Every progress that was shown.
    pub progress: Mutex<Vec<Progress>>,
}

impl Services for Bench {
    fn progress(&self, progress: Progress) {
        self.progress.lock().expect("no panic while showing").push(progress);
    }

    fn warn(&self, message: String) {
        self.warnings.lock().expect("no panic while warning").push(message);
    }

    fn note(&self, message: String) {
        self.notes.lock().expect("no panic while noting").push(message);
    }

    fn run_job(&self, job: &Job, _: &mut dyn FnMut(&WorkerEvent)) -> Result<JobResult, StageError> {
        self.worker.map_or_else(|| Err(StageError::bug("there is no worker on the bench")), |worker| worker(job))
    }

    fn network_allowed(&self) -> bool {
        self.network
    }
}

impl Default for Bench {
    fn default() -> Self {
        let bench = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            inputs: BTreeMap::new(),
            memory: None,
            cancel: Cancel::new(),
            network: true,
            worker: None,
            onward: Onward::default(),
            notes: Mutex::default(),
            warnings: Mutex::default(),
            progress: Mutex::default(),
        };
        for folder in ["workspace", "scratch", "staging"] {
            std::fs::create_dir(bench.place(folder)).expect("a new folder");
        }
        bench
    }
}

impl Bench {
    /// A place beside the workspace.
    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a workspace file.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.place("workspace").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
        std::fs::write(&path, bytes).expect("a new file");
        path
    }

    /// Makes an input of files.
    pub fn input(&mut self, reference: &str, ty: ArtifactType, files: &[(&str, &[u8])]) {
        let files = files.iter().map(|(name, bytes)| {
            let path = self.place("inputs").join(reference).join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
            std::fs::write(&path, bytes).expect("a new file");
            InputFile { name: (*name).to_owned(), path, size: bytes.len() as u64, digest: Digest::of(bytes) }
        });
        let files = files.collect();
        self.inputs.insert(reference.to_owned(), Input::new(ty, Digest::of(reference.as_bytes()), files));
    }

    /// What the stage sees.
    pub fn with_cx<T>(&self, work: impl FnOnce(&RunCx<'_>) -> T) -> T {
        work(&RunCx {
            stage: "stage",
            seed: Seed::derive(7, "stage"),
            base: &self.place("workspace"),
            scratch: &self.place("scratch"),
            log: &self.place("stage.log"),
            threads: 2,
            memory: self.memory,
            gpus: &[],
            cancel: &self.cancel,
            services: self,
            inputs: &self.inputs,
            staging: &self.place("staging"),
            onward: &self.onward,
        })
    }

    /// Decodes TOML fields and checks them.
    pub fn check<K: Kind>(&self, fields: &str) -> (Outputs, Vec<Finding>) {
        let inputs: BTreeMap<String, CheckInput> = self
            .inputs
            .iter()
            .map(|(name, input)| (name.clone(), CheckInput { ty: input.ty.clone(), files: None }))
            .collect();
        let workspace = self.place("workspace");
        let mut cx = CheckCx::new(&inputs, &workspace, &workspace);
        let outputs = K::check(&spec::<K>(fields), &mut cx);
        (outputs, cx.finish())
    }

    /// Runs in a fresh scratch and staging; what was produced has the predicted types where they are closed.
    pub fn run<K: Kind>(&self, fields: &str) -> Result<Produced, StageError> {
        for folder in ["scratch", "staging"] {
            std::fs::remove_dir_all(self.place(folder)).expect("was there");
            std::fs::create_dir(self.place(folder)).expect("a new folder");
        }
        self.with_cx(|cx| K::run(&spec::<K>(fields), cx))
    }

    /// The files of a produced port, name and bytes, sorted.
    pub fn output(&self, port: &str) -> Vec<(String, Vec<u8>)> {
        let folder = self.place("staging").join(port);
        let files =
            walkdir::WalkDir::new(&folder).sort_by_file_name().into_iter().map(|entry| entry.expect("readable"));
        files
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let name = entry.path().strip_prefix(&folder).expect("below").to_string_lossy().into_owned();
                (name, std::fs::read(entry.path()).expect("readable"))
            })
            .collect()
    }
}

/// TOML fields as the values that specs are decoded from.
pub fn fields(text: &str) -> serde_json::Value {
    let table: toml::Table = text.parse().expect("TOML");
    serde_json::to_value(table).expect("JSON")
}

fn spec<K: Kind>(text: &str) -> K::Spec {
    serde_json::from_value(fields(text)).expect("a spec")
}
