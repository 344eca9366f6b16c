//! Blobs by their digest: hashing, moving into the store, checking.
//!
//! Files are read in large pieces and hashed by all cores, rather than mapped: a mapped file that somebody shortens
//! meanwhile ends the process with SIGBUS, and workspace files belong to the user. See [`super::mapped`] for the large
//! ones.

use super::mapped::hash_mapped;
use super::{Store, StoreError};
use crate::digest::Digest;
use crate::env;
use crate::stage::FileRecord;
use std::fs::{File, Metadata, Permissions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// How much is read at once.
const PIECE: usize = 4 << 20;
/// Pieces below this are hashed by one core.
const PARALLEL_FROM: usize = 256 << 10;
/// So many seconds ago a staged file was never written.
const MARK: u64 = 3600;
/// How often a file is hashed that is written to meanwhile.
const TRIES: usize = 3;

/// The digest and size of a file's bytes. Large files are hashed by all cores.
///
/// # Errors
/// When the file cannot be read.
pub fn hash_file(path: &Path) -> Result<(Digest, u64), StoreError> {
    let hash = || {
        let mut file = File::open(path)?;
        let expected = file.metadata()?.len();
        hash_open(&mut file, expected)
    };
    hash().map_err(|error| StoreError::io("read", path, &error))
}

/// The digest and size of what an open file holds; `expected` is the size that it seems to have.
pub(super) fn hash_open(file: &mut File, expected: u64) -> std::io::Result<(Digest, u64)> {
    if let Some(found) = hash_mapped(file, expected) {
        return Ok(found);
    }
    let length = usize::try_from(expected).unwrap_or(PIECE).clamp(1, PIECE - 1) + 1;
    let mut piece = vec![0; length];
    let mut filled = fill(file, &mut piece)?;
    let mut hasher = blake3::Hasher::new();
    let mut size = filled as u64;
    // While a piece of a large file is hashed the next one is read.
    let mut next = if filled < length { Vec::new() } else { vec![0; length] };
    while filled == length {
        let (read, ()) = rayon::join(
            || fill(file, &mut next),
            || {
                hasher.update_rayon(&piece[..filled]);
            },
        );
        filled = read?;
        size += filled as u64;
        std::mem::swap(&mut piece, &mut next);
    }
    if filled >= PARALLEL_FROM {
        hasher.update_rayon(&piece[..filled]);
    } else {
        hasher.update(&piece[..filled]);
    }
    Ok((Digest::from_bytes(*hasher.finalize().as_bytes()), size))
}

/// Reads until `piece` is full or the file ends.
fn fill(file: &mut File, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < piece.len() {
        match file.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// When a file was last written, in nanoseconds since 1970.
pub(super) fn mtime(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// Makes what was written to a file or folder survive a power cut.
pub(super) fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| StoreError::io("sync", path, &error))
}

/// A blob that was moved into the store.
pub(super) struct Stored {
    pub record: FileRecord,
    pub mtime: i64,
}

impl Store {
    /// Moves a staged file into the store under the digest of its bytes; one that is there already is kept.
    pub(super) fn put(&self, staged: &Path, name: &str, durable: bool) -> Result<Stored, StoreError> {
        let metadata = staged.symlink_metadata().map_err(|error| StoreError::io("read", staged, &error))?;
        if !metadata.is_file() {
            let what = if metadata.is_symlink() { "a symbolic link" } else { "a device, pipe or socket" };
            return Err(StoreError::NotAFile { name: name.to_owned(), what });
        }
        // A copy before it is hashed: the other name may be written through meanwhile.
        let own = alone(staged, &metadata)?;
        let (digest, size) = hash_settled(&own, name)?;
        let object = self.layout.object(digest);
        let folder = object.parent().unwrap_or(self.layout.store());
        let record = FileRecord { name: name.to_owned(), size, digest };
        if let Some(mtime) = whole(&object, digest, size) {
            // Another result may have left it without a sync.
            if durable {
                sync(&object)?;
                sync(folder)?;
            }
            return Ok(Stored { record, mtime });
        }
        dated(&own, digest);
        std::fs::set_permissions(&own, Permissions::from_mode(0o444))
            .map_err(|error| StoreError::io("make read-only", &own, &error))?;
        if durable {
            sync(&own)?;
        }
        std::fs::create_dir_all(folder).map_err(|error| StoreError::io("make the folder", folder, &error))?;
        std::fs::rename(&own, &object).map_err(|error| StoreError::io("move into the store", &object, &error))?;
        if durable {
            sync(folder)?;
        }
        let metadata = object.metadata().map_err(|error| StoreError::io("read", &object, &error))?;
        Ok(Stored { record, mtime: mtime(&metadata) })
    }
}

/// The digest and size of a staged file that nobody writes to any more. A program that its stage had started and not waited for
/// may still do so.
fn hash_settled(staged: &Path, name: &str) -> Result<(Digest, u64), StoreError> {
    for _ in 0..TRIES {
        let marked = marked(staged);
        let found = hash_file(staged)?;
        super::failpoint("hashed");
        if staged.metadata().ok().map(|metadata| mtime(&metadata)) == marked {
            return Ok(found);
        }
    }
    Err(StoreError::StillWritten { name: name.to_owned() })
}

/// Gives a file a modification time long ago, and says which it is then: whoever writes to it while it is hashed gives it another,
/// in one tick of the clock too.
fn marked(staged: &Path) -> Option<i64> {
    let time = UNIX_EPOCH + Duration::from_secs(env::unix_seconds().saturating_sub(MARK));
    let file = File::open(staged).ok()?;
    // Where a file system keeps no such times, it has the time that it was given when it was written.
    let _ = file.set_modified(time);
    file.metadata().ok().map(|metadata| mtime(&metadata))
}

/// Gives an object a modification time of its own: a moment ago, by the second, and as nanoseconds what its digest says. So
/// clones and copies of two objects that were made in one tick of the clock are told apart by their times.
fn dated(object: &Path, digest: Digest) {
    let [a, b, c, d, ..] = *digest.as_bytes();
    let nanos = u32::from_le_bytes([a, b, c, d]) % 1_000_000_000;
    // Never in the future, which would keep it from settling.
    let time = UNIX_EPOCH + Duration::new(env::unix_seconds().saturating_sub(1), nanos);
    // Where a file system keeps no such times, they are what they are.
    let _ = File::open(object).and_then(|file| file.set_modified(time));
}

/// The modification time of an object whose bytes are what they should be.
fn whole(object: &Path, digest: Digest, size: u64) -> Option<i64> {
    let metadata = object.metadata().ok()?;
    let same = metadata.len() == size && hash_file(object).is_ok_and(|(found, _)| found == digest);
    same.then(|| mtime(&metadata))
}

/// A file that other names share (a stage linked an input, or a file of the workspace) is copied: the store's bytes
/// must not change when somebody writes through the other name.
fn alone(staged: &Path, metadata: &Metadata) -> Result<PathBuf, StoreError> {
    if metadata.nlink() == 1 {
        return Ok(staged.to_owned());
    }
    // A name of its own and not a longer one: there may be no longer names.
    let name = Digest::of(staged.as_os_str().as_encoded_bytes()).short();
    let copy = staged.with_file_name(format!(".alone-{name}"));
    reflink_copy::reflink_or_copy(staged, &copy).map_err(|error| StoreError::io("copy", &copy, &error))?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at_point, make, port, result, store_in};
    use super::super::{Begin, Found};
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn two_objects_of_one_tick_have_times_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = |text: &str| {
            let path = folder.path().join(text);
            std::fs::write(&path, text).unwrap();
            dated(&path, Digest::of(text.as_bytes()));
            path
        };
        let (one, other) = (file("one"), file("two"));
        let time = |path: &Path| mtime(&path.metadata().unwrap());
        let nanos = |path: &Path| time(path).rem_euclid(1_000_000_000);
        assert_ne!(nanos(&one), nanos(&other));
        assert!(time(&one).max(time(&other)) < env::unix_nanos(), "the past, so that it settles");
        // A copy that carries the other's time is not taken for it.
        let copy = folder.path().join("copy");
        std::fs::write(&copy, "one").unwrap();
        File::open(&copy).unwrap().set_modified(one.metadata().unwrap().modified().unwrap()).unwrap();
        let look = |path: &Path| crate::store::look::Look::of(&path.metadata().unwrap());
        assert!(look(&copy).is_of(&look(&one)) && !look(&copy).is_of(&look(&other)));
        dated(&one, Digest::of(b"one"));
        assert_eq!(nanos(&one), nanos(&copy), "the same bytes, the same nanoseconds");
    }

    /// Writes over the first bytes of a file.
    fn overwrite(path: &Path, text: &str) {
        let mut file = File::options().write(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }

    #[test]
    fn what_is_written_to_while_it_is_hashed_is_hashed_again_and_in_the_end_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        let staged = folder.path().join("staged");
        for (times, digest) in [(1, Some(Digest::of(b"after!"))), (usize::MAX, None)] {
            std::fs::write(&staged, "before").unwrap();
            let (path, mut left) = (staged.clone(), times);
            at_point("hashed", move || {
                if left > 0 {
                    left -= 1;
                    overwrite(&path, "after!");
                }
            });
            let put = store.put(&staged, "out", false);
            assert_eq!(put.as_ref().ok().map(|stored| stored.record.digest), digest);
            match put {
                Ok(stored) => {
                    let object = store.object_path(stored.record.digest);
                    assert_eq!(std::fs::read_to_string(object).unwrap(), "after!");
                }
                Err(error) => {
                    let said = "the output `out` was still written to when its stage had ended";
                    assert_eq!(error.to_string(), said);
                }
            }
        }
    }

    #[test]
    fn what_has_another_name_is_copied_before_it_is_hashed_however_long_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        let (own, staged) = (folder.path().join("own"), folder.path().join("n".repeat(255)));
        std::fs::write(&own, "before").unwrap();
        std::fs::hard_link(&own, &staged).unwrap();
        let path = own.clone();
        at_point("hashed", move || overwrite(&path, "after!"));
        let stored = store.put(&staged, "out", false).unwrap();
        assert_eq!(stored.record.digest, Digest::of(b"before"));
        assert_eq!(std::fs::read_to_string(store.object_path(stored.record.digest)).unwrap(), "before");
        assert_eq!(std::fs::read_to_string(&own).unwrap(), "after!");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn names_that_are_no_text_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        let key = Digest::of(b"key");
        let Begin::Miss(pending) = store.begin(key, false).unwrap() else { panic!("there is none yet") };
        let place = pending.staging().join("file");
        std::fs::create_dir(&place).unwrap();
        for name in [b"a\xfe", b"a\xff"] {
            std::fs::write(place.join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
        }
        let error = pending.commit(result(0.0), &[port("file")]).unwrap_err();
        assert_eq!(error.to_string(), "the name of the output `a\u{fffd}` is not UTF-8");
        assert!(matches!(store.lookup(key), Found::Absent));
    }

    #[test]
    fn a_blob_that_cannot_be_read_now_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let key = Digest::of(b"key");
        let made = make(&store_in(folder.path()), key, 0.0);
        let blob = store_in(folder.path()).object_path(made.outputs["history"].files[0].digest);
        File::open(&blob).and_then(|file| file.set_modified(UNIX_EPOCH)).unwrap();
        std::fs::set_permissions(&blob, Permissions::from_mode(0o0)).unwrap();
        if File::open(&blob).is_ok() {
            // Whoever may read everything, as root.
            return;
        }
        assert!(matches!(store_in(folder.path()).lookup(key), Found::Lost(why) if why.starts_with("cannot read `")));
        std::fs::set_permissions(&blob, Permissions::from_mode(0o444)).unwrap();
        assert!(matches!(store_in(folder.path()).lookup(key), Found::Hit(_)));
    }
}
