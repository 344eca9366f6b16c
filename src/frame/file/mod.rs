//! Data files that came from outside: delimited text, JSON, parquet, arrow, ARFF and IDX, compressed or not.

mod arff;
mod arrow;
mod bad;
mod binary;
mod buffers;
mod calendar;
mod cells;
mod csv;
mod figures;
mod foreign;
mod gzip;
mod idx;
mod infer;
mod json;
mod load;
mod many;
mod marks;
#[cfg(test)]
mod measure;
mod odd;
mod pieces;
mod rejects;
mod splitter;
mod stream;
mod text;
pub mod time;
mod types;
mod unpacked;
mod watch;
mod width;

pub use bad::BadFile;
pub use binary::cast_declared;
pub use calendar::times_fit;
pub use figures::{decimal, without_exponent};
pub use gzip::Gunzip;
pub use idx::{IdxHeader, idx_header};
pub use load::{Compression, compression_of, head, load};
pub use many::{BadOne, can_be_many, probe_many, read_many, scan_many};
pub use marks::separator_in;
pub use odd::{cut_in_rows, is_rounded, rounded_words};
pub use pieces::{InPieces, read_in_pieces};
pub use rejects::{Reject, rejects_table};
pub use text::{Encoding, beginning};
pub use types::{TypeRules, TypesError};
pub use unpacked::row_groups_fit;
pub use watch::{FileWatch, Tell, Told, Watch};

use crate::types::TableSchema;
use polars::prelude::DataFrame;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Files up to this size are read whole to tell their column types while checking; larger ones wait for the run.
pub const PROBE_WHOLE: u64 = 64 << 20;

/// How a data file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Text, a row a line, fields between commas.
    Csv,
    /// Text, a row a line, fields between tabs.
    Tsv,
    /// Apache Parquet.
    Parquet,
    /// JSON lines: one object a line.
    Jsonl,
    /// JSON: a list of objects.
    Json,
    /// Apache Arrow (IPC), as a file (Feather version 2) or a stream.
    Arrow,
    /// ARFF, the format of Weka.
    Arff,
    /// IDX, the format of MNIST: unsigned bytes with their dimensions.
    Idx,
}

impl Format {
    /// What a file's name says, looking through `.gz`, `.zst` and `.xz`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let plain = [".gz", ".zst", ".xz"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
        if plain.ends_with("-ubyte") {
            return Some(Self::Idx);
        }
        match plain.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "parquet" | "pq" => Some(Self::Parquet),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "json" => Some(Self::Json),
            "arff" => Some(Self::Arff),
            "arrow" | "ipc" | "feather" => Some(Self::Arrow),
            "idx" | "idx1" | "idx3" | "ubyte" => Some(Self::Idx),
            _ => None,
        }
    }

    /// What has an encoding.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Jsonl | Self::Json | Self::Arff)
    }

    /// What may hold nested fields.
    #[must_use]
    pub fn is_nested(self) -> bool {
        matches!(self, Self::Jsonl | Self::Json | Self::Parquet | Self::Arrow)
    }

    /// Text of lines that are rows, of which bad ones may be left out.
    #[must_use]
    pub fn is_lines(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Jsonl)
    }

    /// Delimited text.
    #[must_use]
    pub fn is_delimited(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv)
    }

    /// The name that manifests use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl",
            Self::Arrow => "arrow",
            Self::Json => "json",
            Self::Arff => "arff",
            Self::Idx => "idx",
        }
    }
}

/// Everything that says how a file is to be read.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How it is laid out.
    pub format: Format,
    /// Delimited text: the first row holds the column names.
    pub header: bool,
    /// Delimited text: the column names, where they are not to be taken from the file.
    pub names: Vec<String>,
    /// Declared column types.
    pub types: TypeRules,
    /// Delimited text: what stands between fields.
    pub separator: u8,
    /// Delimited text: what encloses fields that contain separators, quotes or line ends.
    pub quote: Option<u8>,
    /// Delimited text: what makes the character behind it stand for itself.
    pub escape: Option<u8>,
    /// Delimited text: what stands before a number's fraction.
    pub decimal: u8,
    /// Delimited text: what stands between a number's thousands.
    pub thousands: Option<u8>,
    /// Delimited text: fields that mean `true`, besides that word.
    pub true_values: Vec<String>,
    /// Delimited text: fields that mean `false`, besides that word.
    pub false_values: Vec<String>,
    /// Delimited text: fields that stand for a missing value, besides the empty one.
    pub null_values: Vec<String>,
    /// Delimited text: in columns that are not text, these and the empty field stand for a missing value in quotes too.
    pub null_in_quotes: bool,
    /// Delimited text: lines that begin with this are skipped.
    pub comment: Option<String>,
    /// Delimited text: so many lines at the beginning are skipped.
    pub skip_rows: usize,
    /// Delimited text: white space around fields does not count.
    pub trim: bool,
    /// Text: how it is encoded.
    pub encoding: Encoding,
    /// Delimited text and JSON lines: lines that cannot be read are left out, and told.
    pub reject: bool,
    /// JSON: where the list of objects is, keys with dots between them.
    pub records: Option<String>,
    /// Nested fields become columns of their own.
    pub flatten: bool,
}

impl Layout {
    /// The usual layout of a format.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            header: true,
            names: Vec::new(),
            types: TypeRules::default(),
            separator: if format == Format::Tsv { b'\t' } else { b',' },
            quote: Some(b'"'),
            escape: None,
            decimal: b'.',
            thousands: None,
            true_values: Vec::new(),
            false_values: Vec::new(),
            null_values: Vec::new(),
            null_in_quotes: true,
            comment: None,
            skip_rows: 0,
            trim: false,
            encoding: Encoding::Utf8,
            reject: false,
            records: None,
            flatten: false,
        }
    }
}

