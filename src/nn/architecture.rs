//! A whole network: its inputs, towers, layers and output, as `architecture.json` holds it.

use super::join::Join;
use super::layer::{Content, InferCx, Saved, ShapeError, Signal};
use super::layers::Embedding;
use super::sequence;
use super::spec::LayerSpec;
use crate::diag::codes;
use crate::digest::Segment;
use crate::types::{Dim, FeatureType, Shape, TargetType, Task};
use mistakes::{do_not_match, does_not_join, indices_at_the_end, unknown_feature};
use places::Places;
use serde::{Deserialize, Serialize};

/// Layers over one feature, whose flattened result is joined with that of the other towers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tower {
    /// Its name in the manifest.
    pub name: String,
    /// The feature it takes.
    pub input: String,
    /// Its layers; none passes the feature on as it is.
    pub layers: Vec<LayerSpec>,
}

/// A network as data. One input goes straight into `layers`; several without towers are vectors of numbers and are
/// joined in name order; with towers each tower takes a feature, and their flattened results are joined in name order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// The features that it takes, sorted by name.
    pub inputs: Vec<FeatureType>,
    /// The towers, sorted by name; none where the inputs go straight into `layers`.
    pub towers: Vec<Tower>,
    /// How the towers' flattened results become one.
    #[serde(default, skip_serializing_if = "Join::is_concat")]
    pub join: Join,
    /// The layers after them.
    pub layers: Vec<LayerSpec>,
    /// The shape of the output for one row: `[classes]` for a category, `[1]` for a binary target or a number.
    pub output: Shape,
    /// What it predicts; `None` for a network that only transforms.
    pub target: Option<TargetType>,
    /// Which of its layers come from a trained model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
}

/// The part of a network that comes from a trained one: its towers and its first layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// How many of `layers`.
    pub layers: u64,
    /// Whether they stay as they are while the others train.
    pub frozen: bool,
}

impl Base {
    /// Whether a parameter of this name belongs to that part.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let index = |rest: &str| rest.split('.').next()?.parse::<u64>().ok();
        name.starts_with("towers.") || name.strip_prefix("layers.").and_then(index).is_some_and(|at| at < self.layers)
    }
}

/// One line of a network's description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerRow {
    /// The tower it belongs to, where there are towers.
    pub tower: Option<String>,
    /// How deep it lies in residual blocks.
    pub depth: usize,
    /// The layer in a few words: `conv2d 64, kernel 3`.
    pub text: String,
    /// What it gives for one row.
    pub output: Shape,
    /// How many parameters it trains, those inside it counted; `None` while a dimension is not known.
    pub parameters: Option<u64>,
    /// How many floating-point operations a row takes on its way forward; `None` while a dimension is not known.
    pub flops: Option<u64>,
    /// How many numbers of a row are kept for the backward pass; `None` while a dimension is not known.
    pub activations: Option<u64>,
}

/// A mistake in a network, with the paths that a manifest has.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkError {
    /// What is wrong; its paths begin at the stage's table: `layers[3].linear.in`.
    pub error: ShapeError,
    /// The feature that gives the shape, where no layer does.
    pub feature: Option<String>,
}

/// What checking a network gives: everything that could be worked out, and every mistake.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inferred {
    /// The output for one row; `None` after a mistake that leaves it in doubt.
    pub output: Option<Shape>,
    /// A line per layer, for the layers before such a mistake.
    pub rows: Vec<LayerRow>,
    /// How many parameters are trained, where all are known.
    pub parameters: Option<u64>,
    /// The mistakes.
    pub errors: Vec<NetworkError>,
    /// What fits and is hardly meant.
    pub warnings: Vec<NetworkError>,
}

/// What the layers of a network may know besides their inputs.
#[must_use]
pub fn infer_cx(
    inputs: &[FeatureType],
    towers: &[Tower],
    layers: &[LayerSpec],
    target: Option<&TargetType>,
) -> InferCx {
    let feature = |name: &str| inputs.iter().find(|feature| feature.name == name);
    let in_towers = towers.iter().find_map(|tower| Some((first_embedding(&tower.layers)?, feature(&tower.input)?)));
    let embedding =
        in_towers.or_else(|| first_embedding(layers).zip(if towers.is_empty() { inputs.first() } else { None }));
    InferCx {
        outputs: target.map(|target| target.task.outputs()),
        embedding: embedding.map(|(embedding, feature)| {
            (embedding.dim, embedding.vectors(&Signal::of(feature)).map_or(Dim::Unknown, Dim::Fixed))
        }),
    }
}

fn first_embedding(layers: &[LayerSpec]) -> Option<&Embedding> {
    layers.iter().find_map(|layer| match layer {
        LayerSpec::Embedding(embedding) => Some(embedding),
        other => other.inner().into_iter().find_map(|layers| first_embedding(layers)),
    })
}

