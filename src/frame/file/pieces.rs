//! Delimited text in pieces, each of whole rows, for files that do not fit into memory. What is read is the same as when it is
//! read whole: types are told from every field of every file first, where they are not declared.

use super::csv::{Fields, fitting, table};
use super::load::{Compression, Limit, NEEDED, damaged, open};
use super::rejects::Rejects;
use super::splitter::Splitter;
use super::text::{Encoding, Text};
use super::{BadFile, BadOne, FileWatch, Layout, Reject, Tell, TypeRules, Watch, infer};
use crate::numbers;
use crate::types::DType;
use polars::prelude::DataFrame;
use rayon::prelude::*;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a piece, at least and at most.
const PIECES: (usize, usize) = (1 << 20, 32 << 20);

/// How much of a file is held at once, and how much may come out of it.
struct Bounds {
    /// Bytes of a piece.
    piece: usize,
    /// Bytes of a row, at most.
    row: usize,
    /// What the file may unpack to, where it is packed.
    unpacked: Limit,
}

impl Bounds {
    /// For a file of this size, where so much memory may be used: a piece is held as text, as places and as columns, and these once
    /// more while they are written.
    fn new(size: u64, memory: u64) -> Self {
        let [piece, row] = [memory / 32, memory].map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let piece = piece.clamp(PIECES.0, PIECES.1);
        Self { piece, row: row.max(piece), unpacked: Limit::in_pieces(size) }
    }

    fn long_row(&self, line: usize) -> BadFile {
        let most = numbers::bytes(self.row as u64);
        BadFile::new(format!("the row that begins in line {line} is longer than {most}, {NEEDED}"))
            .hint("what has no line ends has one row, and a quote that is never closed makes one of all that follows it")
            .hint("where quotes are ordinary characters, set `quote = \"\"`; if it is one row, say that the stage may use more")
    }
}

/// What UTF-8 may begin with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Why the reading ended before the end.
enum Stop<E> {
    /// The file is not as declared.
    Bad(BadFile),
    /// It cannot be read in pieces.
    Whole,
    /// What takes the pieces says so.
    Taken(E),
}

impl<E> From<BadFile> for Stop<E> {
    fn from(bad: BadFile) -> Self {
        Self::Bad(bad)
    }
}

/// What came of it.
pub enum InPieces<E> {
    /// All rows were given; the lines that were left out.
    Done(Vec<Reject>),
    /// These files must be read whole, and nothing was given yet.
    Whole,
    /// What takes the pieces ended it.
    Taken(E),
}

/// Reads files of delimited text in this order, as [`super::read_many`] does, and gives their rows to `take` in pieces for which so
/// much memory may be used, in bytes.
///
/// # Errors
/// The first file that cannot be read, or does not fit those before it.
pub fn read_in_pieces<E>(
    files: &[(String, PathBuf)],
    layout: &Layout,
    name_column: Option<&str>,
    memory: u64,
    tell: Tell<'_>,
    take: &mut dyn FnMut(DataFrame) -> Result<(), E>,
) -> Result<InPieces<E>, BadOne> {
    // A comment that a piece breaks off in could not be told from a row.
    if !layout.format.is_delimited() || layout.encoding != Encoding::Utf8 || layout.comment.is_some() {
        return Ok(InPieces::Whole);
    }
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let watch = Watch::new(files.iter().map(|(_, path)| size(path)).sum(), tell);
    let bounds = |path: &PathBuf| Bounds::new(size(path), memory);
    let mut names: Option<Vec<String>> = None;
    let mut types: Vec<Option<DType>> = Vec::new();
    for (name, path) in files {
        match types_of(path, layout, &bounds(path), watch.file(name, size(path)), &mut names, &mut types) {
            Ok(()) => {}
            Err(Stop::Bad(bad)) => return Err(BadOne { file: name.clone(), bad }),
            Err(Stop::Whole | Stop::Taken(())) => return Ok(InPieces::Whole),
        }
    }
    let names = names.unwrap_or_default();
    let found = names.iter().zip(types).map(|(name, dtype)| (name.clone(), dtype.unwrap_or(DType::Str)));
    let declared = layout.types.clone();
    let layout = Layout { types: TypeRules::new(found.collect()), ..layout.clone() };
    let mut rejects = Vec::new();
    // How far it is, is told by the bytes that are loaded.
    let quiet = Watch::nobody().declared(&declared);
    for (name, path) in files {
        let file = watch.file(name, size(path));
        let read = each_piece(path, &layout, &bounds(path), file, &mut |fields, mut rejected: Rejects| {
            let df = table(fields, &mut rejected, quiet.file(name, 0))?;
            let lines = rejected.finish(fields.text, fields.lines_before).into_iter();
            rejects.extend(lines.map(|reject| Reject { file: name.clone(), ..reject }));
            take(super::many::named(df, name, name_column)?).map_err(Stop::Taken)
        });
        match read {
            Ok(()) => {}
            Err(Stop::Taken(error)) => return Ok(InPieces::Taken(error)),
            Err(Stop::Bad(bad)) => return Err(BadOne { file: name.clone(), bad }),
            Err(Stop::Whole) => {
                let bad = BadFile::new("the file changed while it was read").hint("run again");
                return Err(BadOne { file: name.clone(), bad });
            }
        }
    }
    quiet.ended(tell);
    Ok(InPieces::Done(rejects))
}

