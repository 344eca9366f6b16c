//! Which columns of its table inputs a stage reads. They enter its key, and nothing else of those tables is there for it
//! when it runs.

use super::Ref;
use crate::types::ArtifactType;
use std::collections::BTreeMap;

/// The real types of a stage's inputs, by reference text.
pub type InputTypes<'a> = BTreeMap<&'a str, &'a ArtifactType>;

/// What a stage reads of its table inputs. Whatever is not named here it reads whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads(BTreeMap<String, Vec<String>>);

impl Reads {
    /// Everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Of this table only these columns, which the stage will see in this order. The number of rows, and their order, are
    /// always read.
    #[must_use]
    pub fn only(mut self, reference: &Ref, columns: Vec<String>) -> Self {
        self.0.insert(reference.0.clone(), columns);
        self
    }

    /// The columns that are read of an input; `None` where it is read whole.
    #[must_use]
    pub fn of(&self, reference: &str) -> Option<&[String]> {
        self.0.get(reference).map(Vec::as_slice)
    }

    /// Leaves only the entries of which `keep` says so; the others' tables are read whole.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &[String]) -> bool) {
        self.0.retain(|reference, columns| keep(reference, columns));
    }
}
