//! What `train` says before anything runs.

use super::{Train, TrainSpec};
use crate::diag::codes;
use crate::job::validation_metrics;
use crate::metrics::metric;
use crate::nn::higher_is_better;
use crate::nn::losses::Loss;
use crate::stage::testing::Bench;
use crate::stage::{CheckCx, CheckInput, Finding, Kind, Outputs};
use crate::stages::encode::Encode;
use crate::stages::table::testing::table_input;
use crate::types::{ArtifactType, DatasetType, Dim, FeatureType, ModelType, Shape, TargetType, Task, TensorType};
use polars::prelude::df;
use std::collections::BTreeMap;
use std::path::Path;

const GOOD: &str = "model = 'model'\ndata = 'encode.train'\nvalidate = 'encode.val'\nloss = 'cross_entropy'\n\
                    optimizer = 'adam'\nepochs = 3\n";

fn image(shape: &[u64]) -> FeatureType {
    FeatureType {
        name: "image".into(),
        shape: Shape::fixed(shape),
        dtype: TensorType::U8,
        scale: Some(255.0),
        cardinality: None,
        padding: None,
        columns: Vec::new(),
    }
}

fn dataset(shape: &[u64], task: Option<Task>) -> DatasetType {
    let target = task.map(|task| TargetType { name: "label".into(), task });
    DatasetType { features: vec![image(shape)], targets: target.into_iter().collect(), rows: Some(100), complete: true }
}

fn digits() -> DatasetType {
    let classes = (0..10).map(|digit| digit.to_string()).collect();
    dataset(&[1, 28, 28], Some(Task::Category { classes: Some(classes) }))
}

fn model(data: &DatasetType) -> ModelType {
    ModelType {
        inputs: data.features.clone(),
        output: Shape(vec![Dim::Fixed(10)]),
        target: data.only_target().cloned(),
        layers: 1,
        parameters: Some(7850),
        trained: false,
        network: None,
    }
}

fn check_with(text: &str, train: DatasetType, val: DatasetType) -> (Outputs, Vec<Finding>) {
    let inputs = BTreeMap::from([
        ("model".to_owned(), ArtifactType::Model(model(&digits()))),
        ("encode.train".to_owned(), ArtifactType::Dataset(train)),
        ("encode.val".to_owned(), ArtifactType::Dataset(val)),
    ]);
    let inputs = inputs.into_iter().map(|(name, ty)| (name, CheckInput { ty, files: None })).collect();
    let table: toml::Table = text.parse().expect("toml");
    let spec: TrainSpec = serde_json::from_value(serde_json::to_value(table).expect("json")).expect("a spec");
    let mut cx = CheckCx::new(&inputs, Path::new("/w"), Path::new("/w"));
    let outputs = Train::check(&spec, &mut cx);
    (outputs, cx.finish())
}

/// The one finding: code, place, message.
fn finding(more: &str, train: DatasetType) -> (&'static str, String, String) {
    let replaced: Vec<&str> = more.lines().filter_map(|line| line.split([' ', '.']).next()).collect();
    let base: Vec<&str> =
        GOOD.lines().filter(|line| !replaced.iter().any(|key| line.split([' ', '.']).next() == Some(key))).collect();
    let (_, findings) = check_with(&format!("{}\n{more}", base.join("\n")), train, digits());
    assert_eq!(findings.len(), 1, "{more}: {findings:#?}");
    let only = &findings[0];
    (only.diagnostic.code.id, crate::digest::dotted(&only.path), only.diagnostic.message.clone())
}

#[test]
fn a_good_stage_gives_a_trained_model_and_a_history() {
    let (outputs, findings) = check_with(GOOD, digits(), digits());
    assert!(findings.is_empty(), "{findings:#?}");
    let ArtifactType::Model(trained) = outputs.get("model").expect("a model") else { panic!("{outputs:?}") };
    assert!(trained.trained);
    let ArtifactType::Table(history) = outputs.get("history").expect("a table") else { panic!("{outputs:?}") };
    assert_eq!(history.names().collect::<Vec<_>>(), ["epoch", "loss", "lr", "val_loss", "val_accuracy"]);
    assert_eq!((history.rows, history.complete), (Some(3), true));
}

