//! How diagnostics look to people. The only file that knows miette.

use super::machine::{github, json};
use super::sarif::sarif;
use super::{Diagnostic, Diagnostics, Label, Severity};
use crate::span::{SourceMap, Span};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceSpan, SpanContents,
};
use std::fmt::Write;

/// A way to write diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human {
        /// Whether to colour it.
        color: bool,
        /// The width in columns that hints are wrapped to.
        width: usize,
    },
    /// A JSON array with an object for each.
    Json,
    /// GitHub workflow commands, one line for each.
    Github,
    /// A SARIF 2.1.0 log.
    Sarif,
}

/// Writes diagnostics in a format. Empty for people and GitHub where there is none; JSON is then `[]`.
#[must_use]
pub fn render(diagnostics: &Diagnostics, sources: &SourceMap, format: Format) -> String {
    match format {
        Format::Human { color, width } => {
            let mut out = String::new();
            for diagnostic in diagnostics {
                human(&mut out, diagnostic, sources, color, width.max(40));
            }
            out
        }
        Format::Json => json(diagnostics, sources),
        Format::Sarif => sarif(diagnostics, sources),
        Format::Github => diagnostics.iter().map(|diagnostic| github(diagnostic, sources)).collect(),
    }
}

/// The escape sequences of one severity's colour.
struct Paint {
    on: &'static str,
    bold: &'static str,
    dim: &'static str,
    off: &'static str,
}

fn paint(color: bool, severity: Severity) -> Paint {
    match (color, severity) {
        (false, _) => Paint { on: "", bold: "", dim: "", off: "" },
        (true, Severity::Error) => Paint { on: "\u{1b}[1;31m", bold: "\u{1b}[1m", dim: "\u{1b}[2m", off: "\u{1b}[0m" },
        (true, Severity::Warning) => {
            Paint { on: "\u{1b}[1;33m", bold: "\u{1b}[1m", dim: "\u{1b}[2m", off: "\u{1b}[0m" }
        }
    }
}

fn human(out: &mut String, diagnostic: &Diagnostic, sources: &SourceMap, color: bool, width: usize) {
    let paint = paint(color, diagnostic.severity);
    let (name, code) = (diagnostic.severity.name(), diagnostic.code);
    let _ = writeln!(out, "{}{name}[{code}]{}{}: {}{}", paint.on, paint.off, paint.bold, diagnostic.message, paint.off);
    let mut gutter = 2;
    for (primary, labels) in by_source(diagnostic) {
        let snippet = snippet(sources, &labels, primary, diagnostic.severity, color);
        gutter = snippet.find('┌').unwrap_or(gutter).max(2);
        out.push_str(&snippet);
    }
    for hint in &diagnostic.hints {
        let lines = wrap(hint, width.saturating_sub(gutter + 2));
        for (index, line) in lines.iter().enumerate() {
            let mark = if index == 0 { "=" } else { " " };
            let _ = writeln!(out, "{:gutter$}{}{mark}{} {line}", "", paint.dim, paint.off);
        }
    }
    out.push('\n');
}

/// A diagnostic's labels source by source, that of the place itself first. The flag says which holds the place itself.
fn by_source(diagnostic: &Diagnostic) -> Vec<(bool, Vec<&Label>)> {
    let Some(primary) = &diagnostic.primary else { return Vec::new() };
    let mut groups: Vec<(bool, Vec<&Label>)> = vec![(true, vec![primary])];
    for label in &diagnostic.related {
        match groups.iter_mut().find(|(_, group)| group[0].span.source == label.span.source) {
            Some((_, group)) => group.push(label),
            None => groups.push((false, vec![label])),
        }
    }
    groups
}

/// The lines of one source that labels point into, drawn by miette.
fn snippet(sources: &SourceMap, labels: &[&Label], primary: bool, severity: Severity, color: bool) -> String {
    let Some(first) = labels.first() else { return String::new() };
    let source = sources.get(first.span.source);
    let excerpt = Excerpt { name: &source.name, text: &source.text, sources, first: first.span };
    let mut spans: Vec<LabeledSpan> = Vec::new();
    for (index, label) in labels.iter().enumerate() {
        let range = within(&source.text, label.span);
        // One place is drawn once; what else is said of it is said beside.
        let same = spans.iter().position(|span| span.offset() == range.start && span.len() == range.len());
        if let Some(at) = same {
            let texts = [spans[at].label().unwrap_or_default(), label.text.as_str()];
            let text = texts.iter().copied().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
            spans[at] = labeled(spans[at].primary(), text, range);
        } else {
            spans.push(labeled(primary && index == 0, label.text.clone(), range));
        }
    }
    let mut drawn = String::new();
    let report = Snippet { excerpt: &excerpt, spans };
    if handler(severity, color).render_report(&mut drawn, &report).is_err() {
        return format!("  {}\n", sources.place(first.span));
    }
    let place = sources.place(first.span);
    let line = primary.then(|| sources.line_column(first.span).line);
    tidy(&drawn, &place, line, color)
}

