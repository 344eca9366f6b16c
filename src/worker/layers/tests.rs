//! Every layer: the shape rule against a real forward pass and its parameters against the real ones, exact
//! values, gradients, names, start values, and a round trip through a file.

use super::Network;
use crate::numerics::seeded;
use kilter::nn::{Architecture, Join, LAYERS, LayerSpec, Tower};
use kilter::types::{Dim, FeatureType, Shape, TensorType};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

mod blocks;
mod exact;
mod pytorch;
mod zoo;

fn feature(name: &str, shape: &[u64], dtype: TensorType) -> FeatureType {
    FeatureType {
        name: name.to_owned(),
        shape: Shape::fixed(shape),
        dtype,
        scale: (dtype == TensorType::U8).then_some(255.0),
        cardinality: (dtype == TensorType::I64).then_some(Dim::Fixed(7)),
        padding: None,
        columns: Vec::new(),
    }
}

fn layers(value: serde_json::Value) -> Vec<LayerSpec> {
    serde_json::from_value(value).expect("layers")
}

fn one_input(shape: &[u64], value: serde_json::Value) -> Architecture {
    let inputs = vec![feature("x", shape, TensorType::F32)];
    Architecture::new(inputs, Vec::new(), Join::Concat, layers(value), None).expect("a sound network")
}

struct Built {
    vs: VarStore,
    network: Network,
}

impl Built {
    fn new(architecture: &Architecture) -> Self {
        let vs = VarStore::new(Device::Cpu);
        let network = Network::build(architecture, &vs.root()).expect("built");
        Self { vs, network }
    }

    /// The network over one input, with these parameters.
    fn with(shape: &[u64], value: serde_json::Value, parameters: &[(&str, &[f32])]) -> Self {
        let built = Self::new(&one_input(shape, value));
        for (name, values) in parameters {
            built.set(name, values);
        }
        built
    }

    fn set(&self, name: &str, values: &[f32]) {
        let mut variables = self.vs.variables();
        let variable = variables.get_mut(name).unwrap_or_else(|| panic!("no parameter {name}"));
        let values = Tensor::from_slice(values).reshape(variable.size());
        tch::no_grad(|| variable.copy_(&values));
    }

    /// The parameters, sorted by name.
    fn variables(&self) -> BTreeMap<String, Tensor> {
        self.vs.variables().into_iter().collect()
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let inputs = BTreeMap::from([("x".to_owned(), x.shallow_clone())]);
        self.network.forward(&inputs, train).expect("a forward pass")
    }

    fn values(&self, x: &Tensor) -> Vec<f32> {
        list(&self.forward(x, false))
    }
}

fn list(x: &Tensor) -> Vec<f32> {
    Vec::try_from(x.flatten(0, -1).to_kind(Kind::Float)).expect("numbers")
}

fn tensor(values: &[f32], shape: &[i64]) -> Tensor {
    Tensor::from_slice(values).reshape(shape)
}

#[track_caller]
fn close(found: &[f32], expected: &[f64]) {
    let near = found.len() == expected.len()
        && found.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() <= 1e-5 * b.abs().max(1.0));
    assert!(near, "found {found:?}, expected {expected:?}");
}