#[test]
fn what_does_not_fit_the_data_is_an_error_at_its_field() {
    let number = || dataset(&[1, 28, 28], Some(Task::Number { mean: None, std: None }));
    let (code, at, message) = finding("loss = 'mse'", digits());
    assert_eq!((code, at.as_str()), (codes::LOSS_TASK.id, "loss"));
    assert_eq!(message, "`mse` is a loss for `number` targets, and this target is `category`");
    let (code, at, _) = finding("loss = 'mse'", number());
    assert_eq!((code, at.as_str()), (codes::DATASETS_DIFFER.id, "data"));
    let (code, at, message) = finding("", dataset(&[1, 32, 32], digits().targets.pop().map(|target| target.task)));
    assert_eq!((code, at.as_str()), (codes::DATASETS_DIFFER.id, "data"));
    assert!(message.ends_with("`image` has shape [batch, 1, 32, 32], the model takes [batch, 1, 28, 28]"), "{message}");
    assert_eq!(finding("", dataset(&[1, 28, 28], None)).0, codes::NO_TARGET.id);
    assert_eq!(finding("validate = 'encode.train'", digits()).0, codes::VALIDATE_ON_TRAIN.id);
}

#[test]
fn a_class_may_count_nothing_and_not_all_of_them() {
    let weights = |classes: std::ops::Range<u32>| {
        let each: Vec<String> = classes.map(|class| format!("{class} = 0.0")).collect();
        format!("loss.cross_entropy.weight = {{ {} }}", each.join(", "))
    };
    let one = GOOD.replace("loss = 'cross_entropy'", &weights(3..4));
    assert!(check_with(&one, digits(), digits()).1.is_empty());
    let (code, at, message) = finding(&weights(0..10), digits());
    assert_eq!((code, at.as_str()), (codes::OUT_OF_RANGE.id, "loss.cross_entropy.weight"));
    assert_eq!(message, "at least one class has a weight above 0, found 0 for all 10");
}

#[test]
fn numbers_out_of_range_are_named_with_their_path() {
    let at = |more| finding(more, digits()).1;
    assert_eq!(at("epochs = 0"), "epochs");
    assert_eq!(at("optimizer.sgd = { momentum = 1.5 }"), "optimizer.sgd.momentum");
    assert_eq!(at("schedule.step = { gamma = -1.0 }"), "schedule.step.gamma");
    assert_eq!(at("loss.cross_entropy.label_smoothing = 1.0"), "loss.cross_entropy.label_smoothing");
    assert_eq!(at("clip = { norm = 0.0 }"), "clip");
    assert_eq!(at("schedule.cosine = { min_lr = 0.1 }"), "schedule.cosine.min_lr");
    assert_eq!(at("schedule.plateau = { min_lr = 0.1 }"), "schedule.plateau.min_lr");
    assert_eq!(at("augment = { shift = 28 }"), "augment.shift");
    let (_, at, message) = finding("batch_size = 512\ndrop_last = true", digits());
    assert_eq!(at, "batch_size");
    assert_eq!(message, "a batch of 512 is never full with 100 rows, and drop_last leaves it out");
}

#[test]
fn data_without_rows_is_told_before_anything_is_trained() {
    let empty = || DatasetType { rows: Some(0), ..digits() };
    let (_, findings) = check_with(GOOD, digits(), empty());
    let told: Vec<&str> = findings.iter().map(|finding| finding.diagnostic.message.as_str()).collect();
    assert_eq!(told, ["`encode.val` has no rows to validate on"]);
    assert_eq!(finding("", empty()).2, "`encode.train` has no rows to learn from");
}

#[test]
fn a_warm_up_ends_before_the_training_does() {
    let (code, at, message) = finding("schedule.constant = { warmup_epochs = 3.5 }", digits());
    assert_eq!((code, at.as_str()), (codes::WARM_UP.id, "schedule.constant.warmup_epochs"));
    assert_eq!(message, "a warm-up of 3.5 epochs does not end in a training of 3");
    for fine in ["constant = { warmup_epochs = 3 }", "one_cycle = {}", "linear = { warmup_epochs = 4, horizon = 4 }"] {
        let (_, findings) = check_with(&format!("{GOOD}schedule.{fine}"), digits(), digits());
        assert!(findings.is_empty(), "{fine}: {findings:#?}");
    }
}

