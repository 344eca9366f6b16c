//! A whole network: its inputs, towers, layers and output, as `architecture.json` holds it.

use super::layer::{Content, InferCx, ShapeError, Signal};
use super::sequence;
use super::spec::LayerSpec;
use crate::diag::{codes, did_you_mean, list};
use crate::digest::Segment;
use crate::types::{Dim, FeatureType, ModelType, Shape, TargetType, Task};
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
    /// The layers after them.
    pub layers: Vec<LayerSpec>,
    /// The shape of the output for one row: `[classes]` for a category, `[1]` for a binary target or a number.
    pub output: Shape,
    /// What it predicts; `None` for a network that only transforms.
    pub target: Option<TargetType>,
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
}

/// The context of a network that is to predict `target`.
#[must_use]
pub fn infer_cx(target: Option<&TargetType>) -> InferCx {
    InferCx { outputs: target.map(|target| target.task.outputs()) }
}

/// Works out every shape of a network, and what is wrong with it.
#[must_use]
pub fn infer(inputs: &[FeatureType], towers: &[Tower], layers: &[LayerSpec], target: Option<&TargetType>) -> Inferred {
    let cx = infer_cx(target);
    let mut inferred = Inferred { parameters: Some(0), ..Inferred::default() };
    if towers.is_empty() && layers.is_empty() {
        let error = ShapeError::new(codes::EMPTY_MODEL, "a model has at least one layer");
        inferred.fail(ShapeError { field: vec!["layers".into()], ..error }, None);
        return inferred;
    }
    let (input, feature) = if towers.is_empty() {
        (inferred.joined_features(inputs), only_name(inputs))
    } else {
        (inferred.joined_towers(inputs, towers, &cx), None)
    };
    let Some(input) = input else {
        inferred.parameters = None;
        return inferred;
    };
    let output = inferred.walk(None, &["layers".into()], layers, &input, &cx, feature.as_deref());
    inferred.output = output.map(|signal| signal.shape);
    if let (Some(output), Some(target)) = (&inferred.output, target) {
        let error = check_output(output, target, layers);
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

    fn joined_towers(&mut self, inputs: &[FeatureType], towers: &[Tower], cx: &InferCx) -> Option<Signal> {
        let mut total = Some(0_u64);
        let mut sound = true;
        for tower in towers {
            let base: [Segment; 2] = ["towers".into(), tower.name.as_str().into()];
            let Some(feature) = inputs.iter().find(|feature| feature.name == tower.input) else {
                self.fail(unknown_feature(&tower.input, inputs).nest(&base), None);
                sound = false;
                continue;
            };
            let path = [base.as_slice(), &["layers".into()]].concat();
            let input = Signal::of(feature);
            let output = self.walk(Some(&tower.name), &path, &tower.layers, &input, cx, Some(&feature.name));
            match output {
                Some(output) if output.content == Content::Numbers => {
                    total = total.and_then(|total| total.checked_add(output.shape.elements()?));
                }
                Some(_) => {
                    self.fail(indices_at_the_end(tower).nest(&base), None);
                    sound = false;
                }
                None => sound = false,
            }
        }
        sound.then(|| Signal::numbers(Shape(vec![total.map_or(Dim::Unknown, Dim::Fixed)])))
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
        let (output, errors) = sequence::walk(layers, input, cx, &mut |_, layer, before, after| {
            add_rows(&mut rows, tower, 0, layer, before, after, cx);
        });
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
    });
    if let LayerSpec::Residual(block) = layer {
        for part in [&block.layers, &block.shortcut] {
            sequence::walk(part, input, cx, &mut |_, inner, before, after| {
                add_rows(rows, tower, depth + 1, inner, before, after, cx);
            });
        }
    }
}

