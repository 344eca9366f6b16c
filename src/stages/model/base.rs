//! A model that begins with the layers and weights of a trained one.

use super::network::ModelSpec;
use crate::diag::{codes, did_you_mean};
use crate::digest::Segment;
use crate::nn::{Architecture, Base, LayerSpec, NetworkError};
use crate::path;
use crate::stage::{CheckCx, Input, Ref, StageError};
use crate::stages::encode::{Encoder, FittedFeature};
use crate::types::{DatasetType, ModelType};
use safetensors::SafeTensors;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The weights of the layers that were taken, beside `architecture.json`.
pub const BASE_WEIGHTS: &str = "base.safetensors";

/// Up to where the layers of a base are taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Until {
    /// So many of them.
    Count(u64),
    /// Up to and with the `save` of this name.
    Name(String),
}

/// Which layers train.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Tune {
    /// All of them.
    #[default]
    All,
    /// Those that follow the base's. The base's compute as they do in prediction: no dropout, batch norms with their running statistics.
    Head,
}

/// How many layers of a base are taken.
fn count(network: &Architecture, until: Option<&Until>) -> Result<usize, String> {
    let layers = network.layers.len();
    let named = |name: &str| network.layers.iter().position(|layer| saves(layer) == Some(name));
    match until {
        None => Ok(layers.saturating_sub(1)),
        Some(Until::Count(count)) => usize::try_from(*count)
            .ok()
            .filter(|count| *count <= layers)
            .ok_or_else(|| format!("the base has {layers} layers, not {count}")),
        Some(Until::Name(name)) => {
            named(name).map(|place| place + 1).ok_or_else(|| format!("the base has no `{{ save = \"{name}\" }}`"))
        }
    }
}

fn saves(layer: &LayerSpec) -> Option<&str> {
    if let LayerSpec::Save(save) = layer { Some(&save.name) } else { None }
}

/// The network of a model type, where it is known.
fn network(model: &ModelType) -> Option<Architecture> {
    serde_json::from_value(model.network.clone()?).ok()
}

/// The base's network when it is there, and how many of its layers are taken.
pub(super) fn of(spec: &ModelSpec, base: &Input) -> Result<(Architecture, usize), StageError> {
    let file = base.file("architecture.json").ok_or_else(|| StageError::bug("the base has no architecture.json"))?;
    let bytes = std::fs::read(&file.path).map_err(|error| StageError::io("read", &file.path, &error))?;
    let network: Architecture = serde_json::from_slice(&bytes)
        .map_err(|error| StageError::data(format!("the architecture of the base cannot be read: {error}")))?;
    let count = count(&network, spec.until.as_ref()).map_err(|message| StageError::data(message).at(path!["until"]))?;
    Ok((network, count))
}

/// The base's network, and how many of its layers are taken; `None` while it is not known, or after saying what is wrong.
pub(super) fn check(
    spec: &ModelSpec,
    reference: &Ref,
    data: &DatasetType,
    cx: &mut CheckCx<'_>,
) -> Option<(Architecture, usize)> {
    let model = cx.model(reference, path!["base"])?;
    let given =
        [("towers", !spec.towers.is_empty()), ("input", spec.input.is_some()), ("join", !spec.join.is_concat())];
    if let Some((field, _)) = given.iter().find(|(_, given)| *given) {
        cx.error(path![*field], codes::CONFLICT, format!("`{field}` and `base` exclude each other"))
            .label("comes from the base")
            .hint(format!("leave out `{field}`"));
        return None;
    }
    if !model.trained {
        cx.error(path!["base"], codes::UNTRAINED, format!("`{reference}` has no weights yet"))
            .label("described, never trained")
            .hint("name the `model` of the `train` stage: \"pretrain.model\"")
            .from_stage(reference, "described here");
        return None;
    }
    let features = ModelType { target: None, ..model.clone() };
    if let Some(difference) = features.misfit(data) {
        let message = format!("`{}` is not what the base was made for: {difference}", spec.data);
        cx.error(path!["data"], codes::DATASETS_DIFFER, message)
            .label("other features than the base's")
            .hint("encode it with the tokenizer, the sizes and the names that the base's data have")
            .from_stage(&spec.data, "encoded here")
            .from_stage(reference, "the base comes from here");
        return None;
    }
    let network = network(model)?;
    match count(&network, spec.until.as_ref()) {
        Ok(count) => Some((network, count)),
        Err(message) => {
            let names = network.layers.iter().filter_map(saves);
            let wanted = if let Some(Until::Name(name)) = &spec.until { name.as_str() } else { "" };
            cx.error(path!["until"], codes::NOT_SAVED, message)
                .label("not in the base")
                .maybe_hint(did_you_mean(wanted, names))
                .from_stage(reference, "the base comes from here");
            None
        }
    }
}

