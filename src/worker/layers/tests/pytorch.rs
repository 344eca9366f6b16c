//! Layers against PyTorch for Python: `tests/data/torch/layers.py` made the numbers.

use super::*;
use crate::tensors::TensorFile;
use std::path::Path;

/// One case of the file.
#[derive(serde::Deserialize)]
struct Case {
    layers: serde_json::Value,
    tokens: bool,
    starts: bool,
    flops: Option<u64>,
}

struct Reference {
    file: TensorFile,
    cases: BTreeMap<String, Case>,
}

fn reference() -> Reference {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/torch/layers.safetensors");
    let bytes = std::fs::read(&path).expect("the reference numbers");
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("safetensors");
    let cases = &header.metadata().as_ref().expect("metadata")["cases"];
    let cases = serde_json::from_str(cases).expect("cases");
    Reference { file: TensorFile::open(&path).expect("safetensors"), cases }
}

impl Reference {
    fn tensor(&self, case: &str, name: &str) -> Tensor {
        self.file.tensors().get(&format!("{case}/{name}")).unwrap_or_else(|| panic!("{case} has no {name}")).copy()
    }
}

fn network(case: &Case, x: &Tensor) -> Architecture {
    let sizes: Vec<u64> = x.size()[1..].iter().map(|size| *size as u64).collect();
    let mut input = feature("x", &sizes, if case.tokens { TensorType::I64 } else { TensorType::F32 });
    if case.tokens {
        (input.cardinality, input.padding) = (Some(Dim::Fixed(11)), Some(0));
    }
    Architecture::new(vec![input], Vec::new(), Join::Concat, layers(case.layers.clone()), None)
        .unwrap_or_else(|errors| panic!("{}: {errors:?}", case.layers))
}

#[track_caller]
fn same(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(found.size(), expected.size(), "{what}");
    let difference = (found - expected).abs().max().double_value(&[]);
    let scale = expected.abs().max().double_value(&[]).max(1.0);
    assert!(difference <= tolerance * scale, "{what}: differs by {difference:e} of {scale}");
}

#[test]
fn outputs_and_gradients_are_those_of_pytorch() {
    let _turn = seeded(8);
    let reference = reference();
    assert!(reference.cases.len() > 20);
    for (name, case) in &reference.cases {
        let x = reference.tensor(name, "x");
        let built = Built::new(&network(case, &x));
        for (parameter, mut variable) in built.variables() {
            let value = reference.tensor(name, &parameter);
            assert_eq!(variable.size(), value.size(), "{name}: {parameter}");
            tch::no_grad(|| variable.copy_(&value));
        }
        let y = built.forward(&x, false);
        same(name, &y, &reference.tensor(name, "y"), 2e-6);
        y.square().sum(Kind::Float).backward();
        for (parameter, variable) in built.variables() {
            let gradient = format!("grad.{parameter}");
            if variable.requires_grad() {
                let what = format!("{name}: {gradient}");
                same(&what, &variable.grad(), &reference.tensor(name, &gradient), 2e-5);
            }
        }
    }
}

#[test]
fn parameters_start_with_the_bits_of_pytorch() {
    let reference = reference();
    for (name, case) in reference.cases.iter().filter(|(_, case)| case.starts) {
        let architecture = network(case, &reference.tensor(name, "x"));
        let turn = seeded(0);
        let built = Built::new(&architecture);
        drop(turn);
        for (parameter, variable) in built.variables() {
            let expected = reference.tensor(name, &parameter);
            // The last bits of these are the processor's.
            if ["init_orthogonal", "init_trunc_normal", "numeric_embedding_periodic"].contains(&name.as_str()) {
                same(&format!("{name}: {parameter}"), &variable.detach(), &expected, 1e-6);
                continue;
            }
            assert!(variable.detach().equal(&expected), "{name}: {parameter}\n{variable:?}\n{expected:?}");
        }
    }
}

#[test]
fn operations_are_counted_as_pytorch_does() {
    let reference = reference();
    for (name, case) in &reference.cases {
        let Some(flops) = case.flops else { continue };
        let network = network(case, &reference.tensor(name, "x"));
        assert_eq!(network.infer().flops(), Some(flops), "{name}");
    }
}
