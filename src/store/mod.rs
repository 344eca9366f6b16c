//! The content-addressed store: every result once, found by its key, and either whole or not there.
//!
//! | file | what it knows |
//! |---|---|
//! | [`layout`] | where everything lies; the only file with path names |
//! | [`object`](self) | blobs by their digest: hashing, dedupe, syncing, reading back |
//! | [`index`](self) | key -> [`StageResult`], written only after all blobs are in place |
//! | [`lock`](self) | one computation per key, also across processes; only its holder can commit |
//! | [`statcache`](self) | digests of workspace files that did not change |
//! | [`used`](self) | the files behind a path or pattern, looked for once where nothing runs |
//! | [`last`](self) | the last key of every stage, for `why` |
//! | [`standing`](self) | what the last look at a whole pipeline found, for as long as nothing that it depended on changes |
//! | [`types_found`](self) | what the last checks found of the tables that stages will give, for as long as what they looked at is the same |
//! | [`proof`](self) | whether a file is still what it was when it was read |
//! | [`look`](self) | what the file system says of a file |
//! | [`restore`](self) | results as folders under `out/` |
//! | [`series`](self) | what stages that are equal but for how far they go leave to each other |
//! | [`remove`](self) | removing folders |
//! | [`share`](self) | runs use the store together, whoever removes results has it alone |
//! | [`quarantine`](self) | damaged blobs, out of the way |
//! | [`contents`](self), [`gc`](self) | everything that lies in it, what of it is damaged, what of it may go |
//! | [`litter`](self) | the logs of old runs and what killed processes left half-written, which go by themselves |
//! | [`workspace`](self) | where the workspace is, and `kilter.toml` |
//!
//! What holds whatever happens, a `kill -9` and a power cut included: an index entry that is believed names blobs that are
//! there, whole and unchanged. The order of writing gives that (blobs, then the entry, each by rename), and three
//! checks while reading: sizes, modification times (somebody wrote into a blob), and, for entries that were not synced
//! to the disk, the boot they were written in. Where a check is in doubt the blobs are hashed again.

mod contents;
mod error;
mod gc;
mod index;
mod last;
pub mod layout;
mod litter;
mod lock;
mod look;
mod mapped;
mod object;
mod proof;
mod quarantine;
mod remove;
mod restore;
mod series;
mod share;
mod standing;
mod statcache;
mod types_found;
mod used;
mod workspace;

#[cfg(test)]
mod tests;

pub use contents::{Contents, Damage, Stored};
pub use error::StoreError;
pub use gc::{GcPlan, Limits, Need, plan_gc};
pub use index::{Found, write_atomically};
pub use last::{LastKeys, LastRun};
pub use layout::Layout;
pub use lock::{Begin, Pending};
pub use mapped::serve_mapped;
pub use object::hash_file;
pub use quarantine::Quarantined;
pub use series::Unfinished;
pub use standing::{Held, Noted, Standing, StandingStage};
pub use statcache::StatCache;
pub use types_found::{TablesFound, TypesFound};
pub use used::{NoFiles, UsedFile, UsedFiles};
pub use workspace::{Workspace, WorkspaceError};

use crate::digest::Digest;
use crate::stage::{ArtifactRecord, Input, InputFile, StageResult};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A workspace's store. Opening it touches nothing; folders are made when the first result is committed.
#[derive(Debug)]
pub struct Store {
    layout: Layout,
    /// Digests of workspace files.
    pub stat_cache: StatCache,
    /// What was found and checked once is believed for the rest of the process.
    known: Mutex<BTreeMap<Digest, Believed>>,
    /// What was wrong with blobs that this process removed, so that whoever looks next is not told that they were never there.
    removed: Mutex<BTreeMap<Digest, String>>,
    /// The boot that this process runs in; `None` where the system does not tell.
    boot: Option<String>,
    /// Held so that nobody removes results; `None` in it where it cannot be locked.
    held: OnceLock<Option<File>>,
    /// The run of this process that has logs, and their folder, held so that nobody removes it.
    logs: Mutex<Option<(String, Option<File>)>>,
}

/// A result that was found and checked.
#[derive(Clone, Debug)]
struct Believed {
    result: Arc<StageResult>,
    /// Modification times of its blobs, in the order of outputs and files.
    mtimes: Vec<i64>,
    /// Its entry as it was read or written; `None` where it could not be written anew.
    proof: Option<proof::Proof>,
}

impl Store {
    /// The store of a workspace.
    #[must_use]
    pub fn open(workspace: &Workspace) -> Self {
        let layout = Layout::new(&workspace.root, &workspace.store);
        let stat_cache = StatCache::load(&layout.stat_cache());
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned());
        let removed = Mutex::default();
        let logs = Mutex::default();
        Self { layout, stat_cache, known: Mutex::default(), removed, boot, held: OnceLock::new(), logs }
    }

    /// Where everything lies.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What tells this boot of the machine from others; empty where the system does not say.
    #[must_use]
    pub fn boot(&self) -> &str {
        self.boot.as_deref().unwrap_or_default()
    }

    /// The folder that the store lies in: what `store` in `kilter.toml` names.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.layout.store().parent().unwrap_or(self.layout.store())
    }

    /// Where the bytes of an object lie. The file is read-only and never to be written.
    #[must_use]
    pub fn object_path(&self, digest: Digest) -> PathBuf {
        self.layout.object(digest)
    }

    /// An artefact as a stage receives it.
    #[must_use]
    pub fn input(&self, artifact: &ArtifactRecord) -> Input {
        let files = artifact.files.iter().map(|file| InputFile {
            name: file.name.clone(),
            path: self.object_path(file.digest),
            size: file.size,
            digest: file.digest,
        });
        Input::new(artifact.ty.clone(), artifact.digest, files.collect())
    }

    fn remember(
        &self,
        key: Digest,
        result: StageResult,
        mtimes: Vec<i64>,
        proof: Option<proof::Proof>,
    ) -> Arc<StageResult> {
        let believed = Believed { result: Arc::new(result), mtimes, proof };
        let result = Arc::clone(&believed.result);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, believed);
        result
    }

    fn believed(&self, key: Digest) -> Option<Believed> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    fn forget(&self, key: Digest) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

/// In tests a child process names the point at which it is to die as if killed; in a build there is nothing here.
#[cfg(not(test))]
fn failpoint(_: &str) {}

#[cfg(test)]
fn failpoint(name: &str) {
    tests::die_if_asked(name);
    tests::happen(name);
}
