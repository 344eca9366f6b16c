//! A key as people read it: everything that decides a stage's result.

use crate::numbers::counted;
use crate::plan::named_files;
use crate::report::Paint;
use serde_json::Value;

/// What a key was made of: kind, seed and environment in a line each, then the fields.
pub(super) fn made_of(key: &Value, paint: Paint) -> String {
    let mut out = String::new();
    let text = |name: &str| key.get(name).map(plain).unwrap_or_default();
    out.push_str(&format!("  kind {}, version {}\n", text("kind"), text("version")));
    if let Some(seed) = key.get("seed") {
        out.push_str(&format!("  seed {}\n", leaf(seed, paint).unwrap_or_default()));
    }
    for (name, value) in key.get("environment").and_then(Value::as_object).into_iter().flatten() {
        out.push_str(&format!("  {name} {}\n", plain(value)));
    }
    if let Some(spec) = key.get("spec") {
        tree(&mut out, spec, 1, paint);
    }
    out
}

/// Fields, indented: what references and files stand for is shown by their digests' first digits. Empty lists and
/// tables are left out.
fn tree(out: &mut String, value: &Value, depth: usize, paint: Paint) {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (format!("[{at}]"), value)).collect(),
        _ => return,
    };
    let width = entries.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    for (key, value) in entries.iter().filter(|(_, value)| !is_empty(value)) {
        let lead = "  ".repeat(depth);
        match leaf(value, paint) {
            Some(text) => out.push_str(&format!("{lead}{key:<width$}  {text}\n")),
            None => {
                out.push_str(&format!("{lead}{key}\n"));
                tree(out, value, depth + 1, paint);
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(entries) => entries.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// The longest value that stands on one line.
const WIDEST: usize = 88;

/// The text of a value that stands on one line.
fn leaf(value: &Value, paint: Paint) -> Option<String> {
    let named = |entries: &serde_json::Map<String, Value>| {
        let digest = entries.get("digest")?.as_str()?.get(..12)?.to_owned();
        let name = entries.get("ref").or_else(|| entries.get("file"))?.as_str()?;
        Some(format!("{name}  {}{}", paint.dim(digest), read_of(entries)))
    };
    if let Some((_, Value::Object(files))) = named_files(value) {
        return named(files);
    }
    match value {
        Value::String(text) if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Some(paint.dim(&text[..12]))
        }
        Value::Object(entries) if entries.contains_key("digest") => named(entries),
        Value::Object(_) | Value::Array(_) if holds_reference(value) => None,
        Value::Object(_) | Value::Array(_) => Some(plain(value)).filter(|text| text.chars().count() <= WIDEST),
        value => Some(plain(value)),
    }
}

/// `  3 of 8 columns`, where an input is a table that is not read whole.
fn read_of(entries: &serde_json::Map<String, Value>) -> String {
    let read = entries.get("columns").and_then(Value::as_array).map(Vec::len);
    let width = entries.get("width").and_then(Value::as_u64).and_then(|width| usize::try_from(width).ok());
    match read.zip(width) {
        Some((read, width)) if read < width => format!("  {read} of {}", counted(width, "column")),
        _ => String::new(),
    }
}

/// Whether a reference or a file lies in it.
fn holds_reference(value: &Value) -> bool {
    match value {
        Value::Object(entries) => entries.contains_key("digest") || entries.values().any(holds_reference),
        Value::Array(items) => items.iter().any(holds_reference),
        _ => false,
    }
}

/// A value much as the manifest writes it.
fn plain(value: &Value) -> String {
    let list = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(", ");
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", list(&mut items.iter().map(plain))),
        Value::Object(entries) => {
            format!("{{ {} }}", list(&mut entries.iter().map(|(key, value)| format!("{key} = {}", plain(value)))))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_stand_with_their_content_and_empty_fields_are_left_out() {
        let digest = "5c3be9af84dd703a25f1aaeadeac6ac770cfd38c1620d00089f581c023129ee0";
        let key = json!({
            "format": 1, "kind": "train", "version": 2, "seed": digest, "environment": { "libtorch": "2.11.0" },
            "spec": {
                "data": { "ref": "encode.train", "digest": digest },
                "from": { "ref": "raw", "digest": digest, "rows": 5, "width": 3, "columns": [["a", "1"], ["b", "2"]] },
                "clip": {},
                "files": [["x.py", { "file": "x.py", "digest": digest }]],
                "apply": [{ "ref": "split.val", "digest": digest }],
                "optimizer": { "adam": { "lr": 0.001 } },
            },
        });
        let expected = [
            "  kind train, version 2",
            "  seed 5c3be9af84dd",
            "  libtorch 2.11.0",
            "  data       encode.train  5c3be9af84dd",
            "  from       raw  5c3be9af84dd  2 of 3 columns",
            "  files",
            "    [0]  x.py  5c3be9af84dd",
            "  apply",
            "    [0]  split.val  5c3be9af84dd",
            "  optimizer  { adam = { lr = 0.001 } }",
            "",
        ];
        assert_eq!(made_of(&key, Paint::new(false)), expected.join("\n"));
    }
}
