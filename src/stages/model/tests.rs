//! Tests of the `model` kind: mistakes at the layers that cause them, artefacts, and the standard library's models.

use super::Model;
use crate::diag::codes;
use crate::nn::Architecture;
use crate::path;
use crate::stage::testing::Bench;
use crate::stage::{Finding, Outputs};
use crate::stages::encode::Encode;
use crate::stages::table::testing::table_input;
use crate::types::{ArtifactType, DatasetType, Dim, FeatureType, Shape, TargetType, Task, TensorType};
use polars::prelude::df;

fn feature(name: &str, shape: &[u64], dtype: TensorType) -> FeatureType {
    let scale = (dtype == TensorType::U8).then_some(255.0);
    let cardinality = (dtype == TensorType::I64).then_some(Dim::Fixed(16));
    FeatureType {
        name: name.to_owned(),
        shape: Shape::fixed(shape),
        dtype,
        scale,
        cardinality,
        padding: None,
        columns: Vec::new(),
    }
}

fn category(classes: usize) -> TargetType {
    let classes = Some((0..classes).map(|class| class.to_string()).collect());
    TargetType { name: "label".to_owned(), task: Task::Category { classes } }
}

fn dataset(features: Vec<FeatureType>, target: TargetType) -> DatasetType {
    DatasetType { features, targets: vec![target], rows: Some(100), complete: true }
}

fn images() -> DatasetType {
    dataset(vec![feature("image", &[1, 28, 28], TensorType::U8)], category(10))
}

fn flights() -> DatasetType {
    let number = Task::Number { mean: None, std: None };
    let features = vec![feature("carrier", &[], TensorType::I64), feature("weather", &[4, 5], TensorType::F32)];
    dataset(features, TargetType { name: "delay".to_owned(), task: number })
}

fn bench(data: DatasetType) -> Bench {
    let mut bench = Bench::default();
    bench.input("encode.train", ArtifactType::Dataset(data), &[("encoder.json", ENCODER)]);
    bench
}

/// An encoder of nothing.
const ENCODER: &[u8] = br#"{ "version": 2, "features": {}, "targets": [] }"#;

fn check(data: DatasetType, fields: &str) -> (Outputs, Vec<Finding>) {
    bench(data).check::<Model>(&format!("data = 'encode.train'\n{fields}"))
}

const DIGITS: &str = "layers = [
    { conv2d = { out = 32, kernel = 3 } }, 'relu', { max_pool2d = 2 },
    { conv2d = { out = 64, kernel = 3 } }, 'relu', { max_pool2d = 2 },
    'flatten', { linear = 'classes' },
]";

#[test]
fn probabilities_at_the_end_are_told_and_a_bounded_number_is_fine() {
    let codes = |data: DatasetType, layers: &str| {
        let findings = check(data, &format!("layers = ['flatten', {layers}]")).1;
        findings.iter().map(|finding| finding.diagnostic.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(images(), "{ linear = 'classes' }, 'softmax'"), [codes::LOGITS]);
    assert_eq!(codes(images(), "{ linear = 'classes' }, 'sigmoid'"), [codes::LOGITS]);
    assert!(codes(images(), "{ linear = 8 }, 'softmax', { linear = 'classes' }").is_empty());
    let number = TargetType { name: "share".to_owned(), task: Task::Number { mean: None, std: None } };
    let shares = dataset(vec![feature("image", &[1, 28, 28], TensorType::U8)], number);
    assert!(codes(shares, "{ linear = 'classes' }, 'sigmoid'").is_empty());
}

#[test]
fn the_predicted_type_is_the_one_that_a_run_produces() {
    let bench = bench(images());
    let fields = format!("data = 'encode.train'\n{DIGITS}");
    let (outputs, findings) = bench.check::<Model>(&fields);
    assert!(findings.is_empty(), "{findings:?}");
    let produced = bench.run::<Model>(&fields).expect("a model");
    assert_eq!(Some(&produced.ports[0].ty), outputs.get("model"));
    assert_eq!(produced.summary, "3 layers with weights · 34,826 parameters");
    let files = bench.output("model");
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["architecture.json", "encoder.json"]);
    let network: Architecture = serde_json::from_slice(&files[0].1).expect("an architecture");
    assert_eq!(network.output, Shape::fixed(&[10]));
    assert_eq!(files[1].1, ENCODER);
}