/// Works out every shape of a network, and what is wrong with it.
#[must_use]
pub fn infer(
    inputs: &[FeatureType],
    towers: &[Tower],
    join: Join,
    layers: &[LayerSpec],
    target: Option<&TargetType>,
) -> Inferred {
    let cx = infer_cx(inputs, towers, layers, target);
    let mut inferred = Inferred { parameters: Some(0), ..Inferred::default() };
    if towers.is_empty() && layers.is_empty() {
        let error = ShapeError::new(codes::EMPTY_MODEL, "a model has at least one layer");
        inferred.fail(ShapeError { field: vec!["layers".into()], ..error }, None);
        return inferred;
    }
    let (input, feature) = if towers.is_empty() {
        (inferred.joined_features(inputs), only_name(inputs))
    } else {
        (inferred.joined_towers(inputs, towers, join, &cx), None)
    };
    let Some(input) = input else {
        inferred.parameters = None;
        return inferred;
    };
    let output = inferred.walk(None, &["layers".into()], layers, &input, &cx, feature.as_deref());
    inferred.output = output.map(|signal| signal.shape);
    if let (Some(output), Some(target)) = (&inferred.output, target) {
        let error = match target.task.is_tokens() {
            true => check_token_output(output, target, inputs, layers),
            false => check_output(output, target, layers),
        };
        if let Some(error) = error {
            inferred.fail(error, None);
        }
    }
    inferred
}

fn only_name(inputs: &[FeatureType]) -> Option<String> {
    if let [only] = inputs { Some(only.name.clone()) } else { None }
}

impl Inferred {
    /// How many floating-point operations a row takes on its way forward, where all are known.
    #[must_use]
    pub fn flops(&self) -> Option<u64> {
        let whole = self.rows.iter().filter(|row| row.depth == 0);
        whole.map(|row| row.flops).try_fold(0_u64, |total, part| total.checked_add(part?))
    }

    fn fail(&mut self, error: ShapeError, feature: Option<&str>) {
        let feature = feature.filter(|_| error.given_by.is_none()).map(str::to_owned);
        self.errors.push(NetworkError { error, feature });
    }

    /// One feature as it is, or several joined into a vector.
    fn joined_features(&mut self, inputs: &[FeatureType]) -> Option<Signal> {
        if let [only] = inputs {
            return Some(Signal::of(only));
        }
        let mut total = Some(0_u64);
        for feature in inputs {
            let signal = Signal::of(feature);
            if signal.shape.rank() > 1 || signal.content != Content::Numbers {
                self.fail(does_not_join(feature), None);
                return None;
            }
            total = total.and_then(|total| total.checked_add(signal.shape.elements()?));
        }
        let width = total.map_or(Dim::Unknown, Dim::Fixed);
        (!inputs.is_empty()).then(|| Signal::numbers(Shape(vec![width])))
    }

    fn joined_towers(&mut self, inputs: &[FeatureType], towers: &[Tower], join: Join, cx: &InferCx) -> Option<Signal> {
        let mut results = Vec::new();
        let mut sound = true;
        let mut saved = Saved::new();
        for tower in towers {
            let base: [Segment; 2] = ["towers".into(), tower.name.as_str().into()];
            let Some(feature) = inputs.iter().find(|feature| feature.name == tower.input) else {
                self.fail(unknown_feature(&tower.input, inputs).nest(&base), None);
                sound = false;
                continue;
            };
            let path = [base.as_slice(), &["layers".into()]].concat();
            let input = Signal { saved: saved.clone(), ..Signal::of(feature) };
            let output = self.walk(Some(&tower.name), &path, &tower.layers, &input, cx, Some(&feature.name));
            match output {
                Some(output) if output.content == Content::Numbers => {
                    let width = output.shape.elements().map_or(Dim::Unknown, Dim::Fixed);
                    results.push(Signal::numbers(Shape(vec![width])));
                    saved = output.saved;
                }
                Some(_) => {
                    self.fail(indices_at_the_end(tower).nest(&base), None);
                    sound = false;
                }
                None => sound = false,
            }
        }
        if !sound {
            return None;
        }
        match join.infer(&results) {
            Ok(joined) => Some(Signal { saved, ..joined }),
            Err((index, message)) => {
                let (first, other) = (&towers[0], &towers[index]);
                self.fail(do_not_match(join, first, other, &message), None);
                None
            }
        }
    }

    fn walk(
        &mut self,
        tower: Option<&str>,
        path: &[Segment],
        layers: &[LayerSpec],
        input: &Signal,
        cx: &InferCx,
        feature: Option<&str>,
    ) -> Option<Signal> {
        let mut rows = Vec::new();
        let mut places = Places::default();
        let (output, errors) = sequence::walk(layers, input, cx, &mut |index, layer, before, after| {
            places.visit(index, layer, before, after);
            add_rows(&mut rows, tower, 0, layer, before, after, cx);
        });
        let warnings = places.warnings.into_iter();
        self.warnings.extend(warnings.map(|error| NetworkError { error: error.nest(path), feature: None }));
        for row in rows.iter().filter(|row: &&LayerRow| row.depth == 0) {
            self.parameters = self.parameters.and_then(|total| total.checked_add(row.parameters?));
        }
        if output.is_none() {
            self.parameters = None;
        }
        self.rows.append(&mut rows);
        for error in errors {
            self.fail(error.nest(path), feature);
        }
        output
    }
}

