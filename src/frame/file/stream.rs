//! Arrow's streams: what its files hold, message after message, without the list at the end that says where they are. The
//! `.arrow` files that Hugging Face's `datasets` saves are streams.

use super::FileWatch;
use super::binary::in_plain;
use super::buffers::{self, Amount, MARK, Places, positive, there};
use polars::prelude::*;
use polars_arrow::io::ipc::read::{
    Dictionaries, FileMetadata, read_batch, read_dictionary_block, read_stream_metadata,
};
use polars_arrow_format::ipc::planus::ReadAsRoot;
use polars_arrow_format::ipc::{Block, MessageHeaderRef, MessageRef};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// What stands in a stream behind its schema.
#[derive(Clone, Copy)]
enum Part {
    /// A dictionary, for the rows behind it: another may come in its place.
    Dictionary(Block),
    Rows,
}

/// A stream, and where its parts are.
pub(super) struct Stream {
    /// As a file's, with the places of the batches of rows.
    metadata: FileMetadata,
    parts: Vec<Part>,
    /// It says where it ends.
    pub(super) ended: bool,
    /// The bytes that follow where it ends.
    pub(super) behind: u64,
}

/// Whether a file is a stream. Old ones begin with a length that is not marked as one.
pub(super) fn is_stream(path: &Path) -> PolarsResult<bool> {
    let mut places = Places::open(path)?;
    if places.size < 8 {
        return Ok(false);
    }
    match places.array::<4>(0)? {
        MARK => Ok(true),
        // No schema has more bytes, and no other file begins with such a length.
        [_, _, _, 0] => Ok(places.message(0).is_ok_and(|(message, _)| is_schema(&message))),
        _ => Ok(false),
    }
}

fn is_schema(message: &[u8]) -> bool {
    let header = MessageRef::read_as_root(message).ok().and_then(|message| message.header().ok().flatten());
    matches!(header, Some(MessageHeaderRef::Schema(_)))
}

impl Stream {
    /// # Errors
    /// Where it breaks off, or is no table's.
    pub(super) fn open(path: &Path) -> PolarsResult<Self> {
        let mut places = Places::open(path)?;
        let size = places.size;
        let (mut blocks, mut parts, mut at) = (Vec::new(), Vec::new(), 0);
        // It may end without saying so.
        let mut ended = false;
        while at < size && !ended {
            let (message, head) = places.message(at)?;
            let length = head + message.len() as u64;
            if message.is_empty() {
                ended = true;
                at += length;
                continue;
            }
            let message = there(MessageRef::read_as_root(&message).ok())?;
            let body = positive(there(message.body_length().ok())?)?;
            let [offset, meta_data_length, body_length] = [at, length, body].map(i64::try_from);
            let block = Block {
                offset: there(offset.ok())?,
                meta_data_length: there(meta_data_length.ok().and_then(|length| i32::try_from(length).ok()))?,
                body_length: there(body_length.ok())?,
            };
            match there(message.header().ok().flatten())? {
                MessageHeaderRef::Schema(schema) if at == 0 => buffers::differently_named(schema)?,
                MessageHeaderRef::RecordBatch(_) if at > 0 => {
                    blocks.push(block);
                    parts.push(Part::Rows);
                }
                MessageHeaderRef::DictionaryBatch(_) if at > 0 => parts.push(Part::Dictionary(block)),
                _ => polars_bail!(ComputeError: "what stands at byte {at} is no part of a table"),
            }
            at = there(at.checked_add(length + body).filter(|end| *end <= size))?;
        }
        let found = read_stream_metadata(&mut File::open(path)?)?;
        let metadata = FileMetadata {
            schema: Arc::new(found.schema),
            custom_schema_metadata: None,
            custom_metadata: None,
            ipc_schema: found.ipc_schema,
            blocks,
            dictionaries: None,
            size,
        };
        Ok(Self { metadata, parts, ended, behind: size - at })
    }

    pub(super) fn schema(&self) -> &ArrowSchema {
        &self.metadata.schema
    }

