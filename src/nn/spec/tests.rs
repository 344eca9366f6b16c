//! Tests of the forms that layers have in a manifest.

use super::*;
use serde_json::json;

fn error(value: serde_json::Value) -> (String, String) {
    let error = serde_path_to_error::deserialize::<_, Vec<LayerSpec>>(value).expect_err("not a layer");
    (error.path().to_string(), error.inner().to_string())
}

#[test]
fn every_layer_has_docs_and_an_example_that_decodes_to_it() {
    for info in LAYERS {
        let text = format!("layer = {}", info.example);
        let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", info.name));
        let layer: LayerSpec =
            table["layer"].clone().try_into().unwrap_or_else(|error| panic!("{}: {error}", info.name));
        assert_eq!(layer.name(), info.name);
        assert_eq!(layer.info(), *info);
        let json = serde_json::to_value(&layer).expect("json");
        assert_eq!(serde_json::from_value::<LayerSpec>(json.clone()).expect(info.name), layer, "{json}");
        assert!(info.summary.ends_with('.') && info.docs.ends_with('.'), "{}", info.name);
    }
}

#[test]
fn short_and_long_forms_are_one_layer_with_its_defaults_written() {
    let read = |value| serde_json::from_value::<LayerSpec>(value).expect("a layer");
    let canonical = |value| serde_json::to_value(read(value)).expect("json");
    assert_eq!(canonical(json!("relu")), json!("relu"));
    assert_eq!(canonical(json!({ "linear": 10 })), json!({ "linear": { "out": 10, "in": null, "bias": true } }));
    assert_eq!(read(json!({ "max_pool2d": [2, 2] })), read(json!({ "max_pool2d": { "kernel": 2 } })));
    assert_eq!(read(json!("batch_norm")), read(json!({ "batch_norm": { "eps": 1e-5 } })));
    assert_eq!(read(json!({ "residual": ["relu"] })), read(json!({ "residual": { "layers": ["relu"] } })));
    assert_eq!(
        read(json!({ "conv2d": { "out": 8, "kernel": 3, "stride": [2, 1] } })).text(),
        "conv2d 8, kernel 3, stride 2 x 1"
    );
}

#[test]
fn mistakes_name_the_place_and_the_way_out() {
    assert_eq!(
        error(json!(["relu", "rleu"])),
        ("[1]".to_owned(), "unknown layer `rleu`; did you mean `relu`?".to_owned())
    );
    let (path, message) = error(json!([{ "convd2": { "out": 3 } }]));
    assert_eq!((path.as_str(), message.as_str()), ("[0]", "unknown layer `convd2`; did you mean `conv2d`?"));
    assert!(error(json!(["capsule"])).1.starts_with("unknown layer `capsule`; the layers are `linear`, `conv1d`,"));
    assert_eq!(error(json!(["linear"])).1, "E0134: linear needs its fields, as in `{ linear = 10 }`");
    assert_eq!(error(json!([{ "linear": { "out": "clases" } }])).0, "[0].linear.out");
    assert_eq!(
        error(json!([{ "conv2d": 32 }])).1,
        "invalid type: integer `32`, expected a value as in `{ conv2d = { out = 32, kernel = 3, padding = 1 } }`"
    );
    let two = error(json!([{ "linear": 3, "relu": {} }]));
    assert_eq!(two.1, "E0135: a layer is one name, but `relu` follows `linear`; write it in a table of its own");
    let field = error(json!([{ "linear": 3, "bias": false }])).1;
    assert!(
        field.ends_with("`bias` follows `linear`; its fields stand in its own table: `{ linear = { … } }`"),
        "{field}"
    );
    assert_eq!(error(json!([{ "residual": ["relu", "gleu"] }])).0, "[0].residual[1]");
    assert_eq!(error(json!([{ "conv2d": { "out": 8 } }])).1, "missing field `kernel`");
}
