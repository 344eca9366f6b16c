//! What the last look at a whole pipeline found, with everything that it depended on: as long as none of that has changed,
//! it still holds, and no manifest has to be read, checked or planned to know it.
//!
//! | it depended on | believed while |
//! |---|---|
//! | this program | its file has the same stamp |
//! | whether there is a GPU, which `device = "auto"` asks | there still is one, or none |
//! | the boot, for results that were not synced | it is the same |
//! | the manifest, the modules that it uses, `--set` | the same bytes, which are read every time |
//! | workspace files, and what patterns match | the same names and digests, by the same rules as in a key |
//! | every stage's result | its entry holds, and its blobs have the size and time that they had |
//! | every stage's lack of a result | there is still no entry |
//! | the last keys, for commands that would note or show them | the file holds |
//! | the folders under `out/`, for a run | they hold exactly the results' files; where those are links to their blobs, as long as the folder and the blobs are the same |
//!
//! Whatever else a command would have to look at makes that command look itself. The file can be deleted at any time; one
//! that is cut off or damaged is not there.
//!
//! [`file`](self) reads and writes it, [`same`](self) looks whether it still holds.

mod file;
mod same;

use super::proof::{Proof, Stamp};
use super::restore::places;
use super::{Believed, LastKeys, Store, UsedFiles};
use crate::digest::Digest;
use crate::stage::{Outcome, files, outcomes_digest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Raised when what is kept changes.
const FORMAT: u32 = 4;
/// How many stages, and about how many blobs, are kept, read and looked at together.
const PART: usize = 512;
const PART_BLOBS: usize = 4096;

/// What the last look at a whole pipeline found.
#[derive(Clone, Debug)]
pub struct Standing {
    head: Head,
    parts: Vec<Part>,
    /// Where in the last part which blob stands.
    interned: BTreeMap<Digest, u32>,
}

/// All but the stages.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Head {
    format: u32,
    program: Stamp,
    boot: Option<String>,
    /// Whether the machine has a GPU: `device = "auto"` asks.
    gpu: bool,
    root: PathBuf,
    store: PathBuf,
    set: Vec<String>,
    /// Manifest and modules.
    sources: Vec<(PathBuf, Digest)>,
    files: Vec<(PathBuf, Digest)>,
    /// Where a pattern starts from, the pattern, and what it matched.
    patterns: Vec<(PathBuf, String, Vec<PathBuf>)>,
    /// The file of the last keys, where it names exactly the keys below.
    last: Option<Proof>,
    /// What all stages came to, where each has a result with its gates holding.
    results: Option<Digest>,
    pipeline: String,
    params: BTreeMap<String, serde_json::Value>,
}

/// Some stages, and the blobs of their results, each once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Part {
    blobs: Vec<Blob>,
    stages: Vec<StandingStage>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Blob {
    digest: Digest,
    size: u64,
    mtime: i64,
    /// Its inode when folders were found to hold links to it.
    inode: Option<u64>,
}

/// A stage of a [`Standing`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StandingStage {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What is known of its result.
    pub noted: Noted,
}

/// What is known of a stage's result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Noted {
    /// It is there.
    Held(Box<Held>),
    /// There is none for this key.
    Absent(Digest),
    /// Its key is not known yet, or its result may not be taken from the store.
    Open,
}

/// A result that is there, as far as commands show it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Held {
    /// Its key.
    pub key: Digest,
    /// When it was made, in seconds since 1970.
    pub made: u64,
    /// Seconds that it took to make.
    pub seconds: f64,
    /// A line for people.
    pub summary: String,
    /// Its metrics.
    pub metrics: BTreeMap<String, f64>,
    /// Whether all its gates hold.
    pub gates_hold: bool,
    /// The size of its files in bytes.
    pub bytes: u64,
    entry: Proof,
    /// Its files: which blob of the part, and the place in the stage's folder.
    files: Vec<(u32, String)>,
    folder: Option<Folder>,
}

/// A stage's folder under `out/` as it was when it held the result's files and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Folder {
    stamp: Stamp,
    /// When it was looked at.
    read: i64,
    /// Whether all its files were links to their blobs.
    linked: bool,
}

