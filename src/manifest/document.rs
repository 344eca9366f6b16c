//! Text to [`Node`]s: TOML parsed once, every value with its span.

use super::node::{Data, Node};
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::span::{SourceId, SourceMap, Span};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How many syntax errors of one file are reported; after some, the rest are consequences.
const MOST_SYNTAX_ERRORS: usize = 8;

/// Parses a source. `None` after a mistake that leaves the rest in doubt; a key given twice does not.
pub(super) fn parse(sources: &SourceMap, id: SourceId, diagnostics: &mut Diagnostics) -> Option<Node> {
    let text = &sources.get(id).text;
    let (table, errors) = DeTable::parse_recoverable(text);
    let doubtful = errors.iter().any(|error| error.message() != "duplicate key");
    if let Some(conflict) = doubtful.then(|| merge_conflict(id, text)).flatten() {
        diagnostics.push(conflict);
        return None;
    }
    let mut reader = Reader { id, shift: 0, diagnostics };
    let root = reader.table(table.into_inner());
    let mut root = Node::new(Span::new(id, 0..0), root);
    let place = |error: &toml::de::Error| clamp(text, error.span().unwrap_or(text.len()..text.len()));
    let given_twice = |error: &&toml::de::Error| error.message() == "duplicate key";
    // What follows a text that does not end is taken for something else.
    let end = errors.iter().filter(|error| is_open_text(error.message())).map(|error| place(error).start).min();
    // What stands below a header that was there before belongs to no table: it is not added to the first.
    let again: Vec<_> =
        errors.iter().filter(given_twice).filter_map(|error| section(text, place(error).start)).collect();
    for below in &again {
        without(&mut root, below);
    }
    let told = errors.iter().filter(|error| !doubtful || !given_twice(error)).filter(|error| {
        let start = place(error).start;
        end.is_none_or(|end| start <= end) && !again.iter().any(|below| below.contains(&start))
    });
    for error in told.take(MOST_SYNTAX_ERRORS) {
        diagnostics.push(syntax(error.message(), Span::new(id, place(error)), text, &root));
    }
    (!doubtful).then_some(root)
}

/// The name that a manifest's text gives its pipeline, however it is written; `None` for what is broken.
#[must_use]
pub fn pipeline_name(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    table.get("pipeline")?.get("name")?.as_str().map(str::to_owned)
}

/// Parses one value that begins `shift` bytes into its source; `None` where it is not a TOML value.
pub(super) fn parse_value(text: &str, id: SourceId, shift: usize, diagnostics: &mut Diagnostics) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    Some(Reader { id, shift, diagnostics }.node(value))
}

/// What a merge left, in the place of an error for every sign of its marks.
fn merge_conflict(id: SourceId, text: &str) -> Option<Diagnostic> {
    let mut at = 0;
    let mut firsts = Vec::new();
    for line in text.split_inclusive('\n') {
        let shown = line.trim_end();
        if shown.strip_prefix("<<<<<<<").is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')) {
            firsts.push(at..at + shown.len());
        }
        at += line.len();
    }
    let more = match firsts.len() {
        0 | 1 => String::new(),
        count => format!(", and {} below", count - 1),
    };
    let diagnostic = Diagnostic::new(codes::SYNTAX, "a merge left conflicts in the manifest")
        .at(Span::new(id, firsts.into_iter().next()?))
        .label(format!("one begins here{more}"));
    Some(
        diagnostic
            .hint("keep what should stand, and delete the lines that begin with `<<<<<<<`, `=======` and `>>>>>>>`"),
    )
}

fn clamp(text: &str, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let start = range.start.min(text.len());
    start..range.end.clamp(start, text.len())
}

/// Whether a text has no quote at its end.
fn is_open_text(message: &str) -> bool {
    let said = message.split_once(" string, expected ");
    said.is_some_and(|(_, expected)| matches!(expected.trim_matches('`'), "\"" | "'"))
}

/// The bytes below the header of a table that a place lies in, where that is so.
fn section(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let line = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let header = text.get(line..at)?.trim_start().strip_prefix('[')?;
    // A list of lists may begin a line too.
    if !header.chars().all(|c| c.is_alphanumeric() || "[._-\"' ".contains(c)) {
        return None;
    }
    let below = line + text.get(line..)?.find('\n')? + 1;
    let next = text.get(below..)?.find("\n[").map_or(text.len(), |next| below + next + 1);
    Some(below..next)
}