/// The base's first layers, then those of the stage.
pub(super) fn joined(base: &Architecture, count: usize, layers: &[LayerSpec]) -> Vec<LayerSpec> {
    [&base.layers[..count], layers].concat()
}

/// What the network says of where its first layers come from.
pub(super) fn record(count: usize, tune: Tune) -> Base {
    Base { layers: count as u64, frozen: tune == Tune::Head }
}

/// A mistake in a joined network, with the paths of the stage: its own layers count from 0, and those of the base have none. Gives
/// the words about a layer of the base that gives the shape.
pub(super) fn own_paths(mistake: &mut NetworkError, base: &Architecture, count: usize) -> Option<String> {
    shift(&mut mistake.error.field, count);
    let (path, text) = mistake.error.given_by.take()?;
    let mut own = path.clone();
    if shift(&mut own, count) {
        mistake.error.given_by = Some((own, text));
        return None;
    }
    let layer = match path.get(1) {
        Some(Segment::Index(index)) => base.layers.get(*index).map(LayerSpec::text),
        _ => None,
    };
    Some(layer.map_or(text.clone(), |layer| format!("its `{layer}` {text}")))
}

/// Whether the path leads to a layer of the stage; to the base otherwise.
fn shift(path: &mut Vec<Segment>, count: usize) -> bool {
    let in_layers = matches!(path.first(), Some(Segment::Key(key)) if key == "layers");
    match path.get_mut(1) {
        Some(Segment::Index(index)) if in_layers && *index >= count => {
            *index -= count;
            true
        }
        None if in_layers => true,
        _ => {
            *path = path!["base"];
            false
        }
    }
}

/// Refuses data whose indices stand for other things than those of the base's: of another vocabulary, be it as large, it would look up
/// the vectors of other tokens.
pub(super) fn same_vocabulary(spec: &ModelSpec, base: &Input, data: &Input) -> Result<(), StageError> {
    let (own, given) = (Encoder::of(base)?, Encoder::of(data)?);
    for (name, feature) in &own.features {
        let what = match (feature, given.features.get(name)) {
            (FittedFeature::Tokens(a), Some(FittedFeature::Tokens(b))) if a.tokenizer != b.tokenizer => "tokens",
            (FittedFeature::Category(a), Some(FittedFeature::Category(b))) if a.values() != b.values() => "values",
            _ => continue,
        };
        let message =
            format!("the numbers of `{name}` stand for other {what} in `{}` than in the base's data", spec.data);
        return Err(StageError::data(message)
            .note(format!("the base would see other {what} than there are"))
            .hint(match what {
                "tokens" => "encode it with the tokenizer of the base's data",
                _ => "encode it by the stage that encodes the base's data: `apply` there, so that the values keep their numbers",
            })
            .at(path!["data"]));
    }
    Ok(())
}

/// Writes the weights of the layers that were taken.
pub(super) fn write_weights(base: &Input, taken: Base, folder: &Path) -> Result<(), StageError> {
    let lacks = |name: &str| StageError::bug(format!("the base has no {name}"));
    let file = base.file("model.safetensors").ok_or_else(|| lacks("model.safetensors"))?;
    let bytes = std::fs::read(&file.path).map_err(|error| StageError::io("read", &file.path, &error))?;
    let broken = |error: safetensors::SafeTensorError| {
        StageError::data(format!("the weights of the base cannot be read: {error}"))
    };
    let tensors = SafeTensors::deserialize(&bytes).map_err(broken)?;
    let mut kept: Vec<_> = tensors.iter().filter(|(name, _)| taken.has(name)).collect();
    kept.sort_by(|a, b| a.0.cmp(b.0));
    let path = folder.join(BASE_WEIGHTS);
    let bytes = safetensors::serialize(kept, None).map_err(broken)?;
    std::fs::write(&path, bytes).map_err(|error| StageError::io("write", &path, &error))
}
