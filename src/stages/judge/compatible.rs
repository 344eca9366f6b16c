//! Whether a model can be used on some data: it has weights, and the data are what it was made for.

use crate::diag::{codes, list};
use crate::path;
use crate::stage::{CheckCx, Ref};
use crate::types::{DatasetType, FeatureType, ModelType, Task};

/// Reports a model that was never trained.
pub(super) fn check_trained(model: &ModelType, reference: &Ref, cx: &mut CheckCx<'_>) {
    if !model.trained {
        cx.error(path!["model"], codes::UNTRAINED, format!("`{reference}` has no weights yet"))
            .label("described, never trained")
            .hint("name the `model` of the `train` stage: \"train.model\"")
            .from_stage(reference, "described here");
    }
}

/// Reports the first way in which a dataset differs from what a model takes.
pub(super) fn check_dataset(
    model: &ModelType,
    model_ref: &Ref,
    data: &DatasetType,
    data_ref: &Ref,
    cx: &mut CheckCx<'_>,
) {
    let difference = model.inputs.iter().find_map(|input| match data.feature(&input.name) {
        None if data.complete => Some(missing(input, data)),
        None => None,
        Some(feature) => feature_difference(input, feature),
    });
    let difference = difference.or_else(|| target_difference(model, data));
    if let Some(difference) = difference {
        cx.error(
            path!["data"],
            codes::DATASETS_DIFFER,
            format!("`{data_ref}` is not what `{model_ref}` was made for: {difference}"),
        )
        .label("another dataset than the model's")
        .hint("use a dataset of the `encode` stage that the model was declared for")
        .from_stage(data_ref, "the data come from here")
        .from_stage(model_ref, "the model comes from here");
    }
}

fn missing(input: &FeatureType, data: &DatasetType) -> String {
    let have = list(data.features.iter().map(|feature| feature.name.as_str()), 6);
    format!("it has no feature `{}`, only {have}", input.name)
}

fn feature_difference(input: &FeatureType, feature: &FeatureType) -> Option<String> {
    let name = &input.name;
    let same_rank = input.shape.rank() == feature.shape.rank();
    if !same_rank || !input.shape.0.iter().zip(&feature.shape.0).all(|(a, b)| a.compatible(b)) {
        return Some(format!("feature `{name}` is {}, the model takes {}", feature.shape, input.shape));
    }
    if input.dtype != feature.dtype {
        return Some(format!("feature `{name}` is stored as {:?}, the model takes {:?}", feature.dtype, input.dtype));
    }
    if input.scale != feature.scale {
        return Some(format!("feature `{name}` has another scale than the model's"));
    }
    None
}

fn target_difference(model: &ModelType, data: &DatasetType) -> Option<String> {
    let wanted = model.target.as_ref()?;
    let found = data.target(&wanted.name).or(data.targets.first())?;
    if wanted.name != found.name || wanted.task.name() != found.task.name() {
        return Some(format!(
            "its target is {} `{}`, the model predicts {} `{}`",
            found.task.name(),
            found.name,
            wanted.task.name(),
            wanted.name
        ));
    }
    match (&wanted.task, &found.task) {
        (Task::Category { classes: Some(a) }, Task::Category { classes: Some(b) }) if a != b => {
            Some(format!("it has other classes: {}, the model knows {}", quoted(b), quoted(a)))
        }
        _ => None,
    }
}

fn quoted(classes: &[String]) -> String {
    list(classes.iter().map(String::as_str), 6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Dim, Shape, TensorType};

    #[test]
    fn features_differ_only_where_both_are_known() {
        let feature = |dims: Vec<Dim>| FeatureType {
            name: "x".to_owned(),
            shape: Shape(dims),
            dtype: TensorType::F32,
            scale: None,
            cardinality: None,
            padding: None,
            columns: Vec::new(),
        };
        let unknown = feature(vec![Dim::Unknown]);
        assert_eq!(feature_difference(&unknown, &feature(vec![Dim::Fixed(3)])), None);
        let difference = feature_difference(&feature(vec![Dim::Fixed(2)]), &feature(vec![Dim::Fixed(3)]));
        assert_eq!(difference.unwrap(), "feature `x` is [batch, 3], the model takes [batch, 2]");
    }
}