/// Takes away what has its key in some bytes of the text.
fn without(node: &mut Node, bytes: &std::ops::Range<usize>) {
    let Data::Table(entries) = &mut node.data else { return };
    entries.retain(|(_, entry)| !entry.key.is_some_and(|key| bytes.contains(&key.range().start)));
    for (_, entry) in entries {
        without(entry, bytes);
    }
}

/// The parser says "what, expected what": the message gets the first half, the label the second.
fn syntax(message: &str, span: Span, text: &str, root: &Node) -> Diagnostic {
    let here = text.get(span.range()).unwrap_or_default();
    if message == "duplicate key" {
        let diagnostic = Diagnostic::new(codes::SYNTAX, format!("`{here}` is given twice"));
        let diagnostic = diagnostic.at(span).label("here again");
        let header = section(text, span.range().start).is_some();
        // `[stage]` has a name that the language gives; `[stage.a]` one of its own.
        let before = text.get(..span.range().start).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
        let remedy = match before.trim() {
            "[" => "write what stands below it under the first",
            _ => "give one of the two another name",
        };
        let diagnostic = if header { diagnostic.hint(remedy) } else { diagnostic };
        // Keys elsewhere may have the name of a table.
        let first = if header { None } else { first_key(root, here, span) };
        return match first.or_else(|| first_header(text, span)) {
            Some(first) => diagnostic.related(first, "first given here"),
            None => diagnostic,
        };
    }
    let (what, expected) = match message.split_once(", expected ") {
        Some((what, expected)) => (what, format!("expected {expected}")),
        None => (message, String::new()),
    };
    let mut diagnostic = Diagnostic::new(codes::SYNTAX, format!("not valid TOML: {what}")).at(span).label(expected);
    if let Some(hint) = syntax_hint(message, text, span) {
        diagnostic = diagnostic.hint(hint);
    }
    diagnostic
}

/// The mistakes that people make most.
fn syntax_hint(message: &str, text: &str, span: Span) -> Option<&'static str> {
    let what = message.split(", expected ").next().unwrap_or(message);
    if what == "invalid unquoted key" && text.get(span.range()).is_some_and(|here| !here.is_ascii()) {
        return Some("a key with letters other than a to z stands in quotes: \"…\"");
    }
    if is_open_text(message) {
        return Some(
            "a text ends with a quote in the same line; one of several lines stands between \"\"\" and \"\"\"",
        );
    }
    if what == "missing escaped value" {
        return Some("a backslash begins an escape: write `/` in paths, or put the text in single quotes");
    }
    let line_start = text.get(..span.start as usize)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let value = line.split_once('=').map(|(_, value)| value.trim())?;
    if value.chars().next().is_some_and(|first| first.is_alphabetic() || first == '$') {
        return Some("text stands in quotes: \"…\"");
    }
    value.is_empty().then_some("a key needs a value: key = …")
}

/// Where a key of this name was given before, if that is the only one.
fn first_key(root: &Node, name: &str, again: Span) -> Option<Span> {
    let mut found = Vec::new();
    root.walk(&mut |path, node| {
        let same = matches!(path.last(), Some(crate::digest::Segment::Key(key)) if key == name);
        found.extend(node.key.filter(|key| same && *key < again));
    });
    if let [one] = found.as_slice() { Some(*one) } else { None }
}

/// The same place in the first header that is written like the one that a key stands in.
fn first_header(text: &str, again: Span) -> Option<Span> {
    let std::ops::Range { start, end } = again.range();
    let line = text.get(..start)?.rfind('\n').map_or(0, |end| end + 1);
    let header = text.get(line..)?.lines().next()?.trim_end();
    let mut lines = text.get(..line)?.split_inclusive('\n').scan(0, |at, line| {
        let from = *at;
        *at += line.len();
        Some((from, line.trim_end()))
    });
    let (first, _) = lines.find(|(_, line)| header.starts_with('[') && *line == header)?;
    Some(Span::new(again.source, first + start - line..first + end - line))
}

