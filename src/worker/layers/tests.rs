//! Every layer: the shape rule against a real forward pass and its parameters against the real ones, exact
//! values, gradients, names, start values, and a round trip through a file.

use super::Network;
use kilter::nn::{Architecture, LAYERS, LayerSpec, Tower};
use kilter::types::{Dim, FeatureType, Shape, TensorType};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

/// libtorch has one generator for all threads, so tests that draw take turns.
fn seeded(seed: i64) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(seed);
    turn
}

fn feature(name: &str, shape: &[u64], dtype: TensorType) -> FeatureType {
    FeatureType {
        name: name.to_owned(),
        shape: Shape::fixed(shape),
        dtype,
        scale: (dtype == TensorType::U8).then_some(255.0),
        cardinality: (dtype == TensorType::I64).then_some(Dim::Fixed(7)),
        columns: Vec::new(),
    }
}

fn layers(value: serde_json::Value) -> Vec<LayerSpec> {
    serde_json::from_value(value).expect("layers")
}

fn one_input(shape: &[u64], value: serde_json::Value) -> Architecture {
    let inputs = vec![feature("x", shape, TensorType::F32)];
    Architecture::new(inputs, Vec::new(), layers(value), None).expect("a sound network")
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
        (vec![3, 11, 10], json!([{ "avg_pool2d": { "kernel": [3, 2], "padding": 1, "count_include_pad": false } }])),
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
    ];
    let mut cases: Vec<_> = f32_cases.into_iter().map(|(shape, layers)| (TensorType::F32, shape, layers)).collect();
    cases.push((TensorType::I64, vec![], json!([{ "embedding": 4 }])));
    cases.push((TensorType::I64, vec![3], json!([{ "embedding": { "dim": 4, "count": 9 } }])));
    cases
}