#[test]
fn an_early_stop_watches_what_is_computed() {
    let (code, at, message) = finding("early_stop = { metric = 'val_acuracy' }", digits());
    assert_eq!((code, at.as_str()), (codes::EARLY_STOP.id, "early_stop.metric"));
    assert_eq!(message, "early_stop watches `val_acuracy`, which is not computed");
    let without = GOOD.replace("validate = 'encode.val'\n", "");
    let (_, findings) = check_with(&format!("{without}early_stop = {{}}"), digits(), digits());
    assert_eq!(findings[0].diagnostic.hints, ["name a dataset as `validate`: without one there is only `loss`"]);
}

#[test]
fn a_column_of_the_history_is_better_where_its_metric_is() {
    let tasks = [
        Task::Category { classes: None },
        Task::Binary { positive: "yes".into() },
        Task::Number { mean: None, std: None },
        Task::MultiLabel { labels: vec!["a".into()] },
        Task::NextToken { vocabulary: None },
    ];
    for task in tasks {
        let loss: Loss = serde_json::from_value(serde_json::json!(Loss::fitting(&task)[0])).expect("a loss");
        for column in validation_metrics(&task, &loss) {
            let metric = metric(column.trim_start_matches("val_")).expect("one that `evaluate` has too");
            assert_eq!(higher_is_better(column), metric.higher_is_better, "{column}");
        }
    }
    assert!(higher_is_better("val_pair_accuracy") && !higher_is_better("loss") && !higher_is_better("val_loss"));
}

#[test]
fn pictures_alone_are_augmented() {
    let mut table = digits();
    table.features[0].shape = Shape::fixed(&[12]);
    let (_, findings) = check_with(&format!("{GOOD}augment.flip = true"), table.clone(), table);
    assert!(findings.iter().any(|finding| finding.diagnostic.code == codes::AUGMENT));
}

/// A dataset that is standardised by its own rows: its type and files.
fn encoded(first: i32) -> (ArtifactType, Vec<(String, Vec<u8>)>) {
    let mut bench = Bench::default();
    let x: Vec<f64> = (first..first + 12).map(f64::from).collect();
    let y: Vec<&str> = (0..12).map(|row| ["a", "b", "a"][row % 3]).collect();
    table_input(&mut bench, "t", df!["x" => x, "y" => y].unwrap());
    let fields = "fit = 't'\nfeatures.x = { numeric = 'x', scale = 'standard' }\ntarget.y = 'category'";
    let produced = bench.run::<Encode>(fields).unwrap();
    let port = produced.ports.iter().find(|port| matches!(port.ty, ArtifactType::Dataset(_))).unwrap();
    (port.ty.clone(), bench.output(&port.port))
}

#[test]
fn data_of_another_encoder_is_no_data_for_the_model() {
    let mut bench = Bench::default();
    let mut give = |name: &str, ty: ArtifactType, files: &[(String, Vec<u8>)]| {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        bench.input(name, ty, &files);
    };
    let (ty, files) = encoded(0);
    let ArtifactType::Dataset(data) = ty.clone() else { panic!("{ty:?}") };
    let mut own: Vec<(String, Vec<u8>)> = files.iter().filter(|(name, _)| name == "encoder.json").cloned().collect();
    own.push(("architecture.json".to_owned(), b"{}".to_vec()));
    give("model", ArtifactType::Model(model(&data)), &own);
    give("one", ty, &files);
    let (ty, files) = encoded(40);
    give("other", ty, &files);
    let failure = |fields: &str| {
        let more = "model = 'model'\nloss = 'cross_entropy'\noptimizer = 'adam'\nepochs = 1";
        bench.run::<Train>(&format!("{more}\n{fields}")).expect_err(fields)
    };
    let said = failure("data = 'other'");
    assert_eq!(said.message, "`other` was encoded by another encoder than the one that `model` was made for");
    assert_eq!(said.at, Some(crate::path!["data"]));
    assert_eq!(failure("data = 'one'\nvalidate = 'other'").at, Some(crate::path!["validate"]));
    assert!(failure("data = 'one'\nvalidate = 'one'").message.contains("no worker"));
}
