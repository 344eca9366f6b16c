//! The lock's text: TOML that a line-by-line merge can handle. The only file here that knows `toml`.
//!
//! ```toml
//! format = 1
//!
//! [stage.split]
//! kind = "split"
//! key = "5c3b…"
//! determinism = "bitwise"
//! environment.cores = "2"
//! outputs.test = { digest = "91f0…", size = 15241 }
//! outputs.train = { digest = "0a7c…", size = 60122 }
//! metrics.rows = 344.0
//! ```
//!
//! Every fact has a line of its own, in a fixed order, and between two records stand lines that never change: what two
//! branches do to two stages does not touch.

use super::conflict::{OURS, SPLIT, THEIRS};
use super::{Lock, Record};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Raised when an older kilter would misread a lock.
pub(super) const FORMAT: u32 = 1;

const HEAD: &str = "# Written by kilter; commit it. `kilter run --locked` and `kilter verify` compare with it.\n";

/// What is wrong with a lock's text: 1-based line, and the message.
pub(super) type Wrong = (usize, String);

/// The text of a lock.
#[must_use]
pub(super) fn write(lock: &Lock) -> String {
    let mut out = head(lock.stages.len());
    for (name, record) in &lock.stages {
        // Writing to a string cannot fail.
        let _ = record_text(&mut out, name, record);
    }
    out
}

fn head(records: usize) -> String {
    let mut out = String::with_capacity(HEAD.len() + records * 512);
    out.push_str(HEAD);
    let _ = writeln!(out, "format = {FORMAT}");
    out
}

/// What two sides say of a stage.
pub(super) enum Side<'a> {
    /// One record.
    Both(&'a Record),
    /// Two, or one that the other side does not have.
    Apart(Option<&'a Record>, Option<&'a Record>),
}

/// The text of a lock in which two sides may disagree: those records stand between git's markers.
#[must_use]
pub(super) fn write_sides(records: &BTreeMap<&str, Side<'_>>) -> String {
    let mut out = head(records.len());
    for (name, side) in records {
        let add = |out: &mut String, record: &Record| {
            let _ = record_text(out, name, record);
        };
        match side {
            Side::Both(record) => add(&mut out, record),
            Side::Apart(ours, theirs) => {
                out.push_str(OURS);
                ours.iter().for_each(|record| add(&mut out, record));
                out.push_str(SPLIT);
                theirs.iter().for_each(|record| add(&mut out, record));
                out.push_str(THEIRS);
            }
        }
    }
    out
}

fn record_text(out: &mut String, name: &str, record: &Record) -> std::fmt::Result {
    writeln!(out, "\n[stage.{}]", Key(name))?;
    writeln!(out, "kind = {}", Text(&record.kind))?;
    writeln!(out, "key = \"{}\"", record.key)?;
    writeln!(out, "determinism = {}", Text(&record.determinism.to_string()))?;
    for (fact, value) in &record.environment {
        writeln!(out, "environment.{} = {}", Key(fact), Text(value))?;
    }
    for (port, output) in &record.outputs {
        writeln!(out, "outputs.{} = {{ digest = \"{}\", size = {} }}", Key(port), output.digest, output.size)?;
    }
    for (metric, value) in &record.metrics {
        writeln!(out, "metrics.{} = {}", Key(metric), Number(*value))?;
    }
    Ok(())
}

/// A key: bare where that is allowed.
struct Key<'a>(&'a str);

impl std::fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bare = !self.0.is_empty() && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if bare { f.write_str(self.0) } else { Text(self.0).fmt(f) }
    }
}

/// A basic string.
struct Text<'a>(&'a str);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// A float that reads back as the same bits.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_nan() { f.write_str("nan") } else { write!(f, "{:?}", self.0) }
    }
}

#[derive(Deserialize)]
struct Format {
    format: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "it was looked at before")]
    format: u32,
    #[serde(default)]
    stage: BTreeMap<String, Record>,
}

/// The format of a lock that a newer kilter wrote. Looks at lines before the first record, so that conflicts between records,
/// and whatever else a newer lock may hold, are no obstacle.
pub(super) fn newer(text: &str) -> Option<u64> {
    let format = |line: &str| {
        let value = line.strip_prefix("format")?.trim_start().strip_prefix('=')?;
        value.split('#').next()?.trim().parse().ok()
    };
    let head = text.lines().take_while(|line| !line.starts_with('['));
    head.filter_map(format).find(|format| *format > u64::from(FORMAT))
}

