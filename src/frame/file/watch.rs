//! How far a long read is: every file's bytes count twice, once when they are loaded, once when they are columns.

use super::TypeRules;
use super::odd::{Found, Odd, Oddities};
use crate::numbers;
use crate::stage::Progress;
use crate::types::DType;
use polars::io::mmap::MmapBytesReader;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// What is told while files are read.
#[derive(Debug)]
pub enum Told {
    /// How far it is.
    Far(Progress),
    /// What is odd in the files, and no error, in a line; at the end.
    Odd(String),
}

/// Hears it; is called from several threads.
pub type Tell<'a> = &'a (dyn Fn(Told) + Sync);

/// How far the reading of files is, all of them together.
pub struct Watch<'a> {
    tell: Option<Tell<'a>>,
    total: u64,
    done: AtomicU64,
    memory: Option<u64>,
    /// The types that the user declared.
    declared: TypeRules,
    odd: Oddities,
}

impl<'a> Watch<'a> {
    /// For files of so many bytes together.
    #[must_use]
    pub fn new(bytes: u64, tell: Tell<'a>) -> Self {
        Self { tell: Some(tell), total: bytes.saturating_mul(2), ..Self::nobody() }
    }

    /// Tells nobody.
    #[must_use]
    pub fn nobody() -> Self {
        let (declared, odd) = (TypeRules::default(), Oddities::default());
        Self { tell: None, total: 0, done: AtomicU64::new(0), memory: None, declared, odd }
    }

    /// What is unpacked has to be smaller than this, in bytes, where a number is given.
    #[must_use]
    pub fn within(self, memory: Option<u64>) -> Self {
        Self { memory, ..self }
    }

    /// These types are declared, and not found.
    #[must_use]
    pub(super) fn declared(self, types: &TypeRules) -> Self {
        Self { declared: types.clone(), ..self }
    }

    /// A file is read once more.
    pub(super) fn again(&self, name: &str) {
        self.odd.forget(name);
    }

    /// All files are read: what was odd in them is told.
    pub(super) fn ended(&self, tell: Tell<'_>) {
        self.words().into_iter().for_each(|words| tell(Told::Odd(words)));
    }

    /// What was odd so far.
    pub(super) fn words(&self) -> Vec<String> {
        self.odd.words()
    }

    /// One of the files.
    #[must_use]
    pub fn file<'w>(&'w self, name: &'w str, size: u64) -> FileWatch<'w> {
        FileWatch { watch: self, name, size }
    }

    fn add(&self, bytes: u64, detail: impl FnOnce() -> String) {
        let Some(tell) = self.tell else { return };
        // A file that is read twice, to give its columns the types of all files, does not count again.
        let done = self.done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes).min(self.total);
        tell(Told::Far(Progress { done, total: Some(self.total), unit: "bytes", detail: detail() }));
    }
}

/// How far one file is.
#[derive(Clone, Copy)]
pub struct FileWatch<'w> {
    watch: &'w Watch<'w>,
    name: &'w str,
    size: u64,
}

impl<'w> FileWatch<'w> {
    /// See [`Watch::within`].
    pub(super) fn memory(self) -> Option<u64> {
        self.watch.memory
    }

    /// Something odd is in the file.
    pub(super) fn odd(self, odd: Odd, found: Found) {
        self.watch.odd.add(odd, self.name, found);
    }

    /// Whether a column is said to hold floats: what they do not hold is known.
    pub(super) fn is_declared_float(self, column: &str) -> bool {
        self.watch.declared.get(column).is_some_and(DType::is_float)
    }

    /// What is read from here counts.
    pub(super) fn counted<R: Read>(self, inner: R) -> Counted<'w, R> {
        Counted { inner, watch: self, begin: Instant::now(), loaded: 0 }
    }

    /// The file in so many parts, which are worked on next: `columns`, `blocks of lines`.
    pub(super) fn parts(self, count: usize, what: &'static str) -> Parts<'w> {
        Parts { watch: self, count: count.max(1) as u64, what, begin: Instant::now(), done: AtomicU64::new(0) }
    }
}

fn per_second(amount: u64, begin: Instant) -> f64 {
    amount as f64 / begin.elapsed().as_secs_f64().max(1e-9)
}

/// A reader that tells what went through it.
pub(super) struct Counted<'w, R> {
    inner: R,
    watch: FileWatch<'w>,
    begin: Instant,
    loaded: u64,
}

impl<R> Counted<'_, R> {
    fn count(&mut self, bytes: u64) {
        self.loaded += bytes;
        let (watch, loaded, begin) = (self.watch, self.loaded, self.begin);
        watch.watch.add(bytes, || {
            let rate = numbers::rate(per_second(loaded, begin), "bytes");
            format!("{rate} · {} of `{}` loaded", numbers::bytes(loaded), watch.name)
        });
    }

    /// The file is loaded: what was passed over counts as well.
    pub(super) fn rest(&mut self) {
        self.count(self.watch.size.saturating_sub(self.loaded));
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count(count as u64);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Read and not mapped, so that it can be counted.
impl MmapBytesReader for Counted<'_, File> {}

/// Parts of a file, done by several threads in any order.
pub(super) struct Parts<'w> {
    watch: FileWatch<'w>,
    count: u64,
    what: &'static str,
    begin: Instant,
    done: AtomicU64,
}

