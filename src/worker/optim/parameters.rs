//! What each parameter of a network is to its optimizer.

use crate::layers::{EMBEDDING, NORM};
use crate::shim::Parameter;
use kilter::nn::optim::NoDecay;
use std::collections::BTreeMap;
use tch::Tensor;
use tch::nn::VarStore;

/// The parameters of a store that are trained, in the order of their names. `head` is the path of the layer that gives the
/// outputs, where one alone does: Muon steps with its weights as with a vector, as its authors do.
pub fn parameters(store: &VarStore, no_decay: &[NoDecay], head: Option<&str>) -> Vec<Parameter> {
    let variables = store.variables_.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // A store knows its trained tensors by group and its named ones by name; the same storage joins them.
    let groups: BTreeMap<usize, usize> =
        variables.trainable_variables.iter().map(|var| (var.tensor.data_ptr() as usize, var.group)).collect();
    let named: BTreeMap<&String, &Tensor> =
        variables.named_variables.iter().filter(|(_, tensor)| tensor.requires_grad()).collect();
    let group = |tensor: &Tensor| groups.get(&(tensor.data_ptr() as usize)).copied().unwrap_or_default();
    let parameter = |(name, tensor): (&String, &Tensor)| {
        let group = group(tensor);
        let in_head = head.is_some_and(|head| name.strip_prefix(head).is_some_and(|rest| rest.starts_with('.')));
        Parameter {
            tensor: tensor.shallow_clone(),
            decays: acts(no_decay, name, group),
            is_matrix: tensor.dim() > 1 && group != EMBEDDING && group != NORM && !in_head,
        }
    };
    named.into_iter().map(parameter).collect()
}

/// The layer of each of them, by its path: `layers.0`.
pub fn layers(store: &VarStore) -> Vec<String> {
    let variables = store.variables_.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let trained = variables.named_variables.iter().filter(|(_, tensor)| tensor.requires_grad());
    let names: std::collections::BTreeSet<&String> = trained.map(|(name, _)| name).collect();
    names.into_iter().map(|name| name.rsplit_once('.').map_or(name.as_str(), |(layer, _)| layer).to_owned()).collect()
}

/// Whether it acts on the parameter of this name and group.
fn acts(no_decay: &[NoDecay], name: &str, group: usize) -> bool {
    // `bias`, `bias_ih_l0`, `in_proj_bias`: PyTorch's names.
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_bias = last.starts_with("bias") || last.ends_with("bias");
    !no_decay.iter().any(|kind| match kind {
        NoDecay::Bias => is_bias,
        NoDecay::Norm => group == NORM,
        NoDecay::Embedding => group == EMBEDDING,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Network;
    use kilter::nn::{Architecture, Join};
    use kilter::types::{Dim, FeatureType, Shape, TensorType};
    use tch::Device;

    #[test]
    fn norms_biases_and_embeddings_are_told_from_weights() {
        let tokens = FeatureType {
            name: "tokens".into(),
            shape: Shape::fixed(&[5]),
            dtype: TensorType::I64,
            scale: None,
            cardinality: Some(Dim::Fixed(7)),
            padding: None,
            columns: Vec::new(),
        };
        let layers = serde_json::json!([
            { "embedding": 4 },
            "layer_norm",
            { "lstm": { "hidden": 3, "output": "sequence" } },
            { "position": "learned" },
            { "pool": "mean" },
            { "linear": 2 },
        ]);
        let layers = serde_json::from_value(layers).expect("layers");
        let architecture = Architecture::new(vec![tokens], Vec::new(), Join::Concat, layers, None).expect("a network");
        let store = VarStore::new(Device::Cpu);
        let turn = crate::numerics::seeded(1);
        Network::build(&architecture, &store.root()).expect("built");
        drop(turn);
        let names: Vec<String> = {
            let mut names: Vec<String> = store.variables().into_keys().collect();
            names.sort();
            names
        };
        let decayed = |no_decay: &[NoDecay]| -> Vec<&str> {
            let all = parameters(&store, no_decay, None);
            assert_eq!(all.len(), names.len());
            names.iter().zip(all).filter(|(_, param)| param.decays).map(|(name, _)| name.as_str()).collect()
        };
        let all = names.iter().zip(parameters(&store, &[], Some("layers.5")));
        let matrices: Vec<&str> = all.filter(|(_, param)| param.is_matrix).map(|(name, _)| name.as_str()).collect();
        assert_eq!(matrices, ["layers.2.weight_hh_l0", "layers.2.weight_ih_l0"]);
        assert_eq!(decayed(&[]), names);
        assert_eq!(
            decayed(&[NoDecay::Norm, NoDecay::Bias, NoDecay::Embedding]),
            ["layers.2.weight_hh_l0", "layers.2.weight_ih_l0", "layers.5.weight"]
        );
        assert!(!decayed(&[NoDecay::Norm]).contains(&"layers.1.bias"));
        assert!(!decayed(&[NoDecay::Bias]).contains(&"layers.1.bias"));
        assert!(decayed(&[NoDecay::Bias]).contains(&"layers.1.weight"));
        assert!(!decayed(&[NoDecay::Embedding]).contains(&"layers.3.weight"), "learned positions");
    }
}
