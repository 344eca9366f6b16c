//! Results as folders under `out/`: read-only files, as clones, links or copies of the store's objects.
//!
//! A stage with one output has its files directly in its folder, a stage with several has a folder for each. What is
//! in place already is left alone, which is seen from sizes, inodes and times only: a linked file *is* its
//! object, a clone or copy carries its object's modification time, which is that object's own. A folder that differs is replaced as a whole, by
//! one exchange of names where the system can do that.

use super::look::Look;
use super::object::mtime;
use super::remove::remove_tree;
use super::{Store, StoreError};
use crate::env;
use crate::stage::{FileRecord, StageResult};
use std::ffi::CString;
use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// The files of a result by their place in its folder.
pub(super) fn places(result: &StageResult) -> Vec<(PathBuf, &FileRecord)> {
    let several = result.outputs.len() > 1;
    let mut places = Vec::new();
    for (port, artifact) in &result.outputs {
        let folder = if several { PathBuf::from(port) } else { PathBuf::new() };
        places.extend(artifact.files.iter().map(|file| (folder.join(&file.name), file)));
    }
    places
}

impl Store {
    /// Whether `folder` holds exactly the files of `result`.
    #[must_use]
    pub fn is_in_place(&self, result: &StageResult, folder: &Path) -> bool {
        let places = places(result);
        let same = |(place, file): &(PathBuf, &FileRecord)| {
            let Ok(there) = folder.join(place).symlink_metadata() else { return false };
            let Ok(object) = self.layout.object(file.digest).metadata() else { return false };
            Look::of(&there).is_of(&Look::of(&object))
        };
        places.iter().all(same) && count_files(folder) == places.len()
    }

    /// Makes `folder` hold exactly the files of `result`. Says whether anything had to be done.
    ///
    /// # Errors
    /// When the folder cannot be written or an object cannot be read.
    pub fn restore(&self, result: &StageResult, folder: &Path) -> Result<bool, StoreError> {
        if self.is_in_place(result, folder) {
            return Ok(false);
        }
        let parent = folder.parent().unwrap_or(folder);
        let beside =
            || tempfile::Builder::new().prefix(".new-").permissions(Permissions::from_mode(0o755)).tempdir_in(parent);
        let fresh = match beside() {
            // Mostly the folder is there.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::create_dir_all(parent).map_err(|error| StoreError::io("make the folder", parent, &error))?;
                beside()
            }
            made => made,
        }
        .map_err(|error| StoreError::io("write in", parent, &error))?;
        for (place, file) in places(result) {
            let to = fresh.path().join(place);
            if let Some(inside) = to.parent().filter(|inside| *inside != fresh.path()) {
                std::fs::create_dir_all(inside).map_err(|error| StoreError::io("make the folder", inside, &error))?;
            }
            materialize(&self.layout.object(file.digest), &to)?;
        }
        super::failpoint("restored-beside");
        exchange(&fresh.keep(), folder)?;
        Ok(true)
    }
}

impl Store {
    /// Removes the files of `result` from `folder`, which holds them and nothing else, and what folders are empty then, up to
    /// `above`, which stays. What somebody else put there meanwhile stays too.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn take_back(&self, result: &StageResult, folder: &Path, above: &Path) -> Result<(), StoreError> {
        for (place, _) in places(result) {
            let file = folder.join(place);
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(StoreError::io("remove", &file, &error));
                }
                _ => {}
            }
        }
        let inside = walkdir::WalkDir::new(folder).contents_first(true).into_iter().filter_map(Result::ok);
        for entry in inside.filter(|entry| entry.file_type().is_dir()) {
            // One that is not empty stays.
            let _ = std::fs::remove_dir(entry.path());
        }
        let parents = folder.ancestors().skip(1).take_while(|parent| parent.starts_with(above) && *parent != above);
        for parent in parents {
            let _ = std::fs::remove_dir(parent);
        }
        Ok(())
    }
}

/// How many files a folder holds, at any depth.
pub(super) fn count_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let count = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => count_files(&entry.path()),
        _ => 1,
    };
    entries.map(count).sum()
}