/// For every layer: an input shape (or a number of indices) and the layers over it.
fn cases() -> Vec<(TensorType, Vec<u64>, serde_json::Value)> {
    let f32_cases = [
        (vec![6], json!([{ "linear": 4 }])),
        (vec![5, 6], json!([{ "linear": { "out": 4, "bias": false } }])),
        (vec![4, 17], json!([{ "conv1d": { "out": 6, "kernel": 3, "stride": 2, "padding": 1, "groups": 2 } }])),
        (vec![2, 9], json!([{ "conv1d": { "out": 3, "kernel": 4, "padding": "same" } }])),
        (
            vec![3, 13, 12],
            json!([{ "conv2d": { "out": 5, "kernel": [3, 4], "stride": [2, 1], "padding": [0, 2], "dilation": [2, 1] } }]),
        ),
        (vec![3, 8, 8], json!([{ "conv2d": { "out": 5, "kernel": 3, "padding": "same", "bias": false } }])),
        (vec![3, 11], json!([{ "max_pool1d": { "kernel": 3, "stride": 2, "padding": 1 } }])),
        (vec![3, 11, 10], json!([{ "max_pool2d": 2 }])),
        (vec![3, 11, 10], json!([{ "max_pool2d": { "kernel": 3, "stride": 2, "padding": 1, "dilation": 2 } }])),
        (vec![3, 11], json!([{ "avg_pool1d": 2 }])),
        (vec![3, 11], json!([{ "max_pool1d": { "kernel": 2, "padding": 1, "ceil_mode": true } }])),
        (
            vec![3, 7, 2],
            json!([{ "max_pool2d": { "kernel": 3, "stride": [4, 2], "padding": [1, 0], "ceil_mode": true } }]),
        ),
        (vec![3, 11], json!([{ "avg_pool1d": { "kernel": 4, "ceil_mode": true } }])),
        (
            vec![3, 11, 10],
            json!([{ "avg_pool2d": { "kernel": [3, 2], "stride": 3, "padding": 1, "ceil_mode": true } }]),
        ),
        (vec![3, 11, 10], json!([{ "avg_pool2d": { "kernel": [3, 2], "padding": 1, "count_include_pad": false } }])),
        (vec![3, 4, 5], json!([{ "upsample": { "scale_factor": [3, 2], "mode": "bilinear" } }])),
        (vec![3, 4], json!([{ "upsample": { "size": 7 } }])),
        (vec![3, 4, 5], json!(["global_avg_pool"])),
        (vec![3, 4], json!(["global_avg_pool"])),
        (vec![6], json!(["batch_norm"])),
        (vec![6, 4], json!([{ "batch_norm": { "affine": false } }])),
        (vec![6, 4, 4], json!(["batch_norm"])),
        (vec![6, 4], json!(["layer_norm"])),
        (vec![6, 4], json!([{ "layer_norm": { "dims": 2 } }])),
        (vec![6, 4], json!([{ "dropout": 0.5 }])),
        (vec![6, 4, 2], json!(["flatten"])),
        (vec![6, 4, 2], json!([{ "flatten": { "start_dim": 2 } }])),
        (vec![6, 4], json!([{ "reshape": [2, -1, 3] }])),
        (vec![6], json!(["relu"])),
        (vec![6], json!(["gelu"])),
        (vec![6], json!(["tanh"])),
        (vec![6], json!(["sigmoid"])),
        (vec![6, 3], json!([{ "softmax": { "dim": 1 } }])),
        (vec![6], json!([{ "residual": [{ "linear": 6 }, "relu", { "linear": 6 }] }])),
        (
            vec![4, 8, 8],
            json!([{ "residual": {
            "layers": [{ "conv2d": { "out": 8, "kernel": 3, "stride": 2, "padding": 1 } }, "batch_norm"],
            "shortcut": [{ "conv2d": { "out": 8, "kernel": 1, "stride": 2, "bias": false } }, "batch_norm"],
        } }]),
        ),
        (vec![5, 3], json!([{ "rnn": 4 }])),
        (vec![5, 3], json!([{ "gru": { "hidden": 4, "layers": 2, "bidirectional": true } }])),
        (
            vec![5, 3],
            json!([{ "lstm": { "hidden": 4, "layers": 2, "dropout": 0.1, "output": "sequence", "bias": false } }]),
        ),
        (vec![5, 3], json!([{ "lstm": { "hidden": 4, "bidirectional": true } }])),
        (
            vec![4, 5],
            json!([{ "conv_transpose1d": { "out": 6, "kernel": 3, "stride": 2, "output_padding": 1, "groups": 2 } }]),
        ),
        (
            vec![3, 5, 4],
            json!([{ "conv_transpose2d": { "out": 2, "kernel": [2, 3], "stride": 2, "padding": [0, 1], "bias": false } }]),
        ),
        (vec![3, 8], json!([{ "adaptive_avg_pool1d": 4 }])),
        (vec![3, 7, 8], json!([{ "adaptive_avg_pool2d": [3, 4] }])),
        (vec![3, 7], json!([{ "adaptive_max_pool1d": 3 }])),
        (vec![3, 6, 8], json!([{ "adaptive_max_pool2d": [3, 4] }])),
        (vec![6], json!(["leaky_relu"])),
        (vec![6], json!(["prelu"])),
        (vec![6, 4, 3], json!([{ "prelu": { "num_parameters": 6, "init": 0.1 } }])),
        (vec![6], json!([{ "elu": { "alpha": 0.5 } }])),
        (vec![6], json!(["selu", "silu", "mish", "hardswish", "hardsigmoid"])),
        (vec![6], json!([{ "softplus": { "beta": 2.0 } }])),
        (
            vec![6],
            json!([{ "parallel": [[{ "linear": 4 }, "relu"], [{ "linear": 3 }, { "save": "x" }], []] }, { "concat": "x" }]),
        ),
        (
            vec![6],
            json!([{ "parallel": { "branches": [[{ "linear": 4 }], [{ "linear": 4 }, "sigmoid"]], "join": "product" } }]),
        ),
        (vec![6], json!([{ "parallel": { "branches": [[{ "linear": 4 }], [{ "linear": 4 }]], "join": "dot" } }])),
        (vec![5, 6], json!(["rms_norm"])),
        (vec![6, 4, 3], json!([{ "group_norm": 3 }])),
        (vec![6, 4, 3], json!([{ "conv2d": { "out": 6, "kernel": 1 } }, { "squeeze_excite": 2 }])),
        (vec![6, 4], json!([{ "squeeze_excite": { "squeeze": 3, "init": "kaiming_normal" } }])),
        (vec![5], json!([{ "numeric_embedding": 4 }])),
        (vec![5], json!([{ "numeric_embedding": { "dim": 4, "kind": "periodic", "frequencies": 3, "sigma": 0.5 } }])),
        (vec![5, 6], json!(["transpose"])),
        (vec![5, 6], json!([{ "position": "learned" }])),
        (vec![5, 6], json!([{ "position": { "kind": "learned", "count": 9 } }])),
        (vec![5, 6], json!([{ "position": "sinusoidal" }])),
        (vec![5, 6], json!([{ "multi_head_attention": { "heads": 3, "causal": true, "dropout": 0.1 } }])),
        (vec![5, 8], json!([{ "multi_head_attention": { "heads": 2, "rotary": true, "bias": false } }])),
        (
            vec![5, 8],
            json!([{ "multi_head_attention": { "heads": 4, "kv_heads": 2, "rotary": true, "dropout": 0.1 } }]),
        ),
        (vec![5, 8], json!([{ "transformer_encoder": { "heads": 4, "kv_heads": 1, "causal": true } }])),
        (
            vec![5, 6],
            json!([{ "save": "m" }, { "linear": 6 }, { "multi_head_attention": { "heads": 3, "memory": "m" } }]),
        ),
        (vec![5, 6], json!([{ "transformer_encoder": { "heads": 3, "layers": 2, "feedforward": 7 } }])),
        (
            vec![5, 8],
            json!([{ "transformer_encoder": { "heads": 2, "norm": "pre", "activation": "silu", "bias": false, "rotary": true } }]),
        ),
        (vec![5, 6], json!([{ "transformer_decoder": { "heads": 3, "activation": "gelu_tanh" } }])),
        (vec![5, 6], json!([{ "save": "m" }, { "transformer_decoder": { "heads": 3, "memory": "m", "norm": "pre" } }])),
        (vec![5, 8], json!([{ "save": "m" }, { "transformer_decoder": { "heads": 4, "kv_heads": 2, "memory": "m" } }])),
        (vec![5, 6], json!([{ "pool": "cls" }])),
        (vec![5, 6], json!([{ "pool": "mean" }])),
        (vec![5, 6], json!([{ "pool": "max" }])),
        (vec![5, 6], json!([{ "pool": "last" }])),
        (vec![6], json!([{ "save": "x" }, { "linear": 6 }, "relu", { "add": "x" }, "relu", { "concat": "x" }])),
        (vec![5, 6], json!([{ "save": "x" }, { "linear": 3 }, { "concat": { "name": "x", "dim": -1 } }])),
    ];
    let mut cases: Vec<_> = f32_cases.into_iter().map(|(shape, layers)| (TensorType::F32, shape, layers)).collect();
    cases.push((TensorType::I64, vec![], json!([{ "embedding": 4 }])));
    cases.push((TensorType::I64, vec![3], json!([{ "embedding": { "dim": 4, "count": 9 } }])));
    cases.push((
        TensorType::I64,
        vec![3],
        json!([{ "embedding": 4 }, "relu", { "linear": { "out": 7, "tie": true } }]),
    ));
    cases
}

