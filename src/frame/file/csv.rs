//! Delimited text: where the fields are. What they mean is for `cells.rs` and `infer.rs`.
//!
//! One pass over the bytes finds every field's end; then every column is read on its own, all of them in parallel.
//! A quote opens a quoted field only at the beginning of the field; inside, a doubled quote stands for one.

use super::{BadFile, Layout, cells, infer};
use crate::types::{Column, DType, TableSchema};
use polars::prelude::{DataFrame, PlSmallStr};
use rayon::prelude::*;
use std::ops::Range;

/// The fields of a text, all rows having as many.
pub(super) struct Fields<'a> {
    pub(super) text: &'a str,
    pub(super) layout: &'a Layout,
    pub(super) names: Vec<String>,
    starts: Vec<usize>,
    /// The end of each field, counted from its row's start, row after row.
    ends: Vec<u32>,
}

/// One field.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    /// Its text without the enclosing quotes, doubled quotes not undone.
    pub(super) text: &'a str,
    pub(super) quoted: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn rows(&self) -> usize {
        self.starts.len()
    }

    /// The field in a row and column; `None` where it stands for a missing value.
    pub(super) fn get(&self, row: usize, column: usize) -> Option<Field<'a>> {
        let ends = &self.ends[row * self.names.len()..];
        let from = if column == 0 { 0 } else { ends[column - 1] as usize + 1 };
        let start = self.starts[row];
        let field = self.layout.field(&self.text[start + from..start + ends[column] as usize]);
        let null =
            !field.quoted && (field.text.is_empty() || self.layout.null_values.iter().any(|null| null == field.text));
        (!null).then_some(field)
    }

    /// The 1-based line that a row begins in.
    pub(super) fn line(&self, row: usize) -> usize {
        line_at(self.text, self.starts[row])
    }
}

impl Layout {
    fn field<'a>(&self, raw: &'a str) -> Field<'a> {
        let trimmed = if self.trim { raw.trim() } else { raw };
        let inner = self.quote.map(char::from).and_then(|quote| trimmed.strip_prefix(quote)?.strip_suffix(quote));
        match inner {
            Some(text) => Field { text, quoted: true },
            None => Field { text: trimmed, quoted: false },
        }
    }
}

/// 1-based.
fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Reads a whole text.
pub(super) fn read(bytes: &[u8], layout: &Layout) -> Result<DataFrame, BadFile> {
    let fields = split(utf8(bytes)?, layout)?;
    if let Some(unfitting) = layout.types.unfitting(fields.names.iter().map(String::as_str)).first() {
        return Err(super::binary::no_such_column(unfitting, fields.names.iter().map(String::as_str)));
    }
    let columns = (0..fields.names.len()).into_par_iter().map(|column| {
        let declared = layout.types.get(&fields.names[column]);
        let dtype = declared.cloned().unwrap_or_else(|| infer::dtype(&fields, column));
        cells::column(&fields, column, &dtype, declared.is_some())
    });
    // The first bad column in file order, whatever thread found one first.
    let columns: Vec<_> = columns.collect::<Vec<_>>().into_iter().collect::<Result<_, _>>()?;
    DataFrame::new(fields.rows(), columns).map_err(|error| BadFile::polars("make a table of the file", &error))
}

/// The column names from the beginning of a text, with the types that are declared.
pub(super) fn probe_names(head: &[u8], layout: &Layout) -> Result<TableSchema, BadFile> {
    let whole_lines = head.iter().rposition(|byte| *byte == b'\n').map_or(head, |at| &head[..at]);
    let valid = match std::str::from_utf8(whole_lines) {
        Ok(text) => text,
        Err(_) => utf8(whole_lines)?,
    };
    let names = Splitter::new(valid.trim_start_matches('\u{feff}'), layout).names()?;
    let dtype = |name: &str| layout.types.get(name).cloned().unwrap_or(DType::Unknown);
    Ok(TableSchema::new(names.iter().map(|name| Column::new(name.as_str(), dtype(name))).collect()))
}

fn utf8(bytes: &[u8]) -> Result<&str, BadFile> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.trim_start_matches('\u{feff}')),
        Err(error) => {
            let at = error.valid_up_to();
            let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(BadFile::new(format!("line {line} is not UTF-8: found the byte 0x{:02x}", bytes[at]))
                .hint("convert the file, as in `iconv -f latin1 -t utf-8`"))
        }
    }
}

fn split<'a>(text: &'a str, layout: &'a Layout) -> Result<Fields<'a>, BadFile> {
    let mut splitter = Splitter::new(text, layout);
    let names = splitter.names()?;
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    let mut row = Vec::with_capacity(names.len());
    while let Some(range) = splitter.row(&mut row)? {
        if row.len() != names.len() {
            return Err(ragged(&splitter, &range, row.len(), &names));
        }
        starts.push(range.start);
        ends.extend_from_slice(&row);
    }
    Ok(Fields { text, layout, names, starts, ends })
}

fn ragged(splitter: &Splitter<'_>, range: &Range<usize>, found: usize, names: &[String]) -> BadFile {
    let fields = |count: usize| if count == 1 { "1 field".to_owned() } else { format!("{count} fields") };
    let line = line_at(splitter.text, range.start);
    let source = if splitter.layout.names.is_empty() { "the first row has" } else { "`names` lists" };
    let mut shown: String = splitter.text[range.clone()].chars().take(80).collect();
    if shown.len() < range.len() {
        shown.push('…');
    }
    BadFile::new(format!("line {line} has {}, expected {}", fields(found), names.len()))
        .note(format!("{source} {}", fields(names.len())))
        .note(format!("line {line}: {shown}"))
        .hint("mend the line, or say what separates and encloses fields with `separator` and `quote`")
}

