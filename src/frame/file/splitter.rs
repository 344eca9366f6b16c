//! Where the rows and fields of delimited text end.

use super::rejects::{Reject, Rejects};
use super::text::{LEAVE_OUT, line_at};
use super::{BadFile, Layout, cells, marks, width};
use rayon::prelude::*;
use std::ops::Range;

/// Bytes of a piece of text that is split by itself.
pub(super) const PIECE: usize = 4 << 20;

/// Where rows begin, and where their fields end.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) starts: Vec<usize>,
    /// The end of each field, counted from its row's start, row after row.
    pub(super) ends: Vec<u32>,
}

impl Rows {
    /// Leaves rows out.
    pub(super) fn remove(&mut self, width: usize, gone: impl Fn(usize) -> bool) {
        let rows = self.starts.len();
        if !(0..rows).any(&gone) {
            return;
        }
        let kept: Vec<usize> = (0..rows).filter(|row| !gone(*row)).collect();
        self.ends = kept.iter().flat_map(|row| &self.ends[row * width..(row + 1) * width]).copied().collect();
        self.starts = kept.iter().map(|row| self.starts[*row]).collect();
    }
}

/// What is wrong with a row.
enum Trouble {
    /// A quote that is never closed.
    Unclosed { at: usize },
    /// Something between a closing quote and the next separator.
    BehindQuote { at: usize },
    /// A row beyond 4 GiB.
    Long { at: usize },
}

impl Trouble {
    fn reason(&self) -> &'static str {
        match self {
            Self::Unclosed { .. } => "the quote is never closed",
            Self::BehindQuote { .. } => "text between a closing quote and the next separator",
            Self::Long { .. } => "longer than 4 GiB",
        }
    }

    fn bad(&self, splitter: &Splitter<'_>) -> BadFile {
        let line = |at: &usize| splitter.line(*at);
        match self {
            Self::Unclosed { at } => BadFile::new(format!("the quote opened in line {} is never closed", line(at)))
                .hint("mend the line; where quotes are ordinary characters, set `quote = \"\"`"),
            Self::BehindQuote { at } => {
                BadFile::new(format!("line {} has text between a closing quote and the next separator", line(at))).hint(
                    "inside a quoted field a quote is written twice; where quotes are ordinary characters, set \
                     `quote = \"\"`, and where a backslash stands before them, `escape = \"\\\\\"`",
                )
            }
            Self::Long { at } => BadFile::new(format!("line {} is longer than 4 GiB", line(at)))
                .hint("say what encloses fields with `quote`"),
        }
    }
}

/// Rows of a piece, and the rows with another number of fields.
#[derive(Default)]
struct Piece {
    rows: Rows,
    ragged: Vec<(Range<usize>, usize)>,
}

pub(super) struct Splitter<'a> {
    text: &'a str,
    layout: &'a Layout,
    at: usize,
    /// Lines of the file before the text.
    lines_before: usize,
    /// Whether the text ends where the file does.
    whole: bool,
    /// Whether a line without any character is a row (of one missing value).
    blank_is_row: bool,
}

