//! Where everything lies. No other file holds a path name.
//!
//! ```text
//! WORKSPACE/
//!   kilter.toml                       settings of the workspace; optional
//!   .kilter/                          can be deleted at any time, at the cost of recomputing
//!     .gitignore                      holds `*`
//!     store-v1/                       elsewhere where kilter.toml says `store = "path"`
//!       objects/ab/cdef…              a blob, named by the BLAKE3 of its bytes; read-only
//!       index/ab/cdef….json           a stage's result, named by its key
//!       series/ab/cdef…/LENGTH-KEY    the results of stages that are equal but for how far they go
//!       checkpoints/SERIES/KEY/STEP/  what a stage that has no result yet goes on from
//!       tmp/KEY-ATTEMPT/, ….out/      what the holder of KEY's lock is writing
//!       locks/KEY.lock                held while KEY is computed; freed by the system when the process dies
//!       in-use.lock                   held by every run, shared, and by whoever removes results, alone
//!       quarantine/DIGEST             damaged blobs that `kilter cache --repair` found
//!       workspaces/ID                 the roots of the workspaces that share this store
//!     runs/RUN/STAGE.log              what programs and workers wrote to their standard error
//!     runs/RUN/STAGE.job.json         the last job that a stage gave to a worker
//!     history.db                        the history of runs; SQLite
//!     last/PIPELINE.json              the last key of every stage
//!     stat-cache.bin                  digests of workspace files, by size, times and inode
//!     standing/MANIFEST.lock          which lock was found to tell of which results
//!     standing/MANIFEST.bin           what the last look at a whole pipeline found, and all that it depended on
//!     standing/MANIFEST.types         what checking found of the tables that its stages will give
//!     verify/SCRATCH/                   what a verification computes again; gone after it
//!   out/PIPELINE/STAGE/…              the current results, read-only: links into the store, or copies
//! ```

use crate::digest::Digest;
use std::path::{Path, PathBuf};

/// The settings file at a workspace's root.
pub const SETTINGS: &str = "kilter.toml";
/// The folder at a workspace's root that holds everything that can be made again.
pub const STATE: &str = ".kilter";
/// Marks the root of a workspace where there is no [`SETTINGS`].
pub const GIT: &str = ".git";
/// The folder at a workspace's root that holds the current results.
pub const OUT: &str = "out";
const STORE: &str = "store-v1";

/// Where everything lies.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    state: PathBuf,
    store: PathBuf,
}

impl Layout {
    /// The layout of the workspace at `root` with its store under `store` (the setting, an absolute path).
    #[must_use]
    pub fn new(root: &Path, store: &Path) -> Self {
        Self { root: root.to_owned(), state: root.join(STATE), store: store.join(STORE) }
    }

    /// The workspace's root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of everything that can be made again.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The store's folder.
    #[must_use]
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// A blob.
    #[must_use]
    pub fn object(&self, digest: Digest) -> PathBuf {
        self.objects().join(Self::object_name(digest))
    }

    /// The place of a blob in the folder of all blobs.
    #[must_use]
    pub fn object_name(digest: Digest) -> String {
        let mut name = digest.to_string();
        name.insert(2, '/');
        name
    }

