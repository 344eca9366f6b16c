//! Metrics: JSON files, number by number.

use crate::frame::compare::Admits;
use crate::stage::{Input, InputFile, StageError};
use crate::types::ArtifactType;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// A value that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NumberDifference {
    /// Its path: `slices.island.accuracy`.
    pub path: String,
    /// What it was; empty where it was not there.
    pub before: String,
    /// What it is now.
    pub now: String,
}

/// Whether a file of such an artefact is compared number by number.
pub(super) fn is_number_file(name: &str, ty: &ArtifactType) -> bool {
    *ty == ArtifactType::Metrics && name.ends_with(".json")
}

/// Compares the JSON files that both have; gives what differs beyond `admits`, and the largest difference that was admitted.
pub(super) fn compare(
    before: &Input,
    now: &Input,
    admits: Option<Admits<'_>>,
) -> Result<(Option<Vec<NumberDifference>>, f64), StageError> {
    let mut walk = Walk { admits, found: Vec::new(), largest: 0.0 };
    for file in before.files.iter().filter(|file| is_number_file(&file.name, &now.ty)) {
        let Some(other) = now.file(&file.name) else { continue };
        // What is not JSON is compared byte by byte instead.
        if let (Some(one), Some(other)) = (read(file)?, read(other)?) {
            walk.values("", Some(&one), Some(&other));
        }
    }
    Ok(((!walk.found.is_empty()).then_some(walk.found), walk.largest))
}

fn read(file: &InputFile) -> Result<Option<Value>, StageError> {
    let bytes = std::fs::read(&file.path).map_err(|error| StageError::io("read", &file.path, &error))?;
    Ok(serde_json::from_slice(&bytes).ok())
}

struct Walk<'a> {
    admits: Option<Admits<'a>>,
    found: Vec<NumberDifference>,
    largest: f64,
}

impl Walk<'_> {
    fn values(&mut self, path: &str, before: Option<&Value>, now: Option<&Value>) {
        match (before, now) {
            (one, other) if one == other => {}
            (Some(Value::Object(one)), Some(Value::Object(other))) => {
                let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                for name in names {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    self.values(&path, one.get(name), other.get(name));
                }
            }
            (Some(Value::Array(one)), Some(Value::Array(other))) => {
                for index in 0..one.len().max(other.len()) {
                    self.values(&format!("{path}[{index}]"), one.get(index), other.get(index));
                }
            }
            (Some(Value::Number(one)), Some(Value::Number(other))) => {
                let numbers = one.as_f64().zip(other.as_f64());
                match (numbers, self.admits) {
                    (Some((a, b)), Some(admits)) if admits(a, b) => self.largest = self.largest.max((a - b).abs()),
                    _ => self.note(path, before, now),
                }
            }
            _ => self.note(path, before, now),
        }
    }

    fn note(&mut self, path: &str, before: Option<&Value>, now: Option<&Value>) {
        let text = |value: Option<&Value>| value.map(ToString::to_string).unwrap_or_default();
        self.found.push(NumberDifference { path: path.to_owned(), before: text(before), now: text(now) });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::artefact;
    use super::*;

    fn compared(one: &str, other: &str, admits: Option<Admits<'_>>) -> (Option<Vec<NumberDifference>>, f64) {
        let folder = tempfile::tempdir().unwrap();
        let of = |text: &str| artefact(folder.path(), ArtifactType::Metrics, &[("metrics.json", text.as_bytes())]);
        compare(&of(one), &of(other), admits).unwrap()
    }

    #[test]
    fn numbers_that_differ_are_named_by_their_path() {
        let (found, _) =
            compared(r#"{"a": 1, "b": {"c": [1, 2.5]}}"#, r#"{"b": {"c": [1, 2.25]}, "a": 1, "d": 0}"#, None);
        let row = |path: &str, before: &str, now: &str| NumberDifference {
            path: path.into(),
            before: before.into(),
            now: now.into(),
        };
        assert_eq!(found, Some(vec![row("b.c[1]", "2.5", "2.25"), row("d", "", "0")]));
    }

    #[test]
    fn what_is_admitted_is_measured() {
        let near: Admits<'_> = &|a, b| (a - b).abs() < 0.5;
        assert_eq!(compared(r#"{"a": 1.0}"#, r#"{"a": 1.25}"#, Some(near)), (None, 0.25));
        assert!(compared(r#"{"a": 1.0}"#, r#"{"a": 1.75}"#, Some(near)).0.is_some());
        assert!(compared(r#"{"a": "x"}"#, r#"{"a": "y"}"#, Some(near)).0.is_some());
    }
}