fn sample(feature: &FeatureType, batch: i64) -> Tensor {
    let sizes: Vec<i64> = feature.shape.sizes().expect("known").iter().map(|size| *size as i64).collect();
    let shape = [[batch].as_slice(), &sizes].concat();
    match feature.dtype {
        TensorType::I32 | TensorType::I64 => Tensor::randint(7, shape, (Kind::Int64, Device::Cpu)),
        TensorType::F32 => Tensor::randn(shape, (Kind::Float, Device::Cpu)),
        TensorType::U8 => Tensor::randint(256, shape, (Kind::Uint8, Device::Cpu)),
    }
}

#[test]
fn shapes_and_parameters_are_what_the_rules_say() {
    let _turn = seeded(1);
    for (dtype, shape, value) in cases() {
        let text = value.to_string();
        let input = feature("x", &shape, dtype);
        let network =
            Architecture::new(vec![input.clone()], Vec::new(), Join::Concat, layers(value), None).expect(&text);
        let built = Built::new(&network);
        let x = sample(&input, 3);
        for train in [true, false] {
            let sizes: Vec<u64> = built.forward(&x, train).size()[1..].iter().map(|size| *size as u64).collect();
            assert_eq!(Some(sizes), network.output.sizes(), "{text}");
        }
        let real: usize = built.vs.trainable_variables().iter().map(Tensor::numel).sum();
        assert_eq!(network.parameters(), Some(real as u64), "{text}");
    }
}

