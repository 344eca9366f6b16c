//! Bytes of a file, decompressed. What a file is compressed with is read from its first bytes, not from its name.

use super::{BadFile, FileWatch, Gunzip, Watch};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, one or several members.
    Gzip,
    /// Zstandard.
    Zstd,
    /// xz.
    Xz,
}

/// What the first bytes of a file say.
#[must_use]
pub fn compression_of(head: &[u8]) -> Compression {
    match head {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        // Programs that unpack in parallel begin with a frame to be skipped.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Compression::Xz,
        _ => Compression::None,
    }
}

/// What a file is packed with, where it is.
pub(super) fn packed_with(path: &Path) -> Option<&'static str> {
    let mut first = [0; 6];
    let found = read_up_to(&mut File::open(path).ok()?, &mut first).ok()?;
    match compression_of(&first[..found]) {
        Compression::None => None,
        Compression::Gzip => Some("gzip"),
        Compression::Zstd => Some("zstandard"),
        Compression::Xz => Some("xz"),
    }
}

/// A file's whole content, decompressed.
///
/// # Errors
/// When it cannot be read or decompressed, or unpacks to more than there is memory for.
pub fn load(path: &Path, watch: FileWatch<'_>) -> Result<Vec<u8>, BadFile> {
    load_limited(path, watch, &Limit::new(size(path)?, watch.memory(), crate::env::free_memory()))
}

/// A file's bytes, as they lie on the disk.
pub(super) fn size(path: &Path) -> Result<u64, BadFile> {
    std::fs::metadata(path).map(|meta| meta.len()).map_err(|error| BadFile::io(path, &error))
}

/// What a limit stands for: the memory that a stage says it needs.
pub(super) const NEEDED: &str = "all the memory that the stage may use (`needs.memory`)";

/// The same: the memory that is there, where it does not say.
pub(super) const FREE: &str = "all the memory that this machine has free";

/// How much a compressed file may unpack to.
pub(super) struct Limit {
    pub(super) size: u64,
    pub(super) most: u64,
    pub(super) why: &'static str,
}

impl Limit {
    /// For text that is held whole: the memory, and what no file in pieces may be either.
    fn new(size: u64, needs: Option<u64>, free: Option<u64>) -> Self {
        let unexpected = Self::in_pieces(size);
        let memory = Self::of_memory(size, needs, free).filter(|memory| memory.most < unexpected.most);
        memory.unwrap_or(unexpected)
    }

    /// What is held whole is no larger than the memory that the stage may use, or where it does not say how much, that is free.
    pub(super) fn of_memory(size: u64, needs: Option<u64>, free: Option<u64>) -> Option<Self> {
        let (most, why) = needs.map(|needs| (needs, NEEDED)).or(free.map(|free| (free, FREE)))?;
        Some(Self { size, most, why })
    }

    /// Far more than the size of a file lets expect is not data, but made to fill the memory or the disk.
    pub(super) fn in_pieces(size: u64) -> Self {
        let most = (4_u64 << 30).saturating_add(size.saturating_mul(100));
        Self { size, most, why: "far more than its size lets expect" }
    }

    /// What is wrong with a file beyond it.
    pub(super) fn exceeded(&self) -> BadFile {
        let (size, most) = (crate::numbers::bytes(self.size), crate::numbers::bytes(self.most));
        BadFile::new(format!("the file of {size} unpacks to more than {most}, {}", self.why))
    }

    /// The same of a packed file, with what to do.
    pub(super) fn bad(&self) -> BadFile {
        let bad = self.exceeded();
        match self.why == NEEDED {
            true => {
                bad.hint("say that the stage may use more: `needs.memory`; or unpack the file, and read it as it is")
            }
            false => bad.hint("if it is what it should be, unpack it, and read it as it is"),
        }
    }
}

