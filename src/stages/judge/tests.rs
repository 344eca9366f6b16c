//! Tests of judging without a worker: rows are really encoded, and a linear model in plain Rust stands in for libtorch.

use super::*;
use crate::diag::codes;
use crate::job::{Job, JobResult};
use crate::stage::testing::Bench;
use crate::stage::{Finding, Produced, StageError};
use crate::stages::encode::{Encode, read_tensor};
use crate::types::{ArtifactType, ModelType, Shape};
use polars::prelude::*;
use safetensors::{Dtype, tensor::TensorView};
use std::path::Path;

fn parquet(mut frame: DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bytes
}

fn table(bench: &mut Bench, name: &str, frame: DataFrame) {
    let ty = ArtifactType::Table(crate::frame::schema_of(&frame));
    bench.input(name, ty, &[("table.parquet", &parquet(frame))]);
}

fn write_outputs(shape: Vec<usize>, outputs: &[f32], to: &Path) {
    let bytes: Vec<u8> = outputs.iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = TensorView::new(Dtype::F32, shape, &bytes).unwrap();
    safetensors::serialize_to_file([("output", &tensor)], None, to).unwrap();
}

/// The outputs of a linear model: `x` itself for one output, `x`, 0 and `-x` for three.
fn linear(job: &Job) -> Result<JobResult, StageError> {
    let Job::Predict(job) = job else { return Err(StageError::bug("only predictions")) };
    let width = std::fs::read_to_string(&job.architecture).unwrap().trim().parse::<usize>().unwrap();
    let (shape, x) = read_tensor(&job.data, "feature.x").unwrap();
    let outputs = x.iter().flat_map(|x| if width == 1 { vec![*x as f32] } else { vec![*x as f32, 0.0, -*x as f32] });
    write_outputs(vec![shape[0], width], &outputs.collect::<Vec<_>>(), &job.out);
    Ok(JobResult::default())
}

/// A bench with 60 rows of `x` and the targets `kind` (3 classes), `late` (bool) and `delay`, split in half, encoded
/// for one target, and a model for it.
fn bench(target: &str) -> Bench {
    let mut bench = Bench::default();
    bench.worker = Some(linear);
    let rows = |start: i64| {
        let x: Vec<f64> = (start..start + 30).map(|i| ((i * 37) % 61) as f64 / 10.0 - 3.0).collect();
        let noise = |x: &f64| ((x * 100.0) as i64 % 7) as f64 / 3.0 - 1.0;
        let kind: Vec<&str> = x
            .iter()
            .map(|v| v + noise(v))
            .map(|v| {
                if v > 0.6 {
                    "a"
                } else if v > -0.6 {
                    "b"
                } else {
                    "c"
                }
            })
            .collect();
        let late: Vec<bool> = x.iter().map(|v| v + noise(v) > 0.0).collect();
        let delay: Vec<f64> = x.iter().map(|v| 10.0 * v + noise(v)).collect();
        df!["id" => (start..start + 30).collect::<Vec<_>>(), "x" => x, "kind" => kind, "late" => late, "delay" => delay]
            .unwrap()
    };
    table(&mut bench, "split.train", rows(0));
    table(&mut bench, "split.test", rows(30));
    let fields = format!("fit = 'split.train'\napply = ['split.test']\nfeatures.x = 'numeric'\ntarget.{target}");
    let produced = bench.run::<Encode>(&fields).unwrap();
    let mut datasets = Vec::new();
    for port in ["train", "test"] {
        let ty = produced.ports.iter().find(|p| p.port == port).unwrap().ty.clone();
        datasets.push((format!("encode.{port}"), ty, bench.output(port)));
    }
    let ArtifactType::Dataset(dataset) = datasets[0].1.clone() else { panic!() };
    for (name, ty, files) in &datasets {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        bench.input(name, ty.clone(), &files);
    }
    let task = dataset.only_target().cloned().unwrap().task;
    let width = if task.name() == "category" { 3 } else { 1 };
    let model = |trained| {
        ArtifactType::Model(ModelType {
            inputs: dataset.features.clone(),
            output: Shape::fixed(&[width]),
            target: dataset.only_target().cloned(),
            layers: 1,
            parameters: Some(2),
            trained,
            network: None,
        })
    };
    let encoder = datasets[0].2.iter().find(|(name, _)| name == "encoder.json").unwrap().1.clone();
    let width = width.to_string();
    let files: [(&str, &[u8]); 3] =
        [("architecture.json", width.as_bytes()), ("encoder.json", &encoder), ("model.safetensors", b"")];
    bench.input("train.model", model(true), &files);
    bench.input("model", model(false), &files[..2]);
    bench
}

