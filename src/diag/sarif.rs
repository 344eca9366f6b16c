//! Diagnostics as a SARIF 2.1.0 log, which code scanning services take.

use super::{Diagnostic, Diagnostics, Label, codes};
use crate::span::{SourceMap, Span};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json";

/// One log with one run. Of the codes it lists those that were found.
pub(super) fn sarif(diagnostics: &Diagnostics, sources: &SourceMap) -> String {
    let found: BTreeSet<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code.id).collect();
    let rules: Vec<Value> = codes::CODES
        .iter()
        .filter(|code| found.contains(code.id))
        .map(|code| {
            json!({
                "id": code.id,
                "shortDescription": { "text": code.title },
                "fullDescription": { "text": code.explain },
                "defaultConfiguration": { "level": code.severity().name() },
            })
        })
        .collect();
    let results: Vec<Value> = diagnostics.iter().map(|diagnostic| result(diagnostic, sources)).collect();
    let driver = json!({
        "name": "kilter",
        "version": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            // Columns are counted in characters, not in units of UTF-16.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn result(diagnostic: &Diagnostic, sources: &SourceMap) -> Value {
    let label = diagnostic.primary.as_ref().map(|label| label.text.as_str()).filter(|text| !text.is_empty());
    let words: Vec<&str> = std::iter::once(diagnostic.message.as_str())
        .chain(label)
        .chain(diagnostic.hints.iter().map(String::as_str))
        .collect();
    let mut result = json!({
        "ruleId": diagnostic.code.id,
        "level": diagnostic.severity.name(),
        "message": { "text": words.join("\n") },
        "locations": diagnostic.primary.iter().map(|label| location(label.span, sources)).collect::<Vec<_>>(),
    });
    if !diagnostic.related.is_empty() {
        let related = |label: &Label| {
            let mut place = location(label.span, sources);
            place["message"] = json!({ "text": label.text });
            place
        };
        result["relatedLocations"] = diagnostic.related.iter().map(related).collect();
    }
    result
}

/// Lines and columns count from 1, and the end column is exclusive, as SARIF wants them.
fn location(span: Span, sources: &SourceMap) -> Value {
    let start = sources.line_column(span);
    let end = sources.line_column(Span { start: span.end, ..span });
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(&sources.get(span.source).name) },
            "region": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
            },
        },
    })
}

/// A path as a relative URI.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/@+,=".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Source;

    #[test]
    fn a_mistake_is_a_result_at_its_place() {
        let mut sources = SourceMap::default();
        let id = sources.add(Source { name: "my pipe.toml".into(), path: None, text: "é = 1\nb = 2\n".into() });
        let mut found = Diagnostics::default();
        found.push(
            Diagnostic::new(codes::UNKNOWN_FIELD, "no field `b`")
                .at(Span::new(id, 7..8))
                .label("unknown")
                .related(Span::new(id, 0..2), "here")
                .hint("did you mean `a`?"),
        );
        let log: Value = serde_json::from_str(&sarif(&found, &sources)).unwrap();
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "E0132");
        let result = &run["results"][0];
        assert_eq!((&result["ruleId"], &result["level"]), (&json!("E0132"), &json!("error")));
        assert_eq!(result["message"]["text"], "no field `b`\nunknown\ndid you mean `a`?");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "my%20pipe.toml");
        assert_eq!(place["region"], json!({"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 2}));
        assert_eq!(result["relatedLocations"][0]["physicalLocation"]["region"]["endColumn"], 2);
    }

    #[test]
    fn nothing_found_is_a_log_without_results() {
        let log: Value = serde_json::from_str(&sarif(&Diagnostics::default(), &SourceMap::default())).unwrap();
        assert_eq!(
            (log["version"].as_str(), log["runs"][0]["results"].as_array().map(Vec::len)),
            (Some("2.1.0"), Some(0))
        );
    }
}
