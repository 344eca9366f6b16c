//! How much memory a parquet or arrow file takes at least, told before it is read: a few bytes of it may stand for gigabytes.

use super::buffers::Amount;
use super::load::{FREE, Limit, NEEDED};
use super::{BadFile, BadOne, load};
use crate::numbers;
use polars::prelude::*;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The bits that a value takes in a column. What is not known takes none: no file is refused for it.
fn bits(dtype: &DataType) -> u64 {
    use DataType as D;
    match dtype {
        D::Boolean => 1,
        D::Int8 | D::UInt8 => 8,
        D::Int16 | D::UInt16 => 16,
        D::Int32 | D::UInt32 | D::Float32 | D::Date => 32,
        D::Int64 | D::UInt64 | D::Float64 | D::Datetime(..) | D::Duration(_) | D::Time | D::List(_) => 64,
        D::Int128 | D::UInt128 | D::Decimal(..) => 128,
        // Texts have a view, which holds or finds them; categories become texts.
        D::String | D::Binary | D::BinaryOffset | D::Categorical(..) | D::Enum(..) => bits(&D::Int128),
        D::Array(inner, width) => bits(inner).saturating_mul(*width as u64),
        D::Struct(fields) => fields.iter().map(|field| bits(&field.dtype)).fold(0, u64::saturating_add),
        _ => 0,
    }
}

/// A column of a parquet file, of which nested types have several.
#[derive(Clone, Copy)]
struct Leaf {
    bits: u64,
    is_text: bool,
}

/// Those of a type, in the order of the file.
fn leaves(dtype: &DataType, nested: bool, found: &mut Vec<Leaf>) {
    match dtype {
        DataType::List(inner) | DataType::Array(inner, _) => leaves(inner, true, found),
        DataType::Struct(fields) => fields.iter().for_each(|field| leaves(&field.dtype, nested, found)),
        plain => {
            // An empty list counts as a value, and takes what says where it ends.
            let most = if nested { bits(&DataType::Int64) } else { u64::MAX };
            let is_text = matches!(plain, DataType::String | DataType::Binary);
            found.push(Leaf { bits: bits(plain).min(most), is_text });
        }
    }
}

/// The bytes that each row group of a parquet file takes at least.
pub(super) fn row_groups(path: &Path, schema: &Schema) -> PolarsResult<Vec<u64>> {
    let mut found = Vec::new();
    schema.iter_values().for_each(|dtype| leaves(dtype, false, &mut found));
    let mut reader = ParquetReader::new(File::open(path)?);
    let groups = reader.get_metadata()?.row_groups.iter().map(|group| {
        let known = group.parquet_columns().len() == found.len();
        let columns = group.parquet_columns().iter().enumerate().map(|(index, column)| {
            let leaf = if known { found[index] } else { Leaf { bits: 1, is_text: false } };
            let values = u64::try_from(column.num_values()).unwrap_or(0).max(group.num_rows() as u64);
            let values = values.saturating_mul(leaf.bits) / 8;
            // Texts lie in the file as they do in memory, but for views and lengths.
            let texts = u64::try_from(column.uncompressed_size()).unwrap_or(0);
            if leaf.is_text { values.max(texts) } else { values }
        });
        columns.fold(0, u64::saturating_add)
    });
    Ok(groups.collect())
}

/// The bytes that what is in an arrow file takes at least.
pub(super) fn arrow(amount: Amount, schema: &Schema) -> u64 {
    let row = schema.iter_values().map(bits).fold(0, u64::saturating_add);
    amount.bytes.max(amount.rows.saturating_mul(row) / 8)
}

/// Refuses what takes more memory than the stage may use, or where it does not say how much, than is free. What takes no more
/// than the file has is what it looks like.
pub(super) fn bounded(path: &Path, least: u64, needs: Option<u64>, free: Option<u64>) -> Result<(), BadFile> {
    match Limit::of_memory(load::size(path)?, needs, free) {
        Some(limit) if least > limit.most && least > limit.size => {
            Err(limit.exceeded().note(format!("it takes {} at least", numbers::bytes(least))))
        }
        _ => Ok(()),
    }
}