fn does_not_join(feature: &FeatureType) -> ShapeError {
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

fn indices_at_the_end(tower: &Tower) -> ShapeError {
    ShapeError::new(
        codes::NEEDS_INDICES,
        format!("tower `{}` gives category indices, which cannot be joined", tower.name),
    )
    .at(if tower.layers.is_empty() { "input" } else { "layers" })
    .label("gives indices")
    .hint("begin its layers with `{ embedding = 16 }`")
}

/// A feature that the dataset does not have.
pub(crate) fn unknown_feature(name: &str, inputs: &[FeatureType]) -> ShapeError {
    let names = || inputs.iter().map(|feature| feature.name.as_str());
    let error = ShapeError::new(codes::UNKNOWN_FEATURE, format!("the data has no feature `{name}`"))
        .at("input")
        .label("no such feature");
    match did_you_mean(name, names()) {
        Some(hint) => error.hint(hint),
        None => error.hint(format!("its features are {}", list(names(), 8))),
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
        (Task::Number { .. }, _) => format!("target `{}` is one number", target.name),
    };
    let gives = match width {
        Some(width) => format!("{width} outputs"),
        None => output.to_string(),
    };
    let end = layers.len().checked_sub(1);
    let mut field: Vec<Segment> = vec!["layers".into()];
    field.extend(end.map(Segment::Index));
    let last_is_linear = layers.last().is_some_and(|layer| matches!(layer, LayerSpec::Linear(_)));
    let hint = match (width, last_is_linear) {
        (Some(_), true) => "`{ linear = \"classes\" }` has as many outputs as the target asks for",
        (Some(_), false) => "end with `{ linear = \"classes\" }`: as many outputs as the target asks for",
        (None, _) => "end with `\"flatten\"`, `{ linear = \"classes\" }`",
    };
    let error = ShapeError::new(codes::CLASS_COUNT, format!("the model gives {gives}, but {asks}"))
        .label(format!("gives {output}"))
        .hint(hint);
    Some(ShapeError { field, ..error })
}

impl Architecture {
    /// A network for real inputs, with widths and counts filled in.
    ///
    /// # Errors
    /// The mistakes, where there are any; or one that says that a dimension is still not known.
    pub fn new(
        inputs: Vec<FeatureType>,
        towers: Vec<Tower>,
        layers: Vec<LayerSpec>,
        target: Option<TargetType>,
    ) -> Result<Self, Vec<NetworkError>> {
        let inferred = infer(&inputs, &towers, &layers, target.as_ref());
        if !inferred.errors.is_empty() {
            return Err(inferred.errors);
        }
        let Some(output) = inferred.output.filter(|shape| shape.sizes().is_some()) else {
            let error = ShapeError::new(codes::RANK, "the shape of the model's output is not known");
            return Err(vec![NetworkError { error, feature: None }]);
        };
        let mut network = Self { inputs, towers, layers, output, target };
        network.resolve();
        Ok(network)
    }

    fn resolve(&mut self) {
        let cx = self.cx();
        let input = self.join();
        for tower in &mut self.towers {
            if let Some(feature) = self.inputs.iter().find(|feature| feature.name == tower.input) {
                tower.layers = sequence::resolved(&tower.layers, &Signal::of(feature), &cx);
            }
        }
        self.layers = sequence::resolved(&self.layers, &input, &cx);
    }

    /// What its layers may know besides their input.
    #[must_use]
    pub fn cx(&self) -> InferCx {
        infer_cx(self.target.as_ref())
    }

    /// What goes into `layers`: the feature, or what features or towers give, joined.
    #[must_use]
    pub fn join(&self) -> Signal {
        let mut scratch = Inferred::default();
        let joined = if self.towers.is_empty() {
            scratch.joined_features(&self.inputs)
        } else {
            scratch.joined_towers(&self.inputs, &self.towers, &self.cx())
        };
        joined.unwrap_or_else(|| Signal::numbers(Shape(vec![Dim::Unknown])))
    }

    /// A line per layer, with shapes and parameter counts.
    #[must_use]
    pub fn rows(&self) -> Vec<LayerRow> {
        self.infer().rows
    }

    /// How many parameters are trained.
    #[must_use]
    pub fn parameters(&self) -> Option<u64> {
        self.infer().parameters
    }

    /// How many layers have weights.
    #[must_use]
    pub fn layers_with_weights(&self) -> u64 {
        layers_with_weights(&self.towers, &self.layers)
    }

    /// Its type as an artefact.
    #[must_use]
    pub fn model_type(&self, trained: bool) -> ModelType {
        ModelType {
            inputs: self.inputs.clone(),
            output: self.output.clone(),
            target: self.target.clone(),
            layers: self.layers_with_weights(),
            parameters: self.parameters(),
            trained,
        }
    }

    fn infer(&self) -> Inferred {
        infer(&self.inputs, &self.towers, &self.layers, self.target.as_ref())
    }
}

/// How many layers have weights, in towers, residual blocks and after them.
#[must_use]
pub fn layers_with_weights(towers: &[Tower], layers: &[LayerSpec]) -> u64 {
    towers.iter().map(|tower| sequence::with_weights(&tower.layers)).sum::<u64>() + sequence::with_weights(layers)
}

#[cfg(test)]
mod tests;
