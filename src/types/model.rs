//! Models as types: what they take, what they give, and whether a dataset is one they were made for.

use super::{DatasetType, FeatureType, Shape, TargetType, Task};
use serde::{Deserialize, Serialize};

/// The type of a `model` artefact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelType {
    /// The features that it takes, sorted by name.
    pub inputs: Vec<FeatureType>,
    /// The shape of its output for one row.
    pub output: Shape,
    /// What it predicts; from the dataset that it was declared for.
    pub target: Option<TargetType>,
    /// How many layers have weights.
    pub layers: u64,
    /// How many parameters it has, where all shapes are known.
    pub parameters: Option<u64>,
    /// Whether it has weights.
    pub trained: bool,
    /// The network as `architecture.json` has it, with what is known of its shapes: what a model that begins with this one is checked against.
    #[serde(default)]
    pub network: Option<serde_json::Value>,
}

impl ModelType {
    /// Why a dataset is not one that the model was made for, in a line; `None` where it is, or where too little is known.
    /// Features that the model does not take do no harm.
    #[must_use]
    pub fn misfit(&self, data: &DatasetType) -> Option<String> {
        let features = self.inputs.iter().find_map(|wanted| match data.feature(&wanted.name) {
            Some(found) => feature_misfit(wanted, found),
            None if data.complete => Some(format!("the model takes a feature `{}`, which the data lacks", wanted.name)),
            None => None,
        });
        features.or_else(|| {
            let wanted = self.target.as_ref()?;
            let first = data.targets.first()?;
            target_misfit(wanted, data.target(&wanted.name).unwrap_or(first))
        })
    }
}

fn feature_misfit(wanted: &FeatureType, found: &FeatureType) -> Option<String> {
    let name = &wanted.name;
    let same_rank = wanted.shape.rank() == found.shape.rank();
    if !same_rank || !wanted.shape.0.iter().zip(&found.shape.0).all(|(a, b)| a.compatible(b)) {
        return Some(format!("`{name}` has shape {}, the model takes {}", found.shape, wanted.shape));
    }
    if wanted.dtype != found.dtype || wanted.scale != found.scale {
        return Some(format!("`{name}` is encoded in another way than the model expects"));
    }
    if wanted.padding.zip(found.padding).is_some_and(|(a, b)| a != b) {
        return Some(format!("`{name}` is filled up with another index than the model expects"));
    }
    match (&wanted.cardinality, &found.cardinality) {
        (Some(a), Some(b)) if !a.compatible(b) => {
            Some(format!("`{name}` has {b} different values, the model knows {a}"))
        }
        (Some(_), None) | (None, Some(_)) => {
            Some(format!("`{name}` is a category on one side and a number on the other"))
        }
        _ => None,
    }
}

fn target_misfit(wanted: &TargetType, found: &TargetType) -> Option<String> {
    let name = &wanted.name;
    match (&wanted.task, &found.task) {
        _ if wanted.name != found.name => {
            Some(format!("the data's target is `{}`, the model predicts `{name}`", found.name))
        }
        (Task::Category { classes: Some(a) }, Task::Category { classes: Some(b) }) if a != b => {
            Some(format!("`{name}` has {} classes in the data, and the model knows {} others", b.len(), a.len()))
        }
        (Task::Binary { positive: a }, Task::Binary { positive: b }) if a != b => {
            Some(format!("`{name}` counts `{b}` as yes in the data, and the model `{a}`"))
        }
        (Task::Number { mean: Some(a), std: Some(b) }, Task::Number { mean: Some(c), std: Some(d) })
            if (a, b) != (c, d) =>
        {
            Some(format!("`{name}` is standardised by other numbers than the model expects"))
        }
        (Task::MultiLabel { labels: a }, Task::MultiLabel { labels: b }) if a != b => {
            Some(format!("`{name}` has the labels {} in the data, and the model knows {}", b.join(", "), a.join(", ")))
        }
        (
            Task::NextToken { vocabulary: Some(a) } | Task::MaskedToken { vocabulary: Some(a), .. },
            Task::NextToken { vocabulary: Some(b) } | Task::MaskedToken { vocabulary: Some(b), .. },
        ) if a != b => Some(format!("`{name}` has {b} tokens in the data, and the model knows {a}")),
        (a, b) if a.name() != b.name() => {
            Some(format!("`{name}` is a {} in the data, and the model predicts a {}", b.name(), a.name()))
        }
        _ => None,
    }
}