/// Reads a lock's text.
pub(super) fn read(text: &str) -> Result<Lock, Wrong> {
    let wrong = |error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
        (line, error.message().lines().next().unwrap_or("not TOML").to_owned())
    };
    // A newer format may have other fields, so it is asked for before they are read.
    // A carriage return before that cut (git may end lines so) would stand alone.
    let head = text.split("\n[").next().unwrap_or(text).trim_end();
    match toml::from_str::<Format>(head).map_err(wrong)?.format {
        Some(FORMAT) => {}
        Some(other) => return Err((1, format!("format {other} is not known to this kilter, which reads {FORMAT}"))),
        None => return Err((1, format!("a lock begins with `format = {FORMAT}`"))),
    }
    let file: File = toml::from_str(text).map_err(wrong)?;
    Ok(Lock { stages: file.stage })
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{lock, record};
    use super::super::{Claim, Lock, LockedOutput, Record};
    use super::*;
    use crate::digest::Digest;
    use proptest::prelude::*;

    #[test]
    fn a_lock_reads_as_written() {
        let text = write(&lock(&[("clean/dedupe", record("b")), ("a", record("a"))]));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1..5], ["format = 1", "", "[stage.a]", "kind = \"exec\""]);
        assert_eq!(lines[6..8], ["determinism = \"bitwise\"", "environment.cores = \"2\""]);
        assert!(lines[8].starts_with("outputs.text = { digest = \"") && lines[8].ends_with("\", size = 1 }"));
        assert_eq!(lines[9..12], ["metrics.accuracy = 0.30000000000000004", "", "[stage.\"clean/dedupe\"]"]);
        assert_eq!(read(&text).unwrap(), lock(&[("clean/dedupe", record("b")), ("a", record("a"))]));
        assert_eq!(read(&text.replace('\n', "\r\n")), read(&text), "as git checks out with `core.autocrlf`");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        assert_eq!(read("").unwrap_err(), (1, "a lock begins with `format = 1`".to_owned()));
        assert!(read("format = 2\nwhatever = 1\n").unwrap_err().1.contains("format 2"));
        let text = write(&lock(&[("a", record("a"))]));
        let (line, message) = read(&text.replace("kind =", "kinds =")).unwrap_err();
        assert!(line >= 4 && message.contains("kinds"), "{line}: {message}");
        let (line, message) = read(&text.replace("key = \"", "key = \"x")).unwrap_err();
        assert!(line == 6 && message.contains("64 hexadecimal digits"), "{line}: {message}");
        assert!(read("format = 1\n[stage.a\n").is_err());
    }

    #[test]
    fn a_newer_format_is_seen_whatever_else_there_is() {
        assert_eq!(newer("# Written by kilter\nformat = 2 # two\n\n<<<<<<< HEAD\n[stage.a]\n"), Some(2));
        assert_eq!(newer("<<<<<<< HEAD\nformat = 1\n=======\nformat = 3\n>>>>>>> b\n"), Some(3));
        assert_eq!(newer("format = 1\n[stage.a]\nformat = 2\n"), None);
        assert_eq!(newer("format = \"2\"\nformats = 2\n"), None);
    }

    fn records() -> impl Strategy<Value = Record> {
        let facts = prop::collection::btree_map("\\PC{0,8}", "\\PC{0,12}", 0..3);
        let outputs = prop::collection::btree_map("[a-z_ .\"]{0,6}", (any::<u64>(), 0..i64::MAX as u64), 0..3);
        let metrics = prop::collection::btree_map("[a-z@.]{0,6}", any::<f64>(), 0..3);
        (facts, outputs, metrics, any::<u64>()).prop_map(|(environment, outputs, metrics, key)| Record {
            kind: "exec".into(),
            key: Digest::of(&key.to_le_bytes()),
            determinism: Claim::OnDevice("cpu avx2".into()),
            outputs: outputs
                .into_iter()
                .map(|(port, (of, size))| (port, LockedOutput { digest: Digest::of(&of.to_le_bytes()), size }))
                .collect(),
            metrics,
            environment,
        })
    }

    proptest! {
        #[test]
        fn every_lock_reads_back(stages in prop::collection::btree_map("\\PC{0,10}", records(), 0..4)) {
            let lock = Lock { stages };
            let again = read(&write(&lock)).unwrap();
            prop_assert_eq!(lock.stages.keys().collect::<Vec<_>>(), again.stages.keys().collect::<Vec<_>>());
            for (one, other) in lock.stages.values().zip(again.stages.values()) {
                prop_assert!(one.same_result(other));
                prop_assert_eq!(&one.environment, &other.environment);
            }
        }

        #[test]
        fn no_text_stops_the_reader(text in "(format = 1\n)?(\\[stage\\.[a-z]\\]\n)?\\PC{0,80}") {
            let _ = read(&text);
        }
    }
}
