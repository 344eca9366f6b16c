//! Delimited text: where the fields are. What they mean is for `cells.rs` and `infer.rs`.
//!
//! One pass over the bytes finds every field's end; then every column is read on its own, all of them in parallel.
//! A quote opens a quoted field only at the beginning of the field; inside, a doubled quote stands for one, and a
//! character behind the escape character for itself.

use super::rejects::{Reject, Rejects};
use super::splitter::{Rows, Splitter};
use super::text::{Stray, Text, line_at};
use super::{BadFile, FileWatch, Layout, cells, infer, odd};
use crate::types::{Column, DType, TableSchema};
use polars::prelude::{BooleanChunked, DataFrame, NewChunkedArray, PlSmallStr};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The fields of a text, all rows having as many.
pub(super) struct Fields<'a> {
    pub(super) text: &'a str,
    pub(super) layout: &'a Layout,
    pub(super) names: Vec<String>,
    pub(super) rows: Rows,
    /// Lines of the file before the text.
    pub(super) lines_before: usize,
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
        self.rows.starts.len()
    }

    /// The field in a row and column; `None` where it stands for a missing value.
    pub(super) fn get(&self, row: usize, column: usize) -> Option<Field<'a>> {
        let ends = &self.rows.ends[row * self.names.len()..];
        let from = if column == 0 { 0 } else { ends[column - 1] as usize + 1 };
        let start = self.rows.starts[row];
        let field = self.layout.field(&self.text[start + from..start + ends[column] as usize]);
        (field.quoted || !self.layout.is_null(field.text)).then_some(field)
    }

    /// The same in a column that is not text, where a field in quotes may be missing too: files that quote every field have no
    /// other way to say so.
    pub(super) fn value(&self, row: usize, column: usize) -> Option<Field<'a>> {
        let quoted_null =
            |field: &Field<'_>| field.quoted && self.layout.null_in_quotes && self.layout.is_null(field.text);
        self.get(row, column).filter(|field| !quoted_null(field))
    }

    /// The 1-based line that a row begins in.
    pub(super) fn line(&self, row: usize) -> usize {
        self.lines_before + line_at(self.text, self.rows.starts[row])
    }

    /// A row as it stands in the text.
    fn row(&self, row: usize) -> &'a str {
        let end = self.rows.ends[(row + 1) * self.names.len() - 1] as usize;
        &self.text[self.rows.starts[row]..self.rows.starts[row] + end]
    }

    fn reject(&self, row: usize, column: Option<&str>, reason: impl Into<String>) -> Reject {
        Reject::new(self.rows.starts[row], column, reason, self.row(row))
    }
}

impl Layout {
    /// Whether a field's text stands for a missing value.
    fn is_null(&self, text: &str) -> bool {
        text.is_empty() || self.null_values.iter().any(|null| null == text)
    }

    pub(super) fn field<'a>(&self, raw: &'a str) -> Field<'a> {
        let trimmed = if self.trim { raw.trim() } else { raw };
        let inner = self.quote.map(char::from).and_then(|quote| trimmed.strip_prefix(quote)?.strip_suffix(quote));
        match inner {
            Some(text) => Field { text, quoted: true },
            None => Field { text: trimmed, quoted: false },
        }
    }
}

/// Reads a whole text: the table, and the lines that were left out of it.
pub(super) fn read(bytes: &[u8], layout: &Layout, watch: FileWatch<'_>) -> Result<(DataFrame, Vec<Reject>), BadFile> {
    let decoded = Text::decode(bytes, layout.encoding, true);
    if let Some(bad) = decoded.not_text(bytes, layout.encoding) {
        return Err(bad);
    }
    let stray = decoded.not_in(layout, bytes);
    let mut splitter = Splitter::new(&decoded.text, layout);
    let names = match (&stray, layout.reject) {
        (Some(bad), false) => return Err(bad.clone()),
        _ => splitter.names()?,
    };
    // Names cannot be left out.
    if let Some(bad) = stray.filter(|_| decoded.strays[0].at < splitter.place()) {
        return Err(bad);
    }
    let mut rejects = Rejects::default();
    let (rows, _) = splitter.rows(&names, &mut rejects)?;
    let mut fields = Fields { text: &decoded.text, layout, names, rows, lines_before: 0 };
    reject_strays(&mut fields, &decoded.strays, &mut rejects);
    fitting(layout, &fields.names)?;
    let df = table(&fields, &mut rejects, watch)?;
    Ok((df, rejects.finish(&decoded.text, 0)))
}

/// An error where a type is declared for a column that is not there.
pub(super) fn fitting(layout: &Layout, names: &[String]) -> Result<(), BadFile> {
    match layout.types.unfitting(names.iter().map(String::as_str)).first() {
        None => Ok(()),
        Some(unfitting) => Err(super::types::no_such_column(unfitting, names.iter().map(String::as_str))),
    }
}

/// Leaves out the rows that hold bytes which are not in the encoding.
fn reject_strays(fields: &mut Fields<'_>, strays: &[Stray], rejects: &mut Rejects) {
    let mut found: BTreeMap<usize, &Stray> = BTreeMap::new();
    for stray in strays {
        let after = fields.rows.starts.partition_point(|start| *start <= stray.at);
        if let Some(row) = after.checked_sub(1)
            && stray.at <= fields.rows.starts[row] + fields.row(row).len()
        {
            found.entry(row).or_insert(stray);
        }
    }
    for (row, stray) in &found {
        rejects.push(fields.reject(*row, None, stray.reason(fields.layout.encoding)));
    }
    let width = fields.names.len();
    fields.rows.remove(width, |row| found.contains_key(&row));
}

