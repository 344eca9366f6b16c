//! The fields of `read`, and what can be said of them without the file.

use super::names::{Expanded, expand};
use crate::diag::{codes, did_you_mean};
use crate::frame::file::{Encoding, Format, Layout, TypeRules};
use crate::path;
use crate::stage::{CheckCx, Ref};
use crate::types::{Column, DType, TableSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of lines that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BadLines {
    /// The first one fails the stage, with its number.
    #[default]
    Error,
    /// They are left out of the table, and become the rows of the output `rejects`.
    Reject,
}

/// Data files and how they are laid out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The file, or the folder whose files are put under each other in the order of their names. Files compressed
    /// with gzip, zstandard or xz are read as they are.
    pub from: Ref,
    /// Which files of a folder: `"*.csv"`, `"2026/**/*.jsonl.gz"`. Without it, all.
    pub files: Option<String>,
    /// A column to add that holds the name of the file that each row comes from.
    pub file_column: Option<String>,
    /// How the file is laid out; without it the file's name says so, looking through `.gz`, `.zst` and `.xz`.
    pub format: Option<Format>,
    /// csv and tsv: whether the first row holds the column names.
    pub header: Option<bool>,
    /// csv and tsv: the column names, instead of those in the file. `pixel_{0..783}` stands for 784 names.
    #[serde(default)]
    pub names: Vec<String>,
    /// Column types, by name or pattern (`"pixel_*" = "u8"`). Types that are not given are told from the whole file:
    /// `bool`, `i64`, `f64` or `str`; dates and times only when given, and whole numbers with zeros before them (`02134`)
    /// are text. A value that is not of its column's type is an error.
    #[serde(default)]
    pub types: BTreeMap<String, DType>,
    /// csv and tsv: the character between fields.
    pub separator: Option<String>,
    /// csv and tsv: the character around fields that hold separators or line ends, `"` without it. An empty text
    /// means that there is none.
    pub quote: Option<String>,
    /// csv and tsv: a character that makes the one behind it stand for itself, in quotes and outside: `"\\"`.
    pub escape: Option<String>,
    /// csv and tsv: the character before a number's fraction, `.` without it.
    pub decimal: Option<String>,
    /// csv and tsv: the character between a number's thousands: `1.234.567,5` is read with `decimal = ","` and
    /// `thousands = "."`.
    pub thousands: Option<String>,
    /// csv and tsv: fields that mean `true`, besides that word: `["yes", "Y"]`.
    #[serde(default)]
    pub true_values: Vec<String>,
    /// csv and tsv: fields that mean `false`, besides that word.
    #[serde(default)]
    pub false_values: Vec<String>,
    /// csv and tsv: fields that stand for a missing value, besides the empty one: `["NA"]`. In a column
    /// of text a field in quotes is never missing.
    #[serde(default)]
    pub null_values: Vec<String>,
    /// csv and tsv: lines that begin with this text are left out.
    pub comment: Option<String>,
    /// csv and tsv: so many lines at the beginning are left out.
    #[serde(default)]
    pub skip_rows: u32,
    /// csv and tsv: white space around fields does not count (`39, State-gov, 77516`).
    #[serde(default)]
    pub trim: bool,
    /// csv, tsv, JSON and ARFF: how the text is encoded.
    #[serde(default)]
    pub encoding: Encoding,
    /// csv, tsv and JSON lines: what becomes of lines that cannot be read: another number of fields than columns, a
    /// value that is not of its declared type, a byte that the encoding does not have. With `reject` the stage has a
    /// second output, `rejects`: `file`, `line`, `column`, `reason` and `text` of each.
    #[serde(default)]
    pub bad_lines: BadLines,
    /// json: where in the file the list of objects is, keys with dots between them: `"data.items"`. Without it the file
    /// is that list.
    pub records: Option<String>,
    /// json, JSON lines, parquet and arrow: the fields of nested objects become columns: `user.name`.
    #[serde(default)]
    pub flatten: bool,
    /// parquet: whether the table is kept. With `false` nothing is copied: each `sql`, `table`, `split`, `expect`, `profile`,
    /// `redact` or `encode` that uses the table reads of the file what it needs.
    #[serde(default = "kept")]
    pub keep: bool,
    /// idx: the file of labels, which gives the column `label` beside `pixel_0`, `pixel_1`, …
    pub labels: Option<Ref>,
}