#[test]
fn a_wrong_width_is_told_at_the_layer_with_the_layer_that_gives_the_shape() {
    let fields = DIGITS.replace("'classes'", "{ in = 3136, out = 10 }");
    let (outputs, findings) = check(images(), &fields);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(finding.diagnostic.code, codes::LINEAR_IN);
    assert_eq!(finding.diagnostic.message, "linear expects 3136 inputs but receives 1600");
    assert_eq!(finding.path, path!["layers", 7, "linear", "in"]);
    assert_eq!(finding.label, "flatten gives 64 x 5 x 5 = 1600");
    assert_eq!(finding.related, [(path!["layers", 5], "gives [batch, 64, 5, 5]".to_owned())]);
    assert_eq!(outputs, Outputs::one("model", ArtifactType::Unknown));
}

#[test]
fn class_counts_are_compared_where_they_are_known() {
    let (_, findings) = check(images(), &DIGITS.replace("'classes'", "12"));
    assert_eq!(findings[0].diagnostic.code, codes::CLASS_COUNT);
    assert_eq!(findings[0].path, path!["layers", 7]);
    let mut open = images();
    open.targets = vec![TargetType { name: "label".to_owned(), task: Task::Category { classes: None } }];
    let (outputs, findings) = check(open, &DIGITS.replace("'classes'", "12"));
    assert!(findings.is_empty() && matches!(outputs.get("model"), Some(ArtifactType::Model(_))));
}

#[test]
fn towers_and_inputs_name_features() {
    let towers = "layers = [{ linear = 1 }]
        towers.carrier = { input = 'carier', layers = [{ embedding = 4 }] }
        towers.weather = { input = 'weather', layers = [{ lstm = 8 }] }";
    let (_, findings) = check(flights(), towers);
    assert_eq!((findings.len(), findings[0].diagnostic.code), (1, codes::UNKNOWN_FEATURE));
    assert_eq!(findings[0].path, path!["towers", "carrier", "input"]);
    assert_eq!(findings[0].diagnostic.hints, ["did you mean `carrier`?"]);
    let (outputs, findings) = check(flights(), &towers.replace("carier", "carrier"));
    assert!(findings.is_empty(), "{findings:?}");
    let Some(ArtifactType::Model(model)) = outputs.get("model") else { panic!("{outputs:?}") };
    // 16·4, then 4·8·(5 + 8 + 2), then 12 + 1.
    assert_eq!((model.parameters, model.layers), (Some(64 + 480 + 13), 3));
    let (_, findings) = check(flights(), &format!("input = 'weather'\n{}", towers.replace("carier", "carrier")));
    assert_eq!(findings[0].diagnostic.code, codes::CONFLICT);
    let (_, findings) = check(flights(), "layers = [{ linear = 1 }]");
    assert_eq!((findings[0].diagnostic.code, &findings[0].path), (codes::FEATURES_DO_NOT_JOIN, &path!["data"]));
    let (_, findings) = check(flights(), "layers = [{ linear = 1 }]\ntowers.'a.b' = { input = 'weather' }");
    assert_eq!(findings[0].diagnostic.code, codes::BAD_NAME);
    let (outputs, findings) = check(flights(), "input = 'weather'\nlayers = ['flatten', { linear = 'classes' }]");
    assert!(findings.is_empty(), "{findings:?}");
    let Some(ArtifactType::Model(model)) = outputs.get("model") else { panic!("{outputs:?}") };
    assert_eq!(model.inputs.len(), 1);
}

#[test]
fn nothing_is_said_of_what_is_not_known_yet() {
    let mut open = images();
    open.complete = false;
    open.features.clear();
    let (outputs, findings) = check(open.clone(), "input = 'image'\nlayers = [{ linear = 10 }]");
    assert_eq!((outputs, findings.len()), (Outputs::one("model", ArtifactType::Unknown), 0));
    let (outputs, findings) = check(open, DIGITS);
    assert_eq!((outputs, findings.len()), (Outputs::one("model", ArtifactType::Unknown), 0));
}

