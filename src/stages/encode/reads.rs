//! Which columns encoding reads of its tables, and in which order it has to see them.

use super::names::is_pattern;
use super::{EncodeSpec, Names};
use crate::stage::{InputTypes, Reads};
use crate::types::{ArtifactType, TableSchema, matches_pattern};
use std::collections::{BTreeMap, BTreeSet};

/// The columns of the features and the target: of the training table in its own order where a pattern takes columns
/// in it, of the others by name, because the fitted features name theirs.
pub(super) fn reads(spec: &EncodeSpec, inputs: &InputTypes<'_>) -> Reads {
    let Some(ArtifactType::Table(fit)) = inputs.get(spec.fit.0.as_str()) else { return Reads::everything() };
    let all: Vec<&str> = fit.names().collect();
    let mut read: BTreeSet<&str> = spec.target.iter().flat_map(|(name, target)| target.columns(name)).collect();
    let mut together = Vec::new();
    for feature in spec.features.values() {
        let names = feature.columns();
        let selected = names.select(&all);
        if feature.follows_order(&selected) {
            together.extend(patterns(names, &selected));
        }
        read.extend(selected);
        read.extend(exact(names));
        read.extend(feature.helpers().into_iter().map(|(_, column)| column));
    }
    let by_name: Vec<String> = read.iter().map(|name| (*name).to_owned()).collect();
    let reads = spec.apply.iter().fold(Reads::everything(), |reads, reference| reads.only(reference, by_name.clone()));
    reads.only(&spec.fit, ordered(fit, &read, &together))
}

/// The columns that each pattern among these names selects: their order among each other is the table's.
pub fn patterns<'a>(names: &Names, selected: &[&'a str]) -> Vec<Vec<&'a str>> {
    let patterns = names.0.iter().filter(|entry| is_pattern(entry) && !entry.starts_with('!'));
    patterns.map(|entry| selected.iter().copied().filter(|name| matches_pattern(entry, name)).collect()).collect()
}

fn exact(names: &Names) -> impl Iterator<Item = &str> {
    names.0.iter().map(String::as_str).filter(|entry| !is_pattern(entry))
}

/// The columns that are read, in an order that depends on the table's only within each set of `together`.
pub fn ordered(table: &TableSchema, read: &BTreeSet<&str>, together: &[Vec<&str>]) -> Vec<String> {
    // Sets that overlap are one; it is called after its first column by name.
    let mut set_of: BTreeMap<&str, &str> = read.iter().map(|name| (*name, *name)).collect();
    for names in together {
        let sets: BTreeSet<&str> = names.iter().filter_map(|name| set_of.get(name).copied()).collect();
        let Some(first) = sets.first().copied() else { continue };
        set_of.values_mut().filter(|set| sets.contains(*set)).for_each(|set| *set = first);
    }
    let places: BTreeMap<&str, usize> = table.names().enumerate().map(|(place, name)| (name, place)).collect();
    let mut columns: Vec<&str> = read.iter().copied().collect();
    columns.sort_by_key(|name| (set_of.get(name).copied(), places.get(name).copied()));
    columns.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Column, DType};

    fn table(names: &[&str]) -> TableSchema {
        TableSchema::new(names.iter().map(|name| Column::new(*name, DType::F64)).collect())
    }

    fn spec(text: &str) -> EncodeSpec {
        serde_json::from_value(crate::stage::testing::fields(text)).expect("a spec")
    }

    /// The columns that are read of the training table, and of the other one.
    fn columns(fields: &str, names: &[&str]) -> (Vec<String>, Vec<String>) {
        let spec = spec(&format!("fit = \"t\"\napply = [\"u\"]\n{fields}"));
        let ty = ArtifactType::Table(table(names));
        let reads = reads(&spec, &InputTypes::from([("t", &ty), ("u", &ty)]));
        let names = |text: &str| reads.of(text).expect("some").names().to_vec();
        (names("t"), names("u"))
    }

    #[test]
    fn only_the_order_within_a_pattern_counts() {
        let fields =
            "features.age = \"numeric\"\nfeatures.bill = { numeric = [\"bill_*\"] }\ntarget.kind = \"category\"";
        let (fit, apply) = columns(fields, &["note", "bill_2", "age", "kind", "bill_1"]);
        assert_eq!(fit, ["age", "bill_2", "bill_1", "kind"]);
        assert_eq!(apply, ["age", "bill_1", "bill_2", "kind"]);
        assert_eq!(columns(fields, &["kind", "bill_2", "bill_1", "age"]).0, fit);
        assert_ne!(columns(fields, &["kind", "bill_1", "bill_2", "age"]).0, fit);
    }

    #[test]
    fn patterns_that_overlap_keep_one_order_and_exclusions_are_not_read() {
        let fields = "features.a = { numeric = [\"x_*\", \"!x_9\"] }\nfeatures.b = { numeric = [\"*_1\"] }";
        let (fit, _) = columns(fields, &["y_1", "x_9", "x_3", "x_1", "z"]);
        assert_eq!(fit, ["y_1", "x_3", "x_1"]);
    }

    #[test]
    fn numbered_pixels_may_stand_in_any_order() {
        let fields = "features.image = { image = [1, 1, 3], columns = \"p*\", scale = 255 }";
        assert_eq!(columns(fields, &["p2", "p0", "p1"]).0, columns(fields, &["p0", "p1", "p2"]).0);
        let fields = fields.replace("\"p*\"", "\"*\"");
        assert_ne!(columns(&fields, &["a1", "b1", "c"]).0, columns(&fields, &["b1", "a1", "c"]).0);
    }
}