/// Widens the types to what the file holds, where they are not declared.
fn types_of(
    path: &Path,
    layout: &Layout,
    bounds: &Bounds,
    watch: FileWatch<'_>,
    names: &mut Option<Vec<String>>,
    types: &mut Vec<Option<DType>>,
) -> Result<(), Stop<()>> {
    each_piece(path, layout, bounds, watch, &mut |fields, _| {
        let first = names.get_or_insert_with(|| fields.names.clone());
        if *first != fields.names {
            return Err(Stop::Whole);
        }
        types.resize(first.len(), None);
        types.par_iter_mut().enumerate().for_each(|(column, dtype)| match layout.types.get(&fields.names[column]) {
            Some(declared) => *dtype = Some(declared.clone()),
            None if *dtype == Some(DType::Str) => {}
            None => *dtype = infer::both(dtype.take(), infer::dtype(fields, column)),
        });
        Ok(())
    })
}

/// What is done with the fields of a piece, and with the lines of it that are no rows.
type Work<'w, E> = &'w mut dyn FnMut(&Fields<'_>, Rejects) -> Result<(), Stop<E>>;

/// The content of a file, unpacked a piece at a time.
struct Content<'w> {
    reader: Box<dyn Read + 'w>,
    packed: bool,
    /// How much came out of the file.
    came: u64,
    /// What is no row yet.
    bytes: Vec<u8>,
}

impl<'w> Content<'w> {
    fn open(path: &Path, watch: FileWatch<'w>) -> Result<Self, BadFile> {
        let (reader, compression) = open(path, watch)?;
        Ok(Self { reader, packed: compression != Compression::None, came: 0, bytes: Vec::new() })
    }

    /// Reads on; whether that was the rest. Behind what is held, which begins in this line, comes as much again: so every byte of a
    /// long row is looked at a few times, and not once for each piece.
    fn more(&mut self, path: &Path, bounds: &Bounds, line: usize) -> Result<bool, BadFile> {
        let held = self.bytes.len();
        if held > bounds.row {
            return Err(bounds.long_row(line));
        }
        let more = bounds.piece.max(held).min((bounds.row - held).saturating_add(1));
        self.bytes.reserve_exact(more);
        let came = self.reader.by_ref().take(more as u64).read_to_end(&mut self.bytes);
        let came = came.map_err(|error| damaged(path, &error))?;
        self.came += came as u64;
        if self.packed && self.came > bounds.unpacked.most {
            return Err(bounds.unpacked.bad());
        }
        Ok(came < more)
    }
}

