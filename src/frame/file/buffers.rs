//! What the buffers of an arrow file take when they are unpacked. Their lengths stand in the file and may be made up: a reader
//! that believes them asks for so much memory before it looks.

use polars::prelude::*;
use polars_arrow_format::ipc::planus::ReadAsRoot;
use polars_arrow_format::ipc::{Block, FooterRef, MessageHeaderRef, MessageRef, SchemaRef};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Stands before a message.
pub(super) const MARK: [u8; 4] = [0xff; 4];

/// How much there is in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) rows: u64,
    /// Of all buffers, unpacked.
    pub(super) bytes: u64,
}

/// What a file says of itself. For streams see [`super::stream`].
///
/// # Errors
/// Where it says what cannot be, such as a buffer that is longer than the file.
pub(super) fn amount(path: &Path) -> PolarsResult<Amount> {
    let mut places = Places::open(path)?;
    let footer = places.footer()?;
    let footer = there(FooterRef::read_as_root(&footer).ok())?;
    let batches = there(footer.record_batches().ok().flatten())?;
    let dictionaries = there(footer.dictionaries().ok())?;
    places.amount(batches.into_iter().map(Block::from), dictionaries.into_iter().flatten().map(Block::from))
}

/// An error where a file has two columns of one name, which polars takes for damage.
pub(super) fn each_named(path: &Path) -> PolarsResult<()> {
    let footer = Places::open(path)?.footer()?;
    let footer = there(FooterRef::read_as_root(&footer).ok())?;
    differently_named(there(footer.schema().ok().flatten())?)
}

/// The same of what a file or a stream says of its columns.
pub(super) fn differently_named(schema: SchemaRef<'_>) -> PolarsResult<()> {
    let mut names = BTreeSet::new();
    for field in there(schema.fields().ok().flatten())? {
        let field = there(field.ok())?;
        let name = there(field.name().ok())?.unwrap_or_default();
        polars_ensure!(
            names.insert(name.to_owned()),
            Duplicate: "column with name '{name}' has more than one occurrence"
        );
    }
    Ok(())
}

/// Parts of a file.
pub(super) struct Places {
    file: File,
    pub(super) size: u64,
}

impl Places {
    pub(super) fn open(path: &Path) -> PolarsResult<Self> {
        let mut file = File::open(path)?;
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, size })
    }

    /// A file ends with what is in it, the length of that, and the format's name.
    fn footer(&mut self) -> PolarsResult<Vec<u8>> {
        let end = there(self.size.checked_sub(10))?;
        let length = u64::from(u32::from_le_bytes(self.array(end)?));
        self.bytes(there(end.checked_sub(length))?, length)
    }

    fn bytes(&mut self, at: u64, length: u64) -> PolarsResult<Vec<u8>> {
        there(at.checked_add(length).filter(|end| *end <= self.size))?;
        let mut bytes = vec![0; there(usize::try_from(length).ok())?];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self, at: u64) -> PolarsResult<[u8; N]> {
        let bytes = self.bytes(at, N as u64)?;
        there(bytes.first_chunk().copied())
    }

    /// A message, and how many bytes stand before it. One without bytes ends a stream.
    pub(super) fn message(&mut self, at: u64) -> PolarsResult<(Vec<u8>, u64)> {
        let first: [u8; 4] = self.array(at)?;
        // Before a message stands its length, and before that in all but old files a mark.
        let (length, head) = if first == MARK { (self.array(at + 4)?, 8) } else { (first, 4) };
        Ok((self.bytes(at + head, u64::from(u32::from_le_bytes(length)))?, head))
    }

    /// What batches of rows and dictionaries hold together.
    pub(super) fn amount(
        &mut self,
        batches: impl IntoIterator<Item = Block>,
        dictionaries: impl IntoIterator<Item = Block>,
    ) -> PolarsResult<Amount> {
        let mut all = Amount::default();
        for block in batches {
            let Amount { rows, bytes } = self.block(block)?;
            all = Amount { rows: all.rows.saturating_add(rows), bytes: all.bytes.saturating_add(bytes) };
        }
        for block in dictionaries {
            all.bytes = all.bytes.saturating_add(self.block(block)?.bytes);
        }
        Ok(all)
    }

    /// What a message and the buffers behind it hold.
    fn block(&mut self, block: Block) -> PolarsResult<Amount> {
        let at = positive(block.offset)?;
        let (message, _) = self.message(at)?;
        let message = there(MessageRef::read_as_root(&message).ok())?;
        let batch = match there(message.header().ok().flatten())? {
            MessageHeaderRef::RecordBatch(batch) => batch,
            MessageHeaderRef::DictionaryBatch(dictionary) => there(dictionary.data().ok().flatten())?,
            _ => return there(None),
        };
        let body = there(at.checked_add(positive(i64::from(block.meta_data_length))?))?;
        let packed = there(batch.compression().ok())?.is_some();
        let mut bytes = 0_u64;
        for buffer in there(batch.buffers().ok())?.into_iter().flatten() {
            let place = there(body.checked_add(positive(buffer.offset())?))?;
            bytes = bytes.saturating_add(self.unpacked(place, positive(buffer.length())?, packed)?);
        }
        Ok(Amount { rows: positive(there(batch.length().ok())?)?, bytes })
    }

    /// The length of a buffer, unpacked.
    fn unpacked(&mut self, place: u64, length: u64, packed: bool) -> PolarsResult<u64> {
        there(place.checked_add(length).filter(|end| *end <= self.size))?;
        if !packed || length == 0 {
            return Ok(length);
        }
        let content = there(length.checked_sub(8))?;
        match i64::from_le_bytes(self.array(place)?) {
            // It is not packed after all.
            -1 => Ok(content),
            unpacked => positive(unpacked),
        }
    }
}

pub(super) fn positive(number: i64) -> PolarsResult<u64> {
    there(u64::try_from(number).ok())
}

pub(super) fn there<T>(value: Option<T>) -> PolarsResult<T> {
    value.ok_or_else(|| polars_err!(ComputeError: "a length in it cannot be right"))
}
