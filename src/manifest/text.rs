//! From bytes of a string value back to bytes of the file: quotes, escapes, multi-line strings, params filled in.

use super::node::{Node, Piece};
use crate::span::{SourceMap, Span};
use std::ops::Range;

/// The place of some bytes of a string node's value; the whole value where they cannot be told apart.
#[must_use]
pub fn part_of(sources: &SourceMap, node: &Node, part: Range<usize>) -> Span {
    narrow(sources, node, part).unwrap_or(node.span)
}

fn narrow(sources: &SourceMap, node: &Node, part: Range<usize>) -> Option<Span> {
    let raw = sources.get(node.span.source).text.get(node.span.range())?;
    let pieces = node.origin.as_ref().map_or(&[][..], |origin| origin.pieces.as_slice());
    let part = if pieces.is_empty() { part } else { before_filling(pieces, &part) };
    let decoded = decode(raw)?;
    if pieces.is_empty() && node.as_str() != Some(decoded.text.as_str()) {
        return None;
    }
    let start = decoded.places.get(part.start).map_or(decoded.end, |place| place.start);
    let end = match part.end.checked_sub(1) {
        Some(last) if part.end > part.start => decoded.places.get(last).map_or(decoded.end, |place| place.end),
        _ => start,
    };
    Some(node.span.within(start..end.max(start)))
}

/// Bytes of the text before params were filled in.
fn before_filling(pieces: &[Piece], part: &Range<usize>) -> Range<usize> {
    let holds = |piece: &&Piece, at: usize| piece.value.start <= at && at < piece.value.end.max(piece.value.start + 1);
    let exact = |piece: &Piece| piece.value.len() == piece.text.len();
    let last = pieces.last().map_or(0, |piece| piece.text.end);
    let start = pieces.iter().find(|piece| holds(piece, part.start)).map_or(last, |piece| {
        if exact(piece) { piece.text.start + (part.start - piece.value.start) } else { piece.text.start }
    });
    if part.is_empty() {
        return start..start;
    }
    let end = pieces.iter().find(|piece| holds(piece, part.end - 1)).map_or(last, |piece| {
        if exact(piece) { piece.text.start + (part.end - piece.value.start) } else { piece.text.end }
    });
    start..end.max(start)
}

/// A TOML string's value, and where in its text each byte of it stands.
struct Decoded {
    text: String,
    places: Vec<Range<usize>>,
    end: usize,
}

fn decode(raw: &str) -> Option<Decoded> {
    let quote = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quote| raw.len() >= 2 * quote.len() && raw.starts_with(quote) && raw.ends_with(quote))?;
    let mut start = quote.len();
    let end = raw.len() - quote.len();
    if quote.len() == 3 {
        let body = &raw[start..end];
        start += if body.starts_with("\r\n") { 2 } else { usize::from(body.starts_with('\n')) };
    }
    let mut out = Decoded { text: String::new(), places: Vec::new(), end };
    let mut at = start;
    while at < end {
        let (step, produced) = if quote.starts_with('"') { unescape(&raw[at..end])? } else { plain(&raw[at..end])? };
        if let Some(c) = produced {
            out.push(c, at..at + step);
        }
        at += step;
    }
    Some(out)
}

impl Decoded {
    fn push(&mut self, c: char, place: Range<usize>) {
        self.text.push(c);
        self.places.extend(std::iter::repeat_n(place, c.len_utf8()));
    }
}

/// One character as it stands: its length and itself.
fn plain(rest: &str) -> Option<(usize, Option<char>)> {
    rest.chars().next().map(|c| (c.len_utf8(), Some(c)))
}

/// One character or escape of a basic string: the length of its text, and what it stands for (a line continuation
/// stands for nothing).
fn unescape(rest: &str) -> Option<(usize, Option<char>)> {
    let Some(after) = rest.strip_prefix('\\') else { return plain(rest) };
    let kind = after.chars().next()?;
    let simple = match kind {
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        '"' | '\\' => kind,
        'x' => return hexadecimal(after, 2),
        'u' => return hexadecimal(after, 4),
        'U' => return hexadecimal(after, 8),
        _ if kind.is_whitespace() => return Some((1 + after.len() - after.trim_start().len(), None)),
        _ => return None,
    };
    Some((2, Some(simple)))
}

fn hexadecimal(after: &str, digits: usize) -> Option<(usize, Option<char>)> {
    let code = u32::from_str_radix(after.get(1..=digits)?, 16).ok()?;
    Some((2 + digits, Some(char::from_u32(code)?)))
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;
    use crate::diag::Diagnostics;
    use crate::span::Source;

    /// The text of the file that stands for `word` in the value of the one key of `text`.
    fn found(text: &str, word: &str) -> String {
        let mut sources = SourceMap::default();
        let id = sources.add(Source { name: "a.toml".into(), path: None, text: text.into() });
        let root = document::parse(&sources, id, &mut Diagnostics::default()).expect("parses");
        let node = root.get("q").expect("a key");
        let at = node.as_str().expect("a string").find(word).expect("in the value");
        let span = part_of(&sources, node, at..at + word.len());
        text[span.range()].to_owned()
    }

    #[test]
    fn parts_are_found_behind_quotes_and_escapes() {
        assert_eq!(found("q = \"SELECT x\"\n", "x"), "x");
        assert_eq!(found("q = 'SELECT x'\n", "x"), "x");
        assert_eq!(found("q = \"\\\"é\\u00e9\\\" dep\"\n", "dep"), "dep");
        assert_eq!(found("q = \"a\\u00e9b\"\n", "é"), "\\u00e9");
    }

    #[test]
    fn parts_are_found_in_strings_of_many_lines() {
        assert_eq!(found("q = \"\"\"\nSELECT\n  dep\nFROM \\\n   t\"\"\"\n", "dep"), "dep");
        assert_eq!(found("q = \"\"\"\nSELECT\n  dep\nFROM \\\n   t\"\"\"\n", "t"), "t");
        assert_eq!(found("q = '''\nSELECT \\ dep'''\n", "dep"), "dep");
    }

    #[test]
    fn pieces_lead_back_through_params() {
        // "a ${x} dep" with x = "long value"
        let pieces = [
            Piece { value: 0..2, text: 0..2, param: false },
            Piece { value: 2..12, text: 2..6, param: true },
            Piece { value: 12..16, text: 6..10, param: false },
        ];
        assert_eq!(before_filling(&pieces, &(13..16)), 7..10);
        assert_eq!(before_filling(&pieces, &(4..8)), 2..6);
        assert_eq!(before_filling(&pieces, &(1..13)), 1..7);
    }
}