impl Standing {
    /// The standing of a pipeline of which nothing is noted yet. `sources` are the texts that were read.
    #[must_use]
    pub fn new<'a>(
        store: &Store,
        pipeline: &str,
        params: BTreeMap<String, serde_json::Value>,
        set: &[String],
        sources: impl Iterator<Item = (&'a Path, &'a str)>,
    ) -> Option<Self> {
        let head = Head {
            format: FORMAT,
            program: program()?,
            boot: store.boot.clone(),
            gpu: has_gpu(),
            root: store.layout.root().to_owned(),
            store: store.layout.store().to_owned(),
            set: set.to_vec(),
            sources: sources.map(|(path, text)| (path.to_owned(), Digest::of(text.as_bytes()))).collect(),
            files: Vec::new(),
            patterns: Vec::new(),
            last: None,
            results: None,
            pipeline: pipeline.to_owned(),
            params,
        };
        Some(Self { head, parts: Vec::new(), interned: BTreeMap::new() })
    }

    /// The pipeline's name.
    #[must_use]
    pub fn pipeline(&self) -> &str {
        &self.head.pipeline
    }

    /// The pipeline's params and their values.
    #[must_use]
    pub fn params(&self) -> &BTreeMap<String, serde_json::Value> {
        &self.head.params
    }

    /// The stages in topological order.
    pub fn stages(&self) -> impl Iterator<Item = &StandingStage> {
        self.parts.iter().flat_map(|part| &part.stages)
    }

    /// Notes the workspace files that a path or pattern stood for.
    pub fn uses(&mut self, base: &Path, used: &UsedFiles) {
        self.head.files.extend(used.found.iter().map(|file| (file.place.clone(), file.digest)));
        if files::is_pattern(&used.text) {
            let matched = used.found.iter().map(|file| file.place.clone()).collect();
            self.head.patterns.push((base.to_owned(), used.text.clone(), matched));
        }
    }

    /// Notes a stage, and the result of its key after that was looked up; `None` where that cannot be believed later.
    pub fn add(&mut self, store: &Store, stage: &str, kind: &str, key: Option<Digest>) -> Option<&Noted> {
        let full = |part: &Part| part.stages.len() >= PART || part.blobs.len() >= PART_BLOBS;
        if self.parts.last().is_none_or(full) {
            self.parts.push(Part::default());
            self.interned.clear();
        }
        let part = self.parts.last_mut()?;
        let noted = match key.map(|key| (key, store.believed(key))) {
            None => Noted::Open,
            Some((key, None)) => Noted::Absent(key),
            Some((key, Some(believed))) => Noted::Held(Box::new(held(key, believed, part, &mut self.interned)?)),
        };
        part.stages.push(StandingStage { name: stage.to_owned(), kind: kind.to_owned(), noted });
        part.stages.last().map(|stage| &stage.noted)
    }

    /// Ends the noting, once all stages are noted: many of them use the same files, and with their last keys
    /// it is known whether a run would have anything to do.
    pub fn close(&mut self, last: &LastKeys) {
        self.head.files.sort_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()));
        self.head.files.dedup();
        self.head.patterns.sort();
        self.head.patterns.dedup();
        let keys = self.stages().filter_map(|stage| match &stage.noted {
            Noted::Held(held) => Some((stage.name.as_str(), held.key)),
            Noted::Absent(_) | Noted::Open => None,
        });
        self.head.last = last.proof(keys);
        let held = |stage: &StandingStage| matches!(&stage.noted, Noted::Held(held) if held.gates_hold);
        let results = self.stages().all(held).then(|| outcomes_digest(self.outcomes()));
        self.head.results = results;
    }

    /// What all stages came to, in one digest, if each has a result with its gates holding: then a run has nothing to do.
    #[must_use]
    pub fn all_held(&self) -> Option<Digest> {
        self.head.last.and(self.head.results)
    }

    /// The stages that have a result.
    pub fn held(&self) -> impl Iterator<Item = (&StandingStage, &Held)> {
        self.stages().filter_map(|stage| match &stage.noted {
            Noted::Held(held) => Some((stage, held.as_ref())),
            Noted::Absent(_) | Noted::Open => None,
        })
    }

    /// What the stages with a result came to.
    pub fn outcomes(&self) -> impl Iterator<Item = Outcome<'_>> {
        self.held().map(|(stage, held)| Outcome {
            stage: &stage.name,
            key: held.key,
            made: held.made,
            seconds: held.seconds,
        })
    }
}

fn held(key: Digest, believed: Believed, part: &mut Part, interned: &mut BTreeMap<Digest, u32>) -> Option<Held> {
    let (result, entry) = (&believed.result, believed.proof?);
    let (mut bytes, mut files) = (0, Vec::new());
    for ((place, file), mtime) in places(result).into_iter().zip(&believed.mtimes) {
        bytes += file.size;
        let next = u32::try_from(part.blobs.len()).ok()?;
        let at = *interned.entry(file.digest).or_insert(next);
        if at == next {
            part.blobs.push(Blob { digest: file.digest, size: file.size, mtime: *mtime, inode: None });
        }
        files.push((at, place.into_os_string().into_string().ok()?));
    }
    Some(Held {
        key,
        made: result.made,
        seconds: result.seconds,
        summary: result.summary.clone(),
        metrics: result.metrics.clone(),
        gates_hold: result.broken_gates().next().is_none(),
        bytes,
        entry,
        files,
        folder: None,
    })
}

/// Whether the machine has a GPU.
fn has_gpu() -> bool {
    !crate::env::gpus().is_empty()
}

/// The stamp of this program's file.
pub(super) fn program() -> Option<Stamp> {
    Some(Stamp::of(&std::env::current_exe().ok()?.metadata().ok()?))
}