/// Tables are kept where nothing is said.
fn kept() -> bool {
    true
}

impl Spec {
    /// The layout that these fields describe.
    ///
    /// # Errors
    /// One line about a field that `Spec::check_values` reports too.
    pub fn layout(&self, format: Format) -> Result<Layout, String> {
        let usual = Layout::new(format);
        let byte = |text: &str, field: &str| match text.as_bytes() {
            [byte] => Ok(*byte),
            _ => Err(format!("`{field}` is one ASCII character, found `{text}`")),
        };
        Ok(Layout {
            header: self.header.unwrap_or(usual.header),
            names: expand(&self.names).map_err(|wrong| wrong.message)?.names,
            types: TypeRules::new(self.types.clone()),
            separator: self.separator.as_deref().map_or(Ok(usual.separator), |text| byte(text, "separator"))?,
            quote: match self.quote.as_deref() {
                None => usual.quote,
                Some("") => None,
                Some(text) => Some(byte(text, "quote")?),
            },
            escape: self.escape.as_deref().map(|text| byte(text, "escape")).transpose()?,
            decimal: self.decimal.as_deref().map_or(Ok(usual.decimal), |text| byte(text, "decimal"))?,
            thousands: self.thousands.as_deref().map(|text| byte(text, "thousands")).transpose()?,
            true_values: self.true_values.clone(),
            false_values: self.false_values.clone(),
            encoding: self.encoding,
            reject: self.bad_lines == BadLines::Reject,
            records: self.records.clone(),
            flatten: self.flatten,
            null_values: self.null_values.clone(),
            null_in_quotes: usual.null_in_quotes,
            comment: self.comment.clone().filter(|mark| !mark.is_empty()),
            skip_rows: self.skip_rows as usize,
            trim: self.trim,
            format,
        })
    }

    /// Reports values that no file could make right.
    pub(super) fn check_values(&self, cx: &mut CheckCx<'_>) {
        super::super::types::check(&self.types, cx);
        let characters = [
            ("separator", &self.separator),
            ("quote", &self.quote),
            ("escape", &self.escape),
            ("decimal", &self.decimal),
            ("thousands", &self.thousands),
        ];
        for (field, text) in characters {
            let Some(text) = text else { continue };
            if !(text.len() == 1 && text.is_ascii() || field == "quote" && text.is_empty()) {
                cx.error(path![field], codes::OUT_OF_RANGE, format!("`{field}` is one ASCII character"))
                    .label(format!("{} bytes long", text.len()));
            }
        }
        if self.thousands.is_some() && self.thousands.as_deref() == Some(self.decimal.as_deref().unwrap_or(".")) {
            cx.error(path!["thousands"], codes::CONFLICT, "`thousands` and `decimal` are the same character")
                .label("stands before a fraction")
                .hint("where a comma stands before the fraction: `decimal = \",\"`");
        }
        match expand(&self.names) {
            Err(wrong) => {
                cx.error(path!["names", wrong.entry], codes::FIELD_TYPE, wrong.message)
                    .label("not a range of numbers")
                    .hint("a range is written `pixel_{0..783}`: both ends belong to it");
            }
            Ok(expanded) => self.check_names(&expanded, cx),
        }
    }

    fn check_names(&self, expanded: &Expanded, cx: &mut CheckCx<'_>) {
        let mut seen = BTreeSet::new();
        for (name, entry) in expanded.names.iter().zip(&expanded.entries) {
            if !seen.insert(name.as_str()) {
                cx.error(
                    path!["names", *entry],
                    codes::DUPLICATE_COLUMN,
                    format!("the column `{name}` is named twice"),
                )
                .label("the second time");
            }
        }
        if expanded.names.is_empty() {
            return;
        }
        let rules = TypeRules::new(self.types.clone());
        for unfitting in rules.unfitting(expanded.names.iter().map(String::as_str)) {
            let rule = &unfitting.rule;
            let (code, message) = if unfitting.pattern {
                (codes::EMPTY_SELECTION, format!("no name in `names` fits `{rule}`"))
            } else {
                (codes::UNKNOWN_COLUMN, format!("column `{rule}` does not exist"))
            };
            cx.error(path!["types", rule], code, message)
                .at_key()
                .label("not among `names`")
                .maybe_hint(did_you_mean(rule, expanded.names.iter().map(String::as_str)));
        }
    }

