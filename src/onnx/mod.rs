//! Networks as ONNX: an [`Architecture`] and its weights become one file that other runtimes read.
//!
//! Inputs are the features as they are stored, by their names, the batch first; the output is what the network gives:
//! logits for categories, yes or no and labels, standardised numbers for numbers. Operators are those of opset 20.

mod graph;
mod layers;
mod message;
mod recurrent;

use crate::nn::{Architecture, Content, Signal};
use crate::types::{FeatureType, Task, TensorType};
use graph::Graph;
use message::{FLOAT, INT64, ModelProto, OperatorSetIdProto, StringStringEntryProto, UINT8};
use prost::Message;
use std::collections::BTreeMap;
use std::fmt;

/// The operator set.
pub const OPSET: i64 = 20;
/// The version of the file's form that goes with it.
const IR_VERSION: i64 = 9;

/// Weights by name: shape, and `f32` in little-endian order.
pub type Weights = BTreeMap<String, (Vec<i64>, Vec<u8>)>;

/// Why a network has no ONNX form, in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The bytes of the ONNX file of a network.
///
/// # Errors
/// When one of its layers has no ONNX form, or weights are missing.
pub fn export(network: &Architecture, weights: &Weights) -> Result<Vec<u8>, Refusal> {
    let mut graph = Graph::default();
    let inputs: BTreeMap<&str, String> = network
        .inputs
        .iter()
        .map(|feature| Ok((feature.name.as_str(), input(feature, &mut graph)?)))
        .collect::<Result<_, _>>()?;
    let joined = if network.towers.is_empty() {
        join_features(network, &inputs, &mut graph)?
    } else {
        join_towers(network, &inputs, weights, &mut graph)?
    };
    let (value, signal) = layers::walk(&network.layers, "layers", &joined, &network.join(), weights, &mut graph)?;
    let sizes = sizes(&signal)?;
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "kilter".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph.finish(&value, &sizes)),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: facts(network),
    };
    Ok(model.encode_to_vec())
}

/// The first layer that has no ONNX form, by its path and name; `None` where all have one.
#[must_use]
pub fn refuses(network: &Architecture) -> Option<(String, &'static str)> {
    let towers = network.towers.iter().map(|tower| (format!("towers.{}", tower.name), tower.layers.as_slice()));
    let mut all = towers.chain([("layers".to_owned(), network.layers.as_slice())]);
    all.find_map(|(path, specs)| layers::first_without(specs, &path))
}

/// Declares a feature's input; gives it as its layers take it.
fn input(feature: &FeatureType, graph: &mut Graph) -> Result<String, Refusal> {
    let sizes = sizes(&Signal::of(feature))?;
    let stored = match feature.dtype {
        TensorType::U8 => UINT8,
        TensorType::F32 => FLOAT,
        TensorType::I64 => INT64,
    };
    graph.input(&feature.name, stored, &sizes);
    if stored != UINT8 {
        return Ok(feature.name.clone());
    }
    let numbers = graph.node("Cast", &[&feature.name], &[("to", graph::Attribute::Int(i64::from(FLOAT)))]);
    let Some(scale) = feature.scale else { return Ok(numbers) };
    let scale = graph.floats(&format!("{}.scale", feature.name), Vec::new(), &[scale as f32]);
    Ok(graph.node("Div", &[&numbers, &scale], &[]))
}

fn join_features(
    network: &Architecture,
    inputs: &BTreeMap<&str, String>,
    graph: &mut Graph,
) -> Result<String, Refusal> {
    if let [only] = network.inputs.as_slice() {
        return Ok(inputs[only.name.as_str()].clone());
    }
    let parts = network.inputs.iter().map(|feature| flat(&inputs[feature.name.as_str()], &Signal::of(feature), graph));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    Ok(concat(&parts, graph))
}

fn join_towers(
    network: &Architecture,
    inputs: &BTreeMap<&str, String>,
    weights: &Weights,
    graph: &mut Graph,
) -> Result<String, Refusal> {
    let mut parts = Vec::new();
    for tower in &network.towers {
        let feature = network.inputs.iter().find(|feature| feature.name == tower.input);
        let feature = feature.ok_or_else(|| Refusal(format!("tower `{}` takes no input", tower.name)))?;
        let path = format!("towers.{}", tower.name);
        let start = &inputs[feature.name.as_str()];
        let (value, signal) = layers::walk(&tower.layers, &path, start, &Signal::of(feature), weights, graph)?;
        parts.push(flat(&value, &signal, graph)?);
    }
    Ok(concat(&parts, graph))
}

fn concat(parts: &[String], graph: &mut Graph) -> String {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    graph.node("Concat", &parts, &[("axis", graph::Attribute::Int(1))])
}

/// A vector per row.
fn flat(value: &str, signal: &Signal, graph: &mut Graph) -> Result<String, Refusal> {
    let width: u64 = sizes(signal)?.iter().product();
    Ok(layers::reshape(value, &[width], graph))
}

/// The sizes of a signal, which of a network that was trained are all known.
fn sizes(signal: &Signal) -> Result<Vec<u64>, Refusal> {
    signal.shape.sizes().ok_or_else(|| Refusal(format!("the shape {} is not known", signal.shape)))
}

/// What a user of the file may want to know, in the order of their names.
fn facts(network: &Architecture) -> Vec<StringStringEntryProto> {
    let Some(target) = &network.target else { return Vec::new() };
    let list = |names: &[String]| serde_json::Value::from(names.to_vec()).to_string();
    let mut facts = BTreeMap::from([
        ("kilter.target".to_owned(), target.name.clone()),
        ("kilter.task".to_owned(), target.task.name().to_owned()),
    ]);
    match &target.task {
        Task::Category { classes: Some(classes) } => drop(facts.insert("kilter.classes".to_owned(), list(classes))),
        Task::MultiLabel { labels } => drop(facts.insert("kilter.labels".to_owned(), list(labels))),
        Task::Binary { positive } => drop(facts.insert("kilter.positive".to_owned(), positive.clone())),
        Task::Number { mean: Some(mean), std: Some(std) } => {
            facts.insert("kilter.mean".to_owned(), mean.to_string());
            facts.insert("kilter.std".to_owned(), std.to_string());
        }
        _ => {}
    }
    facts.into_iter().map(|(key, value)| StringStringEntryProto { key, value }).collect()
}

/// Whether a signal holds indices.
fn is_indices(signal: &Signal) -> bool {
    matches!(signal.content, Content::Indices(_))
}

#[cfg(test)]
mod tests;
