//! Which columns of its table inputs a stage reads. They enter its key, and nothing else of those tables is there for it
//! when it runs.

use super::Ref;
use crate::types::ArtifactType;
use std::collections::{BTreeMap, BTreeSet};

/// The real types of a stage's inputs, by reference text.
pub type InputTypes<'a> = BTreeMap<&'a str, &'a ArtifactType>;

/// The columns of a table that a stage sees, in the order in which it sees them. The number of rows, and their order, are
/// always read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    names: Vec<String>,
    /// Those that must be there, because the stage names them, although no value of them is read.
    unread: BTreeSet<String>,
    counts: bool,
}

impl Columns {
    /// These columns, all of them read.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        Self { names, unread: BTreeSet::new(), counts: false }
    }

    /// The same, of which only `read` are read.
    #[must_use]
    pub fn reading(mut self, read: &BTreeSet<String>) -> Self {
        self.unread = self.names.iter().filter(|name| !read.contains(*name)).cloned().collect();
        self
    }

    /// The same, with one column more that is made up, so that rows can be counted where no column is read.
    #[must_use]
    pub fn counting(self) -> Self {
        Self { counts: true, ..self }
    }

    /// The same without these columns, whose values are not read.
    #[must_use]
    pub fn without(&self, unread: &[String]) -> Self {
        let names = self.names.iter().filter(|name| !unread.contains(name)).cloned().collect();
        let left: BTreeSet<String> = self.unread.iter().filter(|name| !unread.contains(name)).cloned().collect();
        Self { names, counts: self.counts && !left.is_empty(), unread: left }
    }

    /// Whether a column is made up to count rows by.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.counts
    }

    /// All names, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether values of this column are read, and not only its name and its type.
    #[must_use]
    pub fn reads(&self, name: &str) -> bool {
        !self.unread.contains(name)
    }

    /// The names of the columns whose values are not read.
    pub fn unread(&self) -> impl Iterator<Item = &str> {
        self.unread.iter().map(String::as_str)
    }

    /// The names of the columns whose values are read, in order.
    pub fn read(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str).filter(|name| self.reads(name))
    }
}

/// What a stage reads of its table inputs. Whatever is not named here it reads whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads(BTreeMap<String, Columns>);

impl Reads {
    /// Everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Of this table only these columns, which the stage will see in this order.
    #[must_use]
    pub fn only(self, reference: &Ref, columns: Vec<String>) -> Self {
        self.seeing(reference, Columns::new(columns))
    }

    /// Of this table what these columns say.
    #[must_use]
    pub fn seeing(mut self, reference: &Ref, columns: Columns) -> Self {
        self.0.insert(reference.0.clone(), columns);
        self
    }

    /// What is seen of an input; `None` where it is read whole.
    #[must_use]
    pub fn of(&self, reference: &str) -> Option<&Columns> {
        self.0.get(reference)
    }

    /// Leaves only the entries of which `keep` says so; the others' tables are read whole.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Columns) -> bool) {
        self.0.retain(|reference, columns| keep(reference, columns));
    }
}
