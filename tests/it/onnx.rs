//! ONNX files, run by onnxruntime: the outputs are the worker's.

use crate::python::python;
use kilter::job::{Job, JobFile, PROTOCOL, WorkerEvent};
use kilter::nn::{Architecture, Join, Tower};
use kilter::onnx::{self, Weights};
use kilter::types::{Dim, FeatureType, Shape, TargetType, Task, TensorType};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const ROWS: usize = 12;

/// A network, and what a row of its features is.
struct Case {
    name: &'static str,
    inputs: Vec<FeatureType>,
    towers: Vec<(&'static str, &'static str, Value)>,
    join: Join,
    layers: Value,
}

fn feature(name: &str, shape: &[u64], dtype: TensorType) -> FeatureType {
    let scale = (dtype == TensorType::U8).then_some(255.0);
    let cardinality = (dtype == TensorType::I64).then_some(Dim::Fixed(7));
    let shape = Shape::fixed(shape);
    FeatureType { name: name.into(), shape, dtype, scale, cardinality, padding: None, columns: Vec::new() }
}

/// Seven tokens, of which those at the end may be none.
fn padded() -> Vec<FeatureType> {
    vec![FeatureType { padding: Some(0), ..feature("tokens", &[7], TensorType::I64) }]
}

fn case(name: &'static str, inputs: Vec<FeatureType>, layers: Value) -> Case {
    Case { name, inputs, towers: Vec::new(), join: Join::Concat, layers }
}