/// Gives the fields of every piece, and the lines of it that are no rows.
fn each_piece<E>(
    path: &Path,
    layout: &Layout,
    bounds: &Bounds,
    watch: FileWatch<'_>,
    work: Work<'_, E>,
) -> Result<(), Stop<E>> {
    let mut content = Content::open(path, watch)?;
    let (mut names, mut lines_before) = (None::<Vec<String>>, 0);
    loop {
        let ended = content.more(path, bounds, lines_before + 1)?;
        let bytes = &content.bytes;
        let mark = if names.is_none() && bytes.starts_with(MARK) { MARK.len() } else { 0 };
        let text = text_of(&bytes[mark..], ended).ok_or(Stop::Whole)?;
        if let Some(bad) = Text::borrowed(text).not_text(bytes, layout.encoding) {
            return Err(bad.into());
        }
        if names.is_none() && !ended && !Splitter::new(text, layout).holds_first_row() {
            continue;
        }
        let mut splitter = match &names {
            None => Splitter::new(text, layout),
            Some(names) => Splitter::within(text, layout, lines_before, names.len()),
        };
        if !ended {
            splitter = splitter.broken_off();
        }
        let known = match names.take() {
            Some(names) => names,
            None => splitter.names()?,
        };
        let mut rejects = Rejects::default();
        let (rows, end) = splitter.rows(&known, &mut rejects)?;
        let fields = Fields { text, layout, names: known, rows, lines_before };
        fitting(layout, &fields.names)?;
        work(&fields, rejects)?;
        if ended {
            return Ok(());
        }
        lines_before += memchr::memchr_iter(b'\n', &text.as_bytes()[..end]).count();
        names = Some(fields.names);
        content.bytes.drain(..mark + end);
    }
}

