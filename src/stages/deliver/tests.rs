//! Tests of releases: what lies in one, that it is the same each time, that it reads back, and what is refused.

use super::*;
use crate::diag::codes;
use crate::nn::Architecture;
use crate::stage::testing::{Bench, fields};
use crate::stages::encode::{EncodeSpec, Encoder};
use crate::stages::judge::{METRICS_VERSION, MetricsFile};
use crate::types::{ArtifactType, DatasetType, ModelType, Shape};
use polars::prelude::*;
use std::collections::BTreeMap;

/// A bench with a trained model `train.model` and the metrics `evaluate.metrics`, whose gate holds or not.
fn bench(holds: bool) -> Bench {
    let mut bench = Bench::default();
    let spec: EncodeSpec = serde_json::from_value(fields(
        "fit = 'a'\nfeatures.size = { numeric = 'size' }\nfeatures.place = 'category'\nfeatures.when = 'time'\ntarget.kind = 'category'",
    ))
    .unwrap();
    let frame = df![
        "size" => [1.0, 2.5, 4.0],
        "place" => ["n", "s", "n"],
        "when" => [19_000, 19_400, 19_800],
        "kind" => ["x", "y", "x"],
    ];
    let frame = frame.unwrap().lazy().with_column(col("when").cast(DataType::Date)).collect().unwrap();
    let encoder = Encoder::fit(&spec, &frame).unwrap();
    let DatasetType { features, mut targets, .. } = encoder.dataset_type(None, true);
    let target = targets.pop();
    let architecture = Architecture {
        inputs: features.clone(),
        towers: Vec::new(),
        join: crate::nn::Join::Concat,
        layers: serde_json::from_value(serde_json::json!([{ "linear": 2 }])).unwrap(),
        output: Shape::fixed(&[2]),
        target: target.clone(),
        base: None,
    };
    let network = serde_json::to_value(&architecture).ok();
    let json = |value: String| value.into_bytes();
    let architecture = json(serde_json::to_string(&architecture).unwrap());
    let encoder = json(serde_json::to_string(&encoder).unwrap());
    let ty = |trained| {
        let (inputs, target) = (features.clone(), target.clone());
        ArtifactType::Model(ModelType {
            inputs,
            output: Shape::fixed(&[2]),
            target,
            layers: 1,
            parameters: Some(8),
            trained,
            network: network.clone(),
        })
    };
    let files: [(&str, &[u8]); 3] =
        [("architecture.json", &architecture), ("encoder.json", &encoder), ("model.safetensors", b"weights")];
    bench.input("train.model", ty(true), &files);
    bench.input("model", ty(false), &files[..2]);
    let gate = crate::stage::GateResult { metric: "accuracy".to_owned(), value: 0.9, min: Some(0.8), max: None, holds };
    let accuracy = crate::stages::judge::MetricValue {
        title: "accuracy".to_owned(),
        value: Some(0.9),
        low: Some(0.85),
        high: Some(0.94),
        method: None,
        higher_is_better: Some(true),
    };
    let metrics = MetricsFile {
        version: METRICS_VERSION,
        task: "category".to_owned(),
        target: "kind".to_owned(),
        rows: 200,
        metrics: BTreeMap::from([("accuracy".to_owned(), accuracy)]),
        gates: vec![gate],
        ..MetricsFile::default()
    };
    let metrics = json(serde_json::to_string(&metrics).unwrap());
    bench.input("evaluate.metrics", ArtifactType::Metrics, &[("metrics.json", &metrics)]);
    bench
}

const FIELDS: &str = "model = 'train.model'\nevidence = ['evaluate.metrics']\nlicense = 'Apache-2.0'\ntitle = 'Kinds'\ndescription = 'Tells kinds apart.'\ndatasets = [{ name = 'a | b', license = 'CC0-1.0', source = 'here' }]";

/// Writes what was released into the workspace, as `model/`.
fn unpack(bench: &Bench) {
    for (name, bytes) in bench.output("bundle") {
        bench.file(&format!("model/{name}"), bytes);
    }
}

#[test]
fn a_release_is_whole_and_the_same_each_time() {
    let bench = bench(true);
    let produced = bench.run::<Release>(FIELDS).unwrap();
    assert_eq!(produced.summary, "Apache-2.0 · model.safetensors 7 B · card · provenance");
    let first = bench.output("bundle");
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    let expected =
        ["LICENSE", "README.md", "SHA256SUMS", "config.json", "metrics.json", "model.safetensors", "provenance.json"];
    assert_eq!(names, expected);
    bench.run::<Release>(FIELDS).unwrap();
    assert_eq!(bench.output("bundle"), first);
    let text =
        |name: &str| String::from_utf8(first.iter().find(|(found, _)| found == name).unwrap().1.clone()).unwrap();
    assert!(text("LICENSE").contains("Version 2.0, January 2004"));
    let card = text("README.md");
    for part in [
        "license: apache-2.0",
        "# Kinds",
        "Tells kinds apart.",
        "| accuracy | 0.900 | 0.850–0.940 | higher |",
        "a \\| b",
        "`size`",
        "format = \"csv\"\ntypes = { when = \"date\" }   # or what they were in training",
        "one of 2 classes, `x`, `y`",
        "Gate: accuracy >= 0.8 holds.",
    ] {
        assert!(card.contains(part), "{part} is not in\n{card}");
    }
    let provenance: serde_json::Value = serde_json::from_str(&text("provenance.json")).unwrap();
    let digest = bench.inputs["train.model"].digest.to_string();
    assert_eq!(provenance["inputs"]["train.model"]["digest"], digest);
}

