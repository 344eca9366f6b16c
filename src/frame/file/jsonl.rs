//! JSON lines: one object a line. Types are told from all lines.

use super::{BadFile, TypeRules};
use crate::frame::polars_words;
use polars::prelude::*;
use std::io::Cursor;

pub(super) fn read(bytes: &[u8], types: &TypeRules) -> Result<DataFrame, BadFile> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(BadFile::new("the file is empty: it has no rows").hint("give a file with rows"));
    }
    let read =
        JsonReader::new(Cursor::new(bytes)).with_json_format(JsonFormat::JsonLines).infer_schema_len(None).finish();
    match read {
        Ok(df) => finish(df, types),
        Err(error) => Err(first_bad_line(bytes).unwrap_or_else(|| {
            BadFile::new(format!("the file cannot be read as JSON lines: {}", polars_words(&error)))
                .hint("each line is one object, and a key has values of one type in all of them")
        })),
    }
}

fn finish(df: DataFrame, types: &TypeRules) -> Result<DataFrame, BadFile> {
    let names: Vec<String> = df.columns().iter().map(|column| column.name().to_string()).collect();
    if let Some(unfitting) = types.unfitting(names.iter().map(String::as_str)).first() {
        return Err(super::binary::no_such_column(unfitting, names.iter().map(String::as_str)));
    }
    let height = df.height();
    let columns = super::binary::cast_declared(df.into_columns(), types)?;
    DataFrame::new(height, columns).map_err(|error| BadFile::polars("make a table of the file", &error))
}

fn first_bad_line(bytes: &[u8]) -> Option<BadFile> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    for (index, line) in lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace)) {
        let number = index + 1;
        match serde_json::from_slice::<serde_json::Value>(line) {
            Ok(serde_json::Value::Object(_)) => {}
            Ok(_) => return Some(BadFile::new(format!("line {number} is not an object, expected `{{…}}`"))),
            Err(error) => {
                let words = error.to_string();
                let words = words.split(" at line").next().unwrap_or(&words).to_owned();
                return Some(
                    BadFile::new(format!("line {number}, column {}: {words}", error.column()))
                        .hint("each line holds one whole JSON object"),
                );
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_from_all_lines() {
        let mut text = "{\"a\": 1, \"b\": \"x\"}\n".repeat(500);
        text.push_str("{\"a\": 1.5, \"b\": null}\n");
        let df = read(text.as_bytes(), &TypeRules::default()).expect("read");
        assert_eq!(df.column("a").expect("a").dtype(), &DataType::Float64);
        assert_eq!(df.column("b").expect("b").null_count(), 1);
    }

    #[test]
    fn a_bad_line_is_named() {
        let bad = read(b"{\"a\": 1}\n{\"a\": \n", &TypeRules::default()).expect_err("bad");
        assert!(bad.message.starts_with("line 2, column"), "{}", bad.message);
        let bad = read(b"{\"a\": 1}\n7\n", &TypeRules::default()).expect_err("bad");
        assert_eq!(bad.message, "line 2 is not an object, expected `{…}`");
        assert!(read(b"\n", &TypeRules::default()).expect_err("bad").message.contains("empty"));
    }
}
