//! What happened to a table that a stage reads, in data and in words.

use crate::diag::list;
use crate::digest::Digest;
use crate::numbers::{count, counted};
use crate::types::RowChange;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What happened to a table, as far as a stage reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableChange {
    /// Rows then and now.
    pub rows: (u64, u64),
    /// Columns that are read now as then and have other content. With another number of rows that is every column, and
    /// then none is named.
    pub changed: Vec<String>,
    /// Columns that are read now and were not.
    pub added: Vec<String>,
    /// Columns that were read and are not any more.
    pub removed: Vec<String>,
    /// Columns that are read now as then.
    pub kept: Vec<String>,
    /// Columns of which only name and type are used, and that changed in these.
    pub named: Vec<String>,
    /// Where the bytes of both tables lie in the store, if they are still there.
    pub bytes: Option<(Digest, Digest)>,
    /// How many rows differ, where somebody looked.
    pub differing: Option<RowChange>,
}

impl TableChange {
    /// The change from one input of a key to another; `None` where either is no table.
    pub(super) fn between(old: &Value, new: &Value) -> Option<Self> {
        let (before, after) = (columns(old)?, columns(new)?);
        let rows = |value: &Value| value.get("rows").and_then(Value::as_u64);
        let (rows, counted) = match (rows(old), rows(new)) {
            (Some(old), Some(new)) => ((old, new), true),
            // Of a table that is not kept they are not known, and neither is what is in its columns.
            (None, None) => ((0, 0), false),
            _ => return None,
        };
        let then: BTreeMap<&str, &str> = before.iter().copied().collect();
        let now: BTreeSet<&str> = after.iter().map(|(name, _)| *name).collect();
        let owned = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect::<Vec<String>>();
        let others = after.iter().filter(|(name, digest)| then.get(name).is_some_and(|old| old != digest));
        let bytes = |value: &Value| value.get("bytes")?.as_str()?.parse::<Digest>().ok();
        let change = Self {
            rows,
            changed: if rows.0 == rows.1 { owned(&mut others.map(|(name, _)| *name)) } else { Vec::new() },
            added: owned(&mut after.iter().map(|(name, _)| *name).filter(|name| !then.contains_key(name))),
            removed: owned(&mut before.iter().map(|(name, _)| *name).filter(|name| !now.contains(name))),
            kept: owned(&mut after.iter().map(|(name, _)| *name).filter(|name| then.contains_key(name))),
            named: named(old, new),
            bytes: bytes(old).zip(bytes(new)),
            differing: None,
        };
        let others = change.added.len() + change.removed.len() + change.named.len();
        (counted || others > 0).then_some(change)
    }
}

/// The columns that are only named, and have another type or are there anew.
fn named(old: &Value, new: &Value) -> Vec<String> {
    let of = |value: &Value| value.get("named").and_then(Value::as_object).cloned().unwrap_or_default();
    let (old, new) = (of(old), of(new));
    new.iter().filter(|(name, dtype)| old.get(*name) != Some(*dtype)).map(|(name, _)| name.clone()).collect()
}

/// The columns that are read of an input, with their digests.
fn columns(value: &Value) -> Option<Vec<(&str, &str)>> {
    let list = value.get("columns")?.as_array()?;
    list.iter().map(|pair| Some((pair.get(0)?.as_str()?, pair.get(1)?.as_str()?))).collect()
}

/// More columns than these are counted.
const NAMED: usize = 4;

impl fmt::Display for TableChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |names: &[String]| list(names.iter().map(String::as_str), NAMED);
        let mut facts = Vec::new();
        if self.rows.0 != self.rows.1 {
            facts.push(format!("{} -> {} rows", count(self.rows.0), count(self.rows.1)));
        }
        if !self.changed.is_empty() {
            let noun = if self.changed.len() == 1 { "column" } else { "columns" };
            facts.push(format!("{noun} {}", named(&self.changed)));
        }
        if !self.added.is_empty() {
            facts.push(format!("{} is read too", named(&self.added)));
        }
        if !self.removed.is_empty() {
            facts.push(format!("{} is no longer read", named(&self.removed)));
        }
        if !self.named.is_empty() {
            facts.push(format!("of {} only name and type are used, and changed", named(&self.named)));
        }
        if facts.is_empty() {
            facts.push("its columns stand in another order".to_owned());
        }
        facts.extend(self.differing.and_then(|rows| row_words(rows, self.rows.1)));
        f.write_str(&facts.join(", "))
    }
}

/// `3 of 4,000 rows differ`, `100 rows new, 2 gone`; nothing where other columns are all that changed.
fn row_words(change: RowChange, rows: u64) -> Option<String> {
    if change.added == 0 && change.removed == 0 {
        return match change.changed {
            0 => change.reordered.then(|| "the same rows in another order".to_owned()),
            changed => Some(format!("{} of {} rows differ", count(changed), count(rows))),
        };
    }
    let new = counted(usize::try_from(change.added).unwrap_or(usize::MAX), "row");
    Some(match change.removed {
        0 => format!("{new} new"),
        gone => format!("{new} new, {} gone", count(gone)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn input(rows: u64, columns: &[(&str, &str)]) -> Value {
        let columns: Vec<Value> = columns.iter().map(|(name, digest)| json!([name, digest])).collect();
        json!({ "ref": "t", "digest": "", "rows": rows, "columns": columns })
    }

    fn words(old: &Value, new: &Value) -> String {
        TableChange::between(old, new).expect("tables").to_string()
    }

    #[test]
    fn changes_read_as_facts() {
        let old = input(4000, &[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(words(&old, &input(4000, &[("a", "1"), ("b", "9"), ("c", "3")])), "column `b`");
        assert_eq!(words(&old, &input(4100, &[("a", "7"), ("b", "9"), ("c", "8")])), "4,000 -> 4,100 rows");
        assert_eq!(
            words(&old, &input(4000, &[("a", "7"), ("b", "2"), ("d", "4")])),
            "column `a`, `d` is read too, `c` is no longer read"
        );
        let turned = input(4000, &[("b", "2"), ("a", "1"), ("c", "3")]);
        assert_eq!(words(&old, &turned), "its columns stand in another order");
        assert_eq!(TableChange::between(&json!({ "ref": "m", "digest": "" }), &old), None);
    }

    #[test]
    fn rows_are_counted() {
        let change = |changed, added, removed, reordered| {
            row_words(RowChange { changed, added, removed, reordered }, 4000).unwrap_or_default()
        };
        assert_eq!(change(3, 0, 0, false), "3 of 4,000 rows differ");
        assert_eq!(change(0, 100, 0, false), "100 rows new");
        assert_eq!(change(0, 1, 2, false), "1 row new, 2 gone");
        assert_eq!(change(0, 0, 0, true), "the same rows in another order");
        assert_eq!(change(0, 0, 0, false), "");
    }
}
