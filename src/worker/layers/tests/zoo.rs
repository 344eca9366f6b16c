//! The models of `stdlib/` against definitions for PyTorch: `tests/data/torch/zoo.py` made the numbers.

use super::*;
use kilter::types::{TargetType, Task};

#[path = "../../../stages/model/testing.rs"]
mod testing;

/// One model of the file.
#[derive(serde::Deserialize)]
struct Model {
    module: String,
    set: BTreeMap<String, serde_json::Value>,
    features: Vec<Given>,
    rows: i64,
    outputs: usize,
    parameters: u64,
    flops: Option<u64>,
    weights: BTreeMap<String, Vec<i64>>,
    shape: Vec<u64>,
    y: Vec<f64>,
}

#[derive(serde::Deserialize)]
struct Given {
    name: String,
    shape: Vec<u64>,
    cardinality: Option<u64>,
    padding: Option<u64>,
}

fn models() -> BTreeMap<String, Model> {
    let text = include_str!("../../../../tests/data/torch/zoo.json");
    serde_json::from_str(text).expect("models")
}

/// The checksum of a name that starts its numbers.
fn crc32(name: &str) -> u64 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    };
    u64::from(!name.as_bytes().iter().fold(u32::MAX, step))
}

/// The numbers in [0, 1) that the script has for a name.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let start = crc32(name) << 32;
    (0..count as u64).map(move |index| {
        let mut x = start.wrapping_add(index).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 40) as f64 / f64::from(1 << 24)
    })
}

fn value(name: &str, shape: &[i64]) -> Tensor {
    let count = shape.iter().product::<i64>() as usize;
    let fan: i64 = shape.iter().skip(1).product();
    let of = |u: f64| match (name.ends_with("running_var"), shape.len(), name.ends_with("weight")) {
        (true, ..) => 0.5 + u,
        (_, 1, true) => 0.9 + 0.2 * u,
        (_, 1, false) => 0.2 * u - 0.1,
        _ => (2.0 * u - 1.0) * (3.0 / fan as f64).sqrt(),
    };
    let values: Vec<f32> = uniform(name, count).map(|u| of(u) as f32).collect();
    tensor(&values, shape)
}

fn rows(given: &Given, count: i64) -> Tensor {
    let shape: Vec<i64> = std::iter::once(count).chain(given.shape.iter().map(|size| *size as i64)).collect();
    let numbers = uniform(&given.name, shape.iter().product::<i64>() as usize);
    match (given.cardinality, given.padding) {
        (None, _) => tensor(&numbers.map(|u| (2.0 * u - 1.0) as f32).collect::<Vec<_>>(), &shape),
        (Some(below), None) => {
            let indices: Vec<i64> = numbers.map(|u| (u * below as f64) as i64).collect();
            Tensor::from_slice(&indices).reshape(shape.as_slice())
        }
        (Some(below), Some(_)) => {
            let indices: Vec<i64> = numbers.map(|u| 1 + (u * (below - 1) as f64) as i64).collect();
            let x = Tensor::from_slice(&indices).reshape(shape.as_slice());
            for row in 1..count {
                let _ = x.get(row).narrow(0, shape[1] - 3 * row, 3 * row).fill_(0);
            }
            x
        }
    }
}