#[test]
fn sha256sum_agrees() {
    let bench = bench(true);
    bench.run::<Release>(FIELDS).unwrap();
    let folder = bench.place("staging").join("bundle");
    let run =
        std::process::Command::new("sha256sum").args(["--strict", "-c", "SHA256SUMS"]).current_dir(folder).output();
    let Ok(run) = run else { return };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(String::from_utf8_lossy(&run.stdout).lines().count(), 6);
}

#[test]
fn a_broken_gate_refuses_the_release() {
    let failure = bench(false).run::<Release>(FIELDS).unwrap_err();
    assert_eq!(failure.message, "a gate of `evaluate.metrics` does not hold: accuracy >= 0.8 does not hold");
}

#[test]
fn licences_are_checked_and_filled_in() {
    let bench = bench(true);
    let check = |license: &str| {
        let (_, findings) = bench.check::<Release>(&format!("model = 'train.model'\n{license}"));
        findings.into_iter().map(|finding| (finding.diagnostic.code.id, finding.diagnostic.hints)).collect::<Vec<_>>()
    };
    assert_eq!(check("license = 'MIT'\nauthors = ['Ada']"), []);
    assert_eq!(check("license = 'MIT'")[0].0, codes::MISSING_FIELD.id);
    let (code, hints) = check("license = 'Apache2'").remove(0);
    assert_eq!((code, hints[0].as_str()), (codes::LICENSE.id, "did you mean `Apache-2.0`?"));
    bench.file("OPL.txt", "Open Pipe License");
    assert_eq!(check("license = 'OPL-1'\nlicense_file = 'OPL.txt'"), []);
    assert_eq!(check("license = 'OPL-1'\nlicense_file = 'OPL.tx'")[0].0, codes::NO_FILE.id);
    bench.run::<Release>("model = 'train.model'\nlicense = 'OPL-1'\nlicense_file = 'OPL.txt'").unwrap();
    assert_eq!(bench.output("bundle")[0], ("LICENSE".to_owned(), b"Open Pipe License".to_vec()));
    let (_, findings) = bench.check::<Release>("model = 'model'\nlicense = 'CC0-1.0'");
    assert_eq!(findings[0].diagnostic.code.id, codes::UNTRAINED.id);
    let (_, findings) =
        bench.check::<Release>("model = 'train.model'\nlicense = 'CC0-1.0'\nevidence = ['train.model']");
    assert_eq!(findings[0].diagnostic.code.id, codes::WRONG_ARTIFACT.id);
}

#[test]
fn a_release_reads_back_as_the_model_that_it_was() {
    let bench = bench(true);
    bench.run::<Release>(FIELDS).unwrap();
    unpack(&bench);
    let (outputs, findings) = bench.check::<Bundle>("files = 'model/*'");
    assert!(findings.is_empty(), "{findings:?}");
    let produced = bench.run::<Bundle>("files = 'model/*'").unwrap();
    assert_eq!(outputs.get("model"), Some(&bench.inputs["train.model"].ty));
    assert_eq!(produced.ports[0].ty, bench.inputs["train.model"].ty);
    let read = bench.output("model");
    let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["architecture.json", "encoder.json", "model.safetensors"]);
    for (file, (name, bytes)) in bench.inputs["train.model"].files.iter().zip(&read) {
        let before = std::fs::read(&file.path).unwrap();
        let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
        assert_eq!(value(&before), value(bytes), "{name}");
    }
}

#[test]
fn a_changed_or_partial_release_is_refused() {
    let bench = bench(true);
    bench.run::<Release>(FIELDS).unwrap();
    unpack(&bench);
    bench.file("model/model.safetensors", "weighty");
    let failure = bench.run::<Bundle>("files = 'model/*'").unwrap_err();
    assert_eq!(failure.message, "`model.safetensors` is not the file that was released");
    let code = |files: &str| bench.check::<Bundle>(&format!("files = '{files}'")).1[0].diagnostic.code.id;
    assert_eq!(code("model/*.json"), codes::NO_FILE.id);
    assert_eq!(code("modle/*"), codes::EMPTY_GLOB.id);
    bench.file("model/config.json", "{}");
    assert_eq!(code("model/*"), codes::BAD_DATA.id);
}