/// Images, waves, steps and joined features.
fn of_numbers() -> Vec<Case> {
    let image = || vec![feature("image", &[2, 9, 9], TensorType::U8)];
    vec![
        case(
            "convolutions",
            image(),
            json!([
                { "conv2d": { "out": 8, "kernel": 4, "padding": "same", "bias": false } }, "batch_norm", "relu",
                { "max_pool2d": { "kernel": 3, "stride": 2, "padding": 1 } },
                { "conv2d": { "out": 6, "kernel": [3, 1], "stride": 1, "padding": 2, "dilation": 2, "groups": 2 } }, "gelu",
                { "avg_pool2d": { "kernel": 2, "stride": 1, "padding": 1, "count_include_pad": false } }, { "dropout": 0.5 },
                { "residual": { "layers": [{ "conv2d": { "out": 4, "kernel": 1 } }, { "gelu": { "approximate": "tanh" } }],
                                "shortcut": [{ "conv2d": { "out": 4, "kernel": 1 } }, { "batch_norm": { "affine": false } }] } },
                { "layer_norm": { "dims": 2 } }, "global_avg_pool", { "linear": "classes" },
            ]),
        ),
        case(
            "one_dimension",
            vec![feature("wave", &[3, 10], TensorType::F32)],
            json!([
                { "conv1d": { "out": 4, "kernel": 4, "padding": "same" } }, "tanh", { "max_pool1d": 2 },
                { "avg_pool1d": { "kernel": 3, "stride": 1, "padding": 1 } }, { "reshape": [5, 4] }, "layer_norm",
                { "linear": { "out": 6, "bias": false } }, "sigmoid", "flatten", { "linear": "classes" },
            ]),
        ),
        case(
            "recurrent",
            vec![feature("steps", &[6, 3], TensorType::F32)],
            json!([
                { "lstm": { "hidden": 5, "layers": 2, "bidirectional": true, "output": "sequence" } },
                { "gru": { "hidden": 4, "layers": 2, "output": "sequence" } },
                { "rnn": { "hidden": 3, "bidirectional": true, "bias": false } }, { "linear": "classes" },
            ]),
        ),
        case(
            "gru_backwards",
            vec![feature("steps", &[6, 3], TensorType::F32)],
            json!([
                { "gru": { "hidden": 4, "bidirectional": true } }, { "linear": "classes" },
            ]),
        ),
        case(
            "tokens",
            vec![feature("tokens", &[5], TensorType::I64)],
            json!([
                { "embedding": 4 }, { "lstm": 6 }, { "linear": 5 }, "softmax", { "linear": "classes" },
            ]),
        ),
        case(
            "joined",
            vec![feature("a", &[3], TensorType::F32), feature("b", &[], TensorType::F32)],
            json!([
                { "linear": 5 }, "batch_norm", "relu", { "linear": "classes" },
            ]),
        ),
        Case {
            name: "towers",
            inputs: vec![feature("image", &[1, 4, 4], TensorType::U8), feature("kind", &[], TensorType::I64)],
            towers: vec![
                ("left", "image", json!([{ "conv2d": { "out": 2, "kernel": 3 } }, "relu"])),
                ("right", "kind", json!([{ "embedding": 3 }])),
            ],
            join: Join::Concat,
            layers: json!([{ "linear": "classes" }]),
        },
        case(
            "larger",
            vec![feature("image", &[4, 5, 3], TensorType::U8)],
            json!([
                { "group_norm": 2 }, "silu",
                { "conv_transpose2d": { "out": 6, "kernel": [3, 2], "stride": 2, "padding": [1, 0],
                                        "output_padding": 1, "groups": 2 } },
                "mish", { "adaptive_avg_pool2d": [3, 4] }, "hardswish", { "adaptive_max_pool2d": 2 },
                { "group_norm": { "groups": 3, "affine": false } }, { "prelu": 6 }, "flatten", "rms_norm", "elu", "prelu", { "linear": "classes" },
            ]),
        ),
        case(
            "longer",
            vec![feature("wave", &[3, 5], TensorType::F32)],
            json!([
                { "conv_transpose1d": { "out": 4, "kernel": 3, "stride": 2, "dilation": 2, "bias": false } },
                { "leaky_relu": 0.2 }, { "adaptive_max_pool1d": 6 }, { "softplus": { "beta": 2.0 } },
                { "adaptive_avg_pool1d": 4 }, "selu", "transpose", { "rms_norm": { "eps": 0.01 } }, "hardsigmoid",
                { "elu": { "alpha": 0.5 } }, "flatten", { "linear": "classes" },
            ]),
        ),
        case(
            "numbers_as_tokens",
            vec![feature("sizes", &[5], TensorType::F32)],
            json!([
                { "parallel": { "branches": [
                    [{ "numeric_embedding": 8 }],
                    [{ "numeric_embedding": { "dim": 8, "kind": "periodic", "frequencies": 6, "sigma": 0.5 } }],
                ], "join": "sum" } },
                { "transformer_encoder": { "heads": 2, "norm": "pre" } }, { "pool": "mean" }, { "linear": "classes" },
            ]),
        ),
        case(
            "weighted_channels",
            vec![feature("image", &[4, 5, 3], TensorType::U8)],
            json!([
                { "residual": [{ "conv2d": { "out": 4, "kernel": 1 } }, { "squeeze_excite": 2 }] },
                { "flatten": { "start_dim": 2 } }, { "squeeze_excite": 3 }, "flatten", { "linear": "classes" },
            ]),
        ),
        case(
            "more_places",
            vec![feature("image", &[2, 4, 3], TensorType::U8)],
            json!([
                { "upsample": 2 }, { "conv2d": { "out": 3, "kernel": 3 } },
                { "upsample": { "scale_factor": [2, 3], "mode": "bilinear" } }, { "conv2d": { "out": 2, "kernel": 3 } },
                { "upsample": { "size": [7, 13], "mode": "bilinear", "align_corners": true } }, { "upsample": { "size": [5, 4] } },
                { "flatten": { "start_dim": 2 } }, { "upsample": { "size": 40, "mode": "linear" } }, { "upsample": { "size": 24 } },
                "flatten", { "linear": "classes" },
            ]),
        ),
        case(
            "what_is_left_over",
            vec![feature("image", &[2, 12, 11], TensorType::U8)],
            json!([
                { "max_pool2d": { "kernel": 3, "stride": 2, "padding": 1, "ceil_mode": true } },
                { "avg_pool2d": { "kernel": 2, "stride": 1, "padding": 1, "ceil_mode": true } },
                { "avg_pool2d": { "kernel": 3, "stride": 2, "padding": 1, "ceil_mode": true } },
                { "flatten": { "start_dim": 2 } },
                { "max_pool1d": { "kernel": 2, "stride": 3, "padding": 1, "dilation": 4, "ceil_mode": true } },
                { "avg_pool1d": { "kernel": 2, "count_include_pad": false, "padding": 1, "ceil_mode": true } },
                "flatten", { "linear": "classes" },
            ]),
        ),
        case(
            "longer_at_the_end",
            vec![feature("wave", &[3, 5], TensorType::F32)],
            json!([
                { "conv_transpose1d": { "out": 4, "kernel": 3, "dilation": 2, "padding": 1, "output_padding": 1 } },
                "flatten", { "linear": "classes" },
            ]),
        ),
        case(
            "ways",
            vec![feature("sizes", &[6], TensorType::F32)],
            json!([
                { "save": "all" }, { "parallel": { "branches": [[{ "linear": 4 }], [{ "linear": 4 }, "tanh"]], "join": "product" } },
                { "save": "four" }, { "parallel": [[], [{ "linear": 2 }]] }, { "linear": 4 }, { "add": "four" }, { "concat": "all" },
                { "parallel": { "branches": [[{ "linear": 5 }], [{ "linear": 5 }]], "join": "sum" } },
                { "parallel": { "branches": [[], [], [{ "parallel": { "branches": [[], ["relu"]], "join": "dot" } }]] } },
                { "linear": "classes" },
            ]),
        ),
    ]
}