fn evaluate(bench: &Bench, fields: &str) -> Result<Produced, StageError> {
    bench.run::<Evaluate>(&format!("model = 'train.model'\ndata = 'encode.test'\n{fields}"))
}

fn codes_of(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.diagnostic.code.id).collect()
}

fn read_back(bench: &Bench, port: &str) -> DataFrame {
    let (_, bytes) = bench.output(port).into_iter().find(|(name, _)| name == "table.parquet").unwrap();
    ParquetReader::new(std::io::Cursor::new(bytes)).finish().unwrap()
}

#[test]
fn a_classifier_is_judged_with_intervals_gates_and_plots() {
    let bench = bench("kind = 'category'");
    let fields = "metrics = ['accuracy', 'f1_macro', 'log_loss', 'roc_auc']\nrequire.accuracy = { min = 0.5 }\nrequire.log_loss = { max = 0.01 }";
    let produced = evaluate(&bench, fields).unwrap();
    assert!(produced.summary.starts_with("accuracy 0."), "{}", produced.summary);
    assert!(produced.summary.contains("(95 % CI 0."), "{}", produced.summary);
    assert!(produced.summary.ends_with("gate accuracy >= 0.5 holds · gate log_loss <= 0.01 does not hold"));
    assert_eq!(produced.gates.iter().map(|gate| gate.holds).collect::<Vec<_>>(), [true, false]);
    let (_, json) = bench.output("metrics").remove(0);
    let file: MetricsFile = serde_json::from_slice(&json).unwrap();
    assert_eq!((file.rows, file.classes.len()), (30, 3));
    let right: u64 = (0..3).map(|class| file.confusion[class][class]).sum();
    assert_eq!(file.metrics["accuracy"].value, Some(right as f64 / 30.0));
    assert_eq!(produced.metrics["accuracy"], right as f64 / 30.0);
    let plots: Vec<String> = bench.output("report").into_iter().map(|(name, _)| name).collect();
    assert_eq!(plots, ["calibration.svg", "confusion.svg", "roc.svg"]);
    let predictions = read_back(&bench, "predictions");
    assert_eq!(predictions.get_column_names(), ["row", "target", "prediction", "probability", "p_a", "p_b", "p_c"]);
    let again = evaluate(&bench, fields).unwrap();
    assert_eq!(again.metrics, produced.metrics);
    assert_eq!(bench.output("metrics").remove(0).1, json, "the same bytes each time");
}

#[test]
fn predicted_types_are_those_of_the_run() {
    for (target, metric) in
        [("kind = 'category'", "accuracy"), ("late = 'binary'", "roc_auc"), ("delay = 'number'", "r2")]
    {
        let bench = bench(target);
        let fields = format!("model = 'train.model'\ndata = 'encode.test'\nmetrics = ['{metric}']");
        let (outputs, findings) = bench.check::<Evaluate>(&fields);
        assert!(findings.is_empty(), "{findings:?}");
        let produced = bench.run::<Evaluate>(&fields).unwrap();
        for port in &produced.ports {
            assert_eq!(outputs.get(&port.port), Some(&port.ty), "{target} {}", port.port);
        }
        assert!(produced.metrics[metric] > 0.5, "{target}: {:?}", produced.metrics);
        let fields = "model = 'train.model'\ndata = 'split.test'\nkeep = ['id']";
        let (outputs, findings) = bench.check::<Predict>(fields);
        assert!(findings.is_empty(), "{findings:?}");
        let produced = bench.run::<Predict>(fields).unwrap();
        assert_eq!(outputs.get("table"), Some(&produced.ports[0].ty));
    }
}

