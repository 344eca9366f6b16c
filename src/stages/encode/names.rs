//! Column names and patterns in a manifest, and what they select.

use crate::diag::{codes, did_you_mean};
use crate::numbers;
use crate::stage::{CheckCx, Path, Ref, StageError};
use crate::types::{TableSchema, matches_pattern};
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor, value::SeqAccessDeserializer};
use std::borrow::Cow;
use std::fmt;

/// One column name or pattern, or a list of them. `*` and `?` are wildcards; an entry that begins with `!` takes
/// columns out again: `["*", "!species"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Names(pub Vec<String>);

impl Names {
    /// The names that these entries select from `all`, each once: in the order of the entries, and of `all` within one.
    pub fn select<'a>(&self, all: &[&'a str]) -> Vec<&'a str> {
        let mut selected: Vec<&'a str> = Vec::new();
        for entry in &self.0 {
            if let Some(out) = entry.strip_prefix('!') {
                selected.retain(|name| !matches_pattern(out, name));
            } else {
                let matching = all.iter().filter(|name| matches_pattern(entry, name));
                let new: Vec<&str> = matching.copied().filter(|name| !selected.contains(name)).collect();
                selected.extend(new);
            }
        }
        selected
    }

    /// Like [`Names::select`] on a real table.
    ///
    /// # Errors
    /// When a name that is no pattern is not there, or nothing is selected. `check` finds these first.
    pub fn resolve(&self, feature: &str, all: &[&str]) -> Result<Vec<String>, StageError> {
        for entry in self.0.iter().filter(|entry| !is_pattern(entry)) {
            if !all.contains(&entry.as_str()) {
                let missing = format!("column `{entry}` of feature `{feature}` does not exist");
                let failure = StageError::data(missing);
                return Err(match did_you_mean(entry, all.iter().copied()) {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                });
            }
        }
        let selected: Vec<String> = self.select(all).into_iter().map(str::to_owned).collect();
        if selected.is_empty() {
            return Err(StageError::data(format!("feature `{feature}` selects no column")));
        }
        Ok(selected)
    }
}

/// Whether an entry is anything but an exact name.
pub fn is_pattern(entry: &str) -> bool {
    entry.starts_with('!') || entry.contains(['*', '?'])
}

/// Reports entries that name nothing in `schema`, at their own places, and gives what is selected: `None` while the
/// table's columns are not all known, or after a mistake.
pub fn check_names(
    names: &Names,
    schema: &TableSchema,
    table: &Ref,
    place: &Path,
    cx: &mut CheckCx<'_>,
) -> Option<Vec<String>> {
    let all: Vec<&str> = schema.names().collect();
    if !schema.complete {
        return None;
    }
    let before = all.len();
    let mut clean = true;
    for (index, entry) in names.0.iter().enumerate() {
        let mut at = place.clone();
        at.push(index.into());
        if is_pattern(entry) {
            let pattern = entry.trim_start_matches('!');
            if !all.iter().any(|name| matches_pattern(pattern, name)) {
                clean = false;
                cx.error(at, codes::EMPTY_SELECTION, format!("`{entry}` matches no column of `{table}`"))
                    .label("no column has a name like that")
                    .from_stage(table, format!("has {}", numbers::counted(before, "column")));
            }
        } else if !all.contains(&entry.as_str()) {
            clean = false;
            cx.error(at, codes::UNKNOWN_COLUMN, format!("column `{entry}` does not exist"))
                .label(format!("`{table}` has {}; none of this name", numbers::counted(before, "column")))
                .maybe_hint(did_you_mean(entry, all.iter().copied()))
                .from_stage(table, "the table comes from here");
        }
    }
    let selected: Vec<String> = names.select(&all).into_iter().map(str::to_owned).collect();
    if clean && selected.is_empty() {
        cx.error(place.clone(), codes::EMPTY_SELECTION, format!("nothing of `{table}` is selected"))
            .label("every column is taken out again");
        return None;
    }
    clean.then_some(selected)
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;
        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column name or pattern, or a list of them")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Names, E> {
                Ok(Names(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Names, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(Names)
            }
        }
        deserializer.deserialize_any(NamesVisitor)
    }
}

impl schemars::JsonSchema for Names {
    fn schema_name() -> Cow<'static, str> {
        "Columns".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A column name or pattern (`*`, `?`), or a list of them; an entry that begins with `!` takes columns out again.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_select_exclude_and_never_repeat() {
        let names = |entries: &[&str]| Names(entries.iter().map(|entry| (*entry).to_owned()).collect());
        let all = ["b", "a_1", "a_2", "label"];
        assert_eq!(names(&["a_*", "b"]).select(&all), ["a_1", "a_2", "b"]);
        assert_eq!(names(&["*", "!label"]).select(&all), ["b", "a_1", "a_2"]);
        assert_eq!(names(&["a_1", "a_?"]).select(&all), ["a_1", "a_2"]);
        let missing = names(&["a_3"]).resolve("x", &all).unwrap_err();
        assert_eq!(missing.message, "column `a_3` of feature `x` does not exist");
        assert_eq!(missing.hints, ["did you mean `a_1`?"]);
    }
}
