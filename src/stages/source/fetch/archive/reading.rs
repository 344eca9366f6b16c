//! One pass over an archive of any format, as a stream of entries.

use super::formats::{Format, Packing};
use super::{Source, deb};
use crate::stage::StageError;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

/// One thing in an archive.
pub(super) struct Entry<'a> {
    /// Its path, as it is written in the archive.
    pub(super) name: String,
    /// What it is.
    pub(super) what: What<'a>,
}

/// What an entry is.
pub(super) enum What<'a> {
    /// A file and its bytes.
    File(&'a mut dyn Read),
    /// A folder.
    Folder,
    /// A link.
    Link {
        /// What it leads to, as written.
        target: String,
        /// A hard link.
        hard: bool,
    },
    /// Something that data never needs.
    Other(&'static str),
}

/// What is done with every entry.
type Visit<'a> = &'a mut dyn FnMut(Entry<'_>) -> Result<(), StageError>;

/// Visits every entry, unpacking no more than `limit` bytes. Gives whether the archive says where it ends.
pub(super) fn walk(source: &Source<'_>, format: &Format, limit: u64, visit: Visit<'_>) -> Result<bool, StageError> {
    let file = File::open(source.path).map_err(|error| StageError::io("read", source.path, &error))?;
    let file = BufReader::with_capacity(1 << 16, file);
    let left = Rc::new(Cell::new(limit));
    match format {
        Format::Zip => walk_zip(source, file, &left, visit).map(|()| true),
        Format::Tar(packing) => walk_tar(source, &unpacked(source, *packing, file)?, &left, visit),
        Format::Deb => walk_deb(source, file, &left, visit),
        Format::Single(packing, name) => {
            let unpacked = unpacked(source, *packing, file)?.into_inner();
            let mut data = Capped::new(unpacked, left);
            visit(Entry { name: name.clone(), what: What::File(&mut data) })?;
            // What was not taken may be damaged: then it was not seen what it is, and its name says nothing.
            io::copy(&mut data, &mut io::sink()).map(|_| true).map_err(|error| damaged(source.name, &error))
        }
    }
}

type Unpacked<'a> = std::cell::RefCell<Box<dyn Read + 'a>>;

fn unpacked<'a>(source: &Source<'_>, packing: Packing, file: impl Read + 'a) -> Result<Unpacked<'a>, StageError> {
    packing.unpack(file).map(std::cell::RefCell::new).map_err(|error| damaged(source.name, &error))
}

fn walk_zip(
    source: &Source<'_>,
    file: BufReader<File>,
    left: &Rc<Cell<u64>>,
    visit: Visit<'_>,
) -> Result<(), StageError> {
    let wrong = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) => damaged(source.name, &error),
        zip::result::ZipError::CompressionMethodNotSupported(_) => {
            StageError::data(format!("`{}` is compressed in a way that kilter cannot read", source.name))
                .hint("pack it again with `zip`, whose `deflate` every program reads")
        }
        other => StageError::data(format!("`{}` is damaged: {other}", source.name)).hint(DAMAGED),
    };
    let mut archive = zip::ZipArchive::new(file).map_err(wrong)?;
    if archive.has_duplicate_names() {
        return Err(StageError::data(format!("the archive `{}` is refused", source.name))
            .note("it holds the same name more than once, so what that is is not clear"));
    }
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(wrong)?;
        let name = entry.name().map_err(wrong)?.into_owned();
        let (folder, link) = (entry.is_dir(), entry.is_symlink());
        let device = entry
            .unix_mode()
            .is_some_and(|mode| matches!(mode & 0o170_000, 0o010_000 | 0o020_000 | 0o060_000 | 0o140_000));
        let mut data = Capped::new(entry, Rc::clone(left));
        let what = if folder {
            What::Folder
        } else if link {
            let mut target = String::new();
            (&mut data).take(4096).read_to_string(&mut target).map_err(|error| damaged(source.name, &error))?;
            What::Link { target, hard: false }
        } else if device {
            What::Other("device")
        } else {
            What::File(&mut data)
        };
        visit(Entry { name, what })?;
    }
    Ok(())
}

