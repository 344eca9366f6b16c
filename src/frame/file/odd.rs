//! What is odd in files, and no error: it is said once, with how often it is and where it is first.

use super::cells::Cells;
use super::csv::Fields;
use super::{Encoding, FileWatch, Layout, TypeRules, Watch, figures, time};
use crate::numbers::counted;
use crate::types::DType;
use polars::prelude::Column;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Odd {
    /// Bytes that are control characters in Latin-1, and letters and marks in windows-1252.
    Control,
    /// Times of more digits than are kept.
    Cut,
    /// Whole numbers among fractions, that floats do not hold.
    Rounded,
    /// Streams that do not say where they end.
    Unended,
}

/// Where it is first in a file, and how often it is there.
pub(super) struct Found {
    pub(super) count: usize,
    /// The 1-based line or element, and the column.
    pub(super) at: (usize, usize),
    /// What counts to that place: `line`.
    pub(super) of: &'static str,
    /// The column's name.
    pub(super) column: String,
    /// What is there.
    pub(super) text: String,
    /// Decimals are made of it without floats.
    pub(super) as_decimal: bool,
}

/// All of it, by file in their order.
#[derive(Default)]
pub(super) struct Oddities(Mutex<BTreeMap<Odd, Vec<(String, Found)>>>);

impl Oddities {
    pub(super) fn add(&self, odd: Odd, file: &str, found: Found) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let files = all.entry(odd).or_default();
        match files.iter_mut().find(|(name, _)| name == file) {
            None => files.push((file.to_owned(), found)),
            // Columns and blocks come in any order.
            Some((_, known)) => {
                let count = known.count + found.count;
                if found.at < known.at {
                    *known = found;
                }
                known.count = count;
            }
        }
    }

    /// The file is read once more.
    pub(super) fn forget(&self, file: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values_mut().for_each(|files| files.retain(|(name, _)| name != file));
    }

    pub(super) fn words(&self) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = all.iter().filter_map(|(odd, files)| {
            let count = files.iter().map(|(_, found)| found.count).sum();
            files.first().map(|(file, first)| words(*odd, count, file, first))
        });
        told.collect()
    }
}

fn words(odd: Odd, count: usize, file: &str, first: &Found) -> String {
    let Found { at: (number, _), of, column, text, as_decimal, .. } = first;
    let of_file = if file.is_empty() { String::new() } else { format!(" of `{file}`") };
    let place = format!("{of} {number}{of_file}");
    match odd {
        Odd::Control => format!(
            "{} in latin1, the first 0x{text} in {place}: if quotes, dashes or € are meant, say `encoding = \"windows1252\"`",
            if count == 1 {
                "1 byte is a control character".to_owned()
            } else {
                format!("{count} bytes are control characters")
            }
        ),
        Odd::Cut => format!(
            "{} more than six digits behind the point, of which six are kept; the first is `{text}` in {place}, column `{column}`: \
             `types = {{ \"{column}\" = \"str\" }}` keeps all",
            if count == 1 { "1 time has".to_owned() } else { format!("{} have", counted(count, "time")) }
        ),
        Odd::Rounded => rounded_words(count, text, &place, column, *as_decimal),
        Odd::Unended => format!(
            "{} no end mark{}: if the writing broke off, rows are missing; compare their number with the source's",
            if count == 1 { "1 stream of arrow's has".to_owned() } else { format!("{count} streams of arrow's have") },
            if file.is_empty() { String::new() } else { format!(", the first `{file}`") },
        ),
    }
}

/// What is said of whole numbers that floats do not hold, the first of them and its place.
#[must_use]
pub fn rounded_words(count: usize, first: &str, place: &str, column: &str, as_decimal: bool) -> String {
    format!(
        "{} among fractions {} digits as f64; the first is {first} in {place}, column `{column}`: \
         `types = {{ \"{column}\" = \"str\" }}`{} keeps all",
        counted(count, "whole number"),
        if count == 1 { "loses" } else { "lose" },
        if as_decimal { " or a decimal" } else { "" }
    )
}

/// Notes what a text in Latin-1 has, and text in windows-1252 has often.
pub(super) fn controls(bytes: &[u8], layout: &Layout, watch: FileWatch<'_>) {
    if layout.encoding != Encoding::Latin1 {
        return;
    }
    let is_control = |byte: &&u8| (0x80..=0x9f).contains(*byte);
    let Some(at) = bytes.iter().position(|byte| is_control(&byte)) else { return };
    let ends = |end: u8| memchr::memchr_iter(end, &bytes[..at]).count();
    let line = 1 + if memchr::memchr(b'\n', bytes).is_some() { ends(b'\n') } else { ends(b'\r') };
    let count = bytes.iter().filter(is_control).count();
    let text = format!("{:02x}", bytes[at]);
    let found = Found { count, at: (line, 0), of: "line", column: String::new(), text, as_decimal: false };
    watch.odd(Odd::Control, found);
}

