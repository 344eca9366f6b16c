//! A network with its weights, ready for a job.

use crate::failure::Failure;
use crate::layers::{Network, Past};
use crate::numerics;
use crate::tensors::Weights;
use kilter::nn::{Architecture, LayerSpec};
use kilter::stage::Seed;
use kilter::types::FeatureType;
use std::collections::BTreeMap;
use std::path::Path;
use tch::nn::VarStore;
use tch::{Device, Tensor};

/// A network and the store of its weights.
pub struct Loaded {
    network: Network,
    store: VarStore,
    outputs: i64,
    head: Option<String>,
    inputs: Vec<FeatureType>,
}

/// Where a network's weights come from.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// All from a file.
    Weights(&'a Path),
    /// Those of the layers that were taken from another model from a file, the others drawn.
    Base(&'a Path),
    /// All drawn.
    Drawn,
}

/// Builds the network of an `architecture.json`, with the weights of a file, or else drawn from the seed. They are drawn
/// on the CPU, so that a device does not change them.
///
/// # Errors
/// When the files cannot be read or do not fit each other.
pub fn load(architecture: &Path, start: Start<'_>, seed: u64, device: Device) -> Result<Loaded, Failure> {
    let bytes = std::fs::read(architecture).map_err(|error| Failure::file("read", architecture, error))?;
    let described: Architecture =
        serde_json::from_slice(&bytes).map_err(|error| Failure::file("understand", architecture, error))?;
    let mut loaded = build(&described, seed)?;
    let values = Weights::of(&loaded.store);
    match (start, described.base) {
        (Start::Drawn, _) => {}
        (Start::Base(path), Some(base)) => values.load_part(path, |name| base.has(name))?,
        (Start::Weights(path) | Start::Base(path), _) => values.load(path)?,
    }
    values.channels_last()?;
    drop(values);
    if device != Device::Cpu {
        loaded.store.set_device(device);
    }
    Ok(loaded)
}

/// Builds a network on the CPU with weights drawn from the seed.
fn build(described: &Architecture, seed: u64) -> Result<Loaded, Failure> {
    numerics::seed(Seed::derive(seed, "weights").number("libtorch"));
    let store = VarStore::new(Device::Cpu);
    let network = Network::build(described, &store.root())
        .map_err(|message| Failure::new(format!("the network cannot be built: {message}")))?;
    if let Some(base) = described.base.filter(|base| base.frozen) {
        let variables: BTreeMap<String, Tensor> = store.variables().into_iter().collect();
        for (name, variable) in variables {
            if base.has(&name) && variable.requires_grad() {
                let _ = variable.set_requires_grad(false);
            }
        }
    }
    let outputs = described.output.elements().unwrap_or(1).cast_signed();
    let head = described.layers.last().filter(|layer| matches!(layer, LayerSpec::Linear(_)));
    let head = head.map(|_| format!("layers.{}", described.layers.len() - 1));
    Ok(Loaded { network, store, outputs, head, inputs: described.inputs.clone() })
}

impl Loaded {
    /// The outputs for a batch of features as they are stored: `[rows, outputs]`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn forward(&self, features: &BTreeMap<String, Tensor>, train: bool) -> Result<Tensor, Failure> {
        Ok(self.network.forward(features, train)?)
    }

    /// Whether it can be given sequences of tokens bit by bit.
    pub fn goes_on(&self) -> bool {
        self.network.goes_on()
    }

    /// See [`Network::go_on`].
    ///
    /// # Errors
    /// What libtorch says.
    pub fn go_on(&self, tokens: &Tensor, new: &[i64], past: Past) -> Result<(Tensor, Past), Failure> {
        Ok(self.network.go_on(tokens, new, past)?)
    }

    /// The store of its weights.
    pub fn store(&self) -> &VarStore {
        &self.store
    }

    /// The features that it takes.
    pub fn inputs(&self) -> &[FeatureType] {
        &self.inputs
    }

    /// The path of the layer that gives the outputs, where a linear layer does.
    pub fn head(&self) -> Option<&str> {
        self.head.as_deref()
    }

    /// How many outputs a row has.
    pub fn outputs(&self) -> i64 {
        self.outputs
    }
}