fn sample(feature: &FeatureType, batch: i64) -> Tensor {
    let sizes: Vec<i64> = feature.shape.sizes().expect("known").iter().map(|size| *size as i64).collect();
    let shape = [[batch].as_slice(), &sizes].concat();
    match feature.dtype {
        TensorType::I64 => Tensor::randint(7, shape, (Kind::Int64, Device::Cpu)),
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
        let network = Architecture::new(vec![input.clone()], Vec::new(), layers(value), None).expect(&text);
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
        let network = Architecture::new(vec![input.clone()], Vec::new(), layers(value), None).expect(&text);
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

#[test]
fn linear_and_activations() {
    let linear = Built::with(
        &[2],
        json!([{ "linear": 2 }]),
        &[("layers.0.weight", &[1.0, 2.0, 3.0, 4.0]), ("layers.0.bias", &[0.5, -0.5])],
    );
    assert_eq!(linear.values(&tensor(&[1.0, -1.0], &[1, 2])), [-0.5, -1.5]);
    let x = tensor(&[-2.0, 0.0, 1.0], &[1, 3]);
    let of = |name: &str| Built::with(&[3], json!([name]), &[]).values(&x);
    assert_eq!(of("relu"), [0.0, 0.0, 1.0]);
    close(&of("tanh"), &[-0.964_027_58, 0.0, 0.761_594_16]);
    close(&of("sigmoid"), &[0.119_202_92, 0.5, 0.731_058_58]);
    // Φ(-2) = 0.0227501, Φ(1) = 0.8413447
    close(&of("gelu"), &[-0.045_500_26, 0.0, 0.841_344_75]);
    let tanh_gelu = Built::with(&[3], json!([{ "gelu": { "approximate": "tanh" } }]), &[]).values(&x);
    close(&tanh_gelu, &[-0.045_402_3, 0.0, 0.841_192]);
    let sum = (-2_f64).exp() + 1.0 + 1_f64.exp();
    close(&of("softmax"), &[(-2_f64).exp() / sum, 1.0 / sum, 1_f64.exp() / sum]);
}

#[test]
fn convolutions_and_pools() {
    let x = tensor(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &[1, 1, 3, 3]);
    let conv = Built::with(
        &[1, 3, 3],
        json!([{ "conv2d": { "out": 1, "kernel": 2 } }]),
        &[("layers.0.weight", &[1.0, 0.0, 0.0, -1.0]), ("layers.0.bias", &[0.5])],
    );
    assert_eq!(conv.values(&x), [-3.5; 4]);
    let over = |layer: serde_json::Value| Built::with(&[1, 3, 3], json!([layer]), &[]).values(&x);
    assert_eq!(over(json!({ "max_pool2d": 2 })), [5.0]);
    assert_eq!(over(json!({ "max_pool2d": { "kernel": 2, "stride": 1 } })), [5.0, 6.0, 8.0, 9.0]);
    assert_eq!(over(json!({ "avg_pool2d": 2 })), [3.0]);
    assert_eq!(over(json!({ "avg_pool2d": { "kernel": 2, "padding": 1 } })), [0.25, 1.25, 2.75, 7.0]);
    assert_eq!(
        over(json!({ "avg_pool2d": { "kernel": 2, "padding": 1, "count_include_pad": false } })),
        [1.0, 2.5, 5.5, 7.0]
    );
    assert_eq!(over(json!("global_avg_pool")), [5.0]);
    let sequence = tensor(&[1.0, 2.0, 4.0, 8.0], &[1, 1, 4]);
    let along = |layer: serde_json::Value, parameters: &[(&str, &[f32])]| {
        Built::with(&[1, 4], json!([layer]), parameters).values(&sequence)
    };
    let difference = json!({ "conv1d": { "out": 1, "kernel": 2, "dilation": 2, "bias": false } });
    assert_eq!(along(difference, &[("layers.0.weight", &[-1.0, 1.0])]), [3.0, 6.0]);
    assert_eq!(along(json!({ "max_pool1d": 2 }), &[]), [2.0, 8.0]);
    assert_eq!(along(json!({ "avg_pool1d": 3 }), &[]), [7.0 / 3.0]);
}

#[test]
fn norms() {
    let x = tensor(&[1.0, 2.0, 3.0, 6.0], &[2, 2]);
    let batch =
        Built::with(&[2], json!(["batch_norm"]), &[("layers.0.weight", &[2.0, 1.0]), ("layers.0.bias", &[0.0, 1.0])]);
    // Channel 0 is 1, 3: mean 2, variance 1. Channel 1 is 2, 6: mean 4, variance 4.
    close(&list(&batch.forward(&x, true)), &[-2.0, 0.0, 2.0, 2.0].map(|y| y + 0.0));
    let running = batch.vs.variables();
    close(&list(&running["layers.0.running_mean"]), &[0.2, 0.4]);
    // The running variance takes the unbiased one: 0.9 + 0.1 · 2, 0.9 + 0.1 · 8.
    close(&list(&running["layers.0.running_var"]), &[1.1, 1.7]);
    let expected = [
        2.0 * 0.8 / 1.1_f64.sqrt(),
        1.0 + 1.6 / 1.7_f64.sqrt(),
        2.0 * 2.8 / 1.1_f64.sqrt(),
        1.0 + 5.6 / 1.7_f64.sqrt(),
    ];
    close(&batch.values(&x), &expected);
    let single = batch.network.forward(&BTreeMap::from([("x".to_owned(), x.narrow(0, 0, 1))]), true);
    assert!(single.expect_err("one value per channel").to_string().contains("batch_norm has one value per channel"));
    let layer = Built::with(&[2], json!(["layer_norm"]), &[]);
    close(&layer.values(&x), &[-0.999_98, 0.999_98, -1.0, 1.0]);
}

#[test]
fn shapes_embeddings_and_blocks() {
    let x = tensor(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1, 2, 3]);
    for layer in [json!("flatten"), json!({ "reshape": [3, 2] })] {
        assert_eq!(Built::with(&[2, 3], json!([layer]), &[]).values(&x), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
    let block = Built::with(
        &[1],
        json!([{ "residual": [{ "linear": { "out": 1, "bias": false } }] }]),
        &[("layers.0.layers.0.weight", &[3.0])],
    );
    assert_eq!(block.values(&tensor(&[2.0], &[1, 1])), [8.0]);
    let input = feature("x", &[], TensorType::I64);
    let network = Architecture::new(vec![input], Vec::new(), layers(json!([{ "embedding": 2 }])), None).expect("sound");
    let embedding = Built::new(&network);
    embedding.set("layers.0.weight", &(0..14).map(|i| i as f32).collect::<Vec<_>>());
    assert_eq!(embedding.values(&Tensor::from_slice(&[3_i64, 0])), [6.0, 7.0, 0.0, 1.0]);
}

#[test]
fn dropout_scales_what_it_keeps() {
    let _turn = seeded(4);
    let dropout = Built::with(&[1000], json!([{ "dropout": 0.25 }]), &[]);
    let x = Tensor::ones([1, 1000], (Kind::Float, Device::Cpu));
    assert_eq!(dropout.values(&x), [1.0; 1000]);
    let trained = list(&dropout.forward(&x, true));
    let kept = trained.iter().filter(|value| **value != 0.0).count();
    assert!((700..800).contains(&kept), "{kept}");
    close(&trained.into_iter().filter(|value| *value != 0.0).collect::<Vec<_>>(), &vec![4.0 / 3.0; kept]);
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn recurrent_layers_follow_their_formulas() {
    let xs = [1.0, -0.5, 2.0];
    let x = tensor(&xs.map(|x| x as f32), &[1, 3, 1]);
    let (wi, wh, bi, bh) =
        ([0.5, -0.3, 0.8, 0.2], [0.1, 0.4, -0.6, 0.7], [0.05, 0.1, -0.1, 0.2], [0.0, -0.2, 0.3, 0.1]);
    let run = |name: &str, gates: usize| {
        let cast = |values: [f64; 4]| values.map(|value| value as f32);
        let built = Built::with(
            &[3, 1],
            json!([{ name: { "hidden": 1, "output": "sequence" } }]),
            &[
                ("layers.0.weight_ih_l0", &cast(wi)[..gates]),
                ("layers.0.weight_hh_l0", &cast(wh)[..gates]),
                ("layers.0.bias_ih_l0", &cast(bi)[..gates]),
                ("layers.0.bias_hh_l0", &cast(bh)[..gates]),
            ],
        );
        built.values(&x)
    };
    let gate = |i: usize, x: f64, h: f64| wi[i] * x + bi[i] + wh[i] * h + bh[i];
    let (mut rnn, mut gru, mut lstm, mut cell) = (0.0, 0.0, 0.0, 0.0);
    let (mut rnns, mut grus, mut lstms) = (vec![], vec![], vec![]);
    for x in xs {
        rnn = gate(0, x, rnn).tanh();
        rnns.push(rnn);
        let (reset, update) = (sigmoid(gate(0, x, gru)), sigmoid(gate(1, x, gru)));
        let new = (wi[2] * x + bi[2] + reset * (wh[2] * gru + bh[2])).tanh();
        gru = (1.0 - update) * new + update * gru;
        grus.push(gru);
        cell = sigmoid(gate(1, x, lstm)) * cell + sigmoid(gate(0, x, lstm)) * gate(2, x, lstm).tanh();
        let out = sigmoid(wi[3] * x + bi[3] + wh[3] * lstm + bh[3]);
        lstm = out * cell.tanh();
        lstms.push(lstm);
    }
    close(&run("rnn", 1), &rnns);
    close(&run("gru", 3), &grus);
    close(&run("lstm", 4), &lstms);
}

#[test]
fn the_last_state_of_both_directions_is_where_each_ends() {
    let _turn = seeded(5);
    let both =
        |output: &str| json!([{ "lstm": { "hidden": 2, "layers": 2, "bidirectional": true, "output": output } }]);
    let (last, sequence) =
        (Built::new(&one_input(&[4, 3], both("last"))), Built::new(&one_input(&[4, 3], both("sequence"))));
    for (name, variable) in sequence.vs.variables() {
        last.set(&name, &list(&variable));
    }
    let x = Tensor::randn([2, 4, 3], (Kind::Float, Device::Cpu));
    let states = sequence.forward(&x, false);
    let forwards = states.select(1, 3).narrow(1, 0, 2);
    let backwards = states.select(1, 0).narrow(1, 2, 2);
    let expected = list(&Tensor::cat(&[forwards, backwards], 1));
    close(&last.values(&x), &expected.iter().map(|x| f64::from(*x)).collect::<Vec<_>>());
}

#[test]
fn parameters_start_as_in_pytorch() {
    let turn = seeded(0);
    let built = Built::new(&one_input(&[2], json!([{ "linear": 2 }])));
    drop(turn);
    let start = built.vs.variables();
    // torch.manual_seed(0); torch.nn.Linear(2, 2)
    let weight = list(&start["layers.0.weight"]);
    let expected = [-0.005_3, 0.379_3, -0.582_0, -0.520_4];
    assert!(weight.iter().zip(expected).all(|(a, b)| (a - b).abs() < 5e-5), "{weight:?}");
    let bias = list(&start["layers.0.bias"]);
    assert!(bias.iter().zip([-0.272_3, 0.189_6]).all(|(a, b)| (a - b).abs() < 5e-5), "{bias:?}");
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
    Architecture::new(inputs, towers, head, None).expect("a sound network")
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
    let network = Architecture::new(inputs, Vec::new(), layers(json!(["relu"])), None).expect("sound");
    let built = Built::new(&network);
    let mut batch = BTreeMap::from([("a".to_owned(), Tensor::from_slice(&[255_u8, 51]).reshape([1, 2]))]);
    let missing = built.network.forward(&batch, false).expect_err("`b` is missing");
    assert!(missing.to_string().contains("the batch has no feature `b`"), "{missing}");
    batch.insert("b".to_owned(), tensor(&[3.0], &[1, 1]));
    assert_eq!(list(&built.network.forward(&batch, false).expect("a forward pass")), [1.0, 0.2, 3.0]);
}
