//! `SHA256SUMS`: a line per file, as `sha256sum` writes and checks it.

use crate::stage::StageError;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The file's name.
pub const SUMS_FILE: &str = "SHA256SUMS";

/// The SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of(path: &Path) -> Result<String, StageError> {
    let failed = |error: std::io::Error| StageError::io("read", path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&buffer[..read]);
    }
}

/// Writes the sums of these files of a folder, sorted by name.
///
/// # Errors
/// When a file cannot be read or the sums cannot be written.
pub fn write_sums(folder: &Path, names: &[&str]) -> Result<(), StageError> {
    let mut names = names.to_vec();
    names.sort_unstable();
    let mut text = String::new();
    for name in names {
        text.push_str(&format!("{}  {name}\n", sha256_of(&folder.join(name))?));
    }
    let path = folder.join(SUMS_FILE);
    std::fs::write(&path, text).map_err(|error| StageError::io("write", &path, &error))
}

/// The sums in a text, by file name.
///
/// # Errors
/// The first line that is not `DIGEST  NAME`.
pub fn parse_sums(text: &str) -> Result<Vec<(String, String)>, String> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| match line.split_once("  ") {
            Some((sum, name)) if sum.len() == 64 => Ok((name.to_owned(), sum.to_owned())),
            _ => Err(line.to_owned()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_standard() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b"), "abc").unwrap();
        std::fs::write(folder.path().join("a"), "").unwrap();
        write_sums(folder.path(), &["b", "a"]).unwrap();
        let text = std::fs::read_to_string(folder.path().join(SUMS_FILE)).unwrap();
        // FIPS 180-4's example for "abc", and the digest of nothing.
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\nba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n";
        assert_eq!(text, expected);
        assert_eq!(parse_sums(&text).unwrap().len(), 2);
        assert!(parse_sums("xyz  a").is_err());
    }
}
