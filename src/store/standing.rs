//! What the last look at a whole pipeline found, with everything that it depended on: as long as none of that has changed,
//! it still holds, and no manifest has to be read, checked or planned to know it.
//!
//! | it depended on | believed while |
//! |---|---|
//! | this program | its file has the same stamp |
//! | the boot, for results that were not synced | it is the same |
//! | the manifest, the modules that it uses, `--set` | the same bytes, which are read every time |
//! | workspace files, and what patterns match | the same names and digests, by the same rules as in a key |
//! | every stage's result | its entry holds, and its blobs have the size and time that they had |
//! | every stage's lack of a result | there is still no entry |
//! | the last keys, for commands that would note or show them | the file holds |
//! | the folders under `out/`, for a run | they hold exactly the results' files |
//!
//! Whatever else a command would have to look at makes that command look itself. The file can be deleted at any time; one
//! that is cut off or damaged is not there.

use super::index::write_atomically;
use super::object::mtime;
use super::proof::{Proof, Stamp};
use super::restore::{count_files, is_of, places};
use super::{LastKeys, Store};
use crate::digest::Digest;
use crate::env;
use crate::stage::{StageResult, files};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Raised when [`Standing`] changes.
const FORMAT: u32 = 2;

/// What the last look at a whole pipeline found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standing {
    format: u32,
    program: Stamp,
    boot: Option<String>,
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
    /// The pipeline's name.
    pub pipeline: String,
    /// The pipeline's params and their values.
    pub params: BTreeMap<String, serde_json::Value>,
    /// The stages in topological order.
    pub stages: Vec<StandingStage>,
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
    entry: Proof,
    blobs: Vec<Blob>,
    /// Its folder under `out/` as it was when it held these files and no others, and when it was looked at.
    folder: Option<(Stamp, i64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Blob {
    digest: Digest,
    size: u64,
    mtime: i64,
    /// Its place in the stage's folder.
    place: PathBuf,
}

impl Held {
    /// The size of its files in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }
}

impl Standing {
    /// The standing of a pipeline of which nothing is noted yet. `sources` are the texts that were read.
    #[must_use]
    pub fn new<'a>(
        store: &Store,
        pipeline: &str,
        set: &[String],
        sources: impl Iterator<Item = (&'a Path, &'a str)>,
    ) -> Option<Self> {
        Some(Self {
            format: FORMAT,
            program: program()?,
            boot: store.boot.clone(),
            root: store.layout.root().to_owned(),
            store: store.layout.store().to_owned(),
            set: set.to_vec(),
            sources: sources.map(|(path, text)| (path.to_owned(), Digest::of(text.as_bytes()))).collect(),
            files: Vec::new(),
            patterns: Vec::new(),
            last: None,
            pipeline: pipeline.to_owned(),
            params: BTreeMap::new(),
            stages: Vec::new(),
        })
    }

    /// Notes the workspace files that a path or pattern stood for.
    pub fn uses(&mut self, base: &Path, text: &str, found: &[(PathBuf, Digest)]) {
        self.files.extend_from_slice(found);
        if files::is_pattern(text) {
            let matched = found.iter().map(|(path, _)| path.clone()).collect();
            self.patterns.push((base.to_owned(), text.to_owned(), matched));
        }
    }

    /// Notes the last keys, once all stages are noted.
    pub fn note_last(&mut self, last: &LastKeys) {
        let keys = self.stages.iter().filter_map(|stage| match &stage.noted {
            Noted::Held(held) => Some((stage.name.as_str(), held.key)),
            Noted::Absent(_) | Noted::Open => None,
        });
        self.last = last.proof(keys);
    }

    /// The results of all stages with their gates holding, if that is how it is: then a run has nothing to do.
    #[must_use]
    pub fn all_held(&self) -> Option<Vec<(&StandingStage, &Held)>> {
        self.last?;
        let held = self.stages.iter().map(|stage| match &stage.noted {
            Noted::Held(held) if held.gates_hold => Some((stage, held.as_ref())),
            _ => None,
        });
        held.collect()
    }
}

/// The stamp of this program's file.
fn program() -> Option<Stamp> {
    Some(Stamp::of(&std::env::current_exe().ok()?.metadata().ok()?))
}

impl Store {
    /// What is known of a key after it was looked up; `None` where that cannot be believed later.
    #[must_use]
    pub fn note(&self, key: Digest) -> Option<Noted> {
        let Some(believed) = self.believed(key) else { return Some(Noted::Absent(key)) };
        let (result, entry) = (&believed.result, believed.proof?);
        Some(Noted::Held(Box::new(Held {
            key,
            made: result.made,
            seconds: result.seconds,
            summary: result.summary.clone(),
            metrics: result.metrics.clone(),
            gates_hold: result.broken_gates().next().is_none(),
            entry,
            blobs: blobs(result, &believed.mtimes),
            folder: None,
        })))
    }

