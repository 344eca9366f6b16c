//! What sort of archive a file is, told by its bytes.

use crate::frame::file::Gunzip;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Packing {
    /// Not at all.
    None,
    /// gzip, of one or several parts.
    Gzip,
    /// xz.
    Xz,
    /// zstandard.
    Zstd,
}

/// What sort of archive a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Format {
    /// zip, and with it wheels.
    Zip,
    /// tar, compressed or not.
    Tar(Packing),
    /// A Debian package: `ar` with a tar in it.
    Deb,
    /// One compressed file; what it is called inside.
    Single(Packing, String),
}

impl Packing {
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// A reader of what is packed.
    pub(super) fn unpack<'a>(self, packed: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::None => Box::new(packed),
            Self::Gzip => Box::new(Gunzip::new(BufReader::new(packed))),
            Self::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(packed)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(packed)?),
        })
    }

    /// The packing that a name inside a Debian package tells.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("tar") => Some(Self::None),
            Some("gz") => Some(Self::Gzip),
            Some("xz") => Some(Self::Xz),
            Some("zst") => Some(Self::Zstd),
            _ => None,
        }
    }
}

impl Format {
    /// Looks at a file's first bytes; `None` where it is no archive. `name` names the content of a single packed file.
    pub(in super::super) fn of(path: &Path, name: &str) -> io::Result<Option<Self>> {
        let head = head_of(File::open(path)?)?;
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Ok(Some(Self::Zip));
        }
        if head.starts_with(b"!<arch>\n") {
            return Ok(Some(Self::Deb));
        }
        let packing = Packing::of(&head);
        if packing == Packing::None {
            return Ok(is_tar(&head).then_some(Self::Tar(packing)));
        }
        // A damaged stream is told by whoever reads it to its end, with a better place to say so.
        let inside = packing.unpack(BufReader::new(File::open(path)?)).and_then(head_of).unwrap_or_default();
        Ok(Some(if is_tar(&inside) { Self::Tar(packing) } else { Self::Single(packing, inner_name(name)) }))
    }
}

fn head_of(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(512);
    reader.take(512).read_to_end(&mut head)?;
    Ok(head)
}

/// A tar's first header carries a magic word, or in the oldest form only a sum over itself.
fn is_tar(head: &[u8]) -> bool {
    if head.len() < 512 {
        return false;
    }
    if &head[257..262] == b"ustar" {
        return true;
    }
    let digits: String =
        head[148..156].iter().filter(|byte| byte.is_ascii_digit()).map(|byte| char::from(*byte)).collect();
    let sum: u64 =
        head.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) }).sum();
    head[0] != 0 && u64::from_str_radix(&digits, 8).is_ok_and(|said| said == sum)
}

/// `a.csv` for `a.csv.gz`.
fn inner_name(name: &str) -> String {
    let stem = [".gz", ".xz", ".zst", ".zstd", ".z"].iter().find_map(|suffix| name.strip_suffix(suffix));
    stem.filter(|stem| !stem.is_empty()).unwrap_or(name).to_owned()
}
