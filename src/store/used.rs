//! The workspace files that a path or pattern of a stage's fields stands for, with the digests of their bytes.

use super::proof::Stamp;
use super::{StatCache, StoreError};
use crate::digest::Digest;
use crate::stage::{files, io_words};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// With fewer files, sharing out the work takes longer than doing it.
const MANY_FILES: usize = 32;

/// A path or pattern of workspace files in a stage's fields, and the files that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedFiles {
    /// As it is written.
    pub text: String,
    /// Of all their names and bytes.
    pub digest: Digest,
    /// The files, sorted by name.
    pub found: Vec<UsedFile>,
}

/// A workspace file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedFile {
    /// Its path relative to the manifest's folder, with `/`.
    pub name: String,
    /// Where it lies.
    pub place: PathBuf,
    /// The digest of its bytes.
    pub digest: Digest,
    /// What the file system said of it when they were read: another, where somebody wrote the same bytes anew.
    pub(super) stamp: Stamp,
}

/// Why a path or pattern stands for no files.
#[derive(Debug)]
pub enum NoFiles {
    /// A file cannot be read.
    Store(StoreError),
    /// A pattern matches no file (any more), or cannot be looked for; in words.
    Words(String),
}

/// What was found for each base and text, while every one is looked for once.
#[derive(Debug, Default)]
pub(super) struct Once(Mutex<Option<Found>>);

type Found = BTreeMap<(PathBuf, String), Arc<UsedFiles>>;

impl Once {
    fn set(&self, found: Option<Found>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    fn get(&self, at: &(PathBuf, String)) -> Option<Arc<UsedFiles>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.get(at).map(Arc::clone)
    }

    fn note(&self, at: (PathBuf, String), used: &Arc<UsedFiles>) {
        if let Some(found) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            found.insert(at, Arc::clone(used));
        }
    }
}

impl StatCache {
    /// From now on every path or pattern is looked for once: for commands that run nothing, so that check, plan and what is
    /// kept of them speak of the same files.
    pub fn look_once(&self) {
        self.once.set(Some(Found::new()));
    }

    /// From now on files are looked at whenever they are asked for: they may change while stages run.
    pub fn look_always(&self) {
        self.once.set(None);
    }

    /// The files that a path or pattern stands for, as they are now. `base` is the folder that it is relative to.
    ///
    /// # Errors
    /// [`NoFiles`], where one cannot be read or a pattern matches nothing.
    pub fn used(&self, base: &Path, text: &str) -> Result<Arc<UsedFiles>, NoFiles> {
        let at = (base.to_owned(), text.to_owned());
        if let Some(found) = self.once.get(&at) {
            return Ok(found);
        }
        let used = Arc::new(self.look_for(base, text)?);
        self.once.note(at, &used);
        Ok(used)
    }

    fn look_for(&self, base: &Path, text: &str) -> Result<UsedFiles, NoFiles> {
        let found = files::expand(base, text).map_err(|error| {
            NoFiles::Words(format!("the files `{text}` cannot be looked for: {}", io_words(&error)))
        })?;
        if found.is_empty() {
            return Err(NoFiles::Words(format!("no file matches `{text}`")));
        }
        let looks: Result<Vec<_>, _> = match found.len() {
            0..MANY_FILES => found.iter().map(|(_, place)| self.look_at(place)).collect(),
            _ => self.look_at_all(&found.par_iter().map(|(_, place)| place.as_path()).collect::<Vec<_>>()),
        };
        let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 workspace file");
        let mut files = Vec::with_capacity(found.len());
        for ((name, place), (digest, stamp)) in found.into_iter().zip(looks.map_err(NoFiles::Store)?) {
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(digest.as_bytes());
            files.push(UsedFile { name, place, digest, stamp });
        }
        let digest = Digest::from_bytes(*hasher.finalize().as_bytes());
        Ok(UsedFiles { text: text.to_owned(), digest, found: files })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_once_stays_until_files_may_change() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..43 {
            std::fs::write(folder.path().join(format!("{index}.txt")), index.to_string()).unwrap();
        }
        let cache = StatCache::load(&folder.path().join("cache.bin"));
        let look = || cache.used(folder.path(), "*.txt").unwrap();
        let always = look();
        assert_eq!(always.found.len(), 43);
        cache.look_once();
        assert_eq!(look(), always);
        std::fs::write(folder.path().join("new.txt"), "new").unwrap();
        assert_eq!(look(), always);
        cache.look_always();
        assert_eq!(look().found.len(), 44);
        assert!(matches!(cache.used(folder.path(), "*.csv"), Err(NoFiles::Words(_))));
        assert!(matches!(cache.used(folder.path(), "gone.csv"), Err(NoFiles::Store(_))));
    }
}
