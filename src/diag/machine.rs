//! Diagnostics for programs: JSON, and GitHub workflow commands.

use super::{Diagnostic, Diagnostics};
use crate::span::{SourceMap, Span};

/// A JSON array with an object for each.
pub(super) fn json(diagnostics: &Diagnostics, sources: &SourceMap) -> String {
    let list: Vec<serde_json::Value> = diagnostics.iter().map(|diagnostic| json_object(diagnostic, sources)).collect();
    let mut text = serde_json::to_string_pretty(&list).unwrap_or_else(|_| "[]".to_owned());
    text.push('\n');
    text
}

/// `file`, `line`, `column`, `end_line`, `end_column`: 1-based, columns in characters, the end exclusive.
fn json_place(span: Span, sources: &SourceMap) -> serde_json::Map<String, serde_json::Value> {
    let start = sources.line_column(span);
    let end = sources.line_column(Span { start: span.end, ..span });
    let mut place = serde_json::Map::new();
    place.insert("file".to_owned(), sources.get(span.source).name.clone().into());
    for (name, number) in
        [("line", start.line), ("column", start.column), ("end_line", end.line), ("end_column", end.column)]
    {
        place.insert(name.to_owned(), number.into());
    }
    place
}

fn json_object(diagnostic: &Diagnostic, sources: &SourceMap) -> serde_json::Value {
    let mut object = match &diagnostic.primary {
        Some(label) => json_place(label.span, sources),
        None => serde_json::Map::new(),
    };
    let labels: Vec<serde_json::Value> = diagnostic
        .primary
        .iter()
        .chain(&diagnostic.related)
        .map(|label| {
            let mut place = json_place(label.span, sources);
            place.insert("text".to_owned(), label.text.clone().into());
            place.into()
        })
        .collect();
    object.insert("code".to_owned(), diagnostic.code.id.into());
    object.insert("severity".to_owned(), diagnostic.severity.name().into());
    object.insert("message".to_owned(), diagnostic.message.clone().into());
    object.insert("hints".to_owned(), diagnostic.hints.clone().into());
    object.insert("labels".to_owned(), labels.into());
    object.into()
}

/// `::error file=…,line=…,col=…,endLine=…,endColumn=…,title=E0213::message`
pub(super) fn github(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let mut properties = Vec::new();
    if let Some(label) = &diagnostic.primary {
        let start = sources.line_column(label.span);
        let end = sources.line_column(Span { start: label.span.end, ..label.span });
        properties.push(format!("file={}", escape_property(&sources.get(label.span.source).name)));
        properties.push(format!("line={},col={}", start.line, start.column));
        // GitHub takes columns only where begin and end are on one line, and its end is inclusive.
        if start.line == end.line {
            properties.push(format!("endColumn={}", end.column.saturating_sub(1).max(start.column)));
        } else {
            properties.push(format!("endLine={}", end.line));
        }
    }
    properties.push(format!("title={}", diagnostic.code));
    let label = diagnostic.primary.as_ref().map(|label| label.text.as_str()).filter(|text| !text.is_empty());
    let text: Vec<&str> = std::iter::once(diagnostic.message.as_str())
        .chain(label)
        .chain(diagnostic.hints.iter().map(String::as_str))
        .collect();
    format!("::{} {}::{}\n", diagnostic.severity.name(), properties.join(","), escape_data(&text.join("\n")))
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}