fn labeled(primary: bool, text: String, range: std::ops::Range<usize>) -> LabeledSpan {
    let text = Some(text).filter(|text| !text.is_empty());
    let span = SourceSpan::new(range.start.into(), range.len());
    if primary { LabeledSpan::new_primary_with_span(text, span) } else { LabeledSpan::new_with_span(text, span) }
}

fn handler(severity: Severity, color: bool) -> GraphicalReportHandler {
    let mut theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let chars = &mut theme.characters;
    (chars.ltop, chars.lbot, chars.underline, chars.underbar, chars.uarrow) = ('┌', '└', '^', '^', '^');
    chars.vbar_break = '│';
    if color {
        let main = if severity == Severity::Error { theme.styles.error } else { theme.styles.warning };
        theme.styles.link = miette::GraphicalTheme::unicode().styles.advice;
        theme.styles.highlights = vec![main.bold(), theme.styles.advice];
    }
    GraphicalReportHandler::new_themed(theme)
        .with_context_lines(0)
        .with_links(false)
        .with_width(usize::MAX / 2)
        .without_cause_chain()
        .without_syntax_highlighting()
}

/// One line as miette drew it.
struct Row {
    raw: String,
    /// What stands before the bar: the line number, or nothing.
    number: Option<usize>,
    /// How many columns stand before the bar.
    indent: usize,
    /// What stands behind the bar, without colours.
    content: String,
}

impl Row {
    /// `None` for what the header and the hints around a snippet make superfluous: miette's line for the message, its
    /// headers and closing rules.
    fn read(line: &str) -> Option<Self> {
        let bare = strip_escapes(line);
        let (before, content) = bare.split_once('│')?;
        if !before.chars().all(|c| c == ' ' || c.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            raw: line.trim_end().to_owned(),
            number: before.trim().parse().ok(),
            indent: before.len(),
            content: content.trim_end().to_owned(),
        })
    }

    fn is_underline(&self) -> bool {
        let marks = self.content.trim();
        self.number.is_none() && !marks.is_empty() && marks.chars().all(|c| c == '^')
    }

    fn is_label(&self) -> bool {
        self.number.is_none() && self.content.contains("└── ")
    }
}

/// One block under one header: the words stand behind a line's only mark, and marks on other lines than that of the
/// place itself (`primary`) are dashes.
fn tidy(drawn: &str, place: &str, primary: Option<usize>, color: bool) -> String {
    let mut rows: Vec<Row> = drawn.lines().filter_map(Row::read).collect();
    let mut line = None;
    let mut at = 0;
    while at < rows.len() {
        line = rows[at].number.or(line);
        let labels = rows[at + 1..].iter().take_while(|row| row.is_label()).count();
        if rows[at].is_underline() {
            if labels == 1 {
                let label = rows.remove(at + 1);
                let (style, text) = label.raw.split_once("└── ").unwrap_or_default();
                let style = style.rfind('\u{1b}').map_or("", |start| &style[start..]);
                rows[at].raw.push_str(&format!(" {style}{text}"));
                if line != primary {
                    rows[at].raw = dashes(&rows[at].raw);
                }
            } else if labels == 0 && line != primary {
                rows[at].raw = dashes(&rows[at].raw);
            }
        }
        at += 1;
    }
    let width = rows.iter().map(|row| row.indent).max().unwrap_or(2);
    let (on, off) = if color { ("\u{1b}[36m", "\u{1b}[0m") } else { ("", "") };
    let mut out = format!("{:width$}┌─ {on}{place}{off}\n", "");
    for row in rows {
        let _ = writeln!(out, "{:1$}{2}", "", width - row.indent, row.raw);
    }
    out
}

/// The first run of carets as dashes.
fn dashes(line: &str) -> String {
    let Some(start) = line.find('^') else { return line.to_owned() };
    let end = start + line[start..].find(|c| c != '^').unwrap_or(line.len() - start);
    format!("{}{}{}", &line[..start], "-".repeat(end - start), &line[end..])
}

fn strip_escapes(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(c);
        }
    }
    out
}

/// A span's bytes, clamped to the text and to whole characters.
fn within(text: &str, span: Span) -> std::ops::Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start as usize);
    start..floor(span.end as usize).max(start)
}

/// What miette is asked to draw: labels over a source, and no message.
struct Snippet<'a> {
    excerpt: &'a Excerpt<'a>,
    spans: Vec<LabeledSpan>,
}

impl std::fmt::Debug for Snippet<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snippet").field("spans", &self.spans).finish_non_exhaustive()
    }
}

impl std::fmt::Display for Snippet<'_> {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Snippet<'_> {}

impl miette::Diagnostic for Snippet<'_> {
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.spans.iter().cloned()))
    }
}