fn add_rows(
    rows: &mut Vec<LayerRow>,
    tower: Option<&str>,
    depth: usize,
    layer: &LayerSpec,
    input: &Signal,
    output: &Signal,
    cx: &InferCx,
) {
    rows.push(LayerRow {
        tower: tower.map(str::to_owned),
        depth,
        text: layer.text(),
        output: output.shape.clone(),
        parameters: layer.parameters(input, cx),
        flops: layer.flops(input, cx),
        activations: layer.activations(input, cx),
    });
    for part in layer.inner() {
        sequence::walk(part, input, cx, &mut |_, inner, before, after| {
            add_rows(rows, tower, depth + 1, inner, before, after, cx);
        });
    }
}

/// The output must be a vector as long as the target asks for.
fn check_output(output: &Shape, target: &TargetType, layers: &[LayerSpec]) -> Option<ShapeError> {
    let wanted = target.task.outputs();
    let width = if let [width] = output.0.as_slice() { Some(width) } else { None };
    if width.is_some_and(|width| width.compatible(&wanted)) {
        return None;
    }
    let asks = match (&target.task, wanted.size()) {
        (Task::Category { .. }, Some(classes)) => format!("target `{}` has {classes} classes", target.name),
        (Task::Category { .. }, None) => format!("target `{}` is a category", target.name),
        (Task::Binary { .. }, _) => format!("target `{}` is yes or no, which is one output", target.name),
        (Task::MultiLabel { labels }, _) => format!("target `{}` has {} labels", target.name, labels.len()),
        (_, _) => format!("target `{}` is one number", target.name),
    };
    let gives = match width {
        Some(width) => format!("{width} output{}", if width.size() == Some(1) { "" } else { "s" }),
        None => output.to_string(),
    };
    let end = layers.len().checked_sub(1);
    let mut field: Vec<Segment> = vec!["layers".into()];
    field.extend(end.map(Segment::Index));
    let last_is_linear = layers.last().is_some_and(|layer| matches!(layer, LayerSpec::Linear(_)));
    let hint = match (width, last_is_linear) {
        (Some(_), true) => "`{ linear = \"classes\" }` has as many outputs as the target asks for",
        (Some(_), false) => "end with `{ linear = \"classes\" }`: as many outputs as the target asks for",
        (None, true) if output.rank() == 2 => {
            "put `{ pool = \"mean\" }` or `\"flatten\"` before it, which make one vector of all; a recurrent layer gives one with `output = \"last\"`"
        }
        (None, _) if output.rank() == 2 => {
            "end with `{ pool = \"mean\" }` or `\"flatten\"`, and `{ linear = \"classes\" }`"
        }
        (None, _) => "end with `\"flatten\"`, `{ linear = \"classes\" }`",
    };
    let error = ShapeError::new(codes::CLASS_COUNT, format!("the model gives {gives}, but {asks}"))
        .label(format!("gives {output}"))
        .hint(hint);
    Some(ShapeError { field, ..error })
}

/// The output must hold a number for every token of the vocabulary, at every place of the sequence.
fn check_token_output(
    output: &Shape,
    target: &TargetType,
    inputs: &[FeatureType],
    layers: &[LayerSpec],
) -> Option<ShapeError> {
    let wanted = target.task.outputs();
    let seen = inputs.iter().find(|feature| feature.name == target.name);
    let length = seen.and_then(|feature| feature.shape.0.first().cloned()).unwrap_or(Dim::Unknown);
    if let [places, width] = output.0.as_slice()
        && places.compatible(&length)
        && width.compatible(&wanted)
    {
        return None;
    }
    let hint = match output.0.as_slice() {
        [_, width] if !width.compatible(&wanted) => {
            "end with `{ linear = \"classes\" }`: as many outputs as the vocabulary has tokens"
        }
        [_, _] => {
            "keep the places of the sequence as they are: `{ concat = { name = …, dim = -1 } }` puts features side by side"
        }
        _ => "keep the places of the sequence to the end: no `pool`, no `flatten`, no last step of an `lstm`",
    };
    let asks = Shape(vec![length, wanted]);
    let mut field: Vec<Segment> = vec!["layers".into()];
    field.extend(layers.len().checked_sub(1).map(Segment::Index));
    let message = format!("the model gives {output}, but the tokens of `{}` ask for {asks}", target.name);
    let error = ShapeError::new(codes::CLASS_COUNT, message).label(format!("gives {output}")).hint(hint);
    Some(ShapeError { field, ..error })
}

/// How many layers have weights, in towers, residual blocks and after them.
#[must_use]
pub fn layers_with_weights(towers: &[Tower], layers: &[LayerSpec]) -> u64 {
    towers.iter().map(|tower| sequence::with_weights(&tower.layers)).sum::<u64>() + sequence::with_weights(layers)
}

mod mistakes;
mod network;
mod places;
#[cfg(test)]
mod tests;