/// A piece as text, without a character that it breaks off in; `None` where it is not UTF-8, or has line ends of another sort.
fn text_of(bytes: &[u8], ended: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if !ended && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let mac = memchr::memchr(b'\r', text.as_bytes()).is_some() && memchr::memchr(b'\n', text.as_bytes()).is_none();
    (!mac).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::super::{Format, read_many};
    use super::*;

    const PIECE: usize = 1 << 20;

    /// So much memory makes pieces of that size.
    const MEMORY: u64 = 32 << 20;

    fn both_ways(texts: &[String], change: impl Fn(&mut Layout)) -> (DataFrame, usize) {
        let folder = tempfile::tempdir().expect("a folder");
        let files: Vec<(String, PathBuf)> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let path = folder.path().join(format!("{index}.csv"));
                std::fs::write(&path, text).expect("written");
                (format!("{index}.csv"), path)
            })
            .collect();
        let mut layout = Layout::new(Format::Csv);
        change(&mut layout);
        let (whole, rejects) = read_many(&files, &layout, Some("file"), None, &|_| {}).expect("read");
        let mut pieces: Option<(DataFrame, usize)> = None;
        let mut take = |df: DataFrame| {
            match &mut pieces {
                None => pieces = Some((df, 1)),
                Some((all, count)) => {
                    all.vstack_mut_owned(df).expect("the same columns");
                    *count += 1;
                }
            }
            Ok::<(), ()>(())
        };
        let done = read_in_pieces(&files, &layout, Some("file"), MEMORY, &|_| {}, &mut take).expect("read");
        let InPieces::Done(told) = done else { panic!("it was not read in pieces") };
        assert_eq!(told, rejects);
        let (all, count) = pieces.expect("rows");
        assert!(all.equals_missing(&whole), "{all}\n{whole}");
        (all, count)
    }

    /// Lines of about 100 bytes that fill some pieces.
    fn long(line: impl Fn(usize) -> String) -> String {
        (0..PIECE / 40).map(line).collect()
    }

    #[test]
    fn pieces_make_the_whole() {
        let plain = long(|row| format!("{row},{},text of row number {row} é, and more of it\r\n", row as f64 / 8.0));
        let (df, count) = both_ways(&[format!("\u{feff}a,b,c,d\r\n{plain}")], |_| {});
        assert!(count > 1 && df.height() == PIECE / 40, "{count}");
        let types: Vec<_> = df.dtypes();
        assert_eq!(types[0], polars::prelude::DataType::Int64);
        let quoted = long(|row| format!("{row},\"a \"\"quote\"\",\nand a line end in row {row}\",{}\n", row % 7));
        both_ways(&[format!("a,b,c\n{quoted}last,,")], |_| {});
    }

    #[test]
    fn types_are_told_from_all_pieces_and_files_and_bad_lines_keep_their_numbers() {
        let first = long(|row| format!("{row},{row},padding to make the line longer\n"));
        let late = format!("a,b,c\n{first}1.5,x,\nragged\n2,3,4\n");
        let (df, _) = both_ways(&[late, "a,b,c\n,,\n".to_owned()], |layout| layout.reject = true);
        let types = df.dtypes();
        assert_eq!(types[..2], [polars::prelude::DataType::Float64, polars::prelude::DataType::String]);
    }

    #[test]
    fn what_is_not_utf8_is_left_to_the_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv");
        std::fs::write(&path, b"a\ncaf\xe9\n").expect("written");
        let files = [("a.csv".to_owned(), path)];
        let done = read_in_pieces(&files, &Layout::new(Format::Csv), None, MEMORY, &|_| {}, &mut |_| Ok::<(), ()>(()));
        assert!(matches!(done.expect("no error yet"), InPieces::Whole));
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gz.write_all(bytes).expect("written");
        gz.finish().expect("finished")
    }

    /// How many rows, under which names, in small pieces: rows of at most 64 KiB, and twice as much out of a packed file.
    fn within(bytes: &[u8], piece: usize) -> Result<(usize, Vec<String>), BadFile> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv");
        std::fs::write(&path, bytes).expect("written");
        let unpacked = Limit { most: 1 << 17, ..Limit::in_pieces(bytes.len() as u64) };
        let bounds = Bounds { piece, row: 1 << 16, unpacked };
        let (mut rows, mut names) = (0, Vec::new());
        let (layout, nobody) = (Layout::new(Format::Csv), Watch::nobody());
        let read = each_piece::<()>(&path, &layout, &bounds, nobody.file("", 0), &mut |fields, _| {
            rows += fields.rows();
            names.clone_from(&fields.names);
            Ok(())
        });
        match read {
            Ok(()) => Ok((rows, names)),
            Err(Stop::Bad(bad)) => Err(bad),
            Err(Stop::Whole | Stop::Taken(())) => panic!("it was not read in pieces"),
        }
    }

    #[test]
    fn bombs_are_refused_in_pieces_too() {
        let text = format!("a\n{}", "1\n".repeat(1 << 17));
        let bad = within(&gz(text.as_bytes()), 1 << 12).expect_err("refused");
        assert!(bad.message.ends_with("unpacks to more than 131 kB, far more than its size lets expect"), "{bad:?}");
        assert_eq!(within(text.as_bytes(), 1 << 12).expect("it is not packed").0, 1 << 17);
        let half = gz(&text.as_bytes()[..1 << 17]);
        assert_eq!(within(&half, 1 << 12).expect("just fits").0, (1 << 16) - 1);
    }

    #[test]
    fn a_row_that_fills_the_memory_is_refused() {
        let row = |bytes: usize| format!("a\n1\n{}", "x".repeat(bytes));
        for endless in [row(1 << 20).into_bytes(), gz(row(100_000).as_bytes())] {
            let bad = within(&endless, 1 << 12).expect_err("refused");
            assert!(bad.message.starts_with("the row that begins in line 3 is longer than 65.5 kB"), "{bad:?}");
        }
        let bad = within("x".repeat(1 << 17).as_bytes(), 1 << 12).expect_err("not even names");
        assert!(bad.message.starts_with("the row that begins in line 1 is longer than"), "{bad:?}");
        let unclosed = format!("a\n\"1\n{}", "2\n".repeat(1 << 17));
        let bad = within(unclosed.as_bytes(), 1 << 12).expect_err("one row");
        assert!(bad.message.starts_with("the row that begins in line 2") && bad.hints[0].contains("quote"), "{bad:?}");
        assert_eq!(within(row((1 << 16) - 2).as_bytes(), 1 << 12).expect("just fits").0, 2);
    }

    #[test]
    fn names_may_be_longer_than_a_piece() {
        let text = format!("\n\n\"the first\nname\",the second,the third\n{}", "1,2,3\n".repeat(40));
        let (rows, names) = within(text.as_bytes(), 8).expect("read");
        assert_eq!((rows, names), (40, ["the first\nname", "the second", "the third"].map(str::to_owned).to_vec()));
    }
}
