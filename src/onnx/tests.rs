//! What is refused, and the form of a file. That the numbers are right is tested with onnxruntime in `tests/it/onnx.rs`.

use super::message::ModelProto;
use super::*;
use crate::nn::Join;
use crate::types::{Shape, TargetType};

fn network(layers: serde_json::Value) -> Architecture {
    network_of("sizes", layers)
}

fn network_of(feature: &str, layers: serde_json::Value) -> Architecture {
    let feature = FeatureType {
        name: feature.into(),
        shape: Shape::fixed(&[3]),
        dtype: TensorType::F32,
        scale: None,
        cardinality: None,
        padding: None,
        columns: Vec::new(),
    };
    let task = Task::Category { classes: Some(vec!["a".into(), "b".into()]) };
    let layers = serde_json::from_value(layers).expect("layers");
    Architecture::new(vec![feature], Vec::new(), Join::Concat, layers, Some(TargetType { name: "kind".into(), task }))
        .expect("a network")
}

#[test]
fn a_file_has_inputs_by_name_and_the_classes() {
    let weights = Weights::from([
        ("layers.0.weight".to_owned(), (vec![2, 3], vec![0; 24])),
        ("layers.0.bias".to_owned(), (vec![2], vec![0; 8])),
    ]);
    let bytes = export(&network(serde_json::json!([{ "linear": "classes" }])), &weights).expect("a file");
    let model = ModelProto::decode(bytes.as_slice()).expect("a model");
    let graph = model.graph.expect("a graph");
    assert_eq!(graph.input.iter().map(|input| input.name.as_str()).collect::<Vec<_>>(), ["sizes"]);
    assert_eq!(graph.node.iter().map(|node| node.op_type.as_str()).collect::<Vec<_>>(), ["Gemm", "Identity"]);
    let classes = model.metadata_props.iter().find(|fact| fact.key == "kilter.classes").expect("classes");
    assert_eq!(classes.value, r#"["a","b"]"#);
    assert_eq!(export(&network(serde_json::json!([{ "linear": "classes" }])), &weights).expect("again"), bytes);
}

#[test]
fn no_value_has_the_name_of_a_feature() {
    let weights = Weights::from([
        ("layers.1.weight".to_owned(), (vec![2, 3], vec![0; 24])),
        ("layers.1.bias".to_owned(), (vec![2], vec![0; 8])),
    ]);
    let written = |feature: &str| {
        let network = network_of(feature, serde_json::json!(["silu", { "linear": "classes" }]));
        let model = ModelProto::decode(export(&network, &weights).expect("a file").as_slice()).expect("a model");
        let graph = model.graph.expect("a graph");
        let mut names: Vec<String> = graph.node.iter().flat_map(|node| node.output.clone()).collect();
        names.extend(graph.input.iter().map(|input| input.name.clone()));
        let outputs: Vec<String> = graph.output.iter().map(|output| output.name.clone()).collect();
        (names, outputs)
    };
    for (feature, result) in [("sizes", "output"), ("output", "result"), ("value_0", "output"), ("value_1", "output")] {
        let (names, outputs) = written(feature);
        let different: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{feature}: {names:?}");
        assert_eq!(outputs, [result], "{feature}");
    }
}

#[test]
fn weights_that_are_missing_are_named() {
    let refusal = export(&network(serde_json::json!([{ "linear": "classes" }])), &Weights::new()).expect_err("refused");
    assert_eq!(refusal.to_string(), "the weights `layers.0.weight` are missing");
}

#[test]
fn what_a_transposed_convolution_adds_is_less_than_its_stride_or_not_cut_off() {
    let shaped = |dims: Vec<i64>| {
        let bytes = vec![0; dims.iter().product::<i64>().unsigned_abs() as usize * 4];
        (dims, bytes)
    };
    let written = |padding: u64| {
        let layers = serde_json::json!([
            { "reshape": [1, 3] },
            { "conv_transpose1d": { "out": 1, "kernel": 3, "dilation": 2, "output_padding": 1, "padding": padding, "bias": false } },
            "flatten", { "linear": "classes" },
        ]);
        // (3 − 1) − 2 padding + 2 · 2 + 1 + 1
        let width = 8 - 2 * padding.cast_signed();
        let weights = Weights::from([
            ("layers.1.weight".to_owned(), shaped(vec![1, 1, 3])),
            ("layers.3.weight".to_owned(), shaped(vec![2, width])),
            ("layers.3.bias".to_owned(), shaped(vec![2])),
        ]);
        export(&network(layers), &weights)
    };
    let model = ModelProto::decode(written(1).expect("a file").as_slice()).expect("a model");
    let nodes = model.graph.expect("a graph").node;
    let turned = nodes.iter().find(|node| node.op_type == "ConvTranspose").expect("the layer");
    let of = |name: &str| turned.attribute.iter().find(|known| known.name == name).map(|known| known.ints.clone());
    assert_eq!((of("pads"), of("output_padding")), (Some(vec![1, 0]), Some(vec![0])));
    assert_eq!(
        written(0).expect_err("refused").to_string(),
        "`conv_transpose1d` (`layers.1`) has an `output_padding` that is not below its `stride` and above its `padding`, and no ONNX form"
    );
}
