//! Layers one after another: shapes from one to the next, and who is to blame where they do not fit.

use super::layer::{InferCx, ShapeError, Signal};
use super::spec::LayerSpec;
use crate::diag::codes;
use crate::digest::Segment;
use crate::types::{Dim, Shape};

/// Walks the layers from `input`, calling `visit` with each layer, its input and its output. Goes on after a mistake
/// where the layer's output is beyond doubt, else stops: `None`.
pub(crate) fn walk(
    layers: &[LayerSpec],
    input: &Signal,
    cx: &InferCx,
    visit: &mut dyn FnMut(usize, &LayerSpec, &Signal, &Signal),
) -> (Option<Signal>, Vec<ShapeError>) {
    let mut errors = Vec::new();
    let mut shapes = vec![input.clone()];
    for (index, layer) in layers.iter().enumerate() {
        let before = &shapes[index];
        let mut after = match layer.infer(before, cx) {
            Ok(after) => after,
            Err(error) => {
                let recover = error.recover.clone();
                errors.push(blame(error, layers, &shapes, index));
                match recover {
                    Some(shape) => Signal::numbers(shape),
                    None => return (None, errors),
                }
            }
        };
        after.keep_saved(before);
        visit(index, layer, before, &after);
        shapes.push(after);
    }
    (shapes.pop(), errors)
}

/// What the layers give, or the first mistake, its paths below the list.
pub(crate) fn infer(layers: &[LayerSpec], input: &Signal, cx: &InferCx) -> Result<Signal, ShapeError> {
    let (output, mut errors) = walk(layers, input, cx, &mut |_, _, _, _| {});
    if !errors.is_empty() {
        let mut first = errors.swap_remove(0);
        first.recover = None;
        return Err(first);
    }
    output.ok_or_else(|| ShapeError::new(codes::RANK, "these layers give no shape"))
}

/// The sum of a number of each layer, such as its parameters, where all are known.
pub(crate) fn sum(
    layers: &[LayerSpec],
    input: &Signal,
    cx: &InferCx,
    of: fn(&LayerSpec, &Signal, &InferCx) -> Option<u64>,
) -> Option<u64> {
    let mut total = Some(0_u64);
    let mut add = |_: usize, layer: &LayerSpec, before: &Signal, _: &Signal| {
        total = total.and_then(|total| total.checked_add(of(layer, before, cx)?));
    };
    let (output, errors) = walk(layers, input, cx, &mut add);
    output.filter(|_| errors.is_empty()).and(total)
}

/// The layers with everything filled in that follows from their inputs and the target.
pub(crate) fn resolved(layers: &[LayerSpec], input: &Signal, cx: &InferCx) -> Vec<LayerSpec> {
    let mut all = Vec::with_capacity(layers.len());
    walk(layers, input, cx, &mut |_, layer, before, _| all.push(layer.resolved(before, cx)));
    all.extend_from_slice(&layers[all.len()..]);
    all
}

/// How many layers have weights, those inside residual blocks counted.
pub(crate) fn with_weights(layers: &[LayerSpec]) -> u64 {
    layers
        .iter()
        .map(|layer| match layer.inner().as_slice() {
            [] => u64::from(layer.info().weights),
            parts => parts.iter().map(|part| with_weights(part)).sum(),
        })
        .sum()
}

/// Puts the layer's place into the error, and says which layer before it gives the shape.
fn blame(error: ShapeError, layers: &[LayerSpec], shapes: &[Signal], index: usize) -> ShapeError {
    let mut error = error.nest(&[Segment::Index(index), layers[index].name().into()]);
    // Some mistakes have nothing to do with what the layer receives.
    let alone = error.code == codes::NOT_SAVED || error.field.iter().any(|part| *part == "init".into());
    if error.given_by.is_some() || alone {
        return error;
    }
    // The last layer before it that decides its output's shape, rather than passing its input's on.
    let changed = |before: usize| (0..before).rev().find(|layer| !layers[*layer].keeps_shape());
    let Some(mut giver) = changed(index) else { return error };
    if error.code == codes::LINEAR_IN && matches!(layers[giver], LayerSpec::Flatten(_)) {
        error.label = format!("flatten gives {}", product(&shapes[giver].shape));
        match changed(giver) {
            Some(earlier) => giver = earlier,
            None => return error,
        }
    }
    error.given_by = Some((vec![Segment::Index(giver)], format!("gives {}", shapes[giver + 1].shape)));
    error
}

/// `64 x 5 x 5 = 1600`
fn product(shape: &Shape) -> String {
    let factors: Vec<String> = shape.0.iter().map(Dim::to_string).collect();
    let factors = factors.join(" x ");
    shape.elements().map_or(factors.clone(), |elements| format!("{factors} = {elements}"))
}
