//! The archive that a Debian package is (`ar`, as in deb(5)): members behind each other, each below a header of 60 bytes. The crate `ar`
//! knows more of the format than packages use, and panics where a name is to be looked up that is not there.

use std::io::{self, BufReader, ErrorKind, Read, Seek, Take};

const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER: usize = 60;

/// The first member whose name begins so, and its bytes; `None` where there is none.
///
/// # Errors
/// Where the file is no such archive, or breaks off.
pub(super) fn member<R: Read + Seek>(
    mut file: BufReader<R>,
    begins: &str,
) -> io::Result<Option<(String, Take<BufReader<R>>)>> {
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(wrong("it does not begin as a Debian package does"));
    }
    let mut header = [0; HEADER];
    while file.read(&mut header[..1])? == 1 {
        file.read_exact(&mut header[1..])?;
        let (name, size) = parsed(&header).ok_or_else(|| wrong("the header of a member is none"))?;
        if name.starts_with(begins) {
            return Ok(Some((name, file.take(size))));
        }
        // Members begin at even bytes.
        let next = i64::try_from(size + size % 2).map_err(|_| wrong("a member is larger than files are"))?;
        file.seek_relative(next)?;
    }
    Ok(None)
}

/// A member's name and how many bytes it has.
fn parsed(header: &[u8; HEADER]) -> Option<(String, u64)> {
    let size = str::from_utf8(&header[48..58]).ok()?.trim_end();
    if !header.ends_with(b"`\n") || !size.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let name = String::from_utf8_lossy(&header[..16]);
    Some((name.trim_end().trim_end_matches('/').to_owned(), size.parse().ok()?))
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn found(bytes: &[u8]) -> Result<Option<(String, Vec<u8>)>, String> {
        let Some((name, mut data)) = member(BufReader::new(Cursor::new(bytes)), "data").map_err(|e| e.to_string())?
        else {
            return Ok(None);
        };
        let mut held = Vec::new();
        data.read_to_end(&mut held).map_err(|error| error.to_string())?;
        Ok(Some((name, held)))
    }

    fn header(name: &str, size: &str) -> String {
        format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 100_644)
    }

    #[test]
    fn a_member_is_found_behind_others() {
        for (name, told) in [("data.tar", "data.tar"), ("data.tar.xz/", "data.tar.xz")] {
            let archive = format!("!<arch>\n{}2.0\n\n{}ab{}x", header("debian", "5"), header(name, "2"), "rest");
            assert_eq!(
                found(archive.replace("2.0\n\n", "2.0\n\n\n").as_bytes()),
                Ok(Some((told.into(), b"ab".into())))
            );
        }
        assert_eq!(found(format!("!<arch>\n{}ab", header("other", "2")).as_bytes()), Ok(None));
        assert_eq!(found(b"!<arch>\n"), Ok(None));
    }

    #[test]
    fn what_is_none_is_an_error_or_has_no_member() {
        // Names that stand in a table which is not there, and behind the header.
        for name in ["/80000", "#1/80000", "//", "/"] {
            assert_eq!(found(format!("!<arch>\n{}", header(name, "9999999999")).as_bytes()), Ok(None), "{name}");
        }
        for size in ["", "-1", "+1", "1e3", "0x10"] {
            let told = found(format!("!<arch>\n{}", header("data", size)).as_bytes());
            assert_eq!(told, Err("the header of a member is none".to_owned()), "{size}");
        }
        assert!(found(b"!<arch>\ndata.tar").is_err());
        assert!(found(b"!<arch").is_err());
        assert_eq!(found(b"PK\x03\x04 and more"), Err("it does not begin as a Debian package does".to_owned()));
    }
}