    /// Reports fields that the format has no use for.
    pub(super) fn check_fits(&self, format: Format, cx: &mut CheckCx<'_>) {
        let delimited = format.is_delimited();
        let fields = [
            ("header", self.header.is_some(), delimited, "csv and tsv"),
            ("names", !self.names.is_empty(), delimited, "csv and tsv"),
            ("separator", self.separator.is_some(), delimited, "csv and tsv"),
            ("quote", self.quote.is_some(), delimited, "csv and tsv"),
            ("escape", self.escape.is_some(), delimited, "csv and tsv"),
            ("decimal", self.decimal.is_some(), delimited, "csv and tsv"),
            ("thousands", self.thousands.is_some(), delimited, "csv and tsv"),
            ("true_values", !self.true_values.is_empty(), delimited, "csv and tsv"),
            ("false_values", !self.false_values.is_empty(), delimited, "csv and tsv"),
            ("null_values", !self.null_values.is_empty(), delimited, "csv and tsv"),
            ("comment", self.comment.is_some(), delimited, "csv and tsv"),
            ("skip_rows", self.skip_rows > 0, delimited, "csv and tsv"),
            ("trim", self.trim, delimited, "csv and tsv"),
            ("encoding", self.encoding != Encoding::Utf8, format.is_text(), "text"),
            ("bad_lines", self.bad_lines == BadLines::Reject, format.is_lines(), "csv, tsv and jsonl"),
            ("records", self.records.is_some(), format == Format::Json, "json"),
            ("flatten", self.flatten, format.is_nested(), "json, jsonl, parquet and arrow"),
            ("labels", self.labels.is_some(), format == Format::Idx, "idx"),
            ("keep", !self.keep, format == Format::Parquet, "parquet"),
        ];
        let name = format.name();
        for (field, _, _, goes_with) in fields.into_iter().filter(|(_, given, fits, _)| *given && !fits) {
            let message = format!("`{field}` goes with {goes_with}, but the file is {name}");
            cx.error(path![field], codes::CONFLICT, message).at_key().label(format!("{name} has no use for it"));
        }
    }

    /// Reports that a table is not to be kept whose values must be looked at first.
    pub(super) fn check_keep(&self, cx: &mut CheckCx<'_>) {
        if !self.keep && (self.flatten || !self.types.is_empty()) {
            let field = if self.flatten { "flatten" } else { "types" };
            cx.error(path!["keep"], codes::CONFLICT, format!("a table that is not kept cannot have `{field}`"))
                .at_key()
                .label("the file is used as it is")
                .hint(format!("remove one of them, or do what `{field}` does in a stage of kind `sql`"));
        }
    }

    /// What is known although neither the format nor the file is.
    pub(super) fn declared(&self) -> TableSchema {
        let mut columns = TypeRules::new(self.types.clone()).named();
        if self.labels.is_some() && !self.types.contains_key("label") {
            columns.push(Column::new("label", DType::U8));
        }
        let known = |column: &Column| !matches!(column.dtype, DType::Other(_));
        TableSchema { columns: columns.into_iter().filter(known).collect(), complete: false, rows: None }
    }

    /// What is known of a file that is not there yet.
    pub(super) fn promised(&self, layout: &Layout) -> TableSchema {
        if layout.names.is_empty() {
            return self.declared();
        }
        let dtype = |name: &str| layout.types.get(name).cloned().unwrap_or(DType::Unknown);
        TableSchema::new(layout.names.iter().map(|name| Column::new(name.as_str(), dtype(name))).collect())
    }
}
