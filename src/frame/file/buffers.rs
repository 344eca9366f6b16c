//! What the buffers of an arrow file take when they are unpacked. Their lengths stand in the file and may be made up: a reader
//! that believes them asks for so much memory before it looks.

use polars::prelude::*;
use polars_arrow_format::ipc::planus::ReadAsRoot;
use polars_arrow_format::ipc::{BlockRef, FooterRef, MessageHeaderRef, MessageRef};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How much there is in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) rows: u64,
    /// Of all buffers, unpacked.
    pub(super) bytes: u64,
}

/// What a file says of itself.
///
/// # Errors
/// Where it says what cannot be, such as a buffer that is longer than the file.
pub(super) fn amount(path: &Path) -> PolarsResult<Amount> {
    let mut file = File::open(path)?;
    let size = file.seek(SeekFrom::End(0))?;
    let mut places = Places { file, size };
    // It ends with the footer, its length and the format's name.
    let end = there(size.checked_sub(10))?;
    let length = u64::from(u32::from_le_bytes(places.array(end)?));
    let footer = places.bytes(there(end.checked_sub(length))?, length)?;
    let footer = there(FooterRef::read_as_root(&footer).ok())?;
    let batches = there(footer.record_batches().ok().flatten())?;
    let dictionaries = there(footer.dictionaries().ok())?;
    let mut all = Amount::default();
    for block in batches {
        let Amount { rows, bytes } = places.block(block)?;
        all = Amount { rows: all.rows.saturating_add(rows), bytes: all.bytes.saturating_add(bytes) };
    }
    for block in dictionaries.into_iter().flatten() {
        all.bytes = all.bytes.saturating_add(places.block(block)?.bytes);
    }
    Ok(all)
}

/// Parts of a file.
struct Places {
    file: File,
    size: u64,
}

impl Places {
    fn bytes(&mut self, at: u64, length: u64) -> PolarsResult<Vec<u8>> {
        there(at.checked_add(length).filter(|end| *end <= self.size))?;
        let mut bytes = vec![0; there(usize::try_from(length).ok())?];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, at: u64) -> PolarsResult<[u8; N]> {
        let bytes = self.bytes(at, N as u64)?;
        there(bytes.first_chunk().copied())
    }

    /// What a message and the buffers behind it hold.
    fn block(&mut self, block: BlockRef<'_>) -> PolarsResult<Amount> {
        let at = positive(block.offset())?;
        let [first, second]: [[u8; 4]; 2] = [self.array(at)?, self.array(there(at.checked_add(4))?)?];
        // Before a message stands its length, and before that in all but old files a mark.
        let (length, head) = if first == [0xff; 4] { (second, 8) } else { (first, 4) };
        let message = self.bytes(at + head, u64::from(u32::from_le_bytes(length)))?;
        let message = there(MessageRef::read_as_root(&message).ok())?;
        let batch = match there(message.header().ok().flatten())? {
            MessageHeaderRef::RecordBatch(batch) => batch,
            MessageHeaderRef::DictionaryBatch(dictionary) => there(dictionary.data().ok().flatten())?,
            _ => return there(None),
        };
        let body = there(at.checked_add(positive(i64::from(block.meta_data_length()))?))?;
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

fn positive(number: i64) -> PolarsResult<u64> {
    there(u64::try_from(number).ok())
}

fn there<T>(value: Option<T>) -> PolarsResult<T> {
    value.ok_or_else(|| polars_err!(ComputeError: "a length in it cannot be right"))
}
