//! Whether a file is still what it was when it was read: by its stamp, and by its bytes where the stamp alone cannot tell.
//!
//! A file counts as unchanged while its size, inode, modification time and change time are what they were. That alone
//! is not safe: clocks tick coarsely, so a file that is written again right after it was read can keep all of
//! them. So a stamp is believed only if the file's times were already [`RACY`] in the past when it was read.

use super::object::mtime;
use crate::digest::Digest;
use crate::env;
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Nanoseconds; more than the coarsest clock of a file system in use (2 s, FAT).
const RACY: i64 = 2_000_000_000;

/// What the file system says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) size: u64,
    pub(super) inode: u64,
    pub(super) mtime: i64,
    pub(super) ctime: i64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let ctime = metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
        Self { size: metadata.len(), inode: metadata.ino(), mtime: mtime(metadata), ctime }
    }

    /// Whether the file had settled when it was read, in nanoseconds since 1970.
    pub(super) fn settled(&self, read: i64) -> bool {
        self.mtime.max(self.ctime).saturating_add(RACY) < read
    }
}

/// A file as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proof {
    stamp: Stamp,
    read: i64,
    bytes: Digest,
}

impl Proof {
    /// Reads a file, and what proves later that it is still the same.
    pub(super) fn read(path: &Path) -> std::io::Result<(Vec<u8>, Self)> {
        let read = env::unix_nanos();
        let mut file = File::open(path)?;
        let stamp = Stamp::of(&file.metadata()?);
        let mut text = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or(0));
        file.read_to_end(&mut text)?;
        let bytes = Digest::of(&text);
        Ok((text, Self { stamp, read, bytes }))
    }

    /// What proves later that a file still holds the bytes that were just written to it.
    pub(super) fn of(path: &Path, written: &[u8]) -> std::io::Result<Self> {
        let read = env::unix_nanos();
        Ok(Self { stamp: Stamp::of(&path.metadata()?), read, bytes: Digest::of(written) })
    }

    /// The proof, if the file still holds the same bytes; a new one where they had to be read again.
    pub(super) fn holds(&self, path: &Path) -> Option<Self> {
        self.holds_for(Stamp::of(&path.metadata().ok()?), || path.to_owned())
    }

    /// The same of a file that was looked at.
    pub(super) fn holds_for(&self, stamp: Stamp, path: impl FnOnce() -> PathBuf) -> Option<Self> {
        if stamp == self.stamp && self.stamp.settled(self.read) {
            return Some(*self);
        }
        let (_, proof) = Self::read(&path()).ok()?;
        (proof.bytes == self.bytes).then_some(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_while_the_bytes_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, "one").unwrap();
        let (bytes, proof) = Proof::read(&file).unwrap();
        assert!(bytes == b"one" && proof.holds(&file).is_some());
        let time = file.metadata().unwrap().modified().unwrap();
        std::fs::write(&file, "two").unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        assert!(proof.holds(&file).is_none(), "same size, inode and modification time");
        std::fs::write(&file, "one").unwrap();
        assert!(proof.holds(&file).is_some());
        std::fs::remove_file(&file).unwrap();
        assert!(proof.holds(&file).is_none());
    }
}
