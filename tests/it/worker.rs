//! The worker as a process: what it answers, that equal jobs give equal bytes, and what it leaves behind when it is
//! stopped, killed or fed nonsense.

use kilter::job::{
    Accumulate, Augment, Device, EarlyStop, Job, JobFile, LIBTORCH, Numerics, PROTOCOL, Precision, PredictJob, Setting,
    TrainJob, WorkerEvent,
};
use kilter::nn::{Architecture, Join};
use kilter::types::{FeatureType, Shape, TargetType, Task, TensorType};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(crate) const SETTING: Setting = Setting { threads: 2, numerics: Numerics::Native, device: Device::Cpu };

/// A worker process, as the engine starts it.
pub(crate) struct Worker {
    pub(crate) process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Worker {
    pub(crate) fn start(setting: Setting) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kilter-torch"));
        for name in kilter::job::CLEARED {
            command.env_remove(name);
        }
        let mut process = command
            .env_remove("LD_LIBRARY_PATH")
            .envs(setting.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the worker starts");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let mut worker = Self { process, input, output };
        let hello = worker.hear().expect("hello");
        assert!(matches!(&hello, WorkerEvent::Hello { protocol: PROTOCOL, libtorch, .. } if libtorch == LIBTORCH));
        worker
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("open"), "{line}").expect("heard");
    }

