//! Facts about the environments that two results were made in, and which of them differ.

use super::Record;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A fact about the environment that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FactChange {
    /// Its name: `cpu_capability`.
    pub name: String,
    /// Then.
    pub before: Option<String>,
    /// Now.
    pub now: Option<String>,
}

impl FactChange {
    /// `avx512 locked, avx2 now`, where these are the words for the two sides.
    #[must_use]
    pub fn values(&self, before: &str, now: &str) -> String {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        format!("{} {before}, {} {now}", value(&self.before), value(&self.now))
    }
}

/// The facts that differ, by name.
#[must_use]
pub fn fact_changes(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<FactChange> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differing = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    let change = |name: &String| FactChange {
        name: name.clone(),
        before: before.get(name).cloned(),
        now: now.get(name).cloned(),
    };
    differing.map(change).collect()
}

impl Record {
    /// Those of some facts that are others now than where the record was made. What it does not tell is not compared.
    #[must_use]
    pub fn facts_off(&self, now: &[(&str, &str)]) -> Vec<FactChange> {
        let told = |name: &str| self.environment.get(name);
        let change = |(name, now): &(&str, &str)| {
            let before = told(name).filter(|before| before.as_str() != *now)?;
            Some(FactChange { name: (*name).to_owned(), before: Some(before.clone()), now: Some((*now).to_owned()) })
        };
        now.iter().filter_map(change).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn facts_that_differ_are_named_with_both_values() {
        let fact = |cores: &str| BTreeMap::from([("cores".to_owned(), cores.to_owned())]);
        assert_eq!(fact_changes(&fact("8"), &fact("8")), []);
        let expected = FactChange { name: "cores".into(), before: Some("8".into()), now: Some("2".into()) };
        assert_eq!(fact_changes(&fact("8"), &fact("2")).first(), Some(&expected));
        assert_eq!(expected.values("locked", "now"), "8 locked, 2 now");
        let gone = fact_changes(&fact("8"), &BTreeMap::new());
        assert_eq!(gone[0].values("locked", "now"), "8 locked, none now");
    }

    #[test]
    fn what_a_record_does_not_tell_is_not_compared() {
        let found = record("a").facts_off(&[("cores", "64"), ("libtorch", "2.11.0")]);
        let expected = FactChange { name: "cores".into(), before: Some("2".into()), now: Some("64".into()) };
        assert_eq!(found, [expected]);
        assert_eq!(record("a").facts_off(&[("cores", "2")]), []);
    }
}