/// Whether a whole number is another as a float.
#[must_use]
pub fn is_rounded(number: i128) -> bool {
    number.unsigned_abs() > 1 << 53 && (number as f64) as i128 != number
}

/// The same of a number's text.
pub(super) fn text_is_rounded(text: &str) -> bool {
    // 2^53 has sixteen digits.
    text.len() >= 16 && text.parse::<i128>().is_ok_and(is_rounded)
}

/// Notes what a column of delimited text holds that is not kept.
pub(super) fn cells(fields: &Fields<'_>, column: usize, dtype: &DType, cells: &Cells, watch: FileWatch<'_>) {
    let name = &fields.names[column];
    if !cells.odd || (*dtype == DType::F64 && watch.is_declared_float(name)) {
        return;
    }
    let odd = if *dtype == DType::Datetime { Odd::Cut } else { Odd::Rounded };
    let is_odd = |text: &str| match odd {
        Odd::Cut => time::is_cut(text),
        _ => figures::plain(text, fields.layout).is_some_and(|number| text_is_rounded(&number)),
    };
    let texts = (0..fields.rows()).filter_map(|row| Some((row, fields.value(row, column)?.text)));
    let mut found = texts.filter(|(_, text)| is_odd(text));
    let Some((row, text)) = found.next() else { return };
    let at = (fields.line(row), column);
    let (count, text) = (1 + found.count(), text.to_owned());
    watch.odd(odd, Found { count, at, of: "line", column: name.clone(), text, as_decimal: true });
}

/// Notes the times in columns of text that are to become times, of which digits are not kept. `place` is that of a row.
pub(super) fn cut_times(
    columns: &[Column],
    types: &TypeRules,
    of: &'static str,
    place: &dyn Fn(usize) -> usize,
    watch: FileWatch<'_>,
) {
    for (index, column) in columns.iter().enumerate() {
        let name = column.name().as_str();
        let (Some(DType::Datetime), Ok(texts)) = (types.get(name), column.str()) else { continue };
        let mut found =
            texts.iter().enumerate().filter_map(|(row, text)| Some((row, text.filter(|text| time::is_cut(text))?)));
        let Some((row, text)) = found.next() else { continue };
        let (text, column) = (text.to_owned(), name.to_owned());
        let (count, at) = (1 + found.count(), (place(row), index));
        watch.odd(Odd::Cut, Found { count, at, of, column, text, as_decimal: false });
    }
}

/// What is to be said of such times in rows that come from no file.
#[must_use]
pub fn cut_in_rows(columns: &[Column], types: &TypeRules) -> Option<String> {
    let nobody = Watch::nobody();
    cut_times(columns, types, "row", &|row| row + 1, nobody.file("", 0));
    nobody.words().pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_hold_some_whole_numbers() {
        for (text, rounded) in [
            ("9007199254740992", false),
            ("9007199254740993", true),
            ("-9007199254740993", true),
            ("9007199254740994", false),
            ("9223372036854775807", true),
            ("9007199254740993.0", false),
            ("0.12345678901234567", false),
        ] {
            assert_eq!(text_is_rounded(text), rounded, "{text}");
        }
    }

    #[test]
    fn the_first_place_is_told_and_all_are_counted() {
        let all = Oddities::default();
        let found = |line: usize, text: &str| {
            let (column, text) = ("t".to_owned(), text.to_owned());
            Found { count: 2, at: (line, 0), of: "line", column, text, as_decimal: false }
        };
        all.add(Odd::Cut, "b.csv", found(7, "x"));
        all.add(Odd::Cut, "b.csv", found(3, "y"));
        all.add(Odd::Cut, "a.csv", found(1, "z"));
        let said = "6 times have more than six digits behind the point, of which six are kept; the first is `y` in line 3 of \
                    `b.csv`, column `t`: `types = { \"t\" = \"str\" }` keeps all";
        assert_eq!(all.words(), [said]);
        all.forget("b.csv");
        assert!(all.words()[0].starts_with("2 times have"), "{:?}", all.words());
        all.forget("a.csv");
        assert!(all.words().is_empty());
    }
}
