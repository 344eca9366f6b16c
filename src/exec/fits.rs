//! Whether what was produced is what was predicted. A prediction may leave open what only the data can tell; what it
//! says must hold.

use crate::stage::{Outputs, ProducedPort};
use crate::types::{
    ArtifactType, DType, DatasetType, Dim, FeatureType, ModelType, Shape, TableSchema, TargetType, Task,
};

/// The first thing that does not fit, in words.
pub(super) fn misfit(predicted: &Outputs, produced: &[ProducedPort]) -> Option<String> {
    if predicted.ports.iter().any(|(_, ty)| *ty == ArtifactType::Unknown) {
        return None;
    }
    let names = |names: &mut dyn Iterator<Item = &str>| {
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names
    };
    let expected = names(&mut predicted.ports.iter().map(|(name, _)| name.as_str()));
    let found = names(&mut produced.iter().map(|port| port.port.as_str()));
    if expected != found {
        return Some(format!("outputs {found:?} instead of {expected:?}"));
    }
    produced.iter().find_map(|port| {
        let expected = predicted.get(&port.port)?;
        let what = artifact(expected, &port.ty)?;
        Some(format!("output `{}`: {what}", port.port))
    })
}

fn artifact(expected: &ArtifactType, found: &ArtifactType) -> Option<String> {
    use ArtifactType as A;
    match (expected, found) {
        (A::Unknown, _) => None,
        (A::Table(a), A::Table(b)) => table(a, b),
        (A::Dataset(a), A::Dataset(b)) => dataset(a, b),
        (A::Model(a), A::Model(b)) => model(a, b),
        (A::Tokenizer(a), A::Tokenizer(b)) => {
            (a.vocabulary.is_some() && a != b).then(|| format!("a tokenizer {b:?} instead of {a:?}"))
        }
        (a, b) => (a.name() != b.name()).then(|| format!("{} instead of {}", b.name(), a.name())),
    }
}

fn table(expected: &TableSchema, found: &TableSchema) -> Option<String> {
    if expected.complete && !expected.names().eq(found.names()) {
        let list = |schema: &TableSchema| schema.names().collect::<Vec<_>>().join(", ");
        return Some(format!("columns {} instead of {}", list(found), list(expected)));
    }
    for column in &expected.columns {
        let real = found.columns.iter().find(|real| real.name == column.name);
        match real {
            None => return Some(format!("column `{}` is missing", column.name)),
            Some(real) if column.dtype != DType::Unknown && real.dtype != column.dtype => {
                return Some(format!("column `{}` is {:?} instead of {:?}", column.name, real.dtype, column.dtype));
            }
            Some(_) => {}
        }
    }
    rows(expected.rows, found.rows)
}

fn rows(expected: Option<u64>, found: Option<u64>) -> Option<String> {
    match (expected, found) {
        (Some(a), Some(b)) if a != b => Some(format!("{b} rows instead of {a}")),
        _ => None,
    }
}

fn dataset(expected: &DatasetType, found: &DatasetType) -> Option<String> {
    if expected.complete && expected.features.len() != found.features.len() {
        return Some(format!("{} features instead of {}", found.features.len(), expected.features.len()));
    }
    features(&expected.features, &found.features)
        .or_else(|| targets(&expected.targets, &found.targets))
        .or_else(|| rows(expected.rows, found.rows))
}

fn features(expected: &[FeatureType], found: &[FeatureType]) -> Option<String> {
    expected.iter().find_map(|feature| {
        let name = &feature.name;
        let Some(real) = found.iter().find(|real| real.name == *name) else {
            return Some(format!("feature `{name}` is missing"));
        };
        if real.dtype != feature.dtype {
            return Some(format!("feature `{name}` is {:?} instead of {:?}", real.dtype, feature.dtype));
        }
        if let Some(what) = shape(&feature.shape, &real.shape) {
            return Some(format!("feature `{name}`: {what}"));
        }
        let (a, b) = (feature.cardinality.as_ref().and_then(Dim::size), real.cardinality.as_ref().and_then(Dim::size));
        (a.is_some() && a != b).then(|| format!("feature `{name}` has {b:?} categories instead of {a:?}"))
    })
}

fn shape(expected: &Shape, found: &Shape) -> Option<String> {
    let fits = expected.rank() == found.rank() && expected.0.iter().zip(&found.0).all(|(a, b)| a.compatible(b));
    (!fits).then(|| format!("shape {found} instead of {expected}"))
}

fn targets(expected: &[TargetType], found: &[TargetType]) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} targets instead of {}", found.len(), expected.len()));
    }
    expected.iter().zip(found).find_map(|(expected, found)| target(Some(expected), Some(found)))
}

fn target(expected: Option<&TargetType>, found: Option<&TargetType>) -> Option<String> {
    match (expected, found) {
        (None, None) => None,
        (Some(a), Some(b)) if a.name == b.name && task(&a.task, &b.task) => None,
        (a, b) => Some(format!("target {b:?} instead of {a:?}")),
    }
}

fn task(expected: &Task, found: &Task) -> bool {
    match (expected, found) {
        (Task::Category { classes: a }, Task::Category { classes: b }) => a.is_none() || a == b,
        (Task::Number { mean: a, std: c }, Task::Number { mean: b, std: d }) => {
            (a.is_none() || a == b) && (c.is_none() || c == d)
        }
        (Task::NextToken { vocabulary: a }, Task::NextToken { vocabulary: b }) => a.is_none() || a == b,
        (Task::MaskedToken { vocabulary: None, .. }, Task::MaskedToken { .. }) => true,
        (a, b) => a == b,
    }
}

fn model(expected: &ModelType, found: &ModelType) -> Option<String> {
    let numbers = [
        ("layers with weights", Some(expected.layers), Some(found.layers)),
        ("parameters", expected.parameters, found.parameters),
    ];
    let number = numbers.iter().find(|(_, a, b)| a.is_some() && a != b);
    features(&expected.inputs, &found.inputs)
        .or_else(|| shape(&expected.output, &found.output).map(|what| format!("its output: {what}")))
        .or_else(|| target(expected.target.as_ref(), found.target.as_ref()))
        .or_else(|| number.map(|(noun, a, b)| format!("{b:?} {noun} instead of {a:?}")))
        .or_else(|| (expected.trained != found.trained).then(|| format!("trained is {}", found.trained)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Column;

    fn produced(ty: ArtifactType) -> Vec<ProducedPort> {
        vec![ProducedPort { port: "table".into(), ty, table: None }]
    }

    #[test]
    fn what_a_prediction_leaves_open_may_be_anything_and_what_it_says_must_hold() {
        let real = TableSchema::new(vec![Column::new("a", DType::U8), Column::new("b", DType::U8)]).with_rows(5);
        let found = produced(ArtifactType::Table(real.clone()));
        let test = |schema: TableSchema| misfit(&Outputs::one("table", ArtifactType::Table(schema)), &found);
        assert_eq!(test(TableSchema::unknown()), None);
        assert_eq!(test(real.clone()), None);
        assert_eq!(test(real.with_rows(6)).unwrap(), "output `table`: 5 rows instead of 6");
        let fewer = TableSchema::new(vec![Column::new("a", DType::U8)]);
        assert_eq!(test(fewer).unwrap(), "output `table`: columns a, b instead of a");
        assert!(misfit(&Outputs::one("file", ArtifactType::File), &found).unwrap().contains("instead of"));
    }
}
