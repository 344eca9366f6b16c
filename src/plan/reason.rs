//! Why a stage would run, in data and in words.

use super::table_change::TableChange;
use super::words::in_words;
use crate::diag::{excerpts, list};
use serde_json::Value;
use std::fmt;

/// Where a field's value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The param that it is written as.
    pub param: Option<String>,
    /// The `--set` that gave the value.
    pub set: Option<String>,
    /// `pipelines/digits.toml:31:6`; `None` where the value is a default.
    pub place: Option<String>,
}

/// What happened to a file that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// Its bytes differ.
    Changed(String),
    /// It was not there.
    Added(String),
    /// It is not there any more.
    Removed(String),
}

/// Why a stage would run.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// There is no earlier result to compare with.
    NeverRan,
    /// A field has another value.
    Field {
        /// Its path: `optimizer.adam.lr`.
        path: String,
        /// Its value then; `None` where it was not set.
        old: Option<Value>,
        /// Its value now.
        new: Option<Value>,
        /// Where that comes from.
        origin: Origin,
    },
    /// An input has another content.
    Input {
        /// The field that names it.
        path: String,
        /// The reference.
        reference: String,
        /// What it was then, where that was another.
        was: Option<String>,
        /// What happened to it, where it is a table.
        table: Option<TableChange>,
        /// What happened to what it is made of, where it is a table that is not kept.
        behind: Vec<Reason>,
    },
    /// Workspace files have another content.
    File {
        /// The field that names them.
        path: String,
        /// As it is written there.
        file: String,
        /// What happened, where it is a pattern.
        changes: Vec<FileChange>,
    },
    /// The kind's implementation is another.
    Version {
        /// The kind.
        kind: String,
        /// Then.
        old: u64,
        /// Now.
        new: u64,
    },
    /// The stage is of another kind.
    Kind {
        /// Then.
        old: String,
        /// Now.
        new: String,
    },
    /// The pipeline's seed or the stage's name is another.
    Seed,
    /// Its outputs are called otherwise, because references are.
    Names,
    /// What its result tells of where it comes from is another.
    Origin,
    /// The numeric environment is another.
    Environment {
        /// `libtorch` or `device`.
        name: String,
        /// Then.
        old: String,
        /// Now.
        new: String,
    },
    /// Keys are made in another way than by the kilter that made the earlier result.
    Format,
    /// It was asked for.
    Forced,
    /// The manifest says `cache = false`.
    NotCached,
    /// The stage asks something outside, and its result is older than it believes.
    Outdated {
        /// Seconds since it was made; 0 where that is still to come.
        age: u64,
        /// When it was made, in seconds since 1970.
        made: u64,
    },
    /// There was a result, but it cannot be used any more; says why.
    Lost(String),
    /// A workspace file cannot be read; says why.
    Unreadable(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRan => f.write_str("has not run yet"),
            Self::Field { path, old, new, origin } => {
                let (old, new) = excerpts(&in_words(old.as_ref()), &in_words(new.as_ref()));
                write!(f, "{path}: {old} -> {new}{origin}")
            }
            Self::Input { path, reference, was, table, behind } => {
                match was {
                    Some(was) => write!(f, "{path}: {was} -> {reference}, with other content")?,
                    None => write!(f, "{reference} changed")?,
                }
                let facts = table.iter().map(ToString::to_string).chain(behind.iter().map(ToString::to_string));
                let facts: Vec<String> = facts.collect();
                if facts.is_empty() { Ok(()) } else { write!(f, ": {}", facts.join("; ")) }
            }
            Self::File { file, changes, .. } => {
                write!(f, "{file} changed")?;
                if changes.is_empty() { Ok(()) } else { write!(f, ": {}", files(changes)) }
            }
            Self::Version { kind, old, new } => write!(f, "`{kind}` is implemented anew: version {old} -> {new}"),
            Self::Kind { old, new } => write!(f, "kind: {old} -> {new}"),
            Self::Names => f.write_str("its outputs have other names, after the references"),
            Self::Origin => {
                f.write_str("it tells where it comes from, and a stage before it ran anew or has another name")
            }
            Self::Seed => f.write_str("another seed: the pipeline's seed or the stage's name changed"),
            Self::Environment { name, old, new } => write!(f, "{name}: {old} -> {new}"),
            Self::Format => f.write_str("its result is from a kilter that made keys in another way"),
            Self::Forced => f.write_str("--force"),
            Self::NotCached => f.write_str("cache = false"),
            Self::Outdated { age: 0, .. } => f.write_str(
                "refresh: its result was made later than now, so a clock is wrong, and it is asked for again",
            ),
            Self::Outdated { age, .. } => {
                #[expect(clippy::cast_precision_loss, reason = "shown to people")]
                let age = crate::numbers::about(*age as f64);
                write!(f, "refresh: its result is {age} old, and is asked for again")
            }
            Self::Lost(why) => write!(f, "its result is lost: {why}"),
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.set, &self.param, &self.place) {
            (Some(set), _, _) => write!(f, " (--set {set})"),
            (None, Some(param), Some(place)) => write!(f, " (param {param}, {place})"),
            (None, Some(param), None) => write!(f, " (param {param})"),
            (None, None, Some(place)) => write!(f, " ({place})"),
            (None, None, None) => Ok(()),
        }
    }
}