fn load_limited(path: &Path, watch: FileWatch<'_>, limit: &Limit) -> Result<Vec<u8>, BadFile> {
    let mut bytes = Vec::new();
    let (reader, compression) = open(path, watch)?;
    let most = if compression == Compression::None { u64::MAX } else { limit.most };
    reader.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| damaged(path, &error))?;
    if bytes.len() as u64 > most { Err(limit.bad()) } else { Ok(bytes) }
}

/// The first bytes of a file's content, decompressed: at most `most`.
///
/// # Errors
/// When it cannot be read or decompressed.
pub fn head(path: &Path, most: u64) -> Result<Vec<u8>, BadFile> {
    let mut bytes = Vec::new();
    let nobody = Watch::nobody();
    open(path, nobody.file("", 0))?.0.take(most).read_to_end(&mut bytes).map_err(|error| damaged(path, &error))?;
    Ok(bytes)
}

pub(super) fn open<'w>(path: &Path, watch: FileWatch<'w>) -> Result<(Box<dyn Read + 'w>, Compression), BadFile> {
    let io = |error: &std::io::Error| BadFile::io(path, error);
    let mut first = [0; 6];
    let mut file = File::open(path).map_err(|error| io(&error))?;
    let found = read_up_to(&mut file, &mut first).map_err(|error| io(&error))?;
    let file = watch.counted(File::open(path).map_err(|error| io(&error))?);
    let compression = compression_of(&first[..found]);
    let reader: Box<dyn Read + 'w> = match compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(Gunzip::new(BufReader::with_capacity(1 << 18, file))),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file).map_err(|error| io(&error))?),
        Compression::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(BufReader::new(file))),
    };
    Ok((reader, compression))
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// What zstandard says of files that are sound, why they are not read, and what unpacks them.
const OTHERWISE: [(&str, &str, &str); 2] = [
    ("ictionary mismatch", "it was packed with a dictionary, which is not in the file", "-D DICTIONARY"),
    (
        "too much memory",
        "it was packed with `--long`: to unpack it takes more memory than the 134 MB that are usual",
        "--long=31",
    ),
];

