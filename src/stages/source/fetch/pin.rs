//! Pins: comparing what came with the sha256 that was written down.

use crate::numbers;
use crate::path;
use crate::stage::{ErrorKind, RunCx, StageError};
use sha2::{Digest as _, Sha256};
use std::io::Read;
use std::path::Path;

/// Stands in a manifest for "tell me".
pub(super) const ASK: &str = "?";

/// Whether a text is a sha256, or [`ASK`].
///
/// # Errors
/// What is wrong with it, as the words for its place.
pub(super) fn parse(text: &str) -> Result<(), String> {
    if text == ASK || (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Ok(());
    }
    Err(match text.chars().find(|c| !c.is_ascii_hexdigit()) {
        Some(found) => format!("64 hexadecimal digits are needed, `{found}` is none"),
        None => format!("64 hexadecimal digits are needed, there are {}", text.len()),
    })
}

/// The lower-case hexadecimal form of a finished hash.
pub(super) fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The sha256 of a file.
pub(super) fn hash_file(path: &Path, cx: &RunCx<'_>) -> Result<String, StageError> {
    let fail = |error: &std::io::Error| StageError::io("read", path, error);
    let mut file = std::fs::File::open(path).map_err(|error| fail(&error))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        cx.check_cancelled()?;
        match file.read(&mut buffer).map_err(|error| fail(&error))? {
            0 => return Ok(hex(hasher)),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Compares. `name` and `path` are what came, for the message.
pub(super) fn verify(declared: &str, found: &str, size: u64, name: &str, path: &Path) -> Result<(), StageError> {
    if declared.eq_ignore_ascii_case(found) {
        return Ok(());
    }
    let size = numbers::bytes(size);
    if declared == ASK {
        return Err(StageError::new(ErrorKind::Data, format!("`{name}` is not pinned yet"))
            .note(format!("{size} came; their sha256 is {found}"))
            .hint(format!("write it into the stage and run again:  sha256 = \"{found}\""))
            .at(path!["sha256"]));
    }
    let mut error = StageError::new(ErrorKind::Network, format!("`{name}` is not the file that was pinned"))
        .note(format!("expected sha256 {}", declared.to_ascii_lowercase()))
        .note(format!("found    sha256 {found}, {size}"))
        .at(path!["sha256"]);
    if looks_like_html(path) {
        error = error.note("what came is a web page: an error, a login, or a page about the file");
    }
    Err(error.hint(
        "if the publisher changed the file and you trust the new one, write the found sha256 into the stage; \
         otherwise find out why it changed",
    ))
}

fn looks_like_html(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(256).read_to_end(&mut head));
    let text = String::from_utf8_lossy(&head).to_lowercase();
    read.is_ok() && (text.contains("<!doctype html") || text.contains("<html"))
}