    /// How much there is in it.
    ///
    /// # Errors
    /// Where it says what cannot be, such as a buffer that is longer than the file.
    pub(super) fn amount(&self, path: &Path) -> PolarsResult<Amount> {
        let dictionaries = self.parts.iter().filter_map(|part| match part {
            Part::Dictionary(block) => Some(*block),
            Part::Rows => None,
        });
        Places::open(path)?.amount(self.metadata.blocks.iter().copied(), dictionaries)
    }

    /// All rows.
    pub(super) fn rows(&self, path: &Path, watch: FileWatch<'_>) -> PolarsResult<DataFrame> {
        let mut file = watch.counted(File::open(path)?);
        let (mut message, mut data) = (Vec::new(), Vec::new());
        let mut dictionaries = Dictionaries::default();
        let (mut whole, mut batch): (Option<DataFrame>, usize) = (None, 0);
        for part in &self.parts {
            let (metadata, checked) = (&self.metadata, Default::default());
            if let Part::Dictionary(block) = part {
                let known = &mut dictionaries;
                read_dictionary_block(&mut file, metadata, block, false, known, &mut message, &mut data, checked)?;
                continue;
            }
            let rows = read_batch(
                &mut file,
                &dictionaries,
                metadata,
                None,
                None,
                batch,
                false,
                &mut message,
                &mut data,
                checked,
            )?;
            batch += 1;
            // Categories become texts at once: every batch may have its own.
            let df = DataFrame::from(rows);
            let height = df.height();
            let columns = df.into_columns().into_iter().map(in_plain).collect::<PolarsResult<Vec<_>>>()?;
            let df = DataFrame::new(height, columns)?;
            match &mut whole {
                None => whole = Some(df),
                Some(whole) => whole.vstack_mut_owned(df).map(drop)?,
            }
        }
        file.rest();
        let mut whole =
            whole.unwrap_or_else(|| DataFrame::empty_with_schema(&Schema::from_arrow_schema(&self.metadata.schema)));
        whole.rechunk_mut_par();
        Ok(whole)
    }
}

