//! Shapes and mistakes of whole architectures.

use super::*;
use crate::path;
use crate::types::TensorType;
use serde_json::json;

fn feature(name: &str, shape: &[u64], dtype: TensorType) -> FeatureType {
    let cardinality = (dtype == TensorType::I64).then_some(Dim::Fixed(16));
    FeatureType {
        name: name.to_owned(),
        shape: Shape::fixed(shape),
        dtype,
        scale: None,
        cardinality,
        padding: None,
        columns: Vec::new(),
    }
}

fn category(classes: usize) -> TargetType {
    let classes = Some((0..classes).map(|class| class.to_string()).collect());
    TargetType { name: "label".to_owned(), task: Task::Category { classes } }
}

fn layers(value: serde_json::Value) -> Vec<LayerSpec> {
    serde_json::from_value(value).expect("layers")
}

fn digits(last: serde_json::Value) -> (Vec<FeatureType>, Vec<LayerSpec>) {
    let layers = layers(json!([
        { "conv2d": { "out": 32, "kernel": 3 } }, "relu", { "max_pool2d": 2 },
        { "conv2d": { "out": 64, "kernel": 3 } }, "relu", { "max_pool2d": 2 },
        "flatten", { "dropout": 0.25 }, last,
    ]));
    (vec![feature("image", &[1, 28, 28], TensorType::U8)], layers)
}

#[test]
fn shapes_and_parameters_of_the_first_example() {
    let (inputs, layers) = digits(json!({ "linear": "classes" }));
    let network =
        Architecture::new(inputs, Vec::new(), Join::Concat, layers, Some(category(10))).expect("a sound network");
    assert_eq!(network.output, Shape::fixed(&[10]));
    // 32·(9 + 1) + 64·(32·9 + 1) + 10·(1600 + 1)
    assert_eq!(network.parameters(), Some(320 + 18_496 + 16_010));
    assert_eq!(network.layers_with_weights(), 3);
    let rows = network.rows();
    assert_eq!(rows[5].text, "max_pool2d 2");
    assert_eq!(rows[5].output, Shape::fixed(&[64, 5, 5]));
    let json = serde_json::to_value(&network).expect("json");
    assert_eq!(json["layers"][8], json!({ "linear": { "out": 10, "in": 1600, "bias": true } }));
    assert_eq!(serde_json::from_value::<Architecture>(json).expect("reads back"), network);
}

#[test]
fn a_wrong_width_shows_the_sum_and_the_layer_behind_flatten() {
    let (inputs, layers) = digits(json!({ "linear": { "in": 3136, "out": 10 } }));
    let inferred = infer(&inputs, &[], Join::Concat, &layers, Some(&category(10)));
    let [mistake] = inferred.errors.as_slice() else { panic!("{:?}", inferred.errors) };
    assert_eq!(mistake.error.field, path!["layers", 8, "linear", "in"]);
    assert_eq!(mistake.error.label, "flatten gives 64 x 5 x 5 = 1600");
    assert_eq!(mistake.error.given_by, Some((path!["layers", 5], "gives [batch, 64, 5, 5]".to_owned())));
}

#[test]
fn two_mistakes_are_both_told_where_the_first_leaves_no_doubt() {
    let inputs = [feature("x", &[8], TensorType::F32)];
    let layers = layers(json!([{ "linear": { "in": 9, "out": 4 } }, "relu", { "linear": 7 }]));
    let inferred = infer(&inputs, &[], Join::Concat, &layers, Some(&category(10)));
    let codes: Vec<_> = inferred.errors.iter().map(|mistake| mistake.error.code.id).collect();
    assert_eq!(codes, ["E0341", "E0344"]);
    assert_eq!(inferred.errors[0].feature.as_deref(), Some("x"));
    assert_eq!(inferred.errors[1].error.message, "the model gives 7 outputs, but target `label` has 10 classes");
}

#[test]
fn features_join_in_towers_or_as_vectors() {
    let numbers = feature("numbers", &[5], TensorType::F32);
    let more = feature("pixels", &[3], TensorType::U8);
    let carrier = feature("carrier", &[], TensorType::I64);
    let head = layers(json!([{ "linear": "classes" }]));
    let joined = infer(&[numbers.clone(), more], &[], Join::Concat, &head, Some(&category(2)));
    assert_eq!((joined.errors.len(), joined.parameters), (0, Some(18)));
    let inputs = [carrier, numbers];
    let refused = infer(&inputs, &[], Join::Concat, &head, Some(&category(2)));
    assert_eq!(refused.errors[0].error.code, codes::FEATURES_DO_NOT_JOIN);
    let tower = |name: &str, layers| Tower { name: name.to_owned(), input: name.to_owned(), layers };
    let towers = [tower("carrier", layers(json!([{ "embedding": 4 }]))), tower("numbers", Vec::new())];
    let network =
        Architecture::new(inputs.to_vec(), towers.to_vec(), Join::Concat, head, Some(category(2))).expect("sound");
    assert_eq!(network.parameters(), Some(16 * 4 + 9 * 2 + 2));
    assert_eq!(network.rows()[0].tower.as_deref(), Some("carrier"));
    let json = serde_json::to_value(&network.towers[0].layers).expect("json");
    assert_eq!(json, json!([{ "embedding": { "dim": 4, "count": 16 } }]));
}

