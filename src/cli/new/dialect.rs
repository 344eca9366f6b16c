//! How delimited text is written: its encoding, what separates fields, and the sign before a number's fraction.

use crate::frame::ColumnProfile;
use crate::frame::file::{Encoding, Format, Layout, beginning};

/// What separates fields, the usual first.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];
/// So many lines are looked at.
const LINES: usize = 20;

/// Gives a layout the encoding and the separator that the first bytes of a file look like.
pub(super) fn tell(layout: &mut Layout, head: &[u8]) {
    if !layout.format.is_text() {
        return;
    }
    let (encoding, text) = beginning(head);
    layout.encoding = encoding;
    // A name that ends in `.tsv` says it.
    if layout.format == Format::Csv
        && let Some(separator) = separator(&text)
    {
        layout.separator = separator as u8;
    }
}

/// The sign that each of the first lines has equally often outside of quotes; of several the usual one.
fn separator(text: &str) -> Option<char> {
    // The last line may be cut off.
    let whole = text.rfind('\n').map_or(text, |end| &text[..end]);
    let lines: Vec<&str> = whole.lines().filter(|line| !line.is_empty()).take(LINES).collect();
    let count =
        |line: &str, sign: char| line.split('"').step_by(2).map(|part| part.matches(sign).count()).sum::<usize>();
    let first = lines.first()?;
    let even = |sign: &char| {
        let fields = count(first, *sign);
        fields > 0 && lines.iter().all(|line| count(line, *sign) == fields)
    };
    let there = |sign: &char| count(first, *sign) > 0;
    SEPARATORS.into_iter().find(even).or_else(|| SEPARATORS.into_iter().find(there))
}

/// Whether a comma may stand before fractions: another sign separates fields.
pub(super) fn may_have_comma(layout: &Layout) -> bool {
    layout.format.is_delimited() && layout.separator != b','
}

/// How many columns hold numbers.
pub(super) fn numbers(columns: &[ColumnProfile]) -> usize {
    columns.iter().filter(|column| column.dtype.is_numeric()).count()
}

/// The fields of a `read` stage that say what is not usual.
pub(super) fn fields(layout: &Layout) -> String {
    let usual = Layout::new(layout.format);
    let mut out = String::new();
    if layout.encoding != Encoding::Utf8 {
        out.push_str(&format!("encoding = \"{}\"\n", layout.encoding.name()));
    }
    if layout.separator != usual.separator {
        let separator = char::from(layout.separator);
        out.push_str(&format!("separator = \"{}\"\n", separator.to_string().replace('\t', "\\t")));
    }
    if layout.decimal != usual.decimal {
        out.push_str(&format!("decimal = \"{}\"   # before a number's fraction\n", char::from(layout.decimal)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_what_every_line_has_equally_often() {
        assert_eq!(separator("a;b\n1,5;2\n3,5;4\n"), Some(';'));
        assert_eq!(separator("a,b\n\"x;y\",2\n"), Some(','));
        assert_eq!(separator("a, b;c\n1;2\n"), Some(';'));
        assert_eq!(separator("a\tb\n1\t2\n"), Some('\t'));
        assert_eq!(separator("a\n1\n"), None);
        // A ragged file is told about with the sign that its names have.
        assert_eq!(separator("a,b\n1,2\n3\n"), Some(','));
        assert_eq!(separator(""), None);
    }

    #[test]
    fn what_is_usual_is_not_written() {
        let mut layout = Layout::new(Format::Csv);
        assert_eq!(fields(&layout), "");
        tell(&mut layout, "Süd;Köln\n1;2\n".chars().map(|c| c as u8).collect::<Vec<u8>>().as_slice());
        layout.decimal = b',';
        let written = "encoding = \"latin1\"\nseparator = \";\"\ndecimal = \",\"   # before a number's fraction\n";
        assert_eq!(fields(&layout), written);
        let mut tabs = Layout::new(Format::Csv);
        tell(&mut tabs, b"a\tb\n1\t2\n");
        assert_eq!(fields(&tabs), "separator = \"\\t\"\n");
    }
}