impl<'a> Splitter<'a> {
    pub(super) fn new(text: &'a str, layout: &'a Layout) -> Self {
        let mut at = 0;
        for _ in 0..layout.skip_rows {
            at += memchr::memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len() - at, |end| end + 1);
        }
        Self { text, layout, at, lines_before: 0, whole: true, blank_is_row: false }
    }

    /// For a text that begins with a row somewhere in a file, behind so many lines, of so many columns.
    pub(super) fn within(text: &'a str, layout: &'a Layout, lines_before: usize, width: usize) -> Self {
        Self { text, layout, at: 0, lines_before, whole: true, blank_is_row: width == 1 }
    }

    /// The text does not end where the file does: a row that it breaks off in is none yet.
    pub(super) fn broken_off(self) -> Self {
        Self { whole: false, ..self }
    }

    /// The 1-based line of a place.
    fn line(&self, at: usize) -> usize {
        self.lines_before + line_at(self.text, at)
    }

    /// How far it is.
    pub(super) fn place(&self) -> usize {
        self.at.min(self.text.len())
    }

    /// Whether the first row is there to its end, in a text that may break off in it.
    pub(super) fn holds_first_row(mut self) -> bool {
        match self.row(&mut Vec::new()) {
            Ok(Some(_)) => self.at <= self.text.len(),
            Ok(None) | Err(Trouble::Unclosed { .. }) => false,
            Err(_) => true,
        }
    }

    /// Takes the header row where there is one, and settles the names.
    pub(super) fn names(&mut self) -> Result<Vec<String>, BadFile> {
        let mut ends = Vec::new();
        let begin = self.at;
        let first = self.row(&mut ends).map_err(|trouble| trouble.bad(self))?;
        let Some(range) = first else {
            let hint =
                if self.layout.skip_rows > 0 { "skip fewer lines: `skip_rows`" } else { "give a file with rows" };
            return Err(BadFile::new("the file is empty: it has no rows, not even column names").hint(hint));
        };
        let layout = self.layout;
        width::bounded(ends.len(), "the first row has").map_err(|bad| {
            bad.hint("say what separates fields with `separator`, and what encloses them with `quote`")
        })?;
        let names = if !layout.names.is_empty() {
            if ends.len() != layout.names.len() {
                return Err(self.ragged(&range, ends.len(), layout.names.len()));
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

    /// Every row behind the header, and where what is left begins.
    pub(super) fn rows(mut self, names: &[String], rejects: &mut Rejects) -> Result<(Rows, usize), BadFile> {
        let width = names.len();
        let end = match self.whole {
            true => self.text.len(),
            false => memchr::memrchr(b'\n', self.text.as_bytes()).map_or(0, |end| end + 1),
        };
        let (piece, end) = match self.plain_pieces(end) {
            Some(pieces) => (self.plain_rows(pieces, width), end),
            None => (self.quoted_rows(width, rejects)?, self.place()),
        };
        if let ([(range, found), ..], false) = (&piece.ragged[..], self.layout.reject) {
            return Err(self.ragged(range, *found, width));
        }
        for (range, found) in &piece.ragged {
            let reason = format!("{}, expected {width}", fields_of(*found));
            rejects.push(Reject::new(range.start, None, reason, &self.text[range.clone()]));
        }
        Ok((piece.rows, end))
    }

    /// Pieces of the rest that end at line ends, where every line end ends a row and every separator a field.
    fn plain_pieces(&self, end: usize) -> Option<Vec<Range<usize>>> {
        let bytes = &self.text.as_bytes()[..end.max(self.place())];
        let mut from = self.place();
        let quoted = self.layout.quote.is_some_and(|quote| memchr::memchr(quote, &bytes[from..]).is_some());
        if quoted || self.layout.escape.is_some() || self.layout.comment.is_some() {
            return None;
        }
        let mut pieces = Vec::new();
        while from < bytes.len() {
            let least = (from + PIECE).min(bytes.len());
            let to = memchr::memchr(b'\n', &bytes[least..]).map_or(bytes.len(), |end| least + end + 1);
            u32::try_from(to - from).ok()?;
            pieces.push(from..to);
            from = to;
        }
        Some(pieces)
    }

    fn plain_rows(&self, pieces: Vec<Range<usize>>, width: usize) -> Piece {
        let split: Vec<Piece> = pieces.into_par_iter().map(|range| self.plain_piece(range, width)).collect();
        let mut all = Piece::default();
        all.rows.starts.reserve_exact(split.iter().map(|piece| piece.rows.starts.len()).sum());
        all.rows.ends.reserve_exact(split.iter().map(|piece| piece.rows.ends.len()).sum());
        for piece in split {
            all.rows.starts.extend(piece.rows.starts);
            all.rows.ends.extend(piece.rows.ends);
            all.ragged.extend(piece.ragged);
        }
        all
    }

    fn plain_piece(&self, range: Range<usize>, width: usize) -> Piece {
        let bytes = &self.text.as_bytes()[..range.end];
        let mut piece = Piece::default();
        let (mut start, mut first) = (range.start, 0);
        // No piece is beyond 4 GiB.
        let end_of = |start: usize, at: usize| u32::try_from(at - start).unwrap_or(u32::MAX);
        let line_end = |piece: &mut Piece, start: usize, at: usize, first: &mut usize| {
            let end = if at > start && bytes[at - 1] == b'\r' { at - 1 } else { at };
            let found = piece.rows.ends.len() - *first + 1;
            if end == start && found == 1 && !self.blank_is_row {
                return;
            }
            if found == width {
                piece.rows.ends.push(end_of(start, end));
                piece.rows.starts.push(start);
            } else {
                piece.rows.ends.truncate(*first);
                piece.ragged.push((start..end, found));
            }
            *first = piece.rows.ends.len();
        };
        for found in memchr::memchr2_iter(self.layout.separator, b'\n', &bytes[range.start..]) {
            let at = range.start + found;
            if bytes[at] == b'\n' {
                line_end(&mut piece, start, at, &mut first);
                start = at + 1;
            } else {
                piece.rows.ends.push(end_of(start, at));
            }
        }
        if start < range.end {
            line_end(&mut piece, start, range.end, &mut first);
        }
        piece
    }

    fn quoted_rows(&mut self, width: usize, rejects: &mut Rejects) -> Result<Piece, BadFile> {
        let mut piece = Piece::default();
        let mut ends = Vec::with_capacity(width);
        loop {
            let begin = self.at;
            let row = self.row(&mut ends);
            let breaks_off = match &row {
                Ok(Some(range)) => range.end == self.text.len(),
                Ok(None) => false,
                Err(trouble) => matches!(trouble, Trouble::Unclosed { .. }),
            };
            if breaks_off && !self.whole {
                self.at = begin;
                return Ok(piece);
            }
            match row {
                Ok(None) => return Ok(piece),
                Ok(Some(range)) if ends.len() == width => {
                    piece.rows.starts.push(range.start);
                    piece.rows.ends.extend_from_slice(&ends);
                }
                Ok(Some(range)) => {
                    piece.ragged.push((range, ends.len()));
                    if !self.layout.reject {
                        return Ok(piece);
                    }
                }
                Err(trouble) if !self.layout.reject => return Err(trouble.bad(self)),
                Err(trouble) => {
                    // The line that it begins in is left out, and what follows is read again.
                    let begin = self.past_skipped(begin).unwrap_or(begin);
                    let end = memchr::memchr(b'\n', &self.text.as_bytes()[begin..]);
                    let end = end.map_or(self.text.len(), |end| begin + end);
                    rejects.push(Reject::new(begin, None, trouble.reason(), &self.text[begin..end]));
                    self.at = end + 1;
                }
            }
        }
    }

    fn ragged(&self, range: &Range<usize>, found: usize, expected: usize) -> BadFile {
        let line = self.line(range.start);
        let source = if self.layout.names.is_empty() { "the first row has" } else { "`names` lists" };
        let row = &self.text[range.clone()];
        let mut shown: String = row.chars().take(80).collect();
        if shown.len() < range.len() {
            shown.push('…');
        }
        let shown = shown.replace('\r', "\\r");
        let separator = self.first_row().filter(|_| expected == 1).and_then(|first| marks::separator_of(first, row));
        BadFile::new(format!("line {line} has {}, expected {expected}", fields_of(found)))
            .note(format!("{source} {}", fields_of(expected)))
            .note(format!("line {line}: {shown}"))
            .maybe_hint(row.contains('\r').then(|| ALIKE.to_owned()))
            .maybe_hint(separator.map(|mark| format!("if `{mark}` stands between fields: `separator = \"{mark}\"`")))
            .maybe_hint((expected == 1 && separator.is_none() && self.layout.names.is_empty()).then(|| {
                "if the column names stand in a line further down: `skip_rows` leaves out what is before them"
                    .to_owned()
            }))
            .hint("mend the line, or say what separates and encloses fields with `separator` and `quote`")
            .hint(LEAVE_OUT)
    }

    fn first_row(&self) -> Option<&str> {
        self.text[self.past_skipped(0)?..].lines().next()
    }

    /// Where the next row begins, behind comments and blank lines; `None` behind the last.
    fn past_skipped(&self, mut at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        while at < bytes.len() {
            let comment = self.layout.comment.as_ref().is_some_and(|mark| self.text[at..].starts_with(mark));
            let blank = matches!(bytes[at..], [b'\n', ..] | [b'\r', b'\n', ..]);
            if !comment && (!blank || self.blank_is_row) {
                return Some(at);
            }
            at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end + 1);
        }
        None
    }

    /// The bytes of the next row, without its line end, and the ends of its fields counted from its start.
    fn row(&mut self, ends: &mut Vec<u32>) -> Result<Option<Range<usize>>, Trouble> {
        let Some(start) = self.past_skipped(self.place()) else {
            self.at = self.text.len();
            return Ok(None);
        };
        ends.clear();
        let end = self.fields(start, ends)?;
        Ok(Some(start..end))
    }

    fn fields(&mut self, start: usize, ends: &mut Vec<u32>) -> Result<usize, Trouble> {
        let bytes = self.text.as_bytes();
        let mut at = start;
        loop {
            at = self.field_end(self.past_quotes(at)?);
            let last = at == bytes.len() || bytes[at] == b'\n';
            let end = if last && at > start && bytes[at - 1] == b'\r' { at - 1 } else { at };
            ends.push(u32::try_from(end - start).map_err(|_| Trouble::Long { at: start })?);
            if last {
                self.at = at + 1;
                return Ok(end);
            }
            at += 1;
        }
    }

    /// The next separator or line end.
    fn field_end(&self, mut at: usize) -> usize {
        let bytes = self.text.as_bytes();
        let Some(escape) = self.layout.escape else {
            let found = memchr::memchr2(self.layout.separator, b'\n', &bytes[at..]);
            return found.map_or(bytes.len(), |found| at + found);
        };
        loop {
            match memchr::memchr3(self.layout.separator, b'\n', escape, &bytes[at..]) {
                None => return bytes.len(),
                Some(found) if bytes[at + found] == escape => at = (at + found + 2).min(bytes.len()),
                Some(found) => return at + found,
            }
        }
    }

    fn past_blanks(&self, mut at: usize) -> usize {
        let bytes = self.text.as_bytes();
        while self.layout.trim && matches!(bytes.get(at), Some(b' ' | b'\t')) && bytes[at] != self.layout.separator {
            at += 1;
        }
        at
    }

    /// From the beginning of a field to behind its closing quote, where it is quoted.
    fn past_quotes(&self, field: usize) -> Result<usize, Trouble> {
        let bytes = self.text.as_bytes();
        let Some(quote) = self.layout.quote else { return Ok(field) };
        let mut at = self.past_blanks(field);
        if bytes.get(at) != Some(&quote) {
            return Ok(field);
        }
        at += 1;
        loop {
            let escape = self.layout.escape.unwrap_or(quote);
            let Some(found) = memchr::memchr2(quote, escape, &bytes[at..]) else {
                return Err(Trouble::Unclosed { at: field });
            };
            at += found + 1;
            if bytes[at - 1] != quote {
                at = (at + 1).min(bytes.len());
            } else if bytes.get(at) == Some(&quote) {
                at += 1;
            } else {
                break;
            }
        }
        let next = self.past_blanks(at);
        match bytes.get(next) {
            None | Some(b'\n' | b'\r') => Ok(next),
            Some(byte) if *byte == self.layout.separator => Ok(next),
            Some(_) => Err(Trouble::BehindQuote { at }),
        }
    }
}

/// What to do about lines of which some end in a carriage return alone.
const ALIKE: &str = "a carriage return alone ends no line where others end in `\\n`: write all line ends alike";

fn fields_of(count: usize) -> String {
    crate::numbers::counted(count, "field")
}

fn header(layout: &Layout, row: &str, ends: &[u32]) -> Result<Vec<String>, BadFile> {
    let mut names: Vec<String> = Vec::with_capacity(ends.len());
    let mut from = 0;
    for (index, end) in ends.iter().enumerate() {
        let field = layout.field(&row[from..*end as usize]);
        if !field.quoted && field.text.contains('\r') {
            return Err(BadFile::new("the first row holds a carriage return that is not in quotes").hint(ALIKE));
        }
        let name = cells::text(field, layout).into_owned();
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
