//! Columns and table schemas.

use super::DType;
use serde::{Deserialize, Serialize};

/// A named, typed column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Column {
    /// Its name, unique in its table.
    pub name: String,
    /// Its type; [`DType::Unknown`] where only the data can tell.
    pub dtype: DType,
}

impl Column {
    /// A column of this name and type.
    #[must_use]
    pub fn new(name: impl Into<String>, dtype: DType) -> Self {
        Self { name: name.into(), dtype }
    }
}

/// The columns of a table, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// The columns that are known.
    pub columns: Vec<Column>,
    /// Whether those are all. A schema is open while the file behind it has not been fetched or made.
    pub complete: bool,
    /// How many rows there are, where that is known.
    pub rows: Option<u64>,
}

/// The answer to "does this table have that column".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// It does.
    Found(&'a Column),
    /// It does not, and its columns are all known.
    Missing,
    /// Its columns are not all known yet.
    Unknown,
}

impl TableSchema {
    /// A schema of exactly these columns.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, complete: true, rows: None }
    }

    /// A schema of which nothing is known yet.
    #[must_use]
    pub fn unknown() -> Self {
        Self { columns: Vec::new(), complete: false, rows: None }
    }

    /// The same schema with a row count.
    #[must_use]
    pub fn with_rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Gives a column this type; one that was not there comes last.
    pub fn set(&mut self, name: &str, dtype: DType) {
        match self.columns.iter_mut().find(|column| column.name == name) {
            Some(column) => column.dtype = dtype,
            None => self.columns.push(Column::new(name, dtype)),
        }
    }

    /// Looks a column up by its exact name.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Lookup<'_> {
        match self.columns.iter().find(|column| column.name == name) {
            Some(column) => Lookup::Found(column),
            None if self.complete => Lookup::Missing,
            None => Lookup::Unknown,
        }
    }

    /// The names of the known columns, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The known columns that a pattern selects, in order: an exact name, or a name with `*` and `?` wildcards.
    #[must_use]
    pub fn select<'a>(&'a self, pattern: &str) -> Vec<&'a Column> {
        self.columns.iter().filter(|column| matches_pattern(pattern, &column.name)).collect()
    }
}

/// Whether `name` matches `pattern`, in which `*` stands for any run of characters and `?` for one.
#[must_use]
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut to) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while to < name.len() {
        if at < pattern.len() && (pattern[at] == '?' || (pattern[at] == name[to] && pattern[at] != '*')) {
            at += 1;
            to += 1;
        } else if at < pattern.len() && pattern[at] == '*' {
            star = Some((at, to));
            at += 1;
        } else if let Some((star_at, star_to)) = star {
            at = star_at + 1;
            to = star_to + 1;
            star = Some((star_at, to));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_select_in_column_order() {
        let schema = TableSchema::new(
            ["pixel_1", "label", "pixel_0", "pixel_10"].into_iter().map(|name| Column::new(name, DType::U8)).collect(),
        );
        let names = |pattern| schema.select(pattern).iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names("pixel_*"), ["pixel_1", "pixel_0", "pixel_10"]);
        assert_eq!(names("pixel_?"), ["pixel_1", "pixel_0"]);
        assert_eq!(names("label"), ["label"]);
        assert!(names("label_*").is_empty());
    }

    #[test]
    fn an_open_schema_does_not_deny_a_column() {
        assert_eq!(TableSchema::unknown().lookup("a"), Lookup::Unknown);
        assert_eq!(TableSchema::new(Vec::new()).lookup("a"), Lookup::Missing);
    }
}