fn files(changes: &[FileChange]) -> String {
    let mut parts = Vec::new();
    let mut part = |word: &str, pick: &dyn Fn(&FileChange) -> Option<&str>| {
        let names: Vec<&str> = changes.iter().filter_map(pick).collect();
        if !names.is_empty() {
            parts.push(format!("{word} {}", list(names, 3)));
        }
    };
    part("changed", &|change| if let FileChange::Changed(name) = change { Some(name) } else { None });
    part("added", &|change| if let FileChange::Added(name) = change { Some(name) } else { None });
    part("removed", &|change| if let FileChange::Removed(name) = change { Some(name) } else { None });
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reasons_read_as_facts() {
        let lr = Reason::Field {
            path: "optimizer.adam.lr".into(),
            old: Some(json!(0.001)),
            new: Some(json!(0.002)),
            origin: Origin { param: Some("lr".into()), set: Some("lr".into()), place: None },
        };
        assert_eq!(lr.to_string(), "optimizer.adam.lr: 0.001 -> 0.002 (--set lr)");
        let query = |limit: u64| Some(json!(format!("SELECT {} FROM t WHERE b < {limit}", "a, ".repeat(30))));
        let late = Reason::Field { path: "query".into(), old: query(100), new: query(20), origin: Origin::default() };
        assert_eq!(late.to_string(), "query: …,  FROM t WHERE b < 100\" -> …,  FROM t WHERE b < 20\"");
        let input = Reason::Input {
            path: "data".into(),
            reference: "split.train".into(),
            was: None,
            table: Some(TableChange { rows: (4000, 4100), ..TableChange::default() }),
            behind: Vec::new(),
        };
        assert_eq!(input.to_string(), "split.train changed: 4,000 -> 4,100 rows");
        let view = Reason::Input {
            path: "from".into(),
            reference: "v".into(),
            was: None,
            table: None,
            behind: vec![input, Reason::Seed],
        };
        let expected = "v changed: split.train changed: 4,000 -> 4,100 rows; another seed: the pipeline's seed or the stage's name changed";
        assert_eq!(view.to_string(), expected);
        let file = Reason::File {
            path: "files".into(),
            file: "lib/*.py".into(),
            changes: vec![FileChange::Changed("lib/a.py".into()), FileChange::Added("lib/b.py".into())],
        };
        assert_eq!(file.to_string(), "lib/*.py changed: changed `lib/a.py`; added `lib/b.py`");
    }
}