/// Refuses parquet files that a plan cannot read in pieces: it holds a row group whole, and one of these takes more memory than
/// the stage may use and than is free.
///
/// # Errors
/// The first such file, or one that cannot be opened.
pub fn row_groups_fit(files: &[(String, PathBuf)], memory: u64) -> Result<(), BadOne> {
    let free = crate::env::free_memory();
    let fits = |(name, path): &(String, PathBuf)| {
        row_group_fits(path, memory, free).map_err(|bad| BadOne { file: name.clone(), bad })
    };
    files.iter().try_for_each(fits)
}

fn row_group_fits(path: &Path, memory: u64, free: Option<u64>) -> Result<(), BadFile> {
    let Some(free) = free else { return Ok(()) };
    let least = super::binary::row_groups_of(path)?.into_iter().max().unwrap_or(0);
    let (most, why) = if free > memory { (free, FREE) } else { (memory, NEEDED) };
    let limit = Limit { size: load::size(path)?, most, why };
    if least <= limit.most || least <= limit.size {
        return Ok(());
    }
    let note = format!("one of its row groups takes {} at least, and is not read in pieces", numbers::bytes(least));
    Err(limit.exceeded().note(note).hint("write it with smaller row groups"))
}

#[cfg(test)]
mod tests {
    use super::super::stream::of_file;
    use super::super::{Format, Layout, TypeRules, Watch, read_with_rejects};
    use super::*;
    use crate::types::DType;
    use std::collections::BTreeMap;
    use tempfile::TempDir;

    /// Rows that a file says in a few bytes.
    const ROWS: usize = 1 << 19;

    fn alike() -> DataFrame {
        df!["n" => vec![7_i64; ROWS], "s" => vec!["a text"; ROWS]].expect("a frame")
    }