/// Tokens, some of which are padding.
fn of_tokens() -> Vec<Case> {
    let steps = || vec![feature("steps", &[6, 8], TensorType::F32)];
    vec![
        case(
            "encoder",
            padded(),
            json!([
                { "embedding": 8 }, { "position": "sinusoidal" }, { "transformer_encoder": { "layers": 2, "heads": 2 } },
                { "pool": "mean" }, { "linear": "classes" },
            ]),
        ),
        case(
            "encoder_with_norms_first",
            padded(),
            json!([
                { "embedding": 8 }, { "position": { "kind": "learned", "count": 9 } },
                { "transformer_encoder": { "heads": 4, "norm": "pre", "activation": "silu", "bias": false, "feedforward": 5 } },
                "layer_norm", { "pool": "max" }, { "linear": "classes" },
            ]),
        ),
        case(
            "decoder",
            padded(),
            json!([
                { "embedding": 8 }, { "transformer_decoder": { "layers": 2, "heads": 2, "rotary": true, "activation": "gelu" } },
                { "pool": "last" }, { "linear": "classes" },
            ]),
        ),
        case(
            "memory",
            padded(),
            json!([
                { "embedding": 8 }, { "save": "seen" }, { "linear": 8 },
                { "transformer_decoder": { "heads": 2, "memory": "seen", "activation": "gelu_tanh" } },
                { "multi_head_attention": { "heads": 4, "memory": "seen", "bias": false } }, { "pool": "cls" }, { "linear": "classes" },
            ]),
        ),
        case(
            "attention",
            steps(),
            json!([
                { "multi_head_attention": { "heads": 4, "causal": true } },
                { "residual": [{ "multi_head_attention": { "heads": 2, "rotary": true, "rotary_base": 100.0, "bias": false } }] },
                { "pool": "last" }, { "linear": "classes" },
            ]),
        ),
        case(
            "shared_keys",
            padded(),
            json!([
                { "embedding": 8 }, { "save": "seen" }, { "multi_head_attention": { "heads": 4, "kv_heads": 2 } },
                { "transformer_decoder": { "heads": 4, "kv_heads": 1, "rotary": true, "memory": "seen" } },
                { "pool": "mean" }, { "linear": "classes" },
            ]),
        ),
        case("means", steps(), json!([{ "multi_head_attention": 2 }, { "pool": "mean" }, { "linear": "classes" }])),
        case(
            "padded_recurrent",
            padded(),
            json!([
                { "embedding": 4 }, { "lstm": { "hidden": 3, "layers": 2, "bidirectional": true, "output": "sequence" } },
                { "gru": { "hidden": 4, "layers": 2 } }, { "linear": "classes" },
            ]),
        ),
        case(
            "padded_both_ways",
            padded(),
            json!([{ "embedding": 4 }, { "rnn": { "hidden": 3, "bidirectional": true } }, { "linear": "classes" }]),
        ),
        case(
            "tied",
            padded(),
            json!([
                { "embedding": 4 }, { "linear": { "out": 7, "tie": true } }, { "pool": "max" }, { "linear": "classes" },
            ]),
        ),
        Case {
            name: "two_towers",
            inputs: [padded(), vec![feature("item", &[], TensorType::I64)]].concat(),
            towers: vec![
                ("item", "item", json!([{ "embedding": 5 }, { "linear": 4 }])),
                ("words", "tokens", json!([{ "embedding": 4 }, { "pool": "mean" }])),
            ],
            join: Join::Dot,
            layers: json!([{ "linear": "classes" }]),
        },
    ]
}