#[test]
fn a_model_needs_layers_and_data() {
    let (_, findings) = check(images(), "layers = []");
    assert_eq!((findings[0].diagnostic.code, &findings[0].path), (codes::EMPTY_MODEL, &path!["layers"]));
    let mut bench = Bench::default();
    bench.input("encode.train", ArtifactType::File, &[]);
    let (_, findings) = bench.check::<Model>("data = 'encode.train'\nlayers = ['relu']");
    assert_eq!(findings[0].diagnostic.code, codes::WRONG_ARTIFACT);
}

#[test]
fn the_first_mistake_of_a_run_is_its_failure() {
    let failure =
        bench(images()).run::<Model>("data = 'encode.train'\nlayers = [{ linear = 10 }]").expect_err("refused");
    assert_eq!(failure.message, "linear takes a vector but receives [batch, 1, 28, 28]");
    assert_eq!(failure.at, Some(path!["layers", 0, "linear"]));
}

/// How many parameters a standard module has for a dataset, in a check and in a run.
fn parameters(text: &str, data: DatasetType, set: &[(&str, serde_json::Value)]) -> u64 {
    let mut fields = super::testing::fields(text, set);
    fields.insert("data".to_owned(), "encode.train".into());
    let (bench, fields) = (bench(data), toml::to_string(&fields).expect("TOML"));
    let (outputs, findings) = bench.check::<Model>(&fields);
    assert!(findings.is_empty(), "{findings:?}");
    let produced = bench.run::<Model>(&fields).expect("a model");
    assert_eq!(Some(&produced.ports[0].ty), outputs.get("model"));
    let ArtifactType::Model(model) = &produced.ports[0].ty else { panic!("{produced:?}") };
    model.parameters.expect("counted")
}

#[test]
fn std_tabular_mlp() {
    let text = include_str!("../../../stdlib/tabular/mlp.toml");
    let data = || dataset(vec![feature("a", &[5], TensorType::F32), feature("b", &[3], TensorType::F32)], category(3));
    // 64·(8 + 1) + 2·64, 64·(64 + 1) + 2·64, 3·(64 + 1)
    assert_eq!(parameters(text, data(), &[]), 704 + 4288 + 195);
    assert_eq!(parameters(text, data(), &[("hidden", 16.into())]), 16 * 9 + 32 + 16 * 17 + 32 + 51);
}

#[test]
fn std_vision_lenet() {
    let text = include_str!("../../../stdlib/vision/lenet.toml");
    // LeNet-5 as it is usually written: 156 + 2,416 + 48,120 + 10,164 + 850.
    assert_eq!(parameters(text, images(), &[]), 61_706);
}

#[test]
fn std_sequence_lstm() {
    let text = include_str!("../../../stdlib/sequence/lstm.toml");
    let number = TargetType { name: "delay".to_owned(), task: Task::Number { mean: None, std: None } };
    let data = || dataset(vec![feature("weather", &[4, 5], TensorType::F32)], number.clone());
    // 4·64·(5 + 64 + 2), 4·64·(64 + 64 + 2), 64 + 1
    assert_eq!(parameters(text, data(), &[]), 18_176 + 33_280 + 65);
    assert_eq!(
        parameters(text, data(), &[("bidirectional", true.into())]),
        2 * 18_176 + 2 * 4 * 64 * (128 + 64 + 2) + 129
    );
}

#[test]
fn std_vision_small_resnet() {
    let text = include_str!("../../../stdlib/vision/small_resnet.toml");
    let conv = |inputs: u64, out: u64, kernel: u64| inputs * out * kernel * kernel + 2 * out;
    let block = |inputs, out| conv(inputs, out, 3) + conv(out, out, 3) + conv(inputs, out, 1);
    assert_eq!(parameters(text, images(), &[]), conv(1, 32, 3) + block(32, 64) + block(64, 128) + 1290);
}

