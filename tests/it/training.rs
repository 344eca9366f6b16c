//! What training does with fields and with data, in the worker: parts of a step, precision, averages, and data that cannot be
//! learnt from.

use crate::worker::{SETTING, Worker, architecture, done, failed, feature, four, job, quarters};
use kilter::job::{Accumulate, EarlyStop, Ema, Job, Precision, TrainJob, WorkerEvent};
use kilter::nn::{Architecture, Join, Tower};
use kilter::types::{Dim, FeatureType, Shape, TargetType, Task, TensorType};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::json;
use std::path::Path;

/// A training without anything that draws random numbers or looks at a batch as a whole.
fn plain(folder: &Path) -> TrainJob {
    let layers = json!([
        { "conv2d": { "in": 1, "out": 6, "kernel": 3 } }, "relu", "flatten", { "linear": { "in": 216, "out": 4 } },
    ]);
    // Before the network, which takes the place of its own.
    let base = job(folder);
    TrainJob {
        architecture: architecture(folder, feature("image", &[1, 8, 8], TensorType::U8), layers, 4, four()),
        schedule: serde_json::from_value(json!("constant")).expect("a schedule"),
        augment: None,
        ..base
    }
}

fn run(worker: &mut Worker, folder: &Path, job: TrainJob) -> Vec<WorkerEvent> {
    worker.run(folder, Job::Train(Box::new(job)))
}

fn weights(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("weights");
    let tensors = SafeTensors::deserialize(&bytes).expect("weights");
    let mut names = tensors.names();
    names.sort();
    let floats = names.into_iter().flat_map(|name| tensors.tensor(name).expect("a tensor").data().to_vec());
    let floats: Vec<u8> = floats.collect();
    floats.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("four bytes"))).collect()
}