fn architecture(model: &Model) -> Architecture {
    let text = kilter::manifest::stdlib::find(&format!("std/{}", model.module)).expect("a module").text;
    let set: Vec<(&str, serde_json::Value)> =
        model.set.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let fields = testing::fields(text, &set);
    let read = |field: &str| fields.get(field).cloned();
    let inputs = model.features.iter().map(|given| FeatureType {
        cardinality: given.cardinality.map(Dim::Fixed),
        padding: given.padding,
        ..feature(
            &given.name,
            &given.shape,
            if given.cardinality.is_some() { TensorType::I64 } else { TensorType::F32 },
        )
    });
    let towers = read("towers").into_iter().flat_map(|towers| {
        let towers = towers.as_object().expect("towers").clone();
        towers.into_iter().map(|(name, tower)| Tower {
            name,
            input: tower["input"].as_str().expect("a feature").to_owned(),
            layers: layers(tower["layers"].clone()),
        })
    });
    let mut towers: Vec<Tower> = towers.collect();
    towers.sort_by(|a, b| a.name.cmp(&b.name));
    let join = read("join").map_or(Join::Concat, |join| serde_json::from_value(join).expect("a join"));
    let head = read("layers").map_or_else(Vec::new, layers);
    let classes = Some((0..model.outputs).map(|class| class.to_string()).collect());
    let task = Task::Category { classes };
    // Models of tokens give more than the classes of a row, which a target of this kind does not ask for.
    let target = Some(TargetType { name: "label".to_owned(), task }).filter(|_| model.shape.len() == 1);
    let head = if target.is_none() { with_width(head, model.outputs) } else { head };
    Architecture::new(inputs.collect(), towers, join, head, target)
        .unwrap_or_else(|errors| panic!("{}: {errors:?}", model.module))
}

/// `"classes"` written out.
fn with_width(mut layers: Vec<LayerSpec>, width: usize) -> Vec<LayerSpec> {
    if let Some(LayerSpec::Linear(linear)) = layers.last_mut() {
        linear.out = kilter::nn::Width::Fixed(width as u64);
    }
    layers
}

#[test]
fn models_of_the_standard_library_compute_what_their_definitions_do() {
    let _turn = seeded(9);
    for (name, model) in models() {
        let network = architecture(&model);
        assert_eq!(network.parameters(), Some(model.parameters), "{name}");
        assert_eq!(network.output.sizes(), Some(model.shape.clone()), "{name}");
        if model.flops.is_some() {
            assert_eq!(network.infer().flops(), model.flops, "{name}");
        }
        let built = Built::new(&network);
        let mut variables = built.vs.variables();
        let names: Vec<&String> = model.weights.keys().collect();
        let mut own: Vec<&String> = variables.keys().collect();
        own.sort();
        assert_eq!(own, names, "{name}");
        for (parameter, shape) in &model.weights {
            let variable = variables.get_mut(parameter).expect("named");
            assert_eq!(variable.size(), *shape, "{name}: {parameter}");
            tch::no_grad(|| variable.copy_(&value(parameter, shape)));
            if parameter == "layers.0.weight" && model.features.iter().any(|given| given.padding.is_some()) {
                let _ = tch::no_grad(|| variable.narrow(0, 0, 1).zero_());
            }
        }
        let inputs = model.features.iter().map(|given| (given.name.clone(), rows(given, model.rows))).collect();
        let y = built.network.forward(&inputs, false).expect("a forward pass");
        compare(&name, &y, &model);
    }
}

/// The script shows all outputs of small models, and of others those at some places.
fn compare(name: &str, y: &Tensor, model: &Model) {
    let at = |row: i64, place: i64| y.get(row).get(place);
    let shown = match name {
        "vision/resnet18" => list(&y.slice(1, None, None, 50)),
        "text/bert_tiny" => list(&Tensor::stack(&[at(0, 9), at(0, 2), at(1, 6), at(2, 0)], 0).slice(1, None, None, 10)),
        "text/gpt_tiny" => list(&Tensor::stack(&[at(0, 9), at(0, 0), at(1, 6)], 0).slice(1, None, None, 10)),
        _ => list(y),
    };
    assert_eq!(shown.len(), model.y.len(), "{name}");
    for (found, expected) in shown.iter().zip(&model.y) {
        let scale = expected.abs().max(1.0);
        assert!((f64::from(*found) - expected).abs() <= 2e-5 * scale, "{name}: {shown:?} and {:?}", model.y);
    }
}

#[test]
fn every_model_of_the_standard_library_is_compared() {
    let compared: BTreeSet<String> = models().into_values().map(|model| format!("std/{}", model.module)).collect();
    let modules = kilter::manifest::stdlib::MODULES.iter();
    let models = modules.filter(|module| module.text.contains("kind = \"model\"")).map(|module| module.name.to_owned());
    assert_eq!(models.collect::<BTreeSet<_>>(), compared);
}