/// A model with weights, as a training stage gives it: `linear 8`, `relu`, a `save`, `linear 10`.
fn trained(bench: &mut Bench) {
    let fields = "data = 'encode.train'\nlayers = ['flatten', { linear = 8 }, 'relu', { save = 'encoded' }, { linear = 'classes' }]";
    let produced = bench.run::<Model>(fields).expect("a model");
    let ArtifactType::Model(model) = produced.ports[0].ty.clone() else { panic!("{produced:?}") };
    let files = bench.output("model");
    let sizes = [
        ("layers.1.bias", vec![8]),
        ("layers.1.weight", vec![8, 784]),
        ("layers.4.bias", vec![10]),
        ("layers.4.weight", vec![10, 8]),
    ];
    let ty = ArtifactType::Model(crate::types::ModelType { trained: true, ..model });
    let weights = weights(&sizes);
    let mut files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    files.push(("model.safetensors", &weights));
    bench.input("train.model", ty, &files);
}

/// A file of weights of these shapes.
fn weights(sizes: &[(&str, Vec<usize>)]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = sizes.iter().map(|(_, shape)| vec![7; 4 * shape.iter().product::<usize>()]).collect();
    let views = sizes.iter().zip(&bytes).map(|((name, shape), bytes)| {
        let dtype = safetensors::Dtype::F32;
        (*name, safetensors::tensor::TensorView::new(dtype, shape.clone(), bytes).expect("a tensor"))
    });
    safetensors::serialize(views, None).expect("serialised")
}

/// Gives a bench a dataset of one category as an index.
fn indexed(to: &mut Bench, name: &str, values: [&str; 2]) {
    let mut bench = Bench::default();
    let c: Vec<&str> = (0..12).map(|row| values[row % 2]).collect();
    let y: Vec<&str> = (0..12).map(|row| ["p", "q", "q"][row % 3]).collect();
    table_input(&mut bench, "t", df!["c" => c, "y" => y].unwrap());
    let fields = "fit = 't'\nfeatures.c = { category = 'c', encode = 'index' }\ntarget.y = 'category'";
    let produced = bench.run::<Encode>(fields).expect("encoded");
    let port = produced.ports.iter().find(|port| matches!(port.ty, ArtifactType::Dataset(_))).expect("a dataset");
    let files = bench.output(&port.port);
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    to.input(name, port.ty.clone(), &files);
}

#[test]
fn a_base_takes_no_indices_of_other_values() {
    let mut bench = Bench::default();
    indexed(&mut bench, "one", ["x", "y"]);
    indexed(&mut bench, "other", ["y", "z"]);
    let layers = "layers = [{ embedding = 4 }, { linear = 'classes' }]";
    let produced = bench.run::<Model>(&format!("data = 'one'\n{layers}")).expect("a model");
    let ArtifactType::Model(model) = produced.ports[0].ty.clone() else { panic!("{produced:?}") };
    let weights =
        weights(&[("layers.0.weight", vec![2, 4]), ("layers.1.weight", vec![2, 4]), ("layers.1.bias", vec![2])]);
    let files = bench.output("model");
    let mut files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    files.push(("model.safetensors", &weights));
    bench.input("train.model", ArtifactType::Model(crate::types::ModelType { trained: true, ..model }), &files);
    let run = |data: &str| {
        bench.run::<Model>(&format!("data = '{data}'\nbase = 'train.model'\nlayers = [{{ linear = 'classes' }}]"))
    };
    assert!(run("one").is_ok());
    let failure = run("other").expect_err("other values");
    assert_eq!(failure.message, "the numbers of `c` stand for other values in `other` than in the base's data");
    assert_eq!(failure.at, Some(path!["data"]));
}