/// Reads a whole file. For [`Format::Idx`] with labels see [`read_idx`].
///
/// # Errors
/// When the file cannot be read, or its content does not fit the layout: which line, which column, what was found.
pub fn read_file(path: &Path, layout: &Layout) -> Result<DataFrame, BadFile> {
    let nobody = Watch::nobody();
    read_with_rejects(path, layout, nobody.file("", 0)).map(|(df, _)| df)
}

/// Reads a whole file, and tells the lines that were left out of it.
///
/// # Errors
/// See [`read_file`].
pub fn read_with_rejects(
    path: &Path,
    layout: &Layout,
    watch: FileWatch<'_>,
) -> Result<(DataFrame, Vec<Reject>), BadFile> {
    let all = |df| (df, Vec::new());
    let text = || load(path, watch).inspect(|bytes| odd::controls(bytes, layout, watch));
    match layout.format {
        Format::Csv | Format::Tsv => csv::read(&text()?, layout, watch),
        Format::Jsonl => json::read_lines(&text()?, layout, watch),
        Format::Json => json::read_whole(&text()?, layout, watch).map(all),
        Format::Arff => arff::read(&text()?, layout, watch).map(all),
        Format::Parquet => binary::read_parquet(path, layout, watch).map(all),
        Format::Arrow => arrow::read(path, layout, watch).map(all),
        Format::Idx => read_idx(path, None, &layout.types, watch).map(all),
    }
}

/// Reads delimited text that is in memory already.
///
/// # Errors
/// See [`read_file`].
pub fn read_text(bytes: &[u8], layout: &Layout) -> Result<DataFrame, BadFile> {
    csv::read(bytes, layout, Watch::nobody().file("", 0)).map(|(df, _)| df)
}

/// Reads an IDX file as a table of its pixels, a row an image, and its labels beside them as column `label`.
///
/// # Errors
/// When a file cannot be read, is no IDX file of unsigned bytes, or the two have different lengths.
pub fn read_idx(
    path: &Path,
    labels: Option<&Path>,
    types: &TypeRules,
    watch: FileWatch<'_>,
) -> Result<DataFrame, BadFile> {
    let labels = labels.map(|labels| load(labels, watch)).transpose()?;
    idx::read(&load(path, watch)?, labels.as_deref(), types)
}

/// What to do about a file whose name says that it is none of those that are read.
#[must_use]
pub fn of_others(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let plain = [".gz", ".zst", ".xz"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    match plain.rsplit_once('.')?.1 {
        "xlsx" | "xls" | "ods" => Some("a sheet is read where it is saved as csv"),
        "zip" | "tar" | "tgz" => Some("take a file out of it with `member` of the stage that fetches it"),
        "bz2" | "7z" | "rar" | "lz4" => Some("unpack it, or pack it with gzip, zstandard or xz"),
        "db" | "sqlite" | "sqlite3" => Some("a stage of kind `database` reads it"),
        "png" | "jpg" | "jpeg" | "bmp" | "gif" | "webp" | "tif" | "tiff" => {
            Some("make a table of pictures with a stage of kind `exec`: a column for each pixel")
        }
        "npy" | "npz" | "pkl" | "pickle" | "pt" | "h5" | "hdf5" | "mat" => {
            Some("save it as parquet; a stage of kind `exec` can do that")
        }
        _ => None,
    }
}

/// What can be said of a file's columns before a run. Small files are read whole; of large ones the names are known,
/// and the types that are declared.
///
/// # Errors
/// See [`read_file`].
pub fn probe(path: &Path, layout: &Layout) -> Result<TableSchema, BadFile> {
    let size = std::fs::metadata(path).map_err(|error| BadFile::io(path, &error))?.len();
    match layout.format {
        Format::Parquet => binary::probe_parquet(path, layout),
        Format::Arrow => arrow::probe(path, layout),
        Format::Idx => {
            let head = head(path, 1024)?;
            if load::packed_with(path).is_none() {
                idx::is_whole(&idx_header(&head)?, size)?;
            }
            idx::probe(&head, &layout.types)
        }
        _ if size <= PROBE_WHOLE => read_file(path, layout).map(|df| super::schema_of(&df)),
        Format::Csv | Format::Tsv => csv::probe_names(&head(path, 1 << 20)?, layout),
        Format::Jsonl | Format::Json | Format::Arff => Ok(TableSchema::unknown()),
    }
}

/// What can be said before a run of a file of labels, as [`read_idx`] takes them, for so many images.
///
/// # Errors
/// See [`read_idx`].
pub fn probe_labels(path: &Path, images: u64) -> Result<(), BadFile> {
    idx::are_labels(&idx_header(&head(path, 1024)?)?, images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_seen_through_compression() {
        assert_eq!(Format::of_name("mnist_5k.csv.gz"), Some(Format::Csv));
        assert_eq!(Format::of_name("train-images-idx3-ubyte.gz"), Some(Format::Idx));
        assert_eq!(Format::of_name("t10k-labels.idx1-ubyte"), Some(Format::Idx));
        assert_eq!(Format::of_name("a/b/FLIGHTS.PARQUET"), Some(Format::Parquet));
        assert_eq!(Format::of_name("iris.arff.xz"), Some(Format::Arff));
        assert_eq!(Format::of_name("adult.data"), None);
        assert_eq!(Format::of_name("noending"), None);
    }
}
