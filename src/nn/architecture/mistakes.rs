//! What can be wrong with a network's inputs and towers, in words.

use super::Tower;
use crate::diag::{codes, did_you_mean, list};
use crate::digest::Segment;
use crate::nn::join::Join;
use crate::nn::layer::{Content, ShapeError, Signal};
use crate::types::FeatureType;

/// A feature that is no vector, where several are joined.
pub(super) fn does_not_join(feature: &FeatureType) -> ShapeError {
    let name = &feature.name;
    let what = match Signal::of(feature).content {
        Content::Indices(_) => "holds category indices".to_owned(),
        Content::Numbers => format!("has the shape {}", feature.shape),
    };
    ShapeError::new(
        codes::FEATURES_DO_NOT_JOIN,
        format!("`{name}` {what} and cannot be joined with the other features"),
    )
    .at("data")
    .label("several features, not all of them vectors of numbers")
    .hint(format!("give each its own layers: `towers.{name} = {{ input = \"{name}\", layers = [ … ] }}`"))
    .hint(format!("or take one of them: `input = \"{name}\"`"))
}

/// Towers of different widths that are not put side by side.
pub(super) fn do_not_match(join: Join, first: &Tower, other: &Tower, shapes: &str) -> ShapeError {
    let at = |tower: &Tower| -> Vec<Segment> {
        let part = if tower.layers.is_empty() { "input" } else { "layers" };
        vec!["towers".into(), tower.name.as_str().into(), part.into()]
    };
    let (first_shape, other_shape) = shapes.split_once(" and ").unwrap_or((shapes, shapes));
    let message = format!(
        "the {} of towers takes results of one width, but `{}` gives {first_shape} and `{}` {other_shape}",
        join.text(),
        first.name,
        other.name
    );
    let error = ShapeError::new(codes::RESIDUAL, message)
        .label(format!("gives {other_shape}"))
        .hint(format!("let both end with one width, or join them side by side: `join = \"{}\"`", Join::Concat.text()));
    ShapeError { field: at(other), given_by: Some((at(first), format!("gives {first_shape}"))), ..error }
}

/// A tower that ends with indices.
pub(super) fn indices_at_the_end(tower: &Tower) -> ShapeError {
    ShapeError::new(
        codes::NEEDS_INDICES,
        format!("tower `{}` gives category indices, which cannot be joined", tower.name),
    )
    .at(if tower.layers.is_empty() { "input" } else { "layers" })
    .label("gives indices")
    .hint("begin its layers with `{ embedding = 16 }`")
}

/// A feature that the dataset does not have.
pub(super) fn unknown_feature(name: &str, inputs: &[FeatureType]) -> ShapeError {
    let names = || inputs.iter().map(|feature| feature.name.as_str());
    let error = ShapeError::new(codes::UNKNOWN_FEATURE, format!("the data has no feature `{name}`"))
        .at("input")
        .label("no such feature");
    match did_you_mean(name, names()) {
        Some(hint) => error.hint(hint),
        None => error.hint(format!("its features are {}", list(names(), 8))),
    }
}