fn apart(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_step_in_parts_is_the_step_up_to_rounding() {
    let folder = tempfile::tempdir().expect("folder");
    let mut worker = Worker::start(SETTING);
    let mut train = |job: TrainJob| {
        let events = run(&mut worker, folder.path(), job.clone());
        (done(&events)["loss"], weights(&job.out))
    };
    let weighted = serde_json::from_value(json!({ "cross_entropy": { "weight": { "a": 3.0 } } })).expect("a loss");
    // Momentum alone: Adam's first steps would make much of a rounding.
    let optimizer = serde_json::from_value(json!({ "sgd": { "lr": 0.05, "momentum": 0.9 } })).expect("an optimizer");
    let whole = TrainJob { loss: weighted, optimizer, ..plain(folder.path()) };
    let (loss, once) = train(whole.clone());
    for parts in [2, 5, 32] {
        let (in_parts, weights) = train(TrainJob { accumulate: Accumulate::Parts(parts), ..whole.clone() });
        assert!((loss - in_parts).abs() < 1e-5 && apart(&once, &weights) < 1e-4, "{parts}: {}", apart(&once, &weights));
    }
    // Half of the rows is another step.
    let (_, other) = train(TrainJob { batch_size: 16, ..whole });
    assert!(apart(&once, &other) > 1e-2);
}

#[test]
fn fewer_bits_learn_the_same_and_repeat_bit_for_bit() {
    let folder = tempfile::tempdir().expect("folder");
    let mut worker = Worker::start(SETTING);
    let mut train = |precision| {
        let job = TrainJob { precision, epochs: 5, ..plain(folder.path()) };
        let events = run(&mut worker, folder.path(), job.clone());
        (done(&events)["val_accuracy"], std::fs::read(job.out).expect("weights"))
    };
    let full = train(Precision::F32);
    for precision in [Precision::Bf16, Precision::F16] {
        let (accuracy, bytes) = train(precision);
        assert!(accuracy > full.0 - 0.05, "{precision:?}: {accuracy}, in 32 bits {}", full.0);
        assert!(bytes != full.1, "{precision:?}");
        assert_eq!(train(precision).1, bytes, "{precision:?}");
    }
}

#[test]
fn an_average_of_the_weights_is_judged_and_is_the_result() {
    let folder = tempfile::tempdir().expect("folder");
    let mut worker = Worker::start(SETTING);
    let mut train = |ema| {
        let job = TrainJob { ema, epochs: 2, ..plain(folder.path()) };
        let events = run(&mut worker, folder.path(), job.clone());
        (done(&events)["val_loss"], weights(&job.out))
    };
    let (last_loss, last) = train(None);
    let (slow_loss, slow) = train(Some(Ema { decay: 0.999 }));
    let (quick_loss, quick) = train(Some(Ema { decay: 1e-6 }));
    // One that forgets at once is the last weights; one that hardly moves is where training began.
    assert!(apart(&last, &quick) < 1e-5 && (last_loss - quick_loss).abs() < 1e-5);
    assert!(apart(&last, &slow) > 1e-2 && slow_loss > last_loss);
}

#[test]
fn norms_of_every_layer_make_up_the_whole() {
    let folder = tempfile::tempdir().expect("folder");
    let job = TrainJob { gradient_norms: true, epochs: 1, ..plain(folder.path()) };
    let events = run(&mut Worker::start(SETTING), folder.path(), job);
    let of = |wanted: u64| {
        let all = events.iter().find_map(|event| match event {
            WorkerEvent::Trace { step, grad_norm, .. } if *step == wanted => *grad_norm,
            _ => None,
        });
        let layers = events.iter().find_map(|event| match event {
            WorkerEvent::Gradients { step, norms, .. } if *step == wanted => Some(norms.clone()),
            _ => None,
        });
        (all.expect("a norm"), layers.expect("norms"))
    };
    for step in [1, 5, 10] {
        let (all, layers) = of(step);
        assert_eq!(layers.keys().collect::<Vec<_>>(), ["layers.0", "layers.3"]);
        let together = layers.values().map(|norm| norm.expect("finite").powi(2)).sum::<f32>().sqrt();
        assert!((all - together).abs() < 1e-4 * all, "step {step}: {all}, of layers {together}");
    }
}

/// Rewrites the data with other labels, or other pixels as numbers.
fn with_labels(path: &Path, rows: usize, labels: &[i64]) {
    quarters(path, rows);
    let bytes = std::fs::read(path).expect("data");
    let tensors = SafeTensors::deserialize(&bytes).expect("data");
    let pixels = tensors.tensor("feature.image").expect("pixels").data().to_vec();
    let labels: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    let tensors = [
        ("feature.image", TensorView::new(Dtype::U8, vec![rows, 1, 8, 8], &pixels).expect("a tensor")),
        ("target.label", TensorView::new(Dtype::I64, vec![rows], &labels).expect("a tensor")),
    ];
    std::fs::write(path, safetensors::serialize(tensors, None).expect("serialised")).expect("written");
}

#[test]
fn labels_out_of_range_and_empty_parts_are_told_before_a_step() {
    let folder = tempfile::tempdir().expect("folder");
    let mut worker = Worker::start(SETTING);
    let job = plain(folder.path());
    with_labels(&job.data, 40, &[[0_i64; 39].as_slice(), &[4]].concat());
    let events = run(&mut worker, folder.path(), job.clone());
    assert_eq!(failed(&events).0, "row 40 of the training data has the label 4, and the network has 4 outputs");
    assert!(failed(&events).1[0].contains("there are 4 classes"), "{events:?}");
    let validation = folder.path().join("validation.safetensors");
    quarters(&job.data, 40);
    with_labels(&validation, 3, &[0, -1, 1]);
    let validated = TrainJob { validate: Some(validation.clone()), ..job.clone() };
    let events = run(&mut worker, folder.path(), validated.clone());
    assert!(failed(&events).0.starts_with("row 2 of the validation data has the label -1"), "{events:?}");
    quarters(&validation, 0);
    let events = run(&mut worker, folder.path(), validated);
    assert_eq!(failed(&events).0, "the validation data has no rows");
    quarters(&job.data, 0);
    let events = run(&mut worker, folder.path(), TrainJob { validate: None, ..job.clone() });
    assert_eq!(failed(&events).0, "0 rows make no batch of 32");
    quarters(&job.data, 20);
    let events = run(&mut worker, folder.path(), TrainJob { validate: None, drop_last: true, ..job.clone() });
    assert_eq!(failed(&events).0, "20 rows make no batch of 32");
    assert!(!job.out.exists());
}

#[test]
fn weights_of_another_network_are_refused_by_the_name_of_the_tensor() {
    let folder = tempfile::tempdir().expect("folder");
    let mut worker = Worker::start(SETTING);
    let first = plain(folder.path());
    done(&run(&mut worker, folder.path(), TrainJob { epochs: 1, ..first.clone() }));
    let began = folder.path().join("weights.safetensors");
    std::fs::rename(&first.out, &began).expect("renamed");
    for (layers, told) in [
        (
            json!([{ "conv2d": { "in": 1, "out": 5, "kernel": 3 } }, "relu", "flatten", { "linear": { "in": 180, "out": 4 } }]),
            "`layers.0.bias` has shape [6], expected [5]",
        ),
        (json!(["flatten", { "linear": { "in": 64, "out": 4 } }]), "the network has no weights `layers.0.bias`"),
        (
            json!([
                { "conv2d": { "in": 1, "out": 6, "kernel": 3 } }, "relu", "flatten", { "linear": { "in": 216, "out": 4 } },
                { "linear": { "in": 4, "out": 4 } },
            ]),
            "the weights `layers.4.bias` are missing",
        ),
    ] {
        architecture(folder.path(), feature("image", &[1, 8, 8], TensorType::U8), layers, 4, four());
        let events = run(&mut worker, folder.path(), TrainJob { weights: Some(began.clone()), ..first.clone() });
        assert!(failed(&events).0.contains("weights.safetensors") && failed(&events).0.ends_with(told), "{events:?}");
        assert!(failed(&events).1[0].starts_with("they are the weights of another architecture"), "{events:?}");
    }
}

#[test]
fn a_feature_that_is_no_number_is_named_with_its_rows() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("numbers.safetensors");
    let mut numbers = vec![0.5_f32; 64 * 3];
    numbers[3 * 17 + 1] = f32::INFINITY;
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let labels: Vec<u8> = (0..64_i64).flat_map(|row| (row % 4).to_le_bytes()).collect();
    let tensors = [
        ("feature.x", TensorView::new(Dtype::F32, vec![64, 3], &bytes).expect("a tensor")),
        ("target.label", TensorView::new(Dtype::I64, vec![64], &labels).expect("a tensor")),
    ];
    std::fs::write(&data, safetensors::serialize(tensors, None).expect("serialised")).expect("written");
    let layers = json!([{ "linear": { "in": 3, "out": 4 } }]);
    let base = plain(folder.path());
    let job = TrainJob {
        architecture: architecture(folder.path(), feature("x", &[3], TensorType::F32), layers, 4, four()),
        data,
        validate: None,
        shuffle: false,
        batch_size: 16,
        ..base
    };
    let events = run(&mut Worker::start(SETTING), folder.path(), job);
    let (message, hints) = failed(&events);
    assert!(message.starts_with("the loss is NaN in epoch 1, at step 2 "), "{message}");
    assert!(message.ends_with(": the feature `x` holds no finite numbers in 1 of 16 rows"), "{message}");
    assert_eq!(hints[0], "the batch is rows 17, 18, 19, 20, 21, 22, 23, 24 and 8 more of the training data");
}

