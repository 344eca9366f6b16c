//! Damaged blobs that were moved out of the way, for whoever wants to know what happened to them.

use super::{Store, StoreError};
use crate::digest::Digest;
use crate::env;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

/// A damaged blob in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was moved there, in seconds since 1970.
    pub since: u64,
}

impl Store {
    /// Moves a damaged blob out of the way; a later run makes it again.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn quarantine(&self, blob: Digest) -> Result<PathBuf, StoreError> {
        let (from, folder) = (self.layout.object(blob), self.layout.quarantine());
        std::fs::create_dir_all(&folder).map_err(|error| StoreError::io("make the folder", &folder, &error))?;
        let to = folder.join(blob.to_string());
        std::fs::rename(&from, &to).map_err(|error| StoreError::io("move", &from, &error))?;
        let now = UNIX_EPOCH + Duration::from_secs(env::unix_seconds());
        // What cannot even be opened keeps the time at which it was made.
        let _ = File::open(&to).and_then(|file| file.set_modified(now));
        Ok(to)
    }

    /// What lies in quarantine, by name.
    #[must_use]
    pub fn quarantined(&self) -> Vec<Quarantined> {
        let entries = std::fs::read_dir(self.layout.quarantine()).into_iter().flatten().filter_map(Result::ok);
        let file = |entry: std::fs::DirEntry| {
            let metadata = entry.metadata().ok()?;
            let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs();
            Some(Quarantined { path: entry.path(), bytes: metadata.len(), since })
        };
        let mut found: Vec<Quarantined> = entries.filter_map(file).collect();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{make, store_in};
    use super::*;

    #[test]
    fn a_damaged_blob_is_kept_with_the_time_at_which_it_was_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        assert_eq!(store.quarantined(), []);
        let made = make(&store, Digest::of(b"key"), 0.0);
        let blob = made.outputs.values().flat_map(|artifact| &artifact.files).next().unwrap().digest;
        let long_ago = UNIX_EPOCH + Duration::from_secs(1);
        File::open(store.object_path(blob)).and_then(|file| file.set_modified(long_ago)).unwrap();
        let before = env::unix_seconds();
        let path = store.quarantine(blob).unwrap();
        let found = store.quarantined();
        assert_eq!((found.len(), &found[0].path), (1, &path));
        assert!(found[0].since >= before && found[0].bytes > 0, "{found:?}");
        store.discard(&path).unwrap();
        assert_eq!(store.quarantined(), []);
    }
}