struct Splitter<'a> {
    text: &'a str,
    layout: &'a Layout,
    at: usize,
    /// Whether a line without any character is a row (of one missing value).
    blank_is_row: bool,
}

impl<'a> Splitter<'a> {
    fn new(text: &'a str, layout: &'a Layout) -> Self {
        let mut at = 0;
        for _ in 0..layout.skip_rows {
            at += text[at..].find('\n').map_or(text.len() - at, |end| end + 1);
        }
        Self { text, layout, at, blank_is_row: false }
    }

    /// Takes the header row where there is one, and settles the names.
    fn names(&mut self) -> Result<Vec<String>, BadFile> {
        let mut ends = Vec::new();
        let begin = self.at;
        let Some(range) = self.row(&mut ends)? else {
            let hint =
                if self.layout.skip_rows > 0 { "skip fewer lines: `skip_rows`" } else { "give a file with rows" };
            return Err(BadFile::new("the file is empty: it has no rows, not even column names").hint(hint));
        };
        let layout = self.layout;
        let names = if !layout.names.is_empty() {
            if ends.len() != layout.names.len() {
                return Err(ragged(self, &range, ends.len(), &layout.names));
            }
            layout.names.clone()
        } else if layout.header {
            header(layout, &self.text[range], &ends)?
        } else {
            (0..ends.len()).map(|column| format!("column_{column}")).collect()
        };
        if !layout.header {
            self.at = begin;
        }
        self.blank_is_row = names.len() == 1;
        Ok(names)
    }

    /// The bytes of the next row, without its line end, and the ends of its fields counted from its start.
    fn row(&mut self, ends: &mut Vec<u32>) -> Result<Option<Range<usize>>, BadFile> {
        let bytes = self.text.as_bytes();
        loop {
            if self.at >= bytes.len() {
                return Ok(None);
            }
            let start = self.at;
            let skipped = self.layout.comment.as_ref().is_some_and(|mark| self.text[start..].starts_with(mark));
            let blank = matches!(bytes[start..], [b'\n', ..] | [b'\r', b'\n', ..]);
            if skipped || (blank && !self.blank_is_row) {
                self.at =
                    bytes[start..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| start + end + 1);
                continue;
            }
            ends.clear();
            let end = self.fields(start, ends)?;
            return Ok(Some(start..end));
        }
    }

    fn fields(&mut self, start: usize, ends: &mut Vec<u32>) -> Result<usize, BadFile> {
        let bytes = self.text.as_bytes();
        let separator = self.layout.separator;
        let mut at = start;
        loop {
            at = self.past_quotes(at)?;
            while at < bytes.len() && bytes[at] != separator && bytes[at] != b'\n' {
                at += 1;
            }
            let last = at == bytes.len() || bytes[at] == b'\n';
            let end = if last && at > start && bytes[at - 1] == b'\r' { at - 1 } else { at };
            ends.push(u32::try_from(end - start).map_err(|_| {
                BadFile::new(format!("line {} is longer than 4 GiB", line_at(self.text, start)))
                    .hint("say what encloses fields with `quote`")
            })?);
            if last {
                self.at = at + 1;
                return Ok(end);
            }
            at += 1;
        }
    }

    /// From the beginning of a field to behind its closing quote, where it is quoted.
    fn past_quotes(&self, field: usize) -> Result<usize, BadFile> {
        let bytes = self.text.as_bytes();
        let Some(quote) = self.layout.quote else { return Ok(field) };
        let mut at = field;
        while self.layout.trim && matches!(bytes.get(at), Some(b' ' | b'\t')) && bytes[at] != self.layout.separator {
            at += 1;
        }
        if bytes.get(at) != Some(&quote) {
            return Ok(field);
        }
        at += 1;
        loop {
            let Some(found) = bytes[at..].iter().position(|byte| *byte == quote) else {
                return Err(BadFile::new(format!(
                    "the quote opened in line {} is never closed",
                    line_at(self.text, field)
                ))
                .hint("mend the line; where quotes are ordinary characters, set `quote = \"\"`"));
            };
            at += found + 1;
            if bytes.get(at) != Some(&quote) {
                break;
            }
            at += 1;
        }
        let mut next = at;
        while self.layout.trim && matches!(bytes.get(next), Some(b' ' | b'\t')) && bytes[next] != self.layout.separator
        {
            next += 1;
        }
        match bytes.get(next) {
            None | Some(b'\n' | b'\r') => Ok(next),
            Some(byte) if *byte == self.layout.separator => Ok(next),
            Some(_) => Err(BadFile::new(format!(
                "line {} has text between a closing quote and the next separator",
                line_at(self.text, at)
            ))
            .hint("inside a quoted field a quote is written twice; where quotes are ordinary characters, set `quote = \"\"`")),
        }
    }
}

fn header(layout: &Layout, row: &str, ends: &[u32]) -> Result<Vec<String>, BadFile> {
    let mut names: Vec<String> = Vec::with_capacity(ends.len());
    let mut from = 0;
    for (index, end) in ends.iter().enumerate() {
        let name = cells::text(layout.field(&row[from..*end as usize]), layout).into_owned();
        from = *end as usize + 1;
        let name = if name.is_empty() { format!("column_{index}") } else { name };
        names.push(name);
    }
    let mut seen = std::collections::BTreeSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        None => Ok(names),
        Some(twice) => Err(BadFile::new(format!("the header names the column `{twice}` twice"))
            .hint("give the columns other names: `names = [...]`; where the first row is data, `header = false`")),
    }
}

/// The name of a column, as polars wants it.
pub(super) fn column_name(fields: &Fields<'_>, column: usize) -> PlSmallStr {
    fields.names[column].as_str().into()
}