fn walk_tar(
    source: &Source<'_>,
    unpacked: &Unpacked<'_>,
    left: &Rc<Cell<u64>>,
    visit: Visit<'_>,
) -> Result<bool, StageError> {
    let wrong = |error: &io::Error| damaged(source.name, error);
    let mut stream = unpacked.borrow_mut();
    let data = Capped::new(&mut *stream, Rc::clone(left));
    let ran_out = Rc::clone(&data.ran_out);
    let mut archive = tar::Archive::new(data);
    for entry in archive.entries().map_err(|error| wrong(&error))? {
        let mut entry = entry.map_err(|error| wrong(&error))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let target = entry.link_name_bytes().map(|target| String::from_utf8_lossy(&target).into_owned());
        let target = target.unwrap_or_default();
        let kind = entry.header().entry_type();
        let what = match kind {
            kind if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() => What::File(&mut entry),
            kind if kind.is_dir() => What::Folder,
            kind if kind.is_symlink() => What::Link { target, hard: false },
            kind if kind.is_hard_link() => What::Link { target, hard: true },
            kind if kind.is_pax_global_extensions() || kind.is_pax_local_extensions() => continue,
            kind if kind.is_fifo() => What::Other("pipe"),
            _ => What::Other("device"),
        };
        visit(Entry { name, what })?;
    }
    // Behind the last entry stand blocks of zeros; only where there are none was read to the end.
    let ends = !ran_out.get();
    // Whether what is packed is whole stands behind it.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|error| wrong(&error))?;
    Ok(ends)
}

fn walk_deb(
    source: &Source<'_>,
    file: BufReader<File>,
    left: &Rc<Cell<u64>>,
    visit: Visit<'_>,
) -> Result<bool, StageError> {
    let found = deb::member(file, "data.tar").map_err(|error| damaged(source.name, &error))?;
    let Some((name, data)) = found else {
        return Err(StageError::data(format!("`{}` is no Debian package: it has no `data.tar`", source.name)));
    };
    let Some(packing) = Packing::of_name(&name) else {
        return Err(StageError::data(format!("`{}` is packed in a way that kilter cannot read", source.name))
            .note(format!("its content is `{name}`")));
    };
    walk_tar(source, &unpacked(source, packing, data)?, left, visit)
}

/// Said by a [`Capped`] reader.
#[derive(Debug, thiserror::Error)]
#[error("it unpacks to far more than it could honestly hold")]
struct TooMuch;

/// A reader that gives a limited number of bytes, shared among all readers of an archive.
struct Capped<R> {
    inner: R,
    left: Rc<Cell<u64>>,
    /// It was asked for more than there is.
    ran_out: Rc<Cell<bool>>,
}

impl<R> Capped<R> {
    fn new(inner: R, left: Rc<Cell<u64>>) -> Self {
        Self { inner, left, ran_out: Rc::default() }
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.ran_out.set(true);
        }
        let left = self.left.get().checked_sub(count as u64).ok_or_else(|| io::Error::other(TooMuch))?;
        self.left.set(left);
        Ok(count)
    }
}

const DAMAGED: &str = "where it is a file of yours, make it again; a download is checked before, so it came like this";

/// What an error of unpacking means.
pub(super) fn damaged(name: &str, error: &io::Error) -> StageError {
    if error.get_ref().is_some_and(|inner| inner.is::<TooMuch>()) || error.to_string().contains(&TooMuch.to_string()) {
        return StageError::data(format!("the archive `{name}` is refused"))
            .note(TooMuch.to_string())
            .hint("unpack it yourself where you trust it, and fetch the file by `path`");
    }
    StageError::data(format!("`{name}` is damaged: {}", crate::stage::io_words(error))).hint(DAMAGED)
}