#[test]
fn towers_are_blamed_in_their_place() {
    let inputs = [feature("carrier", &[], TensorType::I64)];
    let tower = |input: &str, list| Tower { name: "a".to_owned(), input: input.to_owned(), layers: layers(list) };
    let head = layers(json!([{ "linear": 1 }]));
    let error = |tower| infer(&inputs, &[tower], Join::Concat, &head, None).errors.remove(0).error;
    let unknown = error(tower("carier", json!([])));
    assert_eq!((unknown.code, unknown.field), (codes::UNKNOWN_FEATURE, path!["towers", "a", "input"]));
    let indices = error(tower("carrier", json!([])));
    assert_eq!((indices.code, indices.field), (codes::NEEDS_INDICES, path!["towers", "a", "input"]));
    let inside = error(tower("carrier", json!([{ "linear": 3 }])));
    assert_eq!((inside.code, inside.field), (codes::NEEDS_INDICES, path!["towers", "a", "layers", 0, "linear"]));
}

#[test]
fn what_is_unknown_is_no_mistake() {
    let mut words = feature("words", &[], TensorType::F32);
    words.shape = Shape(vec![Dim::Named("words".to_owned())]);
    let target = TargetType { name: "label".to_owned(), task: Task::Category { classes: None } };
    let layers = layers(json!([{ "linear": 64 }, "batch_norm", "relu", { "linear": "classes" }]));
    let inferred = infer(&[words], &[], Join::Concat, &layers, Some(&target));
    assert_eq!(inferred.errors, []);
    assert_eq!(inferred.output, Some(Shape(vec![Dim::Named("classes".to_owned())])));
    assert_eq!(inferred.parameters, None);
}

#[test]
fn an_image_at_the_end_is_no_vector_of_classes() {
    let inputs = [feature("image", &[1, 28, 28], TensorType::U8)];
    let inferred = infer(&inputs, &[], Join::Concat, &layers(json!([{ "max_pool2d": 2 }])), Some(&category(10)));
    let error = &inferred.errors[0].error;
    assert_eq!(error.message, "the model gives [batch, 1, 14, 14], but target `label` has 10 classes");
    assert_eq!(error.field, path!["layers", 0]);
    assert_eq!(infer(&inputs, &[], Join::Concat, &[], None).errors[0].error.code, codes::EMPTY_MODEL);
    let numbers = [feature("x", &[4], TensorType::F32)];
    let one = infer(&numbers, &[], Join::Concat, &layers(json!([{ "linear": 1 }])), Some(&category(10)));
    assert_eq!(one.errors[0].error.message, "the model gives 1 output, but target `label` has 10 classes");
}

#[test]
fn tokens_are_told_where_they_are_taken_for_channels() {
    let warned = |list: serde_json::Value| {
        let tokens = feature("text", &[12], TensorType::I64);
        let inferred = infer(&[tokens], &[], Join::Concat, &layers(list), None);
        assert!(inferred.errors.is_empty(), "{:?}", inferred.errors);
        inferred.warnings.into_iter().map(|warning| warning.error.field).collect::<Vec<_>>()
    };
    let at = |index: usize| vec![vec![Segment::from("layers"), Segment::Index(index)]];
    let conv = json!({ "conv1d": { "out": 4, "kernel": 3 } });
    assert_eq!(warned(json!([{ "embedding": 8 }, { "dropout": 0.1 }, conv, "flatten"])), at(2));
    assert_eq!(warned(json!([{ "embedding": 8 }, "global_avg_pool"])), at(1));
    assert!(warned(json!([{ "embedding": 8 }, "transpose", conv, "batch_norm", "flatten"])).is_empty());
    assert!(warned(json!([{ "embedding": 8 }, { "lstm": 6 }, "batch_norm"])).is_empty());
    assert!(warned(json!([{ "embedding": 8 }, "flatten", "batch_norm"])).is_empty());
}
