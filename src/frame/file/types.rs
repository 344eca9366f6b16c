//! Declared column types: exact names and patterns.

use super::BadFile;
use crate::types::{Column, DType, matches_pattern};
use std::collections::BTreeMap;

/// Types by column name or pattern. An exact name wins over a pattern, a longer pattern over a shorter one.
#[derive(Clone, Debug, Default)]
pub struct TypeRules(BTreeMap<String, DType>);

/// A rule that fits no column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypesError {
    /// The name or pattern.
    pub rule: String,
    /// Whether it is a pattern.
    pub pattern: bool,
}

impl TypeRules {
    /// These rules.
    #[must_use]
    pub fn new(rules: BTreeMap<String, DType>) -> Self {
        Self(rules)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The declared type of a column.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&DType> {
        if let Some(dtype) = self.0.get(name) {
            return Some(dtype);
        }
        let fitting = self.0.iter().filter(|(pattern, _)| matches_pattern(pattern, name));
        fitting.max_by_key(|(pattern, _)| (pattern.len(), *pattern)).map(|(_, dtype)| dtype)
    }

    /// The rules that fit none of these columns.
    #[must_use]
    pub fn unfitting<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<TypesError> {
        let names: Vec<&str> = names.collect();
        let fits = |rule: &str| names.iter().any(|name| matches_pattern(rule, name));
        let rules = self.0.keys().filter(|rule| !fits(rule));
        rules.map(|rule| TypesError { rule: rule.clone(), pattern: is_pattern(rule) }).collect()
    }

    /// The columns that exact rules name: known to be there although the file has not been seen.
    #[must_use]
    pub fn named(&self) -> Vec<Column> {
        let exact = self.0.iter().filter(|(rule, _)| !is_pattern(rule));
        exact.map(|(name, dtype)| Column::new(name.as_str(), dtype.clone())).collect()
    }
}

/// A rule that fits no column of a file.
pub(super) fn no_such_column<'a>(rule: &TypesError, names: impl Iterator<Item = &'a str>) -> BadFile {
    let what = if rule.pattern { "no column fits the pattern" } else { "there is no column" };
    let names: Vec<&str> = names.collect();
    let shown = crate::diag::list(names.iter().copied(), 12);
    let mut bad = BadFile::new(format!("{what} `{}` of `types`", rule.rule));
    bad.rule = Some(rule.rule.clone());
    bad.note(format!("the file has {shown}")).maybe_hint(crate::diag::did_you_mean(&rule.rule, names))
}

fn is_pattern(rule: &str) -> bool {
    rule.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_rule_wins() {
        let rules = TypeRules::new(BTreeMap::from([
            ("*".to_owned(), DType::Str),
            ("pixel_*".to_owned(), DType::U8),
            ("pixel_0".to_owned(), DType::F32),
            ("labl".to_owned(), DType::U8),
        ]));
        assert_eq!(rules.get("pixel_0"), Some(&DType::F32));
        assert_eq!(rules.get("pixel_1"), Some(&DType::U8));
        assert_eq!(rules.get("label"), Some(&DType::Str));
        let names = ["pixel_0", "pixel_1", "label"];
        let unfitting = rules.unfitting(names.into_iter());
        assert_eq!(unfitting, [TypesError { rule: "labl".into(), pattern: false }]);
    }
}