/// Reads the columns, every one with its type, and leaves out the rows that hold a value of another.
pub(super) fn table(fields: &Fields<'_>, rejects: &mut Rejects, watch: FileWatch<'_>) -> Result<DataFrame, BadFile> {
    let layout = fields.layout;
    let parts = watch.parts(fields.names.len(), "columns");
    let columns = (0..fields.names.len()).into_par_iter().map(|column| {
        let declared = layout.types.get(&fields.names[column]);
        let dtype = declared.cloned().unwrap_or_else(|| infer::dtype(fields, column).unwrap_or(DType::Str));
        let read = cells::column(fields, column, &dtype);
        odd::cells(fields, column, &dtype, &read, watch);
        parts.one();
        match (&read.bad[..], layout.reject) {
            ([row, ..], false) => Err(cells::bad_cell(fields, *row, column, &dtype, declared.is_some())),
            _ => Ok((read, dtype)),
        }
    });
    // The first bad column in file order, whatever thread found one first.
    let read: Vec<_> = columns.collect::<Vec<_>>().into_iter().collect::<Result<_, _>>()?;
    let mut bad: BTreeMap<usize, (usize, &DType)> = BTreeMap::new();
    for (column, (cells, dtype)) in read.iter().enumerate() {
        for row in &cells.bad {
            bad.entry(*row).or_insert((column, dtype));
        }
    }
    for (row, (column, dtype)) in &bad {
        let found = fields.get(*row, *column).map_or("", |field| field.text);
        let reason = format!("found `{found}`, expected {}", cells::words(dtype));
        rejects.push(fields.reject(*row, Some(&fields.names[*column]), reason));
    }
    let keep = (!bad.is_empty()).then(|| {
        BooleanChunked::from_iter_values("keep".into(), (0..fields.rows()).map(|row| !bad.contains_key(&row)))
    });
    drop(bad);
    let columns = read.into_iter().map(|(cells, _)| cells.column).collect();
    let df = DataFrame::new(fields.rows(), columns);
    let df = df.and_then(|df| keep.map_or(Ok(df.clone()), |keep| df.filter(&keep)));
    df.map_err(|error| BadFile::polars("make a table of the file", &error))
}

/// The column names from the beginning of a text, with the types that are declared.
pub(super) fn probe_names(head: &[u8], layout: &Layout) -> Result<TableSchema, BadFile> {
    let decoded = Text::decode(head, layout.encoding, false);
    if let Some(bad) = decoded.not_text(head, layout.encoding) {
        return Err(bad);
    }
    if !layout.reject
        && let Some(bad) = decoded.not_in(layout, head)
    {
        return Err(bad);
    }
    let whole_lines = memchr::memrchr(b'\n', decoded.text.as_bytes()).map_or(&*decoded.text, |at| &decoded.text[..at]);
    let names = Splitter::new(whole_lines, layout).names()?;
    let dtype = |name: &str| layout.types.get(name).cloned().unwrap_or(DType::Unknown);
    Ok(TableSchema::new(names.iter().map(|name| Column::new(name.as_str(), dtype(name))).collect()))
}

/// The name of a column, as polars wants it.
pub(super) fn column_name(fields: &Fields<'_>, column: usize) -> PlSmallStr {
    fields.names[column].as_str().into()
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    fn read_with(text: &[u8], change: impl FnOnce(&mut Layout)) -> (DataFrame, Vec<Reject>) {
        let mut layout = Layout::new(Format::Csv);
        change(&mut layout);
        read(text, &layout, super::super::Watch::nobody().file("", 0)).expect("read")
    }

    /// Quoted text is split one field after the other, plain text in parallel pieces: both find the same.
    #[test]
    fn both_ways_of_splitting_agree() {
        for text in ["a,b\n1,2\n\n3,4", "a,b\r\n1,2\r\n\r\n3,4\r\n", "a,b\n,\n\"\",\n", "a\n1\n\n3\n", "a,b\n,\n1,\n"] {
            let (slow, _) = read_with(text.as_bytes(), |layout| layout.escape = Some(b'\\'));
            let (fast, _) = read_with(text.as_bytes(), |_| {});
            assert!(fast.equals_missing(&slow), "{text:?}: {fast} {slow}");
        }
        let long: String = std::iter::once("a,b\n".to_owned())
            .chain((0..300_000).map(|row| format!("{row},text {row}\r\n")))
            .collect();
        assert!(long.len() > super::super::splitter::PIECE, "several pieces");
        let (slow, _) = read_with(long.as_bytes(), |layout| layout.escape = Some(b'\\'));
        let (fast, _) = read_with(long.as_bytes(), |_| {});
        assert_eq!(fast.height(), 300_000);
        assert!(fast.equals_missing(&slow));
    }

    #[test]
    fn bad_lines_are_left_out_and_told() {
        let text = b"a,b\n1,x\n2\n\"3,y\n4,\"z\"z\n5,caf\xe9\nsix,w\n7,v\n";
        let (df, rejects) = read_with(text, |layout| {
            layout.reject = true;
            layout.types = super::super::TypeRules::new(BTreeMap::from([("a".to_owned(), DType::I64)]));
        });
        assert_eq!(df.height(), 2, "{df}");
        let told: Vec<(u64, Option<&str>, &str, &str)> =
            rejects.iter().map(|r| (r.line, r.column.as_deref(), r.reason.as_str(), r.text.as_str())).collect();
        assert_eq!(
            told,
            [
                (3, None, "1 field, expected 2", "2"),
                (4, None, "text between a closing quote and the next separator", "\"3,y"),
                (5, None, "text between a closing quote and the next separator", "4,\"z\"z"),
                (6, None, "the byte 0xe9 is not utf8", "5,caf\u{fffd}"),
                (7, Some("a"), "found `six`, expected a whole number (i64)", "six,w"),
            ]
        );
    }
}
