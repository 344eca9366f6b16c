//! `model`: a network for a dataset, without weights yet. All shapes are worked out, and mistakes in them told, before
//! anything runs.

use super::base::{self, Tune, Until};
use crate::diag::{codes, did_you_mean, list};
use crate::nn::{Architecture, Join, LayerSpec, NetworkError, Tower};
use crate::numbers;
use crate::path;
use crate::stage::{CheckCx, Family, Kind, Outputs, Port, Produced, Ref, RunCx, StageError, StageInfo};
use crate::types::{ArtifactType, DatasetType, FeatureType, ModelType, Shape, TargetType, Task};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Describes a network for a dataset.
pub struct Model;

/// A network: layers, or towers of layers that are joined.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ModelSpec {
    /// The dataset that it is for. Input shapes, the number of classes and the encoder come from it.
    pub data: Ref,
    /// The layers, in order: names, or tables with one key. With towers, they follow the joined towers; with `base`, its layers.
    #[serde(default)]
    pub layers: Vec<LayerSpec>,
    /// Layers per feature: what they give is flattened, joined in the order of their names, and goes into `layers`.
    #[serde(default)]
    pub towers: BTreeMap<String, TowerSpec>,
    /// How the towers' flattened results become one: side by side, or results of one width added, multiplied, or multiplied and
    /// summed up to one number.
    #[serde(default)]
    pub join: Join,
    /// The only feature to use; all of them are used, joined in the order of their names, where it is left away.
    #[serde(default)]
    pub input: Option<String>,
    /// A trained model that this one begins with: `"pretrain.model"`. Its first layers come with their weights, and `layers` follow them.
    #[serde(default)]
    pub base: Option<Ref>,
    /// Up to where the base's layers are taken: up to and with the `save` of a name, or so many; all but the last where it is left away.
    #[serde(default)]
    pub until: Option<Until>,
    /// Which layers train: `"all"`, or `"head"`: those of `layers` alone.
    #[serde(default)]
    pub tune: Tune,
    /// Which target to predict, where the dataset has several.
    #[serde(default)]
    pub target: Option<String>,
}

/// Layers over one feature.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct TowerSpec {
    /// The feature.
    pub input: String,
    /// Its layers; none joins the feature as it is.
    #[serde(default)]
    pub layers: Vec<LayerSpec>,
}

impl ModelSpec {
    fn towers(&self) -> Vec<Tower> {
        let tower = |(name, tower): (&String, &TowerSpec)| Tower {
            name: name.clone(),
            input: tower.input.clone(),
            layers: tower.layers.clone(),
        };
        self.towers.iter().map(tower).collect()
    }

    /// The network as it is declared; its first layers are those of a base, where there is one.
    fn declared(&self, base: Option<&(Architecture, usize)>, data: &DatasetType) -> Architecture {
        let target = self.target(data).cloned();
        let output = Shape(Vec::new());
        let Some((base, count)) = base else {
            let (inputs, towers, layers) = (self.inputs(data), self.towers(), self.layers.clone());
            return Architecture { inputs, towers, join: self.join, layers, output, target, base: None };
        };
        let layers = base::joined(base, *count, &self.layers);
        // The data's features, whose columns may be others than those of the base's data.
        let inputs = base.inputs.iter().filter_map(|input| data.feature(&input.name)).cloned().collect();
        let (towers, join) = (base.towers.clone(), base.join);
        Architecture { inputs, towers, join, layers, output, target, base: Some(base::record(*count, self.tune)) }
    }

    /// The features that the network takes, in the dataset's order. Those that do not exist are left out.
    fn inputs(&self, data: &DatasetType) -> Vec<FeatureType> {
        let used = |feature: &&FeatureType| match &self.input {
            Some(name) => feature.name == *name,
            None => self.towers.is_empty() || self.towers.values().any(|tower| tower.input == feature.name),
        };
        data.features.iter().filter(used).cloned().collect()
    }

