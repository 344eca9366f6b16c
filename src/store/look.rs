//! What the file system says of a file, asked by whole path or, for many files, by their names below a folder that is open: the
//! system finds those faster, and nobody puts whole paths together.

use super::proof::Stamp;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, openat, statat};
use std::fs::Metadata;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What the file system says of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) stamp: Stamp,
    pub(super) is_file: bool,
    pub(super) is_folder: bool,
    device: u64,
    links: u64,
}

impl Look {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            stamp: Stamp::of(metadata),
            is_file: metadata.is_file(),
            is_folder: metadata.is_dir(),
            device: metadata.dev(),
            links: metadata.nlink(),
        }
    }

    #[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions, reason = "other widths elsewhere")]
    fn found(found: &Stat) -> Option<Self> {
        let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        let kind = FileType::from_raw_mode(found.st_mode);
        Some(Self {
            stamp: Stamp {
                size: u64::try_from(found.st_size).ok()?,
                inode: u64::from(found.st_ino),
                mtime: nanos(i64::from(found.st_mtime), i64::try_from(found.st_mtime_nsec).ok()?),
                ctime: nanos(i64::from(found.st_ctime), i64::try_from(found.st_ctime_nsec).ok()?),
            },
            is_file: kind == FileType::RegularFile,
            is_folder: kind == FileType::Directory,
            device: u64::try_from(found.st_dev).ok()?,
            links: u64::from(found.st_nlink),
        })
    }

    /// Whether both are names of one file.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.stamp.inode) == (other.device, other.stamp.inode)
    }

    /// Whether a file under `out/` is a link to an object, or a clone or copy of it, which nobody else's name shares. An
    /// object's modification time is its own: see [`dated`](super::object::dated).
    pub(super) fn is_of(&self, object: &Self) -> bool {
        self.is_file
            && self.stamp.size == object.stamp.size
            && (self.is_same_file(object) || (self.links == 1 && self.stamp.mtime == object.stamp.mtime))
    }
}

/// A folder that is open, below which files are looked at; one that is not there holds nothing.
#[derive(Debug)]
pub(super) struct Below(Option<OwnedFd>);

impl Below {
    pub(super) fn open(folder: &Path) -> Self {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self(openat(CWD, folder, flags, Mode::empty()).ok())
    }

    /// A file, behind whatever links lead to it.
    pub(super) fn look(&self, name: &str) -> Option<Look> {
        Look::found(&statat(self.0.as_ref()?, name, AtFlags::empty()).ok()?)
    }

    /// What has this name itself, which may be a link.
    pub(super) fn look_at_name(&self, name: &str) -> Option<Look> {
        Look::found(&statat(self.0.as_ref()?, name, AtFlags::SYMLINK_NOFOLLOW).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_looking_see_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/file");
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(&path, "bytes").unwrap();
        std::os::unix::fs::symlink("deep/file", folder.path().join("link")).unwrap();
        let below = Below::open(folder.path());
        let by_path = Look::of(&path.metadata().unwrap());
        for found in [below.look("deep/file").unwrap(), below.look("link").unwrap()] {
            assert!(found.stamp == by_path.stamp && found.is_same_file(&by_path) && found.is_file && !found.is_folder);
            assert_eq!((found.links, found.device), (by_path.links, by_path.device));
        }
        assert!(!below.look_at_name("link").unwrap().is_file);
        assert!(below.look_at_name("deep").unwrap().is_folder);
        assert!(below.look("other").is_none() && Below::open(&path).look("file").is_none());
    }
}
