//! Where text came from: sources (files, `--set` values, stdlib modules) and byte ranges in them.
//!
//! A [`Span`] is `Copy` and knows nothing of the text; the [`SourceMap`] turns it into lines and columns.
//! Spans never take part in equality of values, in hashing or in keys.

use std::path::PathBuf;

/// Index of a source in its [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A half-open byte range `start..end` in one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The source that the range lies in.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span over `range` of `source`. Manifests are far below 4 GiB; a larger offset is clamped.
    #[must_use]
    pub fn new(source: SourceId, range: std::ops::Range<usize>) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { source, start: clamp(range.start), end: clamp(range.end) }
    }

    /// The part of this span that covers bytes `range` counted from its start, clamped to it.
    #[must_use]
    pub fn within(self, range: std::ops::Range<usize>) -> Self {
        let at = |offset: usize| self.start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX)).min(self.end);
        Self { source: self.source, start: at(range.start), end: at(range.end) }
    }

    /// The byte range, as `usize`.
    #[must_use]
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One text that diagnostics can point into.
#[derive(Clone, Debug)]
pub struct Source {
    /// What is shown as the place: a workspace-relative path, `std/vision/lenet`, or `--set lr`.
    pub name: String,
    /// The file on disk, where there is one.
    pub path: Option<PathBuf>,
    /// The whole text.
    pub text: String,
}

/// A 1-based line and column; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    /// 1-based line.
    pub line: usize,
    /// 1-based column in characters.
    pub column: usize,
}

/// Every source that was read while a manifest was loaded.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
    /// Where each line of each source begins, so that no place is counted from the first byte.
    lines: Vec<Vec<u32>>,
}

impl SourceMap {
    /// Adds a source and gives its id.
    pub fn add(&mut self, source: Source) -> SourceId {
        let begins = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        self.lines.push(std::iter::once(0).chain(begins).map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect());
        self.sources.push(source);
        SourceId(u32::try_from(self.sources.len() - 1).unwrap_or(u32::MAX))
    }

    /// The source of an id that this map gave out.
    #[must_use]
    pub fn get(&self, id: SourceId) -> &Source {
        &self.sources[id.0 as usize]
    }

    /// Every source, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }

    /// Line and column of a span's start.
    #[must_use]
    pub fn line_column(&self, span: Span) -> LineColumn {
        let text = &self.get(span.source).text;
        let start = floor_boundary(text, span.start as usize);
        let lines = &self.lines[span.source.0 as usize];
        let line = lines.partition_point(|begin| *begin as usize <= start);
        let begin = line.checked_sub(1).and_then(|at| lines.get(at)).map_or(0, |begin| *begin as usize);
        LineColumn { line, column: text[begin..start].chars().count() + 1 }
    }

    /// `name:line:column`, as editors and compilers write it.
    #[must_use]
    pub fn place(&self, span: Span) -> String {
        let at = self.line_column(span);
        format!("{}:{}:{}", self.get(span.source).name, at.line, at.column)
    }
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_not_bytes() {
        let mut map = SourceMap::default();
        let id = map.add(Source { name: "a.toml".into(), path: None, text: "x = 1\né = 2\n".into() });
        let at = map.line_column(Span::new(id, 9..10));
        assert_eq!(at, LineColumn { line: 2, column: 3 });
        assert_eq!(map.place(Span::new(id, 0..1)), "a.toml:1:1");
    }

    #[test]
    fn a_span_past_the_end_is_clamped() {
        let mut map = SourceMap::default();
        let id = map.add(Source { name: "a.toml".into(), path: None, text: "é".into() });
        assert_eq!(map.line_column(Span::new(id, 1..90)).column, 1);
    }
}