#[test]
fn numbers_are_judged_in_their_unit() {
    let bench = bench("delay = 'number'");
    let produced = evaluate(&bench, "metrics = ['rmse', 'mae', 'r2']").unwrap();
    assert!(produced.metrics["r2"] > 0.99 && produced.metrics["mae"] < 2.0, "{:?}", produced.metrics);
    let plots: Vec<String> = bench.output("report").into_iter().map(|(name, _)| name).collect();
    assert_eq!(plots, ["predictions.svg", "residuals.svg"]);
}

#[test]
fn raw_rows_get_the_answers_that_the_dataset_gets() {
    let bench = bench("kind = 'category'");
    evaluate(&bench, "metrics = ['accuracy']").unwrap();
    let judged = read_back(&bench, "predictions");
    bench.run::<Predict>("model = 'train.model'\ndata = 'split.test'\nkeep = 'id'").unwrap();
    let predicted = read_back(&bench, "table");
    assert_eq!(predicted.get_column_names(), ["id", "prediction", "probability", "p_a", "p_b", "p_c"]);
    for name in ["prediction", "probability", "p_a", "p_c"] {
        assert_eq!(judged.column(name).unwrap(), predicted.column(name).unwrap(), "{name}");
    }
}

#[test]
fn logits_stand_behind_the_probabilities_and_sort_what_these_do_not() {
    let mut bench = bench("kind = 'category'");
    table(&mut bench, "far", df!["x" => [900.0, 600.0, 800.0]].unwrap());
    bench.run::<Predict>("model = 'train.model'\ndata = 'far'\nlogits = true").unwrap();
    let predicted = read_back(&bench, "table");
    let names = ["prediction", "probability", "p_a", "p_b", "p_c", "logit", "logit_a", "logit_b", "logit_c"];
    assert_eq!(predicted.get_column_names(), names);
    let values = |name: &str| predicted.column(name).unwrap().f64().unwrap().to_vec();
    assert_eq!(values("probability"), [Some(1.0); 3]);
    let logit = values("logit");
    assert!(logit[0] > logit[2] && logit[2] > logit[1], "{logit:?}");
    assert_eq!(logit, values("logit_a"));
    assert_eq!(values("logit_b"), logit.iter().map(|logit| logit.map(|logit| -logit)).collect::<Vec<_>>());
}

#[test]
fn a_number_has_no_logit() {
    let bench = bench("delay = 'number'");
    let (_, findings) = bench.check::<Predict>("model = 'train.model'\ndata = 'split.test'\nlogits = true");
    assert_eq!(codes_of(&findings), [codes::CONFLICT.id]);
}

#[test]
fn an_empty_table_is_predicted_and_not_judged() {
    let mut bench = bench("kind = 'category'");
    table(&mut bench, "none", df!["x" => Vec::<f64>::new()].unwrap());
    bench.run::<Predict>("model = 'train.model'\ndata = 'none'").unwrap();
    assert_eq!(read_back(&bench, "table").shape(), (0, 5));
    let empty = bench.inputs.get_mut("encode.test").unwrap();
    let ArtifactType::Dataset(dataset) = &mut empty.ty else { panic!("{:?}", empty.ty) };
    dataset.rows = Some(0);
    let (_, findings) = bench.check::<Evaluate>("model = 'train.model'\ndata = 'encode.test'\nmetrics = ['accuracy']");
    assert_eq!(codes_of(&findings), [codes::BAD_DATA.id]);
    assert_eq!(findings[0].diagnostic.message, "`encode.test` has no rows to judge on");
}

#[test]
fn another_encoder_is_refused() {
    let mut bench = bench("kind = 'category'");
    let mut files = bench.inputs["encode.test"].files.clone();
    let other = bench
        .file("encoder.json", std::fs::read_to_string(&files[2].path).unwrap().replace("\"scale\": ", "\"scale\": 1"));
    assert_eq!(files[2].name, "encoder.json");
    files[2].path = other;
    bench.inputs.get_mut("encode.test").unwrap().files = files;
    let failure = evaluate(&bench, "metrics = ['accuracy']").unwrap_err();
    assert!(failure.message.contains("another encoder"), "{failure}");
}