impl Parts<'_> {
    /// One more is done.
    pub(super) fn one(&self) {
        self.some(1);
    }

    /// So many more are done.
    pub(super) fn some(&self, parts: usize) {
        let parts = parts as u64;
        let done = self.done.fetch_add(parts, Ordering::Relaxed) + parts;
        let share = |parts: u64| (u128::from(self.watch.size) * u128::from(parts) / u128::from(self.count)) as u64;
        self.watch.watch.add(share(done) - share(done - parts), || {
            let (parts, all) = (numbers::count(done), numbers::count(self.count));
            let rate = numbers::rate(per_second(share(done), self.begin), "bytes");
            format!("{rate} · {parts} of {all} {} of `{}`", self.what, self.watch.name)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Layout, read_many};
    use super::*;
    use std::sync::Mutex;

    fn told(name: &str, bytes: &[u8], format: Format) -> Vec<Progress> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        let seen = Mutex::new(Vec::new());
        let tell = |told| match told {
            Told::Far(progress) => seen.lock().expect("no panic").push(progress),
            Told::Odd(words) => panic!("nothing is odd: {words}"),
        };
        read_many(&[(name.to_owned(), path)], &Layout::new(format), None, None, &tell).expect("read");
        seen.into_inner().expect("no panic")
    }

    /// It ends at the whole, never goes back, and names the file, the amount and the rate.
    fn ends_whole(told: &[Progress], size: u64, says: &str) {
        let last = told.iter().map(|progress| progress.done).max();
        assert_eq!(last, Some(2 * size), "{told:?}");
        assert!(told.iter().all(|progress| progress.total == Some(2 * size) && progress.unit == "bytes"));
        assert!(told.iter().any(|progress| progress.detail.contains(says)), "{told:?}");
        assert!(told.iter().all(|progress| progress.detail.contains("B/s · ")), "{told:?}");
    }

    #[test]
    fn loading_and_columns_are_told_for_plain_and_packed_files() {
        use std::io::Write;
        let text: String = (0..20_000).map(|row| format!("{row},{},x\n", row * 7)).collect();
        let csv = format!("a,b,c\n{text}").into_bytes();
        let plain = told("a.csv", &csv, Format::Csv);
        ends_whole(&plain, csv.len() as u64, "3 of 3 columns of `a.csv`");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(&csv).expect("written");
        let gz = gz.finish().expect("finished");
        let packed = told("a.csv.gz", &gz, Format::Csv);
        ends_whole(&packed, gz.len() as u64, "of `a.csv.gz` loaded");
    }

    #[test]
    fn files_with_types_of_their_own_are_told_too() {
        use polars::prelude::*;
        let mut df = df!["n" => (0..20_000_i64).collect::<Vec<_>>(), "x" => vec![0.5; 20_000]].expect("a frame");
        let mut parquet = Vec::new();
        ParquetWriter::new(&mut parquet).with_row_group_size(Some(5_000)).finish(&mut df).expect("written");
        let seen = told("a.parquet", &parquet, Format::Parquet);
        ends_whole(&seen, parquet.len() as u64, "4 of 4 row groups of `a.parquet`");
        assert!(seen.iter().any(|progress| progress.detail.contains("2 of 2 columns of `a.parquet`")), "{seen:?}");
        let mut arrow = Vec::new();
        IpcWriter::new(&mut arrow).finish(&mut df).expect("written");
        let seen = told("a.arrow", &arrow, Format::Arrow);
        ends_whole(&seen, arrow.len() as u64, "of `a.arrow` loaded");
    }

    #[test]
    fn lines_of_json_are_told_in_blocks() {
        let lines: String = (0..40_000).map(|row| format!("{{\"a\": {row}}}\n")).collect();
        let seen = told("a.jsonl", lines.as_bytes(), Format::Jsonl);
        ends_whole(&seen, lines.len() as u64, "6 of 6 blocks of lines of `a.jsonl`");
    }

    #[test]
    fn json_and_arff_are_told_to_their_end() {
        let rows: Vec<String> = (0..1_000).map(|row| format!("{{\"a\": {row}, \"b\": \"x\"}}")).collect();
        let json = format!("[{}]", rows.join(",\n"));
        let seen = told("a.json", json.as_bytes(), Format::Json);
        ends_whole(&seen, json.len() as u64, "2 of 2 columns of `a.json`");
        let header = "@relation r\n@attribute a numeric\n@data\n";
        let arff = format!("{header}{}", "1\n".repeat(40_000));
        let seen = told("a.arff", arff.as_bytes(), Format::Arff);
        ends_whole(&seen, arff.len() as u64, "3 of 3 blocks of lines of `a.arff`");
        ends_whole(&told("a.arff", header.as_bytes(), Format::Arff), header.len() as u64, "`a.arff`");
    }
}