    pub(crate) fn hear(&mut self) -> Option<WorkerEvent> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).expect("readable");
        (read > 0).then(|| serde_json::from_str(&line).expect("an event"))
    }

    pub(crate) fn begin(&mut self, folder: &Path, job: Job) {
        let path = folder.join("job.json");
        let file = JobFile { protocol: PROTOCOL, stage: "test".into(), job };
        std::fs::write(&path, serde_json::to_vec(&file).expect("json")).expect("written");
        self.say(&path.to_string_lossy());
    }

    /// Runs a job to its answer; gives every event.
    pub(crate) fn run(&mut self, folder: &Path, job: Job) -> Vec<WorkerEvent> {
        self.begin(folder, job);
        let mut events = Vec::new();
        while !matches!(events.last(), Some(WorkerEvent::Done(_) | WorkerEvent::Failed { .. })) {
            events.push(self.hear().expect("an answer"));
        }
        events
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

pub(crate) fn feature(name: &str, shape: &[u64], dtype: TensorType) -> FeatureType {
    let scale = (dtype == TensorType::U8).then_some(255.0);
    FeatureType {
        name: name.into(),
        shape: Shape::fixed(shape),
        dtype,
        scale,
        cardinality: None,
        padding: None,
        columns: Vec::new(),
    }
}

pub(crate) fn architecture(
    folder: &Path,
    input: FeatureType,
    layers: serde_json::Value,
    outputs: u64,
    task: Task,
) -> PathBuf {
    let architecture = Architecture {
        inputs: vec![input],
        towers: Vec::new(),
        join: Join::Concat,
        layers: serde_json::from_value(layers).expect("layers"),
        output: Shape::fixed(&[outputs]),
        target: Some(TargetType { name: "label".into(), task }),
        base: None,
    };
    let path = folder.join("architecture.json");
    std::fs::write(&path, serde_json::to_vec(&architecture).expect("json")).expect("written");
    path
}

/// Images of 8 x 8 with a bright quarter; the quarter is the class. Pseudo-random, the same every time.
pub(crate) fn quarters(path: &Path, rows: usize) {
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    for _ in 0..rows {
        let class = random() % 4;
        for (y, x) in (0..8).flat_map(|y| (0..8).map(move |x| (y, x))) {
            let bright = (y / 4, x / 4) == (class / 2, class % 2);
            pixels.push((random() % 100 + if bright { 80 } else { 0 }) as u8);
        }
        labels.extend((class as i64).to_le_bytes());
    }
    let tensors = [
        ("feature.image", TensorView::new(Dtype::U8, vec![rows, 1, 8, 8], &pixels).expect("a tensor")),
        ("target.label", TensorView::new(Dtype::I64, vec![rows], &labels).expect("a tensor")),
    ];
    std::fs::write(path, safetensors::serialize(tensors, None).expect("serialised")).expect("written");
}

pub(crate) fn four() -> Task {
    Task::Category { classes: Some(["a", "b", "c", "d"].map(str::to_owned).to_vec()) }
}

/// A small convolutional network with everything that draws random numbers.
pub(crate) fn job(folder: &Path) -> TrainJob {
    let layers = json!([
        { "conv2d": { "in": 1, "out": 8, "kernel": 3, "padding": 1 } }, "batch_norm", "relu", { "max_pool2d": 2 },
        "flatten", { "dropout": 0.2 }, { "linear": { "in": 128, "out": 4 } },
    ]);
    let data = folder.join("data.safetensors");
    quarters(&data, 300);
    TrainJob {
        setting: SETTING,
        architecture: architecture(folder, feature("image", &[1, 8, 8], TensorType::U8), layers, 4, four()),
        weights: None,
        base: None,
        validate: Some(data.clone()),
        data,
        target: "label".to_owned(),
        task: four(),
        loss: serde_json::from_value(json!("cross_entropy")).expect("a loss"),
        optimizer: serde_json::from_value(json!({ "adam": { "lr": 0.01 } })).expect("an optimizer"),
        schedule: serde_json::from_value(json!({ "cosine": { "warmup_epochs": 0.5 } })).expect("a schedule"),
        epochs: 3,
        batch_size: 32,
        shuffle: true,
        drop_last: false,
        clip: Some(kilter::job::Clip::Norm(1.0)),
        early_stop: None,
        augment: Some(Augment { flip: false, shift: 1, erase: 2, mixup: 0.0 }),
        accumulate: Accumulate::Parts(1),
        precision: Precision::F32,
        deterministic: true,
        graph: false,
        ema: None,
        gradient_norms: false,
        seed: 7,
        checkpoints: None,
        earlier: None,
        state: None,
        out: folder.join("model.safetensors"),
    }
}

pub(crate) fn done(events: &[WorkerEvent]) -> &BTreeMap<String, f64> {
    match events.last() {
        Some(WorkerEvent::Done(result)) => &result.values,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn failed(events: &[WorkerEvent]) -> (&str, &[String]) {
    match events.last() {
        Some(WorkerEvent::Failed { message, hints }) => (message, hints),
        other => panic!("{other:?}"),
    }
}

fn epochs(events: &[WorkerEvent]) -> Vec<&BTreeMap<String, f64>> {
    events
        .iter()
        .filter_map(|event| match event {
            WorkerEvent::Epoch { values, .. } => Some(values),
            _ => None,
        })
        .collect()
}

#[test]
fn equal_jobs_give_equal_bytes_in_a_fresh_worker_and_in_a_warm_one() {
    let folder = tempfile::tempdir().expect("folder");
    let train = |worker: &mut Worker, seed: u64| {
        let job = TrainJob { seed, ..job(folder.path()) };
        let out = job.out.clone();
        let events = worker.run(folder.path(), Job::Train(Box::new(job)));
        assert_eq!(epochs(&events).len(), 3, "{events:?}");
        let history: Vec<BTreeMap<String, f64>> = epochs(&events).into_iter().cloned().collect();
        (std::fs::read(out).expect("weights"), history)
    };
    let mut worker = Worker::start(SETTING);
    let first = train(&mut worker, 7);
    let other = train(&mut worker, 8);
    let warm = train(&mut worker, 7);
    let fresh = train(&mut Worker::start(SETTING), 7);
    assert!(first.1[2]["val_accuracy"] > 0.9, "{:?}", first.1);
    assert_ne!(first.0, other.0);
    assert_eq!(first, warm);
    assert_eq!(first, fresh);
}

/// A line of what the system says of a process, in MiB.
fn mebibytes(worker: &Worker, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", worker.process.id())).expect("readable");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
    line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").trim().parse::<u64>().expect("a number") >> 10
}

#[test]
fn a_worker_that_waits_holds_nothing_of_a_large_job() {
    let folder = tempfile::tempdir().expect("folder");
    let base = job(folder.path());
    // Weights of 64 MB; as much again each for their gradients and for the two means of adam.
    let layers = json!([
        "flatten", { "linear": { "in": 64, "out": 4000 } }, { "linear": { "in": 4000, "out": 4000 } },
        { "linear": { "in": 4000, "out": 4 } },
    ]);
    let architecture = architecture(folder.path(), feature("image", &[1, 8, 8], TensorType::U8), layers, 4, four());
    let optimizer = serde_json::from_value(json!({ "adam": { "lr": 1e-4 } })).expect("an optimizer");
    let large = TrainJob { architecture, optimizer, epochs: 1, batch_size: 300, validate: None, ..base };
    let mut worker = Worker::start(SETTING);
    done(&worker.run(folder.path(), Job::Train(Box::new(large))));
    let (most, held) = (mebibytes(&worker, "VmHWM"), mebibytes(&worker, "RssAnon"));
    assert!(most > 320 && held < 200, "{held} MiB of {most} MiB");
}

#[test]
fn a_loss_that_explodes_says_where_and_what_to_try_and_stores_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let optimizer = serde_json::from_value(json!({ "sgd": { "lr": 1e30 } })).expect("an optimizer");
    let schedule = serde_json::from_value(json!("constant")).expect("a schedule");
    let job = TrainJob { optimizer, schedule, clip: None, ..job(folder.path()) };
    let out = job.out.clone();
    let mut worker = Worker::start(SETTING);
    let events = worker.run(folder.path(), Job::Train(Box::new(job.clone())));
    let (message, hints) = failed(&events);
    assert!(message.starts_with("the loss is "), "{message}");
    assert!(
        message.contains("in epoch 1, at step ") && message.contains("(learning rate 1e30): `layers."),
        "{message}"
    );
    assert!(hints[0].starts_with("the batch is rows ") && hints[1].contains("learning rate"), "{hints:?}");
    assert!(!out.exists());
    // The failure was an answer: the worker takes the next job.
    let next = TrainJob { epochs: 1, ..self::job(folder.path()) };
    done(&worker.run(folder.path(), Job::Train(Box::new(next))));
}

#[test]
fn an_early_stop_keeps_the_best_epochs_weights() {
    let folder = tempfile::tempdir().expect("folder");
    let mut worker = Worker::start(SETTING);
    let early_stop = Some(EarlyStop { metric: "val_loss".into(), patience: 2, min_delta: 10.0, restore_best: true });
    let stopped = TrainJob { early_stop, epochs: 9, ..job(folder.path()) };
    let events = worker.run(folder.path(), Job::Train(Box::new(stopped.clone())));
    assert_eq!((done(&events)["epochs"], done(&events)["best_epoch"]), (3.0, 1.0));
    assert_eq!(done(&events)["val_loss"], epochs(&events)[0]["val_loss"]);
    let best = std::fs::read(&stopped.out).expect("weights");
    // The same schedule, cut off after the second epoch: the first that is no better stops, as nothing counts as better.
    let early_stop = Some(EarlyStop { metric: "val_loss".into(), patience: 0, min_delta: 10.0, restore_best: true });
    let events = worker.run(folder.path(), Job::Train(Box::new(TrainJob { early_stop, ..stopped.clone() })));
    assert_eq!(done(&events)["epochs"], 2.0);
    assert_eq!(std::fs::read(&stopped.out).expect("weights"), best);
}

#[test]
fn a_worker_that_is_killed_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("folder");
    let job = TrainJob { epochs: 1_000_000, ..job(folder.path()) };
    let mut worker = Worker::start(SETTING);
    worker.begin(folder.path(), Job::Train(Box::new(job.clone())));
    let first = worker.hear();
    assert!(matches!(first, Some(WorkerEvent::Trace { step: 1, .. })), "{first:?}");
    worker.process.kill().expect("killed");
    while worker.hear().is_some() {}
    assert!(!job.out.exists());
}

#[test]
fn cancel_stops_the_job_and_not_the_worker_and_the_inputs_end_stops_both() {
    let folder = tempfile::tempdir().expect("folder");
    let long = || Job::Train(Box::new(TrainJob { epochs: 1_000_000, ..job(folder.path()) }));
    let mut worker = Worker::start(SETTING);
    worker.begin(folder.path(), long());
    worker.hear().expect("an event");
    worker.say("cancel");
    let answer = loop {
        match worker.hear().expect("an answer") {
            WorkerEvent::Step { .. } | WorkerEvent::Trace { .. } | WorkerEvent::Epoch { .. } => {}
            answer => break answer,
        }
    };
    assert_eq!(failed(&[answer]).0, "cancelled");
    worker.begin(folder.path(), long());
    worker.hear().expect("an event");
    drop(worker.input.take());
    while worker.hear().is_some() {}
    assert!(worker.process.wait().expect("ended").success());
    assert!(!folder.path().join("model.safetensors").exists());
}

#[test]
fn predictions_come_in_the_order_of_the_rows_and_training_goes_on_from_weights() {
    let folder = tempfile::tempdir().expect("folder");
    let mut worker = Worker::start(SETTING);
    let train = job(folder.path());
    let accuracy = done(&worker.run(folder.path(), Job::Train(Box::new(train.clone()))))["val_accuracy"];
    let predict = |batch_size, name: &str| PredictJob {
        setting: SETTING,
        architecture: train.architecture.clone(),
        weights: train.out.clone(),
        data: train.data.clone(),
        batch_size,
        tokens: None,
        out: folder.path().join(name),
    };
    let outputs = |worker: &mut Worker, batch_size, name: &str| {
        let events = worker.run(folder.path(), Job::Predict(predict(batch_size, name)));
        assert_eq!(done(&events)["rows"], 300.0);
        let bytes = std::fs::read(folder.path().join(name)).expect("outputs");
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
        let output = file.tensor("output").expect("output");
        assert_eq!(output.shape(), [300, 4]);
        let floats = output.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        floats.collect::<Vec<f32>>()
    };
    let all = outputs(&mut worker, 512, "all");
    let few = outputs(&mut worker, 7, "few");
    assert!(all.iter().zip(&few).all(|(a, b)| (a - b).abs() < 1e-4));
    let data = std::fs::read(&train.data).expect("data");
    let data = safetensors::SafeTensors::deserialize(&data).expect("safetensors");
    let target = data.tensor("target.label").expect("target");
    let right = target.data().chunks_exact(8).zip(all.chunks_exact(4)).filter(|(label, row)| {
        let best = (0..4).max_by(|a, b| row[*a].total_cmp(&row[*b])).expect("four");
        label[0] as usize == best
    });
    assert_eq!(right.count() as f64 / 300.0, accuracy);
    let out = folder.path().join("further.safetensors");
    let further = TrainJob { weights: Some(train.out.clone()), out, epochs: 1, ..train.clone() };
    let events = worker.run(folder.path(), Job::Train(Box::new(further)));
    assert!(done(&events)["val_accuracy"] >= accuracy - 0.05, "{events:?}");
}

#[test]
fn files_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().expect("folder");
    let mut worker = Worker::start(SETTING);
    let missing = TrainJob { data: folder.path().join("gone.safetensors"), ..job(folder.path()) };
    let events = worker.run(folder.path(), Job::Train(Box::new(missing)));
    assert!(failed(&events).0.contains("gone.safetensors"), "{events:?}");
    let full = TrainJob { out: PathBuf::from("/dev/full"), epochs: 1, ..job(folder.path()) };
    let events = worker.run(folder.path(), Job::Train(Box::new(full)));
    let (message, hints) = failed(&events);
    assert_eq!(message, "cannot write `/dev/full`: the disk is full");
    assert!(hints[0].starts_with("free ") && hints[0].contains(", which the result takes"), "{hints:?}");
    let labels = TrainJob { task: four(), batch_size: 512, drop_last: true, ..job(folder.path()) };
    let events = worker.run(folder.path(), Job::Train(Box::new(labels)));
    assert_eq!(failed(&events).0, "300 rows make no batch of 512");
}

