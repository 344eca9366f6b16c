//! Networks as ONNX: an [`Architecture`] and its weights become one file that other runtimes read.
//!
//! Inputs are the features as they are stored, by their names, the batch first; the output is what the network gives:
//! logits for categories, yes or no and labels, standardised numbers for numbers. Operators are those of opset 20.

mod activations;
mod attention;
mod graph;
mod layers;
mod message;
mod norms;
mod recurrent;
mod tokens;
mod walk;
mod windows;

use crate::nn::{Architecture, Content, Signal};
use crate::types::{FeatureType, Task, TensorType};
use message::{FLOAT, INT32, INT64, ModelProto, OperatorSetIdProto, StringStringEntryProto, UINT8};
use prost::Message;
use std::collections::BTreeMap;
use std::fmt;
use walk::Flow;

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
/// When something in it has no ONNX form, or weights are missing.
pub fn export(network: &Architecture, weights: &Weights) -> Result<Vec<u8>, Refusal> {
    let names = network.inputs.iter().map(|feature| feature.name.as_str());
    let mut flow = Flow::new(graph::Graph::of(names), weights, network.cx());
    let inputs: BTreeMap<&str, String> = network
        .inputs
        .iter()
        .map(|feature| Ok((feature.name.as_str(), input(feature, &mut flow)?)))
        .collect::<Result<_, _>>()?;
    let joined = if network.towers.is_empty() {
        join_features(network, &inputs, &mut flow)?
    } else {
        join_towers(network, &inputs, &mut flow)?
    };
    let (value, signal) = flow.walk(&network.layers, "layers", &joined, &network.joined())?;
    let sizes = sizes(&signal)?;
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "kilter".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(flow.graph.finish(&value, &sizes)),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: facts(network),
    };
    Ok(model.encode_to_vec())
}

/// Declares a feature's input; gives it as its layers take it.
fn input(feature: &FeatureType, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let sizes = sizes(&Signal::of(feature))?;
    let stored = match feature.dtype {
        TensorType::U8 => UINT8,
        TensorType::F32 => FLOAT,
        TensorType::I32 => INT32,
        TensorType::I64 => INT64,
    };
    let graph = &mut flow.graph;
    graph.input(&feature.name, stored, &sizes);
    if stored == INT32 {
        return Ok(graph.cast(&feature.name, INT64));
    }
    if stored != UINT8 {
        return Ok(feature.name.clone());
    }
    let numbers = graph.cast(&feature.name, FLOAT);
    let Some(scale) = feature.scale else { return Ok(numbers) };
    let scale = graph.number(scale);
    Ok(graph.op("Div", &[&numbers, &scale]))
}

/// Notes where a feature's tokens are padding, where they may be.
fn look_for_padding(feature: &FeatureType, value: &str, flow: &mut Flow<'_>) -> Result<(), Refusal> {
    flow.mask = None;
    if let (Some(padding), [seq]) = (feature.padding, sizes(&Signal::of(feature))?.as_slice()) {
        flow.look_for(padding, value, *seq);
    }
    Ok(())
}

fn join_features(
    network: &Architecture,
    inputs: &BTreeMap<&str, String>,
    flow: &mut Flow<'_>,
) -> Result<String, Refusal> {
    if let [only] = network.inputs.as_slice() {
        let value = &inputs[only.name.as_str()];
        look_for_padding(only, value, flow)?;
        return Ok(value.clone());
    }
    let parts = network.inputs.iter().map(|feature| flow.flat(&inputs[feature.name.as_str()], &Signal::of(feature)));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Ok(flow.graph.node("Concat", &parts, &[("axis", graph::Attribute::Int(1))]))
}

fn join_towers(
    network: &Architecture,
    inputs: &BTreeMap<&str, String>,
    flow: &mut Flow<'_>,
) -> Result<String, Refusal> {
    let mut parts = Vec::new();
    for (tower, signal) in network.towers.iter().zip(network.tower_inputs()) {
        let feature = network.inputs.iter().find(|feature| feature.name == tower.input);
        let feature = feature.ok_or_else(|| Refusal(format!("tower `{}` takes no input", tower.name)))?;
        let start = &inputs[feature.name.as_str()];
        look_for_padding(feature, start, flow)?;
        let (value, signal) = flow.walk(&tower.layers, &format!("towers.{}", tower.name), start, &signal)?;
        let flat = flow.flat(&value, &signal)?;
        parts.push((flat, signal));
    }
    flow.mask = None;
    flow.joined(&parts, network.join)
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