    /// The target that it predicts: the named one, or the only one.
    fn target<'a>(&self, data: &'a DatasetType) -> Option<&'a TargetType> {
        match &self.target {
            Some(name) => data.target(name),
            None => data.only_target(),
        }
    }

    /// Reports a target that is not there, or that has to be chosen, and gives whether there was no mistake.
    fn check_target(&self, data: &DatasetType, cx: &mut CheckCx<'_>) -> bool {
        let names = || data.targets.iter().map(|target| target.name.as_str());
        match &self.target {
            Some(name) if data.target(name).is_none() => {
                cx.error(path!["target"], codes::NO_TARGET, format!("the data has no target `{name}`"))
                    .label("no such target")
                    .maybe_hint(did_you_mean(name, names()))
                    .from_stage(
                        &self.data,
                        match data.targets.is_empty() {
                            true => "encoded here, without a target".to_owned(),
                            false => format!("its targets are {}", list(names(), 8)),
                        },
                    );
                false
            }
            None if data.targets.len() > 1 => {
                let message = format!("the data has several targets: {}", list(names(), 8));
                cx.error(path!["data"], codes::MISSING_FIELD, message)
                    .label("a model predicts one of them")
                    .hint(format!("target = \"{}\" says which", data.targets[0].name));
                false
            }
            _ => true,
        }
    }

    /// Whether every feature that the network takes is known. While the dataset is not, towers and `input` still name some.
    fn is_known(&self, data: &DatasetType) -> bool {
        let has = |name: &String| data.feature(name).is_some();
        data.complete
            || self.input.as_ref().is_some_and(has)
            || (!self.towers.is_empty() && self.towers.values().all(|tower| has(&tower.input)))
    }

    /// Warns of a last layer that makes probabilities, which is done of what a model gives.
    fn check_end(&self, data: &DatasetType, cx: &mut CheckCx<'_>) {
        let name = match self.layers.last() {
            Some(LayerSpec::Softmax(_)) => "softmax",
            Some(LayerSpec::Sigmoid(_)) => "sigmoid",
            _ => return,
        };
        // A number may be bounded.
        if self.target(data).is_none_or(|target| matches!(target.task, Task::Number { .. })) {
            return;
        }
        let path = path!["layers", self.layers.len() - 1];
        cx.error(path, codes::LOGITS, format!("`{name}` at the end of a model makes probabilities of probabilities"))
            .label("losses, metrics and predictions take logits")
            .hint("leave it out");
    }

    /// Reports names that cannot be, and gives whether there were none.
    fn check_names(&self, data: &DatasetType, cx: &mut CheckCx<'_>) -> bool {
        let mut sound = true;
        if self.input.is_some() && !self.towers.is_empty() {
            sound = false;
            cx.error(path!["input"], codes::CONFLICT, "`input` and `towers` exclude each other")
                .label("towers name their inputs themselves")
                .hint("leave out `input`");
        }
        let names = || data.features.iter().map(|feature| feature.name.as_str());
        let inputs = self.input.iter().map(|name| (name, path!["input"]));
        let towers = self.towers.iter().map(|(key, tower)| (&tower.input, path!["towers", key, "input"]));
        let named = inputs.chain(towers).filter(|(name, _)| data.complete && data.feature(name).is_none());
        for (name, path) in named {
            sound = false;
            let near = did_you_mean(name, names());
            let has_near = near.is_some();
            let finding = cx.error(path, codes::UNKNOWN_FEATURE, format!("the data has no feature `{name}`"));
            finding.label("no such feature").maybe_hint(near).from_stage(&self.data, "encoded here");
            if !has_near {
                finding.hint(format!("its features are {}", list(names(), 8)));
            }
        }
        if self.towers.is_empty() && !self.join.is_concat() {
            sound = false;
            cx.error(path!["join"], codes::CONFLICT, "`join` says how towers become one, but there are none")
                .label("joins nothing")
                .hint("give each feature its tower: `towers.user = { input = \"user\", layers = [ … ] }`");
        }
        let of_base = [("until", self.until.is_some()), ("tune", self.tune != Tune::All)];
        for (field, _) in of_base.iter().filter(|(_, given)| *given && self.base.is_none()) {
            sound = false;
            cx.error(path![*field], codes::CONFLICT, format!("`{field}` is about a base, but there is none"))
                .label("of which base?")
                .hint("base = \"train.model\" names a trained model");
        }
        for name in self.towers.keys().filter(|name| !is_name(name)) {
            sound = false;
            cx.error(path!["towers", name], codes::BAD_NAME, format!("`{name}` cannot be the name of a tower"))
                .at_key()
                .label("not a name")
                .hint("names consist of letters, digits, `_` and `-`, and begin with a letter");
        }
        sound
    }
}

fn is_name(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(rest)
}

impl Kind for Model {
    type Spec = ModelSpec;

    const INFO: StageInfo = StageInfo {
        name: "model",
        family: Family::Model,
        version: 1,
        summary: "Describes a network for a dataset and works out all its shapes.",
        ports: &[Port { name: "model", about: "the network without weights, with the encoder it expects" }],
        example: r#"
[stage.model]
kind = "model"
data = "encode.train"
layers = [
  { conv2d = { out = 32, kernel = 3, padding = 1 } }, "relu", { max_pool2d = 2 },
  "flatten", { dropout = 0.25 }, { linear = "classes" },
]
"#,
        seeded: false,
        numeric: false,
    };