/// Turns the parser's values into [`Node`]s.
struct Reader<'a> {
    id: SourceId,
    shift: usize,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.id, range.start + self.shift..range.end + self.shift)
    }

    fn table(&mut self, table: DeTable<'_>) -> Data {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let key_span = self.span(key.span());
            let mut node = self.node(value);
            node.key = Some(key_span);
            entries.push((key.into_inner().into_owned(), node));
        }
        Data::Table(entries)
    }

    fn node(&mut self, value: Spanned<DeValue<'_>>) -> Node {
        let span = self.span(value.span());
        let data = match value.into_inner() {
            DeValue::String(text) => Data::Str(text.into_owned()),
            DeValue::Integer(integer) => self.integer(integer.as_str(), integer.radix(), span),
            DeValue::Float(float) => self.float(float.as_str(), span),
            DeValue::Boolean(value) => Data::Bool(value),
            DeValue::Datetime(date) => Data::Date(date.to_string()),
            DeValue::Array(items) => Data::List(items.into_iter().map(|item| self.node(item)).collect()),
            DeValue::Table(table) => self.table(table),
        };
        Node::new(span, data)
    }

    fn integer(&mut self, digits: &str, radix: u32, span: Span) -> Data {
        match i128::from_str_radix(digits, radix) {
            Ok(value) if (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value) => Data::Int(value),
            _ => {
                let message = format!("the integer {digits} is too large");
                self.diagnostics
                    .push(Diagnostic::new(codes::OUT_OF_RANGE, message).at(span).label("does not fit into 64 bits"));
                Data::Missing
            }
        }
    }

    fn float(&mut self, text: &str, span: Span) -> Data {
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Data::Float(value),
            _ => {
                let message = format!("`{text}` is not a number that a manifest can hold");
                self.diagnostics.push(
                    Diagnostic::new(codes::OUT_OF_RANGE, message)
                        .at(span)
                        .label("not finite")
                        .hint("leave the field out where it means \"no limit\""),
                );
                Data::Missing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path;
    use crate::span::Source;

    fn parsed(text: &str) -> (Option<Node>, Diagnostics, SourceMap) {
        let mut sources = SourceMap::default();
        let id = sources.add(Source { name: "a.toml".into(), path: None, text: text.into() });
        let mut diagnostics = Diagnostics::default();
        let node = parse(&sources, id, &mut diagnostics);
        (node, diagnostics, sources)
    }

    #[test]
    fn the_name_of_a_pipeline_is_found_however_it_is_written() {
        let named = |text: &str| pipeline_name(text);
        for text in [
            "[pipeline]\nname = 'a'\nabout = \"name = b\"\n",
            "pipeline = { edition = \"2026\", name = \"a\" }",
            "pipeline.name = \"a\" # b",
            "[pipeline]\nname = \"a\" # b\n[stage.s]\nname = \"b\"\n",
        ] {
            assert_eq!(named(text).as_deref(), Some("a"), "{text}");
        }
        assert_eq!(named("[pipeline]\nname = 1\n"), None);
        assert_eq!(named("[stage.s]\nname = \"b\"\n"), None);
        assert_eq!(named("[pipeline]\nname = \"a\"\n[stage"), None);
    }

    fn text_at(text: &str, span: Span) -> &str {
        &text[span.range()]
    }

    #[test]
    fn every_value_and_key_has_its_span() {
        let text = "[stage.train]\noptimizer.adam = { lr = 0.1 }\nlayers = [{ conv2d = { out = 3 } }, \"relu\"]\n";
        let (node, diagnostics, _) = parsed(text);
        let node = node.expect("parses");
        assert!(diagnostics.is_empty());
        let at = |path: Vec<crate::digest::Segment>| node.locate(&path).node;
        assert_eq!(text_at(text, at(path!["stage", "train"]).span), "[stage.train]");
        assert_eq!(text_at(text, at(path!["stage", "train", "optimizer", "adam", "lr"]).span), "0.1");
        let out = at(path!["stage", "train", "layers", 0, "conv2d", "out"]);
        assert_eq!((text_at(text, out.span), text_at(text, out.key.expect("a key"))), ("3", "out"));
        assert_eq!(text_at(text, at(path!["stage", "train", "layers", 1]).span), "\"relu\"");
    }

    #[test]
    fn a_left_out_variant_is_found_and_an_unknown_step_stops() {
        let (node, ..) = parsed("layers = [{ conv2d = { out = 3 } }]\n");
        let node = node.expect("parses");
        let (left_out, unknown) = (path!["layers", 0, "out"], path!["layers", 7, "out"]);
        assert!(node.locate(&left_out).exact);
        let stopped = node.locate(&unknown);
        assert!(!stopped.exact && matches!(stopped.node.data, Data::List(_)));
    }

    #[test]
    fn a_list_that_is_short_for_a_table_has_its_items() {
        let text = "layers = [{ residual = [\"relu\", { linear = 3 }] }, { parallel = [[], [\"tanh\"]] }]\n";
        let (node, ..) = parsed(text);
        let node = node.expect("parses");
        let at = |path: Vec<crate::digest::Segment>| text_at(text, node.locate(&path).node.span);
        assert_eq!(at(path!["layers", 0, "residual", "layers", 1, "linear", "out"]), "3");
        assert_eq!(at(path!["layers", 1, "parallel", "branches", 1]), "[\"tanh\"]");
        assert_eq!(at(path!["layers", 1, "parallel", "branches", 1, 0]), "\"tanh\"");
        // The list itself, and an item that it does not have, stop at it.
        for path in [path!["layers", 0, "residual", "layers"], path!["layers", 0, "residual", "layers", 9]] {
            assert!(!node.locate(&path).exact);
        }
    }

    #[test]
    fn syntax_errors_have_places_and_a_key_given_twice_does_not_stop() {
        let (node, diagnostics, sources) = parsed("a = 1\nb = hello\n");
        assert!(node.is_none());
        let first = diagnostics.iter().next().expect("an error");
        assert_eq!(first.code, codes::SYNTAX);
        let place = sources.place(first.primary.as_ref().expect("a place").span);
        assert!(place.starts_with("a.toml:2:"), "{place}");
        assert_eq!(first.hints, ["text stands in quotes: \"…\""]);

        let (_, diagnostics, _) = parsed("features.评论 = \"a\"\n");
        let hints = &diagnostics.iter().next().expect("an error").hints;
        assert_eq!(*hints, ["a key with letters other than a to z stands in quotes: \"…\""]);

        for (text, says) in
            [("a = \"b\nc = 2 3\nd\n", "a text ends with a quote"), ("a = \"C:\\data\"\n", "write `/` in paths")]
        {
            let (_, diagnostics, _) = parsed(text);
            let all: Vec<&Diagnostic> = diagnostics.iter().collect();
            assert!(all.len() == 1 && all[0].hints[0].contains(says), "{all:?}");
        }

        let (node, diagnostics, _) = parsed("a = 1\na = 2\n");
        assert!(node.is_some() && diagnostics.has_errors());
        assert_eq!(diagnostics.iter().next().expect("one").related.len(), 1);
    }

    #[test]
    fn a_table_given_twice_is_one_error_and_the_first_one_stays() {
        let (node, diagnostics, _) =
            parsed("[s.a]\nkind = 1\n[s.b]\nkind = 2\n[s.a]\nkind = 3\nfit = 4\n[s.c]\nkind = 5\n");
        let all: Vec<&Diagnostic> = diagnostics.iter().collect();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!((all[0].message.as_str(), all[0].hints.len(), all[0].related.len()), ("`a` is given twice", 1, 1));
        let (_, diagnostics, sources) = parsed("[s]\nx = { a = 1 }\n[s.a]\nkind = 1\n[s.a]\nkind = 2\n");
        let related = &diagnostics.iter().next().expect("one").related;
        assert_eq!(sources.place(related[0].span), "a.toml:3:4", "not the key in `x`");
        let json = node.expect("goes on").to_json();
        assert_eq!(json, serde_json::json!({ "s": { "a": { "kind": 1 }, "b": { "kind": 2 }, "c": { "kind": 5 } } }));
        assert_eq!(all[0].hints, ["give one of the two another name"]);
        let (_, diagnostics, _) = parsed("[stage]\na = 1\n[stage]\nb = 2\n");
        assert_eq!(diagnostics.iter().next().expect("one").hints, ["write what stands below it under the first"]);
        // What looks like a header and is none takes nothing away.
        let (node, ..) = parsed("a = [\n[{ b = 1, b = 2 }]\n]\nc = 3\n");
        assert_eq!(node.expect("goes on").to_json()["c"], 3);
    }

    #[test]
    fn a_merge_conflict_is_one_error() {
        let conflict = "<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> other\n";
        let (node, diagnostics, sources) = parsed(&format!("a = 1\n{conflict}{conflict}"));
        assert!(node.is_none());
        let all: Vec<&Diagnostic> = diagnostics.iter().collect();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].message, "a merge left conflicts in the manifest");
        let primary = all[0].primary.as_ref().expect("a place");
        assert_eq!(sources.place(primary.span), "a.toml:2:1");
        assert_eq!(primary.text, "one begins here, and 1 below");
        // In a text of several lines they are what is meant.
        let (node, diagnostics, _) = parsed(&format!("a = \"\"\"\n{conflict}\"\"\"\n"));
        assert!(node.is_some() && diagnostics.is_empty());
    }

    #[test]
    fn numbers_that_do_not_fit_are_reported() {
        let (node, diagnostics, _) = parsed("a = 99999999999999999999\nb = inf\nc = 18446744073709551615\n");
        assert_eq!(diagnostics.iter().count(), 2);
        assert_eq!(node.expect("goes on").to_json()["c"], u64::MAX);
    }
}
