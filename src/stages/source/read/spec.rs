//! The fields of `read`, and what can be said of them without the file.

use super::names::{Expanded, expand};
use crate::diag::{codes, did_you_mean, list};
use crate::frame::file::{Format, Layout, TypeRules};
use crate::path;
use crate::stage::{CheckCx, Ref};
use crate::types::{Column, DType, TableSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How text is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    Utf8,
}

/// A data file and how it is laid out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The file. Files compressed with gzip, zstandard or xz are read as they are.
    pub from: Ref,
    /// How the file is laid out; without it the file's name says so, looking through `.gz`, `.zst` and `.xz`.
    pub format: Option<Format>,
    /// csv and tsv: whether the first row holds the column names.
    pub header: Option<bool>,
    /// csv and tsv: the column names, instead of those in the file. `pixel_{0..783}` stands for 784 names.
    #[serde(default)]
    pub names: Vec<String>,
    /// Column types, by name or pattern (`"pixel_*" = "u8"`). Types that are not given are told from the whole file:
    /// `bool`, `i64`, `f64` or `str`; dates and times only when given. A value that is not of its column's type is an
    /// error.
    #[serde(default)]
    pub types: BTreeMap<String, DType>,
    /// csv and tsv: the character between fields.
    pub separator: Option<String>,
    /// csv and tsv: the character around fields that hold separators or line ends, `"` without it. An empty text
    /// means that there is none.
    pub quote: Option<String>,
    /// csv and tsv: fields that stand for a missing value, besides the empty one: `["NA"]`. A field in quotes is never
    /// missing.
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
    /// csv and tsv: how the text is encoded.
    #[serde(default)]
    pub encoding: Encoding,
    /// idx: the file of labels, which gives the column `label` beside `pixel_0`, `pixel_1`, …
    pub labels: Option<Ref>,
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
            null_values: self.null_values.clone(),
            comment: self.comment.clone().filter(|mark| !mark.is_empty()),
            skip_rows: self.skip_rows as usize,
            trim: self.trim,
            ..usual
        })
    }

    /// Reports values that no file could make right.
    pub(super) fn check_values(&self, cx: &mut CheckCx<'_>) {
        for (rule, dtype) in &self.types {
            if let DType::Other(text) = dtype {
                cx.error(path!["types", rule], codes::UNKNOWN_DTYPE, format!("`{text}` is not a column type"))
                    .label("no such type")
                    .maybe_hint(did_you_mean(text, DType::names()))
                    .hint(format!("the types are {}, `decimal(p, s)` and `list(T)`", list(DType::names(), 20)));
            }
        }
        for (field, text) in [("separator", &self.separator), ("quote", &self.quote)] {
            let Some(text) = text else { continue };
            if !(text.len() == 1 && text.is_ascii() || field == "quote" && text.is_empty()) {
                cx.error(path![field], codes::OUT_OF_RANGE, format!("`{field}` is one ASCII character"))
                    .label(format!("{} bytes long", text.len()));
            }
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
        let delimited = [
            ("header", self.header.is_some()),
            ("names", !self.names.is_empty()),
            ("separator", self.separator.is_some()),
            ("quote", self.quote.is_some()),
            ("null_values", !self.null_values.is_empty()),
            ("comment", self.comment.is_some()),
            ("skip_rows", self.skip_rows > 0),
            ("trim", self.trim),
        ];
        for (field, _) in delimited.iter().filter(|(_, given)| *given && !format.is_delimited()) {
            let name = format.name();
            cx.error(
                path![*field],
                codes::CONFLICT,
                format!("`{field}` goes with csv and tsv, but the file is {name}"),
            )
            .at_key()
            .label(format!("{name} has no use for it"));
        }
        if self.labels.is_some() && format != Format::Idx {
            let name = format.name();
            cx.error(path!["labels"], codes::CONFLICT, format!("`labels` goes with idx, but the file is {name}"))
                .at_key()
                .label(format!("{name} has its labels in a column"));
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