#[test]
fn a_portable_worker_is_pinned_to_avx2_and_says_so() {
    let folder = tempfile::tempdir().expect("folder");
    let setting = Setting { numerics: Numerics::Portable, ..SETTING };
    let train = |worker: &mut Worker| {
        let job = TrainJob { setting, epochs: 1, ..job(folder.path()) };
        let out = job.out.clone();
        let events = worker.run(folder.path(), Job::Train(Box::new(job)));
        let Some(WorkerEvent::Done(result)) = events.last() else { panic!("{events:?}") };
        assert_eq!(result.environment["cpu_capability"], "avx2");
        std::fs::read(out).expect("weights")
    };
    assert_eq!(train(&mut Worker::start(setting)), train(&mut Worker::start(setting)));
    // A worker that was not started for it refuses, where its processor has more to offer.
    let mut native = Worker::start(SETTING);
    let job = TrainJob { setting, ..job(folder.path()) };
    let events = native.run(folder.path(), Job::Train(Box::new(job)));
    if let Some(WorkerEvent::Failed { message, .. }) = events.last() {
        assert!(message.starts_with("numerics = \"portable\" needs the AVX2 instruction set"), "{message}");
    }
}

#[test]
fn kilter_itself_needs_no_libtorch() {
    let libraries = |program: &str| {
        let output = Command::new(program).env("LD_TRACE_LOADED_OBJECTS", "1").output().expect("the loader answers");
        String::from_utf8(output.stdout).expect("text")
    };
    assert!(libraries(env!("CARGO_BIN_EXE_kilter-torch")).contains("libtorch_cpu.so"));
    assert!(!libraries(env!("CARGO_BIN_EXE_kilter")).contains("torch"));
}