#[test]
fn a_validation_value_that_is_no_number_ends_no_training() {
    let folder = tempfile::tempdir().expect("folder");
    let write = |name: &str, first: f32| {
        let mut numbers = vec![0.5_f32; 64 * 3];
        numbers[0] = first;
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let labels = numbers_of(&(0..64_i64).map(|row| row % 4).collect::<Vec<_>>());
        let tensors = [
            ("feature.x", TensorView::new(Dtype::F32, vec![64, 3], &bytes).expect("a tensor")),
            ("target.label", TensorView::new(Dtype::I64, vec![64], &labels).expect("a tensor")),
        ];
        let path = folder.path().join(name);
        std::fs::write(&path, safetensors::serialize(tensors, None).expect("serialised")).expect("written");
        path
    };
    let base = plain(folder.path());
    let layers = json!([{ "linear": { "in": 3, "out": 4 } }]);
    let job = TrainJob {
        architecture: architecture(folder.path(), feature("x", &[3], TensorType::F32), layers, 4, four()),
        data: write("numbers.safetensors", 0.25),
        validate: Some(write("infinite.safetensors", f32::INFINITY)),
        early_stop: Some(EarlyStop { patience: 9, ..EarlyStop::default() }),
        ..base
    };
    let events = run(&mut Worker::start(SETTING), folder.path(), job);
    let values = done(&events);
    assert_eq!(values["epochs"], 3.0);
    assert!(values.contains_key("val_accuracy"), "{values:?}");
    assert!(!values.contains_key("val_loss") && !values.contains_key("best_epoch"), "{values:?}");
    let warnings: Vec<&String> = events
        .iter()
        .filter_map(|event| match event {
            WorkerEvent::Warning { message } => Some(message),
            _ => None,
        })
        .collect();
    assert!(
        warnings.len() == 1 && warnings[0].starts_with("`val_loss` is no finite number after epoch 1"),
        "{warnings:?}"
    );
}