fn architecture(case: &Case) -> Architecture {
    let layers = |value: &Value| serde_json::from_value(value.clone()).expect("layers");
    let tower = |(name, input, list): &(&str, &str, Value)| Tower {
        name: (*name).into(),
        input: (*input).into(),
        layers: layers(list),
    };
    let towers = case.towers.iter().map(tower).collect();
    Architecture::new(case.inputs.clone(), towers, case.join, layers(&case.layers), Some(target())).expect(case.name)
}

fn target() -> TargetType {
    let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
    TargetType { name: "label".into(), task: Task::Category { classes: Some(classes) } }
}

/// Rows of pseudo-random features, the same every time, and classes.
fn write_data(inputs: &[FeatureType], path: &Path) {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 40
    };
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for feature in inputs {
        let sizes = feature.shape.sizes().expect("known");
        let shape: Vec<usize> = std::iter::once(ROWS).chain(sizes.iter().map(|size| *size as usize)).collect();
        let count: usize = shape.iter().product();
        let (dtype, bytes) = match feature.dtype {
            TensorType::U8 => (Dtype::U8, (0..count).map(|_| next() as u8).collect()),
            TensorType::I64 if feature.padding.is_some() => (Dtype::I64, tokens(sizes[0], &mut next)),
            TensorType::I64 => (Dtype::I64, (0..count).flat_map(|_| ((next() % 7) as i64).to_le_bytes()).collect()),
            _ => {
                let number = |bits: u64| bits as f32 / (1 << 23) as f32 - 1.0;
                (Dtype::F32, (0..count).flat_map(|_| number(next()).to_le_bytes()).collect())
            }
        };
        tensors.push((format!("feature.{}", feature.name), dtype, shape, bytes));
    }
    let classes = (0..ROWS).flat_map(|_| ((next() % 3) as i64).to_le_bytes()).collect();
    tensors.push(("target.label".into(), Dtype::I64, vec![ROWS], classes));
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor"))
    });
    safetensors::serialize_to_file(views, None, path).expect("written");
}

/// Rows of tokens of different lengths, from none to all; 0 is padding.
fn tokens(seq: u64, next: &mut impl FnMut() -> u64) -> Vec<u8> {
    let mut row = |row: u64| {
        let length = row % (seq + 1);
        (0..seq).map(|place| if place < length { next() % 6 + 1 } else { 0 }).collect::<Vec<u64>>()
    };
    (0..ROWS as u64).flat_map(&mut row).flat_map(|token| token.cast_signed().to_le_bytes()).collect()
}

/// Trains for two epochs, so that no weight and no running mean is what it began with, and predicts.
fn train_and_predict(case: &Case, folder: &Path) {
    let setting = json!({ "threads": 1, "numerics": "native", "device": "cpu" });
    let place = |name: &str| folder.join(name);
    write_data(&case.inputs, &place("data.safetensors"));
    std::fs::write(place("architecture.json"), serde_json::to_vec(&architecture(case)).expect("json"))
        .expect("written");
    let train: Job = serde_json::from_value(json!({
        "do": "train", "setting": setting, "architecture": place("architecture.json"), "weights": null,
        "data": place("data.safetensors"), "validate": null, "target": "label", "task": target().task,
        "loss": "cross_entropy", "optimizer": { "sgd": { "lr": 0.1 } }, "schedule": "constant", "epochs": 2,
        "batch_size": 6, "shuffle": true, "drop_last": false, "accumulate": 1, "precision": "f32", "deterministic": true,
        "ema": null, "gradient_norms": false, "clip": null, "early_stop": null, "augment": null, "seed": 3,
        "out": place("model.safetensors"),
    }))
    .expect("a job");
    let predict: Job = serde_json::from_value(json!({
        "do": "predict", "setting": setting, "architecture": place("architecture.json"),
        "weights": place("model.safetensors"), "data": place("data.safetensors"), "batch_size": 5,
        "out": place("output.safetensors"),
    }))
    .expect("a job");
    run(&[train, predict], folder);
}