#[test]
fn a_base_gives_its_layers_and_weights() {
    let mut bench = bench(images());
    trained(&mut bench);
    let fields = "data = 'encode.train'\nbase = 'train.model'\nuntil = 'encoded'\ntune = 'head'\n\
                  layers = [{ linear = 4 }, 'relu', { linear = 'classes' }]";
    let (outputs, findings) = bench.check::<Model>(fields);
    assert!(findings.is_empty(), "{findings:?}");
    let produced = bench.run::<Model>(fields).expect("a model");
    assert_eq!(Some(&produced.ports[0].ty), outputs.get("model"));
    let files = bench.output("model");
    let file = |wanted: &str| &files.iter().find(|(name, _)| name == wanted).expect(wanted).1;
    let network: Architecture = serde_json::from_slice(file("architecture.json")).expect("an architecture");
    assert_eq!(network.base, Some(crate::nn::Base { layers: 4, frozen: true }));
    let texts: Vec<String> = network.layers.iter().map(crate::nn::LayerSpec::text).collect();
    assert_eq!(texts, ["flatten", "linear 8", "relu", "save encoded", "linear 4", "relu", "linear 10"]);
    let weights = safetensors::SafeTensors::deserialize(file("base.safetensors")).expect("safetensors");
    let mut names: Vec<&str> = weights.names();
    names.sort_unstable();
    assert_eq!(names, ["layers.1.bias", "layers.1.weight"]);
    // All but the last layer, where nothing says up to where.
    let (outputs, _) =
        bench.check::<Model>("data = 'encode.train'\nbase = 'train.model'\nlayers = [{ linear = 'classes' }]");
    let Some(ArtifactType::Model(model)) = outputs.get("model") else { panic!("{outputs:?}") };
    assert_eq!(model.parameters, Some(784 * 8 + 8 + 90));
}

#[test]
fn a_mistake_behind_a_base_is_told_at_the_layer_of_the_stage() {
    let mut bench = bench(images());
    trained(&mut bench);
    let fields = "data = 'encode.train'\nbase = 'train.model'\nuntil = 'encoded'\nlayers = ['relu', { linear = { in = 9, out = 10 } }]";
    let (_, findings) = bench.check::<Model>(fields);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(finding.path, path!["layers", 1, "linear", "in"]);
    assert_eq!(finding.stages, [("train".to_owned(), "its `linear 8` gives [batch, 8]".to_owned())]);
}

#[test]
fn what_a_base_cannot_be() {
    let mut bench = bench(images());
    trained(&mut bench);
    let code = |fields: &str| {
        let (outputs, findings) = bench.check::<Model>(&format!("data = 'encode.train'\n{fields}"));
        assert_eq!(outputs, Outputs::one("model", ArtifactType::Unknown));
        (findings[0].diagnostic.code, findings[0].path.clone())
    };
    let head = "layers = [{ linear = 'classes' }]";
    assert_eq!(code(&format!("base = 'train.model'\nuntil = 'encode'\n{head}")), (codes::NOT_SAVED, path!["until"]));
    assert_eq!(code(&format!("base = 'train.model'\nuntil = 6\n{head}")), (codes::NOT_SAVED, path!["until"]));
    assert_eq!(code(&format!("base = 'train.model'\ninput = 'image'\n{head}")), (codes::CONFLICT, path!["input"]));
    assert_eq!(code(&format!("tune = 'head'\n{head}")), (codes::CONFLICT, path!["tune"]));
    assert_eq!(code(&format!("join = 'sum'\n{head}")), (codes::CONFLICT, path!["join"]));
}

#[test]
fn std_vision_small_vgg() {
    let text = include_str!("../../../stdlib/vision/small_vgg.toml");
    let conv = |inputs: u64, out: u64| inputs * out * 9 + 2 * out;
    let pairs = [(1, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128)];
    assert_eq!(parameters(text, images(), &[]), pairs.into_iter().map(|(i, o)| conv(i, o)).sum::<u64>() + 1290);
}

#[test]
fn std_vision_wide_resnet() {
    let text = include_str!("../../../stdlib/vision/wide_resnet.toml");
    let group = |from: u64, to: u64| {
        let first = 2 * from + from * to * 9 + 2 * to + to * to * 9 + from * to;
        first + 2 * (2 * to + to * to * 9)
    };
    let last = 2 * 256 + 256 * 10 + 10;
    // As of WRN-16-4 on three channels, 2,748,890, but for the two channels that a grey image lacks.
    assert_eq!(parameters(text, images(), &[]), 16 * 9 + group(16, 64) + group(64, 128) + group(128, 256) + last);
}