/// A stream is what stands in a file between the format's name and the list at the end.
#[cfg(test)]
pub(super) fn of_file(file: &[u8]) -> &[u8] {
    let end = file.len() - 10;
    let length: [u8; 4] = file[end..end + 4].try_into().expect("four bytes");
    &file[8..end - u32::from_le_bytes(length) as usize]
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Layout, Told, probe, read_file, read_many};
    use super::*;
    use std::path::PathBuf;
    use std::sync::Mutex;
    use tempfile::TempDir;

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    fn written(bytes: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.arrow");
        std::fs::write(&path, bytes).expect("written");
        (folder, path)
    }

    fn in_file(mut df: DataFrame, compression: Option<IpcCompression>) -> Vec<u8> {
        let mut bytes = Vec::new();
        IpcWriter::new(&mut bytes).with_compression(compression).finish(&mut df).expect("written");
        bytes
    }

    fn layout() -> Layout {
        Layout::new(Format::Arrow)
    }

    #[test]
    fn both_forms_hold_the_same_table() {
        let frame = df!["n" => [Some(1_i64), None, Some(3)], "s" => ["x", "", "a text that is longer than a view"]];
        let frame = frame.expect("a frame");
        let mut files = vec![std::fs::read(data("nested.arrow")).expect("test data")];
        for compression in [None, Some(IpcCompression::LZ4), Some(IpcCompression::default())] {
            files.extend([0, 1, 3].map(|rows| in_file(frame.head(Some(rows)), compression)));
        }
        for file in files {
            let (_file, file_path) = written(&file);
            let (_stream, stream_path) = written(of_file(&file));
            assert!(is_stream(&stream_path).expect("told") && !is_stream(&file_path).expect("told"));
            let [of_file, of_stream] = [&file_path, &stream_path].map(|path| read_file(path, &layout()).expect("read"));
            assert!(of_stream.equals_missing(&of_file), "{of_stream} {of_file}");
            assert_eq!(of_stream.schema(), of_file.schema());
            let [of_file, of_stream] = [&file_path, &stream_path].map(|path| probe(path, &layout()).expect("opened"));
            assert_eq!(of_stream, of_file);
        }
    }

    #[test]
    fn other_programs_streams_are_read() {
        let numbers = |name: &str| read_file(&data(&format!("foreign/{name}")), &layout()).expect("read");
        let read = numbers("stream.arrow");
        assert!(read.equals(&df!["n" => [1_i64, 2]].expect("a frame")), "{read}");
        assert!(numbers("legacy.arrow").equals(&read), "its lengths have no mark before them");
        let words = numbers("replaced.arrow");
        let words: Vec<Option<&str>> = words.column("word").expect("there").str().expect("text").iter().collect();
        let of_both = [Some("a"), Some("b"), None, Some("b"), Some("c"), Some("c")];
        assert_eq!(words, of_both, "every batch by the dictionary before it");
    }

    #[test]
    fn a_stream_of_no_batches_is_a_table_without_rows() {
        let bytes = in_file(df!["n" => [1_i64]].expect("a frame"), None);
        let schema = of_file(&bytes);
        let length: [u8; 4] = schema[4..8].try_into().expect("four bytes");
        let schema = &schema[..8 + u32::from_le_bytes(length) as usize];
        let (_folder, path) = written(&[schema, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]].concat());
        let read = read_file(&path, &layout()).expect("read");
        assert_eq!(read.shape(), (0, 1));
        assert_eq!(read.column("n").expect("there").dtype(), &DataType::Int64);
    }

    /// Wherever it is cut off it is an error, or what is left is a stream that does not say that it ends.
    #[test]
    fn what_breaks_off_is_told() {
        let whole = std::fs::read(data("foreign/replaced.arrow")).expect("test data");
        let mut between = 0;
        for length in 0..whole.len() {
            let (_folder, path) = written(&whole[..length]);
            let told = Mutex::new(Vec::new());
            let tell = |heard| {
                if let Told::Odd(words) = heard {
                    told.lock().expect("no panic").push(words);
                }
            };
            let read = read_many(&[("a.arrow".to_owned(), path.clone())], &layout(), None, None, &tell);
            match read {
                Err(bad) => assert!(!bad.bad.message.is_empty() && !bad.bad.hints.is_empty(), "{length}: {bad:?}"),
                Ok(_) => {
                    between += 1;
                    let told = told.into_inner().expect("no panic");
                    assert!(told.iter().any(|words| words.contains("no end mark, the first `a.arrow`")), "{length}");
                }
            }
        }
        // Behind the schema, the first dictionary, its rows, the second dictionary, its rows.
        assert_eq!(between, 5);
        let (_folder, path) = written(&whole[..whole.len() / 2]);
        let bad = probe(&path, &layout()).expect_err("while checking");
        assert_eq!(bad.message, "the file cannot be read as arrow: a length in it cannot be right");
        assert!(bad.hints[0].contains("cut off or damaged"), "{bad:?}");
    }

    #[test]
    fn what_follows_behind_the_end_is_told() {
        let one = std::fs::read(data("foreign/stream.arrow")).expect("test data");
        let (_folder, path) = written(&[one.clone(), one].concat());
        for bad in [probe(&path, &layout()).expect_err("two"), read_file(&path, &layout()).expect_err("two")] {
            assert_eq!(bad.message, "more follows behind the end of the stream: 296 B");
            assert!(bad.hints[0].contains("give each its own"), "{bad:?}");
        }
    }

    #[test]
    fn any_changed_byte_is_an_error_or_a_table() {
        let whole = std::fs::read(data("foreign/replaced.arrow")).expect("test data");
        for at in 0..whole.len() {
            for byte in [0, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let (_folder, path) = written(&bytes);
                let _ = read_file(&path, &layout());
            }
        }
    }
}
