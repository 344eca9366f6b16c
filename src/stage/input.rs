//! Artefacts as they are stored and as a stage receives them.

use crate::digest::Digest;
use crate::types::ArtifactType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One file of a stored artefact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its path inside the artefact, with `/`.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes, which names its object in the store.
    pub digest: Digest,
}

/// A stored artefact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArtifactRecord {
    /// Its type, as it was produced.
    pub ty: ArtifactType,
    /// The digest of its content: what stands for it in the keys of stages that use it.
    pub digest: Digest,
    /// Its files, sorted by name.
    pub files: Vec<FileRecord>,
}

/// A demand on a metric, and whether it holds. Kept beside the result, so that a cached result fails its gate again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// The metric's name.
    pub metric: String,
    /// What it came out as.
    pub value: f64,
    /// The least that is allowed.
    pub min: Option<f64>,
    /// The most that is allowed.
    pub max: Option<f64>,
    /// Whether it holds.
    pub holds: bool,
}

/// A stage's stored result: its outputs, what is worth saying of them, and the key that they were made for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageResult {
    /// The kind.
    pub kind: String,
    /// The kind's implementation version.
    pub version: u32,
    /// The outputs by port.
    pub outputs: BTreeMap<String, ArtifactRecord>,
    /// A line for people.
    pub summary: String,
    /// Numbers for history and comparison.
    pub metrics: BTreeMap<String, f64>,
    /// Demands on them.
    pub gates: Vec<GateResult>,
    /// Seconds that it took to make.
    pub seconds: f64,
    /// When it was made, in seconds since 1970.
    pub made: u64,
    /// Facts about the environment it was made in; none of them is in the key.
    pub environment: BTreeMap<String, String>,
    /// Everything that entered the key, for `why`: see `plan/key.rs`.
    pub key: serde_json::Value,
}

impl StageResult {
    /// The gates that do not hold.
    pub fn broken_gates(&self) -> impl Iterator<Item = &GateResult> {
        self.gates.iter().filter(|gate| !gate.holds)
    }
}

/// One file of an input.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// Its path inside the artefact.
    pub name: String,
    /// Where it can be read; never to be written.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// An artefact as a stage receives it.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its type.
    pub ty: ArtifactType,
    /// The digest of its content.
    pub digest: Digest,
    /// Its files, sorted by name.
    pub files: Vec<InputFile>,
}

impl Input {
    /// The file of this name.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&InputFile> {
        self.files.iter().find(|file| file.name == name)
    }
}
