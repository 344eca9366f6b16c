//! Hashing a large file as it lies in memory, by a process of its own.
//!
//! What is in the page cache need not be copied to be hashed: mapped, a file of 4 GB takes two thirds of the time. But a
//! mapped file that somebody shortens meanwhile ends the process that reads it (SIGBUS), and the files belong to the
//! user. So this program starts itself once more for it, and where that child dies or says anything but a digest, the
//! file is read in pieces as if it had never been asked.

use crate::digest::Digest;
use crate::env::die_with_parent;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

/// Files below this are read in pieces: starting a process is not worth it.
const MAPPED_FROM: u64 = 256 << 20;
/// How many places of a file are looked at to tell whether it is in the page cache.
const SAMPLES: u64 = 64;
/// The one argument with which this program does nothing but hash its standard input.
const ARGUMENT: &str = "__hash-mapped";

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// To be called first by the `main` of a program that wants large files hashed this way: what the program is to end
/// with, where it was started for that alone.
#[must_use]
pub fn serve_mapped() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != ARGUMENT) || arguments.next().is_some() {
        let _ = std::env::current_exe().map(|program| PROGRAM.set(program));
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    // Opened by this name, a file on standard input is the same file, even where it has lost its own name.
    match hasher.update_mmap_rayon("/dev/stdin") {
        Ok(_) => {
            let told = writeln!(std::io::stdout(), "{} {}", hasher.finalize(), hasher.count());
            Some(if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// The digest and size of what an open file of about `size` bytes holds, where it is large and in the page cache and
/// nothing goes wrong.
pub(super) fn hash_mapped(file: &File, size: u64) -> Option<(Digest, u64)> {
    let program = PROGRAM.get().filter(|_| size >= MAPPED_FROM && is_cached(file, size))?;
    let mut command = Command::new(program);
    command.arg(ARGUMENT).env("RAYON_NUM_THREADS", rayon::current_num_threads().to_string());
    by_child(command, file)
}

/// What the child says of the file that it gets on its standard input.
fn by_child(mut command: Command, file: &File) -> Option<(Digest, u64)> {
    command.stdin(file.try_clone().ok()?).stderr(Stdio::null());
    die_with_parent(&mut command);
    let output = command.output().ok().filter(|output| output.status.success())?;
    let (digest, size) = std::str::from_utf8(&output.stdout).ok()?.trim_end().split_once(' ')?;
    Some((digest.parse().ok()?, size.parse().ok()?))
}

/// Whether the file is in memory already, by a look at places all over it. What must come from the disk first is read
/// faster in order than by the faults of many threads.
#[cfg(target_os = "linux")]
fn is_cached(file: &File, size: u64) -> bool {
    use rustix::io::{ReadWriteFlags, preadv2};
    (0..SAMPLES).all(|sample| {
        let mut byte = [0];
        let at = size / SAMPLES * sample;
        let read = preadv2(file, &mut [std::io::IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT);
        read == Ok(1)
    })
}

/// Cannot be told here.
#[cfg(not(target_os = "linux"))]
fn is_cached(_: &File, _: u64) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str) -> Option<(Digest, u64)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"kilter").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        by_child(command, &file)
    }

    #[test]
    fn a_child_that_dies_or_talks_nonsense_has_said_nothing() {
        let digest = Digest::of(b"kilter");
        assert_eq!(shell(&format!("echo {digest} 6")), Some((digest, 6)));
        assert_eq!(shell(&format!("echo {digest} 6; kill -BUS $$")), None);
        assert_eq!(shell("exit 1"), None);
        assert_eq!(shell("echo usage: 6"), None);
        assert_eq!(shell(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_was_just_written_is_in_memory_and_what_is_not_there_is_not() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 1 << 20]).unwrap();
        assert!(is_cached(&file, 1 << 20));
        assert!(!is_cached(&file, 4 << 20), "shorter than it was");
    }
}