    fn written(write: impl FnOnce(&mut Vec<u8>) -> PolarsResult<()>) -> (TempDir, PathBuf) {
        let mut bytes = Vec::new();
        write(&mut bytes).expect("written");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, bytes).expect("written");
        (folder, path)
    }

    fn parquet(mut df: DataFrame, compression: ParquetCompression) -> (TempDir, PathBuf) {
        written(|bytes| ParquetWriter::new(bytes).with_compression(compression).finish(&mut df).map(drop))
    }

    fn ipc(mut df: DataFrame, compression: Option<IpcCompression>) -> (TempDir, PathBuf) {
        written(|bytes| IpcWriter::new(bytes).with_compression(compression).finish(&mut df))
    }

    fn read(path: &Path, layout: &Layout, memory: u64) -> Result<DataFrame, BadFile> {
        let watch = Watch::nobody().within(Some(memory));
        read_with_rejects(path, layout, watch.file("a", 0)).map(|(df, _)| df)
    }

    #[test]
    fn parquet_bombs_are_refused() {
        let (_folder, path) = parquet(alike(), ParquetCompression::default());
        assert!(load::size(&path).expect("there") < 1 << 18, "it is small");
        let layout = Layout::new(Format::Parquet);
        let bad = read(&path, &layout, 1 << 22).expect_err("refused");
        assert!(
            bad.message
                .ends_with("unpacks to more than 4.2 MB, all the memory that the stage may use (`needs.memory`)")
        );
        assert_eq!(bad.notes, ["it takes 12.6 MB at least"]);
        assert_eq!(read(&path, &layout, 1 << 24).expect("just fits").height(), ROWS);
        let typed = Layout { types: TypeRules::new(BTreeMap::from([("n".to_owned(), DType::I8)])), ..layout };
        let bad = read(&path, &typed, 1 << 22).expect_err("refused");
        assert!(bad.hints[1].contains("without `types`"), "{bad:?}");
        let bad = bounded(&path, 1 << 23, None, Some(1 << 22)).expect_err("refused");
        assert!(bad.message.ends_with("4.2 MB, all the memory that this machine has free"), "{bad:?}");
        assert!(bounded(&path, 1 << 23, None, None).is_ok(), "nobody knows");
        // One row of very many items, and a text that is packed well.
        let list = Series::new("".into(), vec![0_i64; ROWS]);
        let (_folder, path) = parquet(df!["l" => [list]].expect("a frame"), ParquetCompression::default());
        assert!(read(&path, &Layout::new(Format::Parquet), 1 << 21).is_err());
        let text = "x".repeat(1 << 22);
        let (_folder, path) = parquet(df!["s" => [text]].expect("a frame"), ParquetCompression::default());
        assert!(read(&path, &Layout::new(Format::Parquet), 1 << 21).is_err());
    }

    #[test]
    fn in_pieces_a_row_group_has_to_fit() {
        let (_folder, path) = parquet(alike(), ParquetCompression::default());
        let bad = row_group_fits(&path, 1 << 20, Some(1 << 22)).expect_err("refused");
        assert!(bad.message.ends_with("4.2 MB, all the memory that this machine has free"), "{bad:?}");
        assert!(bad.hints[0].contains("smaller row groups"), "{bad:?}");
        assert!(row_group_fits(&path, 1 << 20, Some(1 << 24)).is_ok(), "the limit is aimed at");
        assert!(row_group_fits(&path, 1 << 24, Some(1 << 20)).is_ok());
        assert!(row_group_fits(&path, 1 << 20, None).is_ok());
    }

    #[test]
    fn what_takes_no_more_than_its_file_is_read() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state ^ (state >> 29)
        };
        let noise = df!["n" => (0..10_000).map(|_| next()).collect::<Vec<_>>()].expect("a frame");
        let (_folder, path) = parquet(noise.clone(), ParquetCompression::Uncompressed);
        assert!(read(&path, &Layout::new(Format::Parquet), 1 << 10).expect("read").equals(&noise));
        let (_folder, path) = ipc(noise.clone(), None);
        assert!(read(&path, &Layout::new(Format::Arrow), 1 << 10).expect("read").equals(&noise));
    }

    #[test]
    fn arrow_bombs_are_refused() {
        let (_folder, path) = ipc(alike(), Some(IpcCompression::default()));
        let stream = path.with_file_name("stream");
        std::fs::write(&stream, of_file(&std::fs::read(&path).expect("readable"))).expect("written");
        for path in [path, stream] {
            arrow_bomb_is_refused(&path);
        }
    }

    fn arrow_bomb_is_refused(path: &Path) {
        assert!(load::size(path).expect("there") < 1 << 18, "it is small");
        let layout = Layout::new(Format::Arrow);
        let bad = read(path, &layout, 1 << 22).expect_err("refused");
        assert!(bad.message.contains("unpacks to more than 4.2 MB") && bad.hints[0].contains("parquet"), "{bad:?}");
        assert_eq!(read(path, &layout, 1 << 24).expect("just fits").height(), ROWS);
    }

    #[test]
    fn made_up_lengths_of_arrow_are_not_believed() {
        let numbers = || df!["n" => (0..1000_i64).collect::<Vec<_>>()].expect("a frame");
        let [length, made_up] = [8000_i64, 1 << 40].map(i64::to_le_bytes);
        let (_a, plain) = ipc(numbers(), None);
        let (_b, packed) = ipc(numbers(), Some(IpcCompression::default()));
        for (path, says) in [(plain, "a length in it cannot be right"), (packed, "unpacks to more than")] {
            let file = std::fs::read(&path).expect("readable");
            for mut bytes in [of_file(&file).to_vec(), file] {
                let places: Vec<usize> = (0..bytes.len() - 8).filter(|at| bytes[*at..*at + 8] == length).collect();
                assert!(!places.is_empty());
                places.iter().for_each(|at| bytes[*at..*at + 8].copy_from_slice(&made_up));
                std::fs::write(&path, bytes).expect("written");
                let bad = read(&path, &Layout::new(Format::Arrow), 1 << 30).expect_err("refused");
                assert!(bad.message.contains(says), "{bad:?}");
            }
        }
    }
}