pub(super) fn damaged(path: &Path, error: &std::io::Error) -> BadFile {
    use std::io::ErrorKind as K;
    let bad = BadFile::io(path, error);
    let says = error.to_string();
    if let Some((why, how)) = OTHERWISE.iter().find_map(|(said, why, how)| says.contains(said).then_some((why, how))) {
        let unpack = format!("unpack it before: `zstd -d {how} {}`", path.file_name().unwrap_or_default().display());
        return BadFile { unreadable: false, ..bad }.note(*why).hint(unpack);
    }
    match error.kind() {
        K::InvalidInput | K::InvalidData | K::UnexpectedEof | K::Other => BadFile { unreadable: false, ..bad }
            .note("it is compressed, and what is in it breaks off or is damaged")
            .hint("fetch the file again, and compare its sha256"),
        _ => bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn bombs_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("zeros.csv.gz");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gz.write_all(&vec![0; 1 << 20]).expect("written");
        std::fs::write(&path, gz.finish().expect("finished")).expect("written");
        let nobody = Watch::nobody();
        let load_within = |needs: Option<u64>, free: u64| {
            load_limited(&path, nobody.file("", 0), &Limit::new(1_100, needs, Some(free)))
        };
        let bad = load_within(Some(1 << 16), 1 << 40).expect_err("refused");
        assert_eq!(
            bad.message,
            "the file of 1.1 kB unpacks to more than 65.5 kB, all the memory that the stage may use (`needs.memory`)"
        );
        let bad = load_within(None, 1 << 16).expect_err("refused");
        assert!(bad.message.ends_with("65.5 kB, all the memory that this machine has free"), "{}", bad.message);
        assert_eq!(load_within(Some(1 << 20), 1 << 16).expect("just fits").len(), 1 << 20);
        assert_eq!(Limit::new(1 << 20, None, None).most, (4 << 30) + (100 << 20));
        let plain = folder.path().join("zeros.csv");
        std::fs::write(&plain, vec![0; 1 << 17]).expect("written");
        let limit = Limit::new(1 << 17, Some(1 << 16), None);
        assert!(load_limited(&plain, Watch::nobody().file("", 0), &limit).is_ok(), "it unpacks to nothing");
    }

    #[test]
    fn every_compression_is_seen_and_undone() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = b"a,b\n1,2\n".repeat(100);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(&text).expect("written");
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(&text).expect("written");
        let files = [
            text.clone(),
            gz.finish().expect("finished"),
            zstd::encode_all(text.as_slice(), 1).expect("encoded"),
            xz.finish().expect("finished"),
        ];
        for (index, bytes) in files.iter().enumerate() {
            let path = folder.path().join(index.to_string());
            std::fs::write(&path, bytes).expect("written");
            assert_eq!(load(&path, Watch::nobody().file("", 0)).expect("loaded"), text, "{index}");
            assert_eq!(head(&path, 3).expect("loaded"), b"a,b");
        }
        let cut = folder.path().join("cut");
        std::fs::write(&cut, &files[1][..files[1].len() / 2]).expect("written");
        let bad = load(&cut, Watch::nobody().file("", 0)).expect_err("damaged");
        assert!(!bad.unreadable && bad.notes[0].contains("breaks off"), "{bad:?}");
    }

    #[test]
    fn zstandard_files_that_are_no_ordinary_ones_are_read_or_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv.zst");
        let load_of = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            load(&path, Watch::nobody().file("", 0))
        };
        let (one, two) = (b"a,b\n1,2\n".repeat(100), b"3,4\n".repeat(100));
        let [packed, more] = [&one, &two].map(|text| zstd::encode_all(text.as_slice(), 1).expect("encoded"));
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
        let both = [&skipped[..], &packed, &skipped, &more].concat();
        assert_eq!(load_of(&both).expect("frames behind each other"), [one.clone(), two].concat());
        load_of(&both[..both.len() - 3]).expect_err("it breaks off");
        let samples: Vec<Vec<u8>> = (0..500).map(|i| format!("name,{i},hello,{},world", i * i).into_bytes()).collect();
        let dictionary = zstd::dict::from_samples(&samples, 2_000).expect("a dictionary");
        let mut encoder = zstd::stream::Encoder::with_dictionary(Vec::new(), 3, &dictionary).expect("an encoder");
        encoder.write_all(&one).expect("written");
        let bad = load_of(&encoder.finish().expect("finished")).expect_err("there is no dictionary");
        assert!(bad.notes[0].contains("packed with a dictionary"), "{bad:?}");
        assert_eq!(bad.hints, ["unpack it before: `zstd -d -D DICTIONARY a.csv.zst`"]);
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.long_distance_matching(true).and_then(|()| encoder.window_log(30)).expect("settings");
        encoder.write_all(&one).expect("written");
        let bad = load_of(&encoder.finish().expect("finished")).expect_err("a large window");
        assert!(bad.notes[0].contains("`--long`") && bad.hints[0].contains("--long=31"), "{bad:?}");
    }

    #[test]
    fn bombs_of_every_compression_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let zeros = vec![b'0'; 1 << 20];
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
        xz.write_all(&zeros).expect("written");
        // Two streams, one behind the other: each alone would fit.
        let zstd = zstd::encode_all(&zeros[..1 << 19], 9).expect("encoded").repeat(2);
        for (name, bytes) in [("zeros.csv.zst", zstd), ("zeros.csv.xz", xz.finish().expect("finished"))] {
            let path = folder.path().join(name);
            assert!(bytes.len() < 2000, "{name} is small");
            std::fs::write(&path, bytes).expect("written");
            let within = |most| load_limited(&path, Watch::nobody().file("", 0), &Limit::new(1, None, Some(most)));
            let bad = within((1 << 20) - 1).expect_err("refused");
            assert!(bad.message.contains("unpacks to more than 1.0 MB"), "{name}: {}", bad.message);
            assert!(bad.hints[0].contains("unpack it"), "{name}: {:?}", bad.hints);
            assert_eq!(within(1 << 20).expect("just fits").len(), 1 << 20);
        }
    }
}
