//! The entries of a map or struct.

use super::Tree;
use std::collections::BTreeMap;

/// Names and values, sorted by name. Most have few, and a pipeline of 10,000 stages has a hundred thousand of these: a list takes
/// a fifth of the room of a map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Box<[(String, Tree)]>);

impl Fields {
    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tree> {
        let at = self.0.binary_search_by(|(key, _)| key.as_str().cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// The value of a name, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Tree> {
        let at = self.0.binary_search_by(|(key, _)| key.as_str().cmp(name)).ok()?;
        Some(&mut self.0[at].1)
    }

    /// Leaves only the entries whose names are to be kept.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        let entries = std::mem::take(&mut self.0).into_vec();
        self.0 = entries.into_iter().filter(|(name, _)| keep(name)).collect();
    }

    /// The entries, sorted by name.
    pub fn iter(&self) -> std::slice::Iter<'_, (String, Tree)> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a (String, Tree);
    type IntoIter = std::slice::Iter<'a, (String, Tree)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<BTreeMap<String, Tree>> for Fields {
    fn from(entries: BTreeMap<String, Tree>) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<const N: usize> From<[(String, Tree); N]> for Fields {
    fn from(entries: [(String, Tree); N]) -> Self {
        BTreeMap::from(entries).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_and_found() {
        let fields = Fields::from(["b", "a", "c"].map(|name| (name.to_owned(), Tree::Str(name.to_uppercase()))));
        assert_eq!(fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(fields.get("b"), Some(&Tree::Str("B".to_owned())));
        assert_eq!((fields.get("d"), fields.len(), fields.is_empty()), (None, 3, false));
        let mut fields = fields;
        fields.retain(|name| name != "b");
        assert_eq!((fields.get("b"), fields.len()), (None, 2));
        assert!(fields.get_mut("c").is_some());
    }
}