#[test]
fn every_layer_has_a_case() {
    let mut seen = BTreeSet::new();
    for (_, _, value) in cases() {
        seen.extend(layers(value).iter().map(LayerSpec::name));
    }
    let missing: Vec<_> = LAYERS.iter().filter(|layer| !seen.contains(layer.name)).map(|layer| layer.name).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_parameter_gets_a_gradient_and_the_input_is_left_alone() {
    let _turn = seeded(2);
    for (dtype, shape, value) in cases() {
        let text = value.to_string();
        let input = feature("x", &shape, dtype);
        let network =
            Architecture::new(vec![input.clone()], Vec::new(), Join::Concat, layers(value), None).expect(&text);
        let built = Built::new(&network);
        let x = sample(&input, 3);
        let before = x.copy();
        // Squared, so that layers whose outputs sum to a constant have a gradient too.
        let loss = built.forward(&x, true).to_kind(Kind::Float).square().sum(Kind::Float);
        if !built.vs.trainable_variables().is_empty() {
            loss.backward();
        }
        assert!(x.equal(&before), "{text} changed its input");
        for variable in built.vs.trainable_variables() {
            assert!(variable.grad().defined(), "{text}");
        }
    }
}

#[test]
fn overwriting_changes_no_number() {
    let _turn = seeded(3);
    let block = json!([
        { "conv2d": { "out": 4, "kernel": 3, "padding": 1 } }, "batch_norm", "relu",
        { "residual": [{ "conv2d": { "out": 4, "kernel": 3, "padding": 1 } }, "batch_norm", "relu", { "conv2d": { "out": 4, "kernel": 1 } }] },
        "relu", "flatten", { "linear": 3 }, "relu",
    ]);
    let built = Built::new(&one_input(&[1, 6, 6], block));
    let x = Tensor::randn([5, 1, 6, 6], (Kind::Float, Device::Cpu));
    built.forward(&x, true).square().sum(Kind::Float).backward();
    let parameters = built.vs.variables();
    let p = |name: &str| &parameters[name];
    let conv = |x: &Tensor, name: &str, padding: i64| {
        let (weight, bias) = (p(&format!("{name}.weight")).detach(), p(&format!("{name}.bias")).detach());
        x.conv2d(&weight.set_requires_grad(true), Some(bias), [1, 1], [padding, padding], [1, 1], 1)
    };
    let norm = |x: &Tensor| {
        let none: Option<&Tensor> = None;
        x.batch_norm(none, none, none, none, true, 0.1, 1e-5, true)
    };
    let first = norm(&conv(&x, "layers.0", 1)).relu();
    let inner = conv(&norm(&conv(&first, "layers.3.layers.0", 1)).relu(), "layers.3.layers.3", 0);
    let sum = (inner + &first).relu().flatten(1, -1);
    let expected = sum.linear(p("layers.6.weight"), Some(p("layers.6.bias"))).relu();
    close(&list(&built.forward(&x, true)), &list(&expected).iter().map(|x| f64::from(*x)).collect::<Vec<_>>());
}

fn two_towers() -> Architecture {
    let inputs = vec![
        feature("carrier", &[], TensorType::I64),
        feature("image", &[1, 4, 4], TensorType::U8),
        feature("numbers", &[5], TensorType::F32),
    ];
    let tower = |name: &str, value| Tower { name: name.to_owned(), input: name.to_owned(), layers: layers(value) };
    let towers = vec![
        tower("carrier", json!([{ "embedding": 3 }])),
        tower("image", json!([{ "conv2d": { "out": 2, "kernel": 3 } }, "batch_norm", "relu"])),
        tower("numbers", json!([])),
    ];
    let head = layers(json!([{ "linear": 4 }, { "lstm": 2 }]));
    // The head's LSTM needs a sequence.
    let head = [vec![head[0].clone()], layers(json!([{ "reshape": [2, 2] }])), vec![head[1].clone()]].concat();
    Architecture::new(inputs, towers, Join::Concat, head, None).expect("a sound network")
}

#[test]
fn names_are_those_of_a_state_dict() {
    let _turn = seeded(6);
    let built = Built::new(&two_towers());
    let names: BTreeSet<String> = built.vs.variables().into_keys().collect();
    let expected = [
        "layers.0.bias",
        "layers.0.weight",
        "layers.2.bias_hh_l0",
        "layers.2.bias_ih_l0",
        "layers.2.weight_hh_l0",
        "layers.2.weight_ih_l0",
        "towers.carrier.0.weight",
        "towers.image.0.bias",
        "towers.image.0.weight",
        "towers.image.1.bias",
        "towers.image.1.running_mean",
        "towers.image.1.running_var",
        "towers.image.1.weight",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
}

#[test]
fn a_saved_network_reads_back_bit_for_bit() {
    let _turn = seeded(7);
    let architecture = two_towers();
    let (first, mut second) = (Built::new(&architecture), Built::new(&architecture));
    let inputs: BTreeMap<String, Tensor> =
        architecture.inputs.iter().map(|feature| (feature.name.clone(), sample(feature, 3))).collect();
    // One pass in training, so that the running statistics are not those of the start.
    let _ = first.network.forward(&inputs, true).expect("trained");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    first.vs.save(&path).expect("saved");
    let before = first.network.forward(&inputs, false).expect("predicted");
    assert!(!before.equal(&second.network.forward(&inputs, false).expect("predicted")));
    second.vs.load(&path).expect("loaded");
    assert!(before.equal(&second.network.forward(&inputs, false).expect("predicted")));
}

#[test]
fn bytes_are_divided_by_their_scale_and_vectors_joined_in_name_order() {
    let inputs = vec![feature("a", &[2], TensorType::U8), feature("b", &[1], TensorType::F32)];
    let network = Architecture::new(inputs, Vec::new(), Join::Concat, layers(json!(["relu"])), None).expect("sound");
    let built = Built::new(&network);
    let mut batch = BTreeMap::from([("a".to_owned(), Tensor::from_slice(&[255_u8, 51]).reshape([1, 2]))]);
    let missing = built.network.forward(&batch, false).expect_err("`b` is missing");
    assert!(missing.to_string().contains("the batch has no feature `b`"), "{missing}");
    batch.insert("b".to_owned(), tensor(&[3.0], &[1, 1]));
    assert_eq!(list(&built.network.forward(&batch, false).expect("a forward pass")), [1.0, 0.2, 3.0]);
}