    /// What the last look at the pipeline of a manifest found, if everything that it depended on is as it was. With
    /// `in_place` the folders under `out/` are looked at too.
    #[must_use]
    pub fn standing(&self, manifest: &Path, set: &[String], in_place: bool) -> Option<Standing> {
        let path = self.layout.standing(manifest);
        let bytes = std::fs::read(&path).ok()?;
        let (sum, body) = bytes.split_at_checked(32)?;
        if Digest::of(body).as_bytes() != sum {
            return None;
        }
        let mut standing: Standing = rmp_serde::from_slice(body).ok()?;
        let fits = standing.format == FORMAT
            && standing.set == set
            && standing.boot == self.boot
            && standing.root == self.layout.root()
            && standing.store == self.layout.store()
            && Some(standing.program) == program();
        let renewed = AtomicBool::new(false);
        if !fits || !self.same_texts(&standing) || !self.same_results(&mut standing, in_place, &renewed) {
            return None;
        }
        if let Some(last) = standing.last {
            standing.last = last.holds(&self.layout.last(&standing.pipeline));
            renewed.fetch_or(standing.last != Some(last), Ordering::Relaxed);
        }
        if renewed.into_inner() {
            self.keep_standing(manifest, &standing);
        }
        Some(standing)
    }

    /// Keeps what a look found for the next command. It only saves time, so what cannot be written is not.
    pub fn keep_standing(&self, manifest: &Path, standing: &Standing) {
        let Ok(body) = rmp_serde::to_vec(standing) else { return };
        let mut bytes = Digest::of(&body).as_bytes().to_vec();
        bytes.extend(body);
        if self.layout.state().is_dir() {
            let _ = write_atomically(&self.layout.standing(manifest), &bytes, false);
        }
    }

    fn same_texts(&self, standing: &Standing) -> bool {
        let same =
            |(path, digest): &(PathBuf, Digest)| std::fs::read(path).is_ok_and(|text| Digest::of(&text) == *digest);
        let hashed =
            |(path, digest): &(PathBuf, Digest)| self.stat_cache.digest(path).is_ok_and(|(found, _)| found == *digest);
        let matched = |(base, text, places): &(PathBuf, String, Vec<PathBuf>)| {
            files::expand(base, text).is_ok_and(|found| found.iter().map(|(_, place)| place).eq(places))
        };
        standing.sources.iter().all(same)
            && standing.files.par_iter().with_min_len(256).all(hashed)
            && standing.patterns.par_iter().all(matched)
    }

    fn same_results(&self, standing: &mut Standing, in_place: bool, renewed: &AtomicBool) -> bool {
        let out = self.layout.out(&standing.pipeline);
        standing.stages.par_iter_mut().with_min_len(256).all(|stage| match &mut stage.noted {
            Noted::Open => true,
            Noted::Absent(key) => !self.layout.entry(*key).exists(),
            Noted::Held(held) => {
                let Some(entry) = held.entry.holds(&self.layout.entry(held.key)) else { return false };
                if entry != held.entry {
                    held.entry = entry;
                    renewed.store(true, Ordering::Relaxed);
                }
                let folder = in_place.then(|| out.join(&stage.name));
                self.is_whole(held, folder.as_deref())
                    && folder.is_none_or(|folder| holds_no_more(held, &folder, renewed))
            }
        })
    }

    /// Whether a result's blobs are as they were, and its folder holds them.
    fn is_whole(&self, held: &Held, folder: Option<&Path>) -> bool {
        let whole = |blob: &Blob| {
            let Ok(object) = self.layout.object(blob.digest).metadata() else { return false };
            if object.len() != blob.size || mtime(&object) != blob.mtime {
                return false;
            }
            let Some(folder) = folder else { return true };
            folder.join(&blob.place).symlink_metadata().is_ok_and(|there| is_of(&there, &object))
        };
        held.blobs.iter().all(whole)
    }
}

/// Whether a folder that holds a result's files holds no others. One without folders in it is not listed again while its own
/// stamp, which changes with every name in it, tells that nothing came.
fn holds_no_more(held: &mut Held, folder: &Path, renewed: &AtomicBool) -> bool {
    let read = env::unix_nanos();
    let Ok(metadata) = folder.symlink_metadata() else { return held.blobs.is_empty() };
    let stamp = Stamp::of(&metadata);
    if held.folder.is_some_and(|(known, read)| known == stamp && known.settled(read)) {
        return true;
    }
    let same = count_files(folder) == held.blobs.len();
    let is_flat = || std::fs::read_dir(folder).is_ok_and(|entries| entries.count() == held.blobs.len());
    if same && is_flat() && stamp.settled(read) {
        held.folder = Some((stamp, read));
        renewed.store(true, Ordering::Relaxed);
    }
    same
}

/// The files of a result with the times of their blobs.
fn blobs(result: &StageResult, mtimes: &[i64]) -> Vec<Blob> {
    let blob = |((place, file), mtime): ((PathBuf, &crate::stage::FileRecord), &i64)| Blob {
        digest: file.digest,
        size: file.size,
        mtime: *mtime,
        place,
    };
    places(result).into_iter().zip(mtimes).map(blob).collect()
}