#[test]
fn rankings_without_anything_to_rank_are_not_judged() {
    let bench = bench("late = 'binary'");
    // No two rows have the same `x`.
    let fields = "metrics = ['roc_auc', 'ndcg']\nranking = { by = ['x'] }";
    let produced = evaluate(&bench, fields).unwrap();
    assert!(produced.summary.contains("NDCG@10 not defined on these rows"), "{}", produced.summary);
    assert!(produced.summary.ends_with("over 0 rankings"), "{}", produced.summary);
    assert_eq!(produced.metrics.keys().collect::<Vec<_>>(), ["roc_auc"]);
    let failure = evaluate(&bench, &format!("{fields}\nrequire.ndcg = {{ min = 0.5 }}")).unwrap_err();
    assert!(failure.message.starts_with("`ndcg` is not defined on these rows"), "{failure}");
}

#[test]
fn nan_outputs_are_a_failure_with_a_reason() {
    let mut bench = bench("delay = 'number'");
    bench.worker = Some(|job| {
        let Job::Predict(job) = job else { panic!() };
        write_outputs(vec![30, 1], &[vec![0.0; 7], vec![f32::NAN; 23]].concat(), &job.out);
        Ok(JobResult::default())
    });
    let failure = evaluate(&bench, "metrics = ['mae']").unwrap_err();
    assert_eq!(failure.message, "the model gives NaN for row 8");
}

#[test]
fn every_mistake_is_found_before_anything_runs() {
    let bench = bench("kind = 'category'");
    let check = |fields: &str| {
        let known = ["model", "data"].map(|key| {
            let value = if key == "model" { "train.model" } else { "encode.test" };
            if fields.lines().any(|line| line.starts_with(&format!("{key} ="))) {
                String::new()
            } else {
                format!("{key} = '{value}'\n")
            }
        });
        codes_of(&bench.check::<Evaluate>(&format!("{}{fields}", known.concat())).1)
    };
    assert_eq!(check("metrics = ['acuracy']"), [codes::UNKNOWN_METRIC.id]);
    assert_eq!(check("metrics = ['rmse']"), [codes::METRIC_TASK.id]);
    assert_eq!(check("metrics = ['f1']"), [codes::METRIC_TASK.id]);
    assert_eq!(check("metrics = []"), [codes::OUT_OF_RANGE.id]);
    assert_eq!(check("metrics = ['accuracy']\nrequire.f1_macro = { min = 0.5 }"), [codes::GATE_METRIC.id]);
    assert_eq!(check("metrics = ['accuracy']\nrequire.accuracy = {}"), [codes::MISSING_FIELD.id]);
    assert_eq!(check("metrics = ['accuracy']\nrequire.accuracy = { min = 92.8 }"), [codes::OUT_OF_RANGE.id]);
    assert_eq!(check("metrics = ['accuracy']\nrequire.accuracy = { min = 0.9, max = 0.8 }"), [codes::OUT_OF_RANGE.id]);
    assert_eq!(check("model = 'model'\nmetrics = ['accuracy']"), [codes::UNTRAINED.id]);
    assert_eq!(check("metrics = ['accuracy']\nthreads = 0"), [codes::OUT_OF_RANGE.id]);
    assert_eq!(check("data = 'split.test'\nmetrics = ['accuracy']"), [codes::WRONG_ARTIFACT.id]);
}

#[test]
fn predict_wants_the_columns_of_the_model() {
    let mut bench = bench("kind = 'category'");
    table(&mut bench, "other", df!["xx" => [1.0]].unwrap());
    table(&mut bench, "text", df!["x" => ["1"], "probability" => [1.0]].unwrap());
    let check = |fields: &str| codes_of(&bench.check::<Predict>(&format!("model = 'train.model'\n{fields}")).1);
    assert_eq!(check("data = 'other'"), [codes::UNKNOWN_COLUMN.id]);
    assert_eq!(check("data = 'split.test'\nkeep = 'idd'"), [codes::UNKNOWN_COLUMN.id]);
    assert_eq!(check("data = 'text'\nkeep = 'probability'"), [codes::DUPLICATE_COLUMN.id]);
    assert_eq!(codes_of(&bench.check::<Predict>("model = 'model'\ndata = 'split.test'").1), [codes::UNTRAINED.id]);
}