fn run(jobs: &[Job], folder: &Path) {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_kilter-torch"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the worker starts");
    let (mut input, output) = (worker.stdin.take().expect("piped"), worker.stdout.take().expect("piped"));
    let mut lines = BufReader::new(output).lines();
    for (index, job) in jobs.iter().enumerate() {
        let path = folder.join(format!("job-{index}.json"));
        let file = JobFile { protocol: PROTOCOL, stage: "test".into(), job: job.clone() };
        std::fs::write(&path, serde_json::to_vec(&file).expect("json")).expect("written");
        writeln!(input, "{}", path.display()).expect("heard");
        loop {
            match serde_json::from_str(&lines.next().expect("an event").expect("a line")).expect("an event") {
                WorkerEvent::Done(_) => break,
                WorkerEvent::Failed { message, .. } => panic!("{message}"),
                _ => {}
            }
        }
    }
    drop(input);
    worker.wait().expect("ended");
}

fn weights(path: &Path) -> Weights {
    let bytes = std::fs::read(path).expect("weights");
    let tensors = SafeTensors::deserialize(&bytes).expect("weights").tensors().into_iter();
    let floats = tensors.filter(|(_, view)| view.dtype() == Dtype::F32);
    floats
        .map(|(name, view)| (name, (view.shape().iter().map(|size| *size as i64).collect(), view.data().to_vec())))
        .collect()
}

/// Checks each model, runs it over its rows, all at once and one by one, and prints how far it is from the outputs.
const RUNNER: &str = r#"
import json, struct, sys
import numpy, onnxruntime
def tensors(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    kinds = {"U8": "uint8", "F32": "float32", "I64": "int64"}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            start, end = (8 + length + at for at in entry["data_offsets"])
            yield name, numpy.frombuffer(data[start:end], kinds[entry["dtype"]]).reshape(entry["shape"])
for folder in sys.argv[1:]:
    session = onnxruntime.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
    rows = {name[8:]: value for name, value in tensors(f"{folder}/data.safetensors") if name.startswith("feature.")}
    wanted = dict(tensors(f"{folder}/output.safetensors"))["output"]
    (found,) = session.run(["output"], rows)
    (last,) = session.run(["output"], {name: value[-1:] for name, value in rows.items()})
    far = max(abs(found - wanted).max(), abs(last - wanted[-1:]).max())
    print(folder.rsplit("/", 1)[1], found.shape == wanted.shape, float(far), float(wanted.std()))
"#;

#[test]
fn onnxruntime_gives_the_outputs_of_the_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut places = Vec::new();
    for case in of_numbers().into_iter().chain(of_tokens()) {
        let place = folder.path().join(case.name);
        std::fs::create_dir(&place).expect("made");
        train_and_predict(&case, &place);
        let network = architecture(&case);
        let bytes = onnx::export(&network, &weights(&place.join("model.safetensors"))).expect(case.name);
        std::fs::write(place.join("model.onnx"), bytes).expect("written");
        places.push(place);
    }
    let told = python(&["onnxruntime==1.32.0"], RUNNER, &places);
    assert_eq!(told.lines().count(), places.len(), "{told}");
    for line in told.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (far, spread): (f64, f64) = (words[2].parse().expect("a number"), words[3].parse().expect("a number"));
        assert!(words[1] == "True" && far < 2e-5 && spread > 1e-3, "{told}");
    }
}