#[test]
fn sparse_rows_train_as_the_same_rows_written_out() {
    let folder = tempfile::tempdir().expect("folder");
    let (rows, columns) = (100, 12);
    let (mut indptr, mut indices, mut values) = (vec![0_i64], Vec::new(), Vec::new());
    let mut dense = vec![0.0_f32; rows * columns];
    for row in 0..rows {
        for column in [row % 4, 4 + row % 7].into_iter().take(1 + row % 2) {
            let value = 0.25 + (row % 5) as f32 / 4.0;
            dense[row * columns + column] = value;
            indices.extend((column as i32).to_le_bytes());
            values.push(value);
        }
        indptr.push(values.len() as i64);
    }
    let floats = |numbers: &[f32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let labels = numbers_of(&(0..rows as i64).map(|row| row % 4).collect::<Vec<_>>());
    let (entries, dense, values) = (values.len(), floats(&dense), floats(&values));
    let (indptr, width) = (numbers_of(&indptr), numbers_of(&[columns as i64]));
    let tensor = |dtype, shape, bytes| TensorView::new(dtype, shape, bytes).expect("a tensor");
    let target = || ("target.label", tensor(Dtype::I64, vec![rows], &labels));
    let write = |name: &str, tensors: Vec<(&str, TensorView<'_>)>| {
        let path = folder.path().join(name);
        std::fs::write(&path, safetensors::serialize(tensors, None).expect("serialised")).expect("written");
        path
    };
    let written_out = vec![("feature.x", tensor(Dtype::F32, vec![rows, columns], &dense)), target()];
    let sparse = vec![
        ("csr.indptr.x", tensor(Dtype::I64, vec![rows + 1], &indptr)),
        ("csr.indices.x", tensor(Dtype::I32, vec![entries], &indices)),
        ("csr.values.x", tensor(Dtype::F32, vec![entries], &values)),
        ("csr.columns.x", tensor(Dtype::I64, vec![1], &width)),
        target(),
    ];
    let files = [write("dense.safetensors", written_out), write("sparse.safetensors", sparse)];
    let base = plain(folder.path());
    let layers = json!([{ "linear": { "in": 12, "out": 4 } }]);
    let architecture = architecture(folder.path(), feature("x", &[12], TensorType::F32), layers, 4, four());
    let mut worker = Worker::start(SETTING);
    for (shuffle, drop_last) in [(true, false), (true, true), (false, false), (false, true)] {
        let [dense, sparse] = files.each_ref().map(|data| {
            let (data, validate) = (data.clone(), Some(data.clone()));
            let job =
                TrainJob { architecture: architecture.clone(), data, validate, shuffle, drop_last, ..base.clone() };
            let events = run(&mut worker, folder.path(), job.clone());
            (done(&events)["val_loss"], weights(&job.out))
        });
        // Rows that are no copies may lie otherwise in memory, which the kernels see.
        assert!(apart(&dense.1, &sparse.1) < 1e-6, "{shuffle} {drop_last}");
        assert!((dense.0 - sparse.0).abs() < 1e-6, "{shuffle} {drop_last}: {} {}", dense.0, sparse.0);
    }
}

/// Tokens of a vocabulary of seven.
fn tokens(seq: u64) -> FeatureType {
    FeatureType { cardinality: Some(Dim::Fixed(7)), ..feature("x", &[seq], TensorType::I64) }
}

fn numbers_of(rows: &[i64]) -> Vec<u8> {
    rows.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn sequences_longer_than_the_positions_and_indices_without_a_vector_are_told_before_a_step() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("tokens.safetensors");
    let write = |seq: usize, last: i64| {
        let (mut rows, labels) = (vec![3_i64; 40 * seq], numbers_of(&[1_i64; 40]));
        rows[40 * seq - 1] = last;
        let rows = numbers_of(&rows);
        let tensors = [
            ("feature.x", TensorView::new(Dtype::I64, vec![40, seq], &rows).expect("a tensor")),
            ("target.label", TensorView::new(Dtype::I64, vec![40], &labels).expect("a tensor")),
        ];
        std::fs::write(&data, safetensors::serialize(tensors, None).expect("serialised")).expect("written");
    };
    let layers = json!([
        { "embedding": { "dim": 4, "count": 7 } }, { "position": { "kind": "learned", "count": 5 } }, { "pool": "mean" },
        { "linear": { "in": 4, "out": 4 } },
    ]);
    let base = plain(folder.path());
    let architecture = architecture(folder.path(), tokens(5), layers, 4, four());
    let job = TrainJob { architecture, data: data.clone(), validate: None, epochs: 1, ..base };
    let mut worker = Worker::start(SETTING);
    write(5, 6);
    done(&run(&mut worker, folder.path(), job.clone()));
    write(6, 6);
    let events = run(&mut worker, folder.path(), job.clone());
    let told = "the feature `x` of the training data is [batch, 6], and the network takes [batch, 5]";
    assert_eq!(failed(&events).0, told);
    write(5, 7);
    let events = run(&mut worker, folder.path(), job);
    let told = "row 40 of the training data has the index 7 in `x`, and the network's embedding holds 7 vectors";
    assert_eq!(failed(&events).0, told);
}

/// Two towers over users and items, whose vectors are multiplied.
fn two_towers(folder: &Path) -> std::path::PathBuf {
    let index = |name: &str| FeatureType { name: name.into(), cardinality: Some(Dim::Fixed(12)), ..tokens(0) };
    let scalar = |name: &str| FeatureType { shape: Shape::fixed(&[]), ..index(name) };
    let tower = |name: &str| Tower {
        name: name.into(),
        input: name.into(),
        layers: serde_json::from_value(json!([{ "embedding": 8 }, { "linear": 8 }])).expect("layers"),
    };
    let target = TargetType { name: "label".into(), task: Task::Binary { positive: "yes".into() } };
    let inputs = vec![scalar("item"), scalar("user")];
    let towers = vec![tower("item"), tower("user")];
    let network = Architecture::new(inputs, towers, Join::Dot, Vec::new(), Some(target)).expect("a network");
    let path = folder.join("towers.json");
    std::fs::write(&path, serde_json::to_vec(&network).expect("json")).expect("written");
    path
}

#[test]
fn losses_that_rank_put_the_items_of_a_user_above_others_and_repeat_bit_for_bit() {
    let folder = tempfile::tempdir().expect("folder");
    let base = plain(folder.path());
    let data = folder.path().join("pairs.safetensors");
    // A user likes the four items of its third of them.
    let pairs = (0..240_i64).map(|row| (row % 12, row / 12 % 4 + row % 12 / 4 * 4));
    let (users, items): (Vec<i64>, Vec<i64>) = pairs.unzip();
    let labels: Vec<u8> = (0..240).flat_map(|_| 1.0_f32.to_le_bytes()).collect();
    let (users, items) = (numbers_of(&users), numbers_of(&items));
    let tensors = [
        ("feature.item", TensorView::new(Dtype::I64, vec![240], &items).expect("a tensor")),
        ("feature.user", TensorView::new(Dtype::I64, vec![240], &users).expect("a tensor")),
        ("target.label", TensorView::new(Dtype::F32, vec![240], &labels).expect("a tensor")),
    ];
    std::fs::write(&data, safetensors::serialize(tensors, None).expect("serialised")).expect("written");
    let mut worker = Worker::start(SETTING);
    for loss in [
        json!({ "bpr": { "items": ["item"], "negatives": 4 } }),
        json!({ "sampled_softmax": { "items": ["item"], "negatives": 8, "temperature": 0.5 } }),
    ] {
        let job = TrainJob {
            architecture: two_towers(folder.path()),
            data: data.clone(),
            validate: Some(data.clone()),
            task: Task::Binary { positive: "yes".into() },
            loss: serde_json::from_value(loss.clone()).expect("a loss"),
            optimizer: serde_json::from_value(json!({ "adam": { "lr": 0.02 } })).expect("an optimizer"),
            epochs: 30,
            ..base.clone()
        };
        let mut train = || {
            let events = run(&mut worker, folder.path(), job.clone());
            (done(&events)["val_pair_accuracy"], std::fs::read(&job.out).expect("weights"))
        };
        let (accuracy, bytes) = train();
        // About three of eleven other items are liked as well, which nothing can rank.
        assert!(accuracy > 0.8, "{loss}: {accuracy}");
        assert!(train().1 == bytes, "{loss}");
    }
}