/// Clone, else hard link, else copy.
fn materialize(object: &Path, to: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::io("write", to, &error);
    let metadata = object.metadata().map_err(failed)?;
    if !env::clone_file(object, to, metadata.dev()).map_err(failed)? {
        if std::fs::hard_link(object, to).is_ok() {
            return Ok(());
        }
        copy_anew(object, to).map_err(|error| StoreError::io("copy to", to, &error))?;
    }
    let time = mtime(&metadata);
    let time = UNIX_EPOCH + Duration::from_nanos(u64::try_from(time).unwrap_or(0));
    File::open(to).and_then(|file| file.set_modified(time)).map_err(failed)?;
    std::fs::set_permissions(to, Permissions::from_mode(0o444)).map_err(failed)
}

/// Copies to a name that nothing has yet: what has it may be a link to another object.
fn copy_anew(object: &Path, to: &Path) -> std::io::Result<()> {
    let mut from = File::open(object)?;
    std::io::copy(&mut from, &mut File::create_new(to)?).map(drop)
}

/// Puts `fresh` in the place of `folder` and removes what was there. Other processes may do the same at the same time:
/// then the last one's stays.
fn exchange(fresh: &Path, folder: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::io("replace", folder, &error);
    let mut tries = 0;
    loop {
        match exchange_once(fresh, folder) {
            Ok(()) => return Ok(()),
            Err(error) if tries < EXCHANGES && overtaken(&error) => tries += 1,
            Err(error) => {
                let _ = remove_tree(fresh);
                return Err(failed(error));
            }
        }
    }
}

/// How often another process may come first.
const EXCHANGES: usize = 100;

/// Whether another process put or took away the folder between a look and a step.
fn overtaken(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as K;
    matches!(error.kind(), K::NotFound | K::AlreadyExists | K::DirectoryNotEmpty)
}

fn exchange_once(fresh: &Path, folder: &Path) -> std::io::Result<()> {
    if folder.symlink_metadata().is_err() {
        return std::fs::rename(fresh, folder);
    }
    let replaced = if swap_names(fresh, folder) {
        fresh.to_owned()
    } else {
        let old = fresh.with_extension("old");
        std::fs::rename(folder, &old)?;
        std::fs::rename(fresh, folder)?;
        old
    };
    super::failpoint("replaced");
    // The new one is in its place. What cannot be removed, as where somebody has a file in it open over a network, is litter.
    let _ = remove_any(&replaced).or_else(|_| remove_any(&replaced));
    Ok(())
}

fn remove_any(path: &Path) -> std::io::Result<()> {
    if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        remove_tree(path)
    } else {
        std::fs::remove_file(path)
    }
}

/// Exchanges two names at once; `false` where the system or the file system cannot.
#[cfg(target_os = "linux")]
fn swap_names(one: &Path, other: &Path) -> bool {
    let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).ok();
    let (Some(one), Some(other)) = (text(one), text(other)) else { return false };
    // SAFETY: both are valid C strings for the length of the call, and the flags are of this system call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    answer == 0
}

#[cfg(not(target_os = "linux"))]
fn swap_names(_: &Path, _: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::super::tests::at_point;
    use super::*;

    #[test]
    fn what_becomes_of_the_folder_that_was_replaced_is_no_matter_to_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let (fresh, place) = (folder.path().join(".new-abcdef"), folder.path().join("stage"));
        for (made, text) in [(&fresh, "new"), (&place, "old")] {
            std::fs::create_dir(made).unwrap();
            std::fs::write(made.join("file"), text).unwrap();
        }
        // As another process does that clears litter away.
        let replaced = fresh.clone();
        at_point("replaced", move || {
            let _ = std::fs::remove_dir_all(&replaced);
        });
        exchange(&fresh, &place).unwrap();
        assert_eq!(std::fs::read_to_string(place.join("file")).unwrap(), "new");
    }

    #[test]
    fn a_copy_never_goes_through_a_name_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        std::fs::write(place("one"), "one").unwrap();
        std::fs::write(place("two"), "two").unwrap();
        std::fs::hard_link(place("one"), place("a")).unwrap();
        // As two names do that are one where letters have no case.
        assert_eq!(copy_anew(&place("two"), &place("a")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(place("one")).unwrap(), "one");
        copy_anew(&place("two"), &place("b")).unwrap();
        assert_eq!(std::fs::read_to_string(place("b")).unwrap(), "two");
    }
}