    fn check(spec: &ModelSpec, cx: &mut CheckCx<'_>) -> Outputs {
        let unknown = Outputs::one("model", ArtifactType::Unknown);
        let Some(data) = cx.dataset(&spec.data, path!["data"]) else { return unknown };
        let sound = spec.check_target(data, cx) & spec.check_names(data, cx);
        if !sound || !spec.is_known(data) {
            return unknown;
        }
        let found = match &spec.base {
            None => None,
            Some(reference) => match base::check(spec, reference, data, cx) {
                None => return unknown,
                found => found,
            },
        };
        spec.check_end(data, cx);
        let network = spec.declared(found.as_ref(), data);
        let mut inferred = network.infer();
        for mistake in &mut inferred.errors {
            let giver = found.as_ref().and_then(|(base, count)| base::own_paths(mistake, base, *count));
            report(mistake, &network.inputs, spec, giver, cx);
        }
        match inferred.output.filter(|_| inferred.errors.is_empty()) {
            // As far as it is known: what a model that begins with this one is checked against.
            Some(output) => Outputs::one("model", ArtifactType::Model(network.filled(output).model_type(false))),
            None => unknown,
        }
    }

    fn run(spec: &ModelSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let input = cx.input(&spec.data)?;
        let ArtifactType::Dataset(data) = &input.ty else {
            return Err(StageError::bug(format!("`{}` is a {}, not a dataset", spec.data, input.ty.name())));
        };
        let base = spec.base.as_ref().map(|reference| cx.input(reference)).transpose()?;
        let found = base.map(|base| base::of(spec, base)).transpose()?;
        base.map_or(Ok(()), |base| base::same_vocabulary(spec, base, input))?;
        let network = spec.declared(found.as_ref(), data).finished().map_err(|mistakes| refuse(&mistakes))?;
        let folder = cx.out("model")?;
        let file = folder.join("architecture.json");
        let mut text = serde_json::to_string_pretty(&network).map_err(|error| StageError::bug(error.to_string()))?;
        text.push('\n');
        std::fs::write(&file, text).map_err(|error| StageError::io("write", &file, &error))?;
        let encoder = input.file("encoder.json").ok_or_else(|| StageError::bug("the dataset has no encoder.json"))?;
        let copy = folder.join("encoder.json");
        std::fs::copy(&encoder.path, &copy).map_err(|error| StageError::io("write", &copy, &error))?;
        if let Some((base, taken)) = base.zip(network.base) {
            base::write_weights(base, taken, &folder)?;
        }
        let ty = network.model_type(false);
        let mut produced = Produced::new(summary(&ty));
        if let Some(parameters) = ty.parameters {
            produced.metrics.insert("parameters".to_owned(), parameters as f64);
        }
        Ok(produced.port("model", ArtifactType::Model(ty)))
    }
}

/// `4 layers with weights · 56,714 parameters`
fn summary(ty: &ModelType) -> String {
    let noun = if ty.layers == 1 { "layer" } else { "layers" };
    let layers = format!("{} {noun} with weights", numbers::count(ty.layers));
    match ty.parameters {
        Some(parameters) => format!("{layers} · {} parameters", numbers::count(parameters)),
        None => layers,
    }
}

/// Turns a mistake in the network into a finding at the layer that causes it. `giver` says of a layer of the base that it gives the shape.
fn report(
    mistake: &NetworkError,
    inputs: &[FeatureType],
    spec: &ModelSpec,
    giver: Option<String>,
    cx: &mut CheckCx<'_>,
) {
    let NetworkError { error, feature } = mistake;
    let finding = cx.error(error.field.clone(), error.code, error.message.clone());
    finding.label(error.label.clone());
    for hint in &error.hints {
        finding.hint(hint.clone());
    }
    if let Some((path, text)) = &error.given_by {
        finding.related(path.clone(), text.clone());
    }
    if let (Some(text), Some(base)) = (giver, &spec.base) {
        finding.from_stage(base, text);
    }
    let feature = feature.as_ref().and_then(|name| inputs.iter().find(|feature| feature.name == *name));
    if let Some(feature) = feature {
        finding.from_stage(&spec.data, format!("gives `{}` {}", feature.name, feature.shape));
    }
    let about_target = [codes::CLASS_COUNT, codes::NO_TARGET, codes::FEATURES_DO_NOT_JOIN];
    if about_target.contains(&error.code) {
        finding.from_stage(&spec.data, "encoded here");
    }
}

/// What only the real types showed, where the late check did not stop the run before.
fn refuse(mistakes: &[NetworkError]) -> StageError {
    let Some(first) = mistakes.first() else { return StageError::bug("a network was refused without a mistake") };
    let failure = StageError::data(first.error.message.clone()).at(first.error.field.clone());
    first.error.hints.iter().fold(failure, |failure, hint| failure.hint(hint.clone()))
}
