//! The last key of every stage of a pipeline. With it `why` finds the result to compare with; without it (the
//! file can be deleted at any time) it looks through the index.

use super::index::write_atomically;
use super::proof::Proof;
use super::{Layout, Store, StoreError};
use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

/// When a stage last ran or was found cached, and for which key.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// The key.
    pub key: Digest,
    /// In seconds since 1970.
    pub at: u64,
    /// How long its result took to make, in seconds; 0 where that was not noted.
    #[serde(default)]
    pub seconds: f64,
}

/// The last keys of a pipeline's stages.
#[derive(Debug)]
pub struct LastKeys {
    path: PathBuf,
    stages: BTreeMap<String, LastRun>,
    changed: BTreeMap<String, LastRun>,
}

impl LastKeys {
    /// The last keys of a pipeline's stages in a workspace.
    #[must_use]
    pub fn of(layout: &Layout, pipeline: &str) -> Self {
        let path = layout.last(pipeline);
        Self { stages: Self::read(&path), path, changed: BTreeMap::new() }
    }

    /// All of them.
    pub fn keys(&self) -> impl Iterator<Item = Digest> {
        self.stages.values().map(|last| last.key)
    }

    /// Every stage with its last key, by name.
    pub fn stages(&self) -> impl Iterator<Item = (&str, LastRun)> {
        self.stages.iter().map(|(stage, last)| (stage.as_str(), *last))
    }

    /// What proves that the file still says what was read, where these are the keys that it says.
    pub(super) fn proof<'a>(&self, mut keys: impl Iterator<Item = (&'a str, Digest)>) -> Option<Proof> {
        let (text, proof) = Proof::read(&self.path).ok()?;
        let stages: BTreeMap<String, LastRun> = serde_json::from_slice(&text).ok()?;
        keys.all(|(stage, key)| stages.get(stage).is_some_and(|last| last.key == key)).then_some(proof)
    }

    fn read(path: &std::path::Path) -> BTreeMap<String, LastRun> {
        serde_json::from_slice(&std::fs::read(path).unwrap_or_default()).unwrap_or_default()
    }

    /// Whether no stage of the pipeline has a last key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// The last key of a stage.
    #[must_use]
    pub fn get(&self, stage: &str) -> Option<LastRun> {
        self.stages.get(stage).copied()
    }

    /// Notes a stage's key. The times change only with the key, so that a run of cached stages writes nothing.
    pub fn note(&mut self, stage: &str, key: Digest, at: u64, seconds: f64) {
        if self.stages.get(stage).is_none_or(|last| last.key != key) {
            let last = LastRun { key, at, seconds };
            self.stages.insert(stage.to_owned(), last);
            self.changed.insert(stage.to_owned(), last);
        }
    }

    /// Writes what was noted, beside what other processes noted meanwhile.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&mut self) -> Result<(), StoreError> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(&self.path).to_owned();
        let failed = |error: std::io::Error| StoreError::io("write", &self.path, &error);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        // The folder's own lock: held for a moment, freed by the system whatever happens.
        let guard = File::open(&folder).map_err(failed)?;
        guard.lock().map_err(failed)?;
        let mut stages = Self::read(&self.path);
        stages.append(&mut self.changed);
        let text = serde_json::to_vec_pretty(&stages).unwrap_or_default();
        write_atomically(&self.path, &text, false)
    }
}

impl Store {
    /// The last keys of a pipeline's stages.
    #[must_use]
    pub fn last_keys(&self, pipeline: &str) -> LastKeys {
        LastKeys::of(&self.layout, pipeline)
    }

    /// The last keys that stages of this name have in all pipelines; `None` where no pipeline has any.
    #[must_use]
    pub fn namesakes(&self, stage: &str) -> Option<Vec<Digest>> {
        let files = std::fs::read_dir(self.layout.lasts()).ok()?;
        let mut all: Vec<_> = files.filter_map(|file| Some(LastKeys::read(&file.ok()?.path()))).collect();
        all.retain(|stages| !stages.is_empty());
        if all.is_empty() {
            return None;
        }
        Some(all.iter().filter_map(|stages| stages.get(stage)).map(|last| last.key).collect())
    }
}