    /// The folder of all index entries.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.store.join("index")
    }

    /// The index entry of a key.
    #[must_use]
    pub fn entry(&self, key: Digest) -> PathBuf {
        self.index().join(Self::entry_name(key))
    }

    /// The place of an entry in the folder of all entries.
    #[must_use]
    pub fn entry_name(key: Digest) -> String {
        Self::object_name(key) + ".json"
    }

    /// The key of an index entry's file.
    #[must_use]
    pub fn key_of_entry(entry: &Path) -> Option<Digest> {
        let head = entry.parent()?.file_name()?.to_str()?;
        let tail = entry.file_name()?.to_str()?.strip_suffix(".json")?;
        format!("{head}{tail}").parse().ok()
    }

    /// The folder of the entries of all series.
    #[must_use]
    pub fn all_series(&self) -> PathBuf {
        self.store.join("series")
    }

    /// The folder of a series' entries.
    #[must_use]
    pub fn series(&self, series: Digest) -> PathBuf {
        self.all_series().join(Self::object_name(series))
    }

    /// The entry of a result in its series.
    #[must_use]
    pub fn member(&self, series: Digest, length: u64, key: Digest) -> PathBuf {
        self.series(series).join(format!("{length}-{key}"))
    }

    /// The folder of all checkpoints.
    #[must_use]
    pub fn all_checkpoints(&self) -> PathBuf {
        self.store.join("checkpoints")
    }

    /// The folder of the checkpoints of a series.
    #[must_use]
    pub fn series_checkpoints(&self, series: Digest) -> PathBuf {
        self.all_checkpoints().join(series.to_string())
    }

    /// The folder of a stage's checkpoints.
    #[must_use]
    pub fn checkpoints(&self, series: Digest, key: Digest) -> PathBuf {
        self.series_checkpoints(series).join(key.to_string())
    }

    /// The folder of what is being written.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.store.join("tmp")
    }

    /// What the holder of a key's lock is writing in an attempt.
    #[must_use]
    pub fn staging(&self, key: Digest, attempt: &str) -> PathBuf {
        self.tmp().join(format!("{key}-{attempt}"))
    }

    /// The key that a name in the folder of what is being written is for.
    #[must_use]
    pub fn key_of_staging(name: &str) -> Option<Digest> {
        name.split(['-', '.']).next()?.parse().ok()
    }

    /// The lock of a key.
    #[must_use]
    pub fn lock(&self, key: Digest) -> PathBuf {
        self.store.join("locks").join(format!("{key}.lock"))
    }

    /// The lock between runs and whoever removes results.
    #[must_use]
    pub fn in_use(&self) -> PathBuf {
        self.store.join("in-use.lock")
    }

    /// Where damaged blobs are kept.
    #[must_use]
    pub fn quarantine(&self) -> PathBuf {
        self.store.join("quarantine")
    }

    /// The folder that names the workspaces which share this store.
    #[must_use]
    pub fn workspaces(&self) -> PathBuf {
        self.store.join("workspaces")
    }

    /// The folder of all blobs.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.store.join("objects")
    }

    /// The digest that names a blob's file.
    #[must_use]
    pub fn digest_of_object(object: &Path) -> Option<Digest> {
        let head = object.parent()?.file_name()?.to_str()?;
        format!("{head}{}", object.file_name()?.to_str()?).parse().ok()
    }

    /// The folder of all runs' logs.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.state.join("runs")
    }

    /// The folder of a run's logs.
    #[must_use]
    pub fn run(&self, run: &str) -> PathBuf {
        self.runs().join(run)
    }

    /// The log of a stage.
    #[must_use]
    pub fn log(&self, run: &str, stage: &str) -> PathBuf {
        self.run(run).join(format!("{}.log", flat(stage)))
    }

    /// The job file that a stage gives to a worker.
    #[must_use]
    pub fn job(&self, run: &str, stage: &str) -> PathBuf {
        self.run(run).join(format!("{}.job.json", flat(stage)))
    }

    /// The last keys of a pipeline's stages.
    #[must_use]
    pub fn last(&self, pipeline: &str) -> PathBuf {
        self.lasts().join(format!("{}.json", flat(pipeline)))
    }

    /// The folder of the last keys of all pipelines.
    #[must_use]
    pub fn lasts(&self) -> PathBuf {
        self.state.join("last")
    }

    /// The folders in which files and folders are written under another name first, and how far below them.
    #[must_use]
    pub fn written_beside(&self) -> [(PathBuf, usize); 5] {
        let kept = |name: &str| (self.state.join(name), 1);
        let (last, standing) = (kept("last"), kept("standing"));
        [(self.root.join(OUT), 4), (self.index(), 2), (self.state.clone(), 1), last, standing]
    }

    /// The history of runs.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.state.join("history.db")
    }

    /// The folder of scratch stores.
    #[must_use]
    pub fn verify(&self) -> PathBuf {
        self.state.join("verify")
    }

    /// The digests of workspace files.
    #[must_use]
    pub fn stat_cache(&self) -> PathBuf {
        self.state.join("stat-cache.bin")
    }

    /// What the last look at the pipeline of a manifest (its absolute path) found.
    #[must_use]
    pub fn standing(&self, manifest: &Path) -> PathBuf {
        let name = Digest::of(manifest.as_os_str().as_encoded_bytes()).short();
        self.state.join("standing").join(format!("{name}.bin"))
    }

    /// What checking found of the tables that a manifest's stages will give.
    #[must_use]
    pub fn types_found(&self, manifest: &Path) -> PathBuf {
        self.standing(manifest).with_extension("types")
    }

    /// Which lock was found to tell of which results of a manifest.
    #[must_use]
    pub fn lock_seal(&self, manifest: &Path) -> PathBuf {
        self.standing(manifest).with_extension("lock")
    }

    /// The current results of a pipeline.
    #[must_use]
    pub fn out(&self, pipeline: &str) -> PathBuf {
        self.root.join(OUT).join(pipeline)
    }

    /// The current result of a stage; a module's stages lie in a folder of the module's name.
    #[must_use]
    pub fn out_stage(&self, pipeline: &str, stage: &str) -> PathBuf {
        self.out(pipeline).join(stage)
    }

    /// A path as people should see it: relative to the workspace where it lies inside.
    #[must_use]
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// A stage's name as one file name.
fn flat(name: &str) -> String {
    name.replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_gives_its_key_back() {
        let layout = Layout::new(Path::new("/w"), Path::new("/w/.kilter"));
        let key = Digest::of(b"key");
        assert_eq!(Layout::key_of_entry(&layout.entry(key)), Some(key));
        assert_eq!(layout.shown(&layout.out_stage("digits", "m/a")), "out/digits/m/a");
    }
}