/// A source that gives whole lines by the source map's line index; miette's own would count from the first byte.
struct Excerpt<'a> {
    name: &'a str,
    text: &'a str,
    sources: &'a SourceMap,
    first: Span,
}

impl miette::SourceCode for Excerpt<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let range = Span::new(self.first.source, span.offset()..span.offset() + span.len());
        let at = self.sources.line_column(range);
        let bytes = within(self.text, range);
        let start = self.text[..bytes.start].rfind('\n').map_or(0, |at| at + 1);
        let last = bytes.end.max(bytes.start);
        let end = self.text[last..].find('\n').map_or(self.text.len(), |at| last + at + 1);
        let data = &self.text[start..end];
        let lines = data.lines().count();
        let contents = MietteSpanContents::new_named(
            self.name.to_owned(),
            data.as_bytes(),
            SourceSpan::new(start.into(), end - start),
            at.line - 1,
            at.column - 1,
            lines,
        );
        Ok(Box::new(contents))
    }
}

/// Breaks a text into lines of at most `width` characters, at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::codes;
    use crate::span::Source;

    const TEXT: &str = "[stage.raw]\nquery = \"SELECT carrier, avg(dep_delya) FROM flights\"\n\n\nx = 1\n";

    fn example() -> (Diagnostics, SourceMap) {
        let mut sources = SourceMap::default();
        let id = sources.add(Source { name: "pipelines/flights.toml".into(), path: None, text: TEXT.into() });
        let span = |word: &str| {
            let start = TEXT.find(word).expect("there");
            Span::new(id, start..start + word.len())
        };
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(
            Diagnostic::new(codes::UNKNOWN_COLUMN, "column `dep_delya` does not exist")
                .at(span("dep_delya"))
                .label("`flights` has 19 columns; none of this name")
                .related(span("[stage.raw]"), "made here")
                .hint("did you mean `dep_delay`?"),
        );
        diagnostics.push(Diagnostic::new(codes::UNUSED_PARAM, "param `x` is not used").at(span("x = 1")));
        (diagnostics, sources)
    }

    #[test]
    fn people_see_the_line_the_place_and_the_hint() {
        let (diagnostics, sources) = example();
        let text = render(&diagnostics, &sources, Format::Human { color: false, width: 80 });
        let expected = "\
error[E0213]: column `dep_delya` does not exist
   ┌─ pipelines/flights.toml:2:30
 1 │ [stage.raw]
   │ ----------- made here
 2 │ query = \"SELECT carrier, avg(dep_delya) FROM flights\"
   │                              ^^^^^^^^^ `flights` has 19 columns; none of this name
   = did you mean `dep_delay`?

warning[W0501]: param `x` is not used
   ┌─ pipelines/flights.toml:5:1
 5 │ x = 1
   │ ^^^^^

";
        assert_eq!(text, expected, "\n{text}");
    }

    #[test]
    fn colour_adds_only_escapes() {
        let (diagnostics, sources) = example();
        let plain = render(&diagnostics, &sources, Format::Human { color: false, width: 80 });
        let coloured = render(&diagnostics, &sources, Format::Human { color: true, width: 80 });
        assert!(coloured.contains("\u{1b}[1;31merror"));
        assert_eq!(strip_escapes(&coloured), plain);
    }

    #[test]
    fn machines_get_places_in_characters() {
        let (diagnostics, sources) = example();
        let json: serde_json::Value =
            serde_json::from_str(&render(&diagnostics, &sources, Format::Json)).expect("JSON");
        assert_eq!(json[0]["code"], "E0213");
        assert_eq!((&json[0]["line"], &json[0]["column"], &json[0]["end_column"]), (&2.into(), &30.into(), &39.into()));
        assert_eq!(json[0]["labels"][1]["text"], "made here");
        let github = render(&diagnostics, &sources, Format::Github);
        let first = github.lines().next().expect("a line");
        assert!(
            first.starts_with("::error file=pipelines/flights.toml,line=2,col=30,endColumn=38,title=E0213::column")
        );
        assert!(first.contains("%0Adid you mean"));
    }

    #[test]
    fn any_span_can_be_drawn() {
        for text in ["", "\n", "é", "a\r\nb", "\t= 1\n\n"] {
            let mut sources = SourceMap::default();
            let id = sources.add(Source { name: "a".into(), path: None, text: text.into() });
            for (start, end) in [(0, 0), (0, 1), (1, 1), (1, 9), (0, 3), (9, 9), (2, 1)] {
                let span = Span { source: id, start, end };
                let mut diagnostics = Diagnostics::default();
                diagnostics.push(Diagnostic::new(codes::SYNTAX, "x").at(span).label("here").related(span, "there"));
                for format in [Format::Human { color: true, width: 0 }, Format::Json, Format::Github] {
                    assert!(!render(&diagnostics, &sources, format).is_empty());
                }
            }
        }
    }
}
