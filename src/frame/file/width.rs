//! How many columns a table may have.

use super::BadFile;
use crate::numbers;

/// So many columns at most. A file that seems to have more is nearly always read in a wrong way, and would fill the memory.
pub(super) const MOST_COLUMNS: usize = 100_000;

/// Refuses what has too many columns: `what` is where they are counted, `the first row has`.
pub(super) fn bounded(columns: usize, what: &str) -> Result<(), BadFile> {
    if columns <= MOST_COLUMNS {
        return Ok(());
    }
    let (found, most) = (numbers::count(columns as u64), numbers::count(MOST_COLUMNS as u64));
    Err(BadFile::new(format!("{what} {found} columns, more than the {most} that a table can have")))
}

/// What to do about objects with too many keys.
pub(super) const KEYS: &str =
    "where keys are values, such as ids or dates, write them as rows: an object for each, with the key in a field";

#[cfg(test)]
mod tests {
    use super::super::{Format, Layout, probe, read_file};
    use super::*;
    use polars::prelude::*;

    #[test]
    fn every_format_has_the_same_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let count = MOST_COLUMNS + 1;
        let list =
            |each: &dyn Fn(usize) -> String, between: &str| (0..count).map(each).collect::<Vec<_>>().join(between);
        let object = format!("{{{}}}", list(&|n| format!("\"k{n}\":1"), ","));
        for (format, text, begins) in [
            (Format::Csv, list(&|n| format!("c{n}"), ","), "the first row has"),
            (Format::Jsonl, format!("{object}\n"), "the objects have"),
            (Format::Json, format!("[{object}]"), "the objects have"),
            (
                Format::Arff,
                format!("@relation r\n{}\n@data\n", list(&|n| format!("@attribute c{n} real"), "\n")),
                "the header has",
            ),
        ] {
            let path = folder.path().join(format.name());
            std::fs::write(&path, text).expect("written");
            let bad = read_file(&path, &Layout::new(format)).expect_err("too many");
            let wanted = format!("{begins} 100,001 columns, more than the 100,000 that a table can have");
            assert_eq!(bad.message, wanted, "{}", format.name());
        }
        assert!(bounded(MOST_COLUMNS, "it has").is_ok());
    }

    #[test]
    fn a_file_with_types_of_its_own_is_not_read_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let columns = (0..MOST_COLUMNS + 1).map(|n| Column::new(format!("c{n}").into(), [1_u8]));
        let mut df = DataFrame::new(1, columns.collect()).expect("a frame");
        let path = folder.path().join("x.arrow");
        let file = std::fs::File::create(&path).expect("a file");
        IpcWriter::new(file).finish(&mut df).expect("written");
        let layout = Layout::new(Format::Arrow);
        for bad in [read_file(&path, &layout).expect_err("too many"), probe(&path, &layout).expect_err("too many")] {
            assert_eq!(bad.message, "the file has 100,001 columns, more than the 100,000 that a table can have");
        }
    }
}
