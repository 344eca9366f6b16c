//! Trainings that are killed and go on, that are damaged, and that are extended: in the end every bit is what an undisturbed
//! training gives. The worker by itself here; through the program in `interrupted.rs`.

use crate::worker::{SETTING, Worker, architecture, done, failed, feature, job};
use kilter::job::{
    Accumulate, Augment, Checkpoints, EarlyStop, Ema, Job, Precision, Setting, Start, TrainJob, WorkerEvent,
};
use kilter::types::{Dim, FeatureType, Masking, SpecialIds, Task, TensorType};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// So many kills of each network; `KILTER_CASES` for more.
const KILLS: u64 = 6;

/// A generator of test cases.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A training in a folder of its own.
struct Trial {
    folder: TempDir,
    job: TrainJob,
}

/// All that comes of a training and must be the same.
#[derive(PartialEq)]
struct Outcome {
    weights: Vec<u8>,
    state: BTreeMap<String, Vec<u8>>,
    trace: Vec<WorkerEvent>,
    history: Vec<WorkerEvent>,
    values: BTreeMap<String, f64>,
}

impl Outcome {
    #[track_caller]
    fn is(&self, other: &Self, what: &str) {
        assert_eq!(self.history, other.history, "{what}: history");
        let parted = self.trace.iter().zip(&other.trace).find(|(a, b)| a != b);
        assert!(parted.is_none() && self.trace.len() == other.trace.len(), "{what}: trace: {parted:?}");
        assert_eq!(self.values, other.values, "{what}: values");
        assert!(self.weights == other.weights, "{what}: weights");
        let names = |outcome: &Self| outcome.state.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(self), names(other), "{what}: state");
        for (name, bytes) in &self.state {
            assert!(*bytes == other.state[name], "{what}: {name} of the state");
        }
    }
}

impl Trial {
    fn new(make: fn(&Path) -> TrainJob) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let job = make(folder.path());
        Self { folder, job }
    }

    /// The job, with checkpoints after every step that the thread can keep up with.
    fn with_checkpoints(mut self) -> Self {
        let folder = self.folder.path().join("checkpoints");
        self.job.checkpoints = Some(Checkpoints { folder, readable: Vec::new(), every: Some(1e-9) });
        self
    }

    fn checkpoints(&self) -> Vec<PathBuf> {
        let folder = &self.job.checkpoints.as_ref().expect("checkpoints").folder;
        let mut found: Vec<PathBuf> =
            std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        found.sort();
        found.retain(|path| {
            !path.ends_with(".new") && path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
        });
        found
    }

    /// Trains to the end; gives every event.
    fn events(&self, worker: &mut Worker) -> Vec<WorkerEvent> {
        let state = self.folder.path().join("state");
        let _ = std::fs::remove_dir_all(&state);
        std::fs::create_dir(&state).expect("a folder");
        let job = TrainJob { state: Some(state), ..self.job.clone() };
        worker.run(self.folder.path(), Job::Train(Box::new(job)))
    }

    fn outcome(&self, events: &[WorkerEvent]) -> Outcome {
        let pick = |test: fn(&WorkerEvent) -> bool| -> Vec<WorkerEvent> {
            events.iter().filter(|event| test(event)).cloned().collect()
        };
        let mut values = done(events).clone();
        values.remove("rows_per_second");
        values.remove("data_wait");
        Outcome {
            weights: std::fs::read(&self.job.out).expect("weights"),
            state: files(&self.folder.path().join("state")),
            // What is told again comes kind by kind.
            trace: [
                pick(|event| matches!(event, WorkerEvent::Trace { .. })),
                pick(|event| matches!(event, WorkerEvent::Gradients { .. })),
            ]
            .concat(),
            history: pick(|event| matches!(event, WorkerEvent::Epoch { .. })),
            values,
        }
    }

    /// Begins in a fresh worker and kills it after so many checkpoints, or lets it end; gives the step that it went on from.
    fn kill_after(&self, checkpoints: u64) -> Option<u64> {
        let mut worker = Worker::start(SETTING);
        worker.begin(self.folder.path(), Job::Train(Box::new(self.job.clone())));
        let (mut written, mut from) = (0, None);
        while let Some(event) = worker.hear() {
            match event {
                WorkerEvent::Continues { step, .. } => from = Some(step),
                WorkerEvent::Checkpoint { .. } => written += 1,
                WorkerEvent::Done(_) => break,
                WorkerEvent::Failed { message, .. } => panic!("{message}"),
                _ => {}
            }
            if written > checkpoints {
                break;
            }
        }
        worker.process.kill().expect("killed");
        from
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).expect("bytes")))
        .collect()
}

fn warnings(events: &[WorkerEvent]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| match event {
            WorkerEvent::Warning { message } => Some(message.as_str()),
            _ => None,
        })
        .collect()
}

fn continued(events: &[WorkerEvent]) -> Option<(Start, u64, u64)> {
    events.iter().find_map(|event| match event {
        WorkerEvent::Continues { from, step, epoch, .. } => Some((*from, *step, *epoch)),
        _ => None,
    })
}

/// Convolutions, batch norm, dropout, moved and erased images, Adam, a schedule that ends with the last epoch.
fn images(folder: &Path) -> TrainJob {
    TrainJob { epochs: 5, ..job(folder) }
}

/// A network for numbers with batch norm, dropout, momentum and an early stop that puts the best weights back.
fn numbers(folder: &Path) -> TrainJob {
    // First, because it writes an architecture of its own.
    let base = job(folder);
    let mut random = Random(3);
    let mut value = || (random.below(2000) as f32 - 1000.0) / 500.0;
    let (mut features, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let row: Vec<f32> = (0..6).map(|_| value()).collect();
        targets.extend((row[0] * row[1] + row[2] + 0.1 * value()).to_le_bytes());
        features.extend(row.into_iter().flat_map(f32::to_le_bytes));
    }
    let data = folder.join("numbers.safetensors");
    let tensors = [
        ("feature.x", TensorView::new(Dtype::F32, vec![200, 6], &features).expect("a tensor")),
        ("target.label", TensorView::new(Dtype::F32, vec![200], &targets).expect("a tensor")),
    ];
    std::fs::write(&data, safetensors::serialize(tensors, None).expect("serialised")).expect("written");
    let task = Task::Number { mean: Some(0.0), std: Some(1.0) };
    let layers = json!([
        { "linear": { "in": 6, "out": 32 } }, "batch_norm", "relu", { "dropout": 0.1 }, { "linear": { "in": 32, "out": 1 } },
    ]);
    TrainJob {
        architecture: architecture(folder, feature("x", &[6], TensorType::F32), layers, 1, task.clone()),
        validate: Some(data.clone()),
        data,
        task,
        loss: serde_json::from_value(json!("mse")).expect("a loss"),
        optimizer: serde_json::from_value(json!({ "sgd": { "lr": 0.02, "momentum": 0.9 } })).expect("an optimizer"),
        schedule: serde_json::from_value(json!({ "step": { "step_size": 4, "gamma": 0.5 } })).expect("a schedule"),
        epochs: 12,
        batch_size: 16,
        early_stop: Some(EarlyStop { metric: "val_loss".into(), patience: 4, min_delta: 0.003, restore_best: true }),
        augment: None,
        ..base
    }
}

/// In bf16 by Muon, in parts, rows mixed, an average of the weights, a rate that follows the loss, norms of every layer.
fn averaged(folder: &Path) -> TrainJob {
    let of = |json: serde_json::Value| json;
    let plateau = json!({ "plateau": { "metric": "loss", "patience": 0, "threshold": 0.2, "factor": 0.5 } });
    TrainJob {
        optimizer: serde_json::from_value(of(json!({ "muon": { "lr": 0.01, "no_decay": ["bias"] } }))).expect("muon"),
        schedule: serde_json::from_value(plateau).expect("a schedule"),
        augment: Some(Augment { shift: 1, mixup: 0.4, ..Augment::default() }),
        accumulate: Accumulate::Parts(3),
        precision: Precision::Bf16,
        ema: Some(Ema { decay: 0.9 }),
        gradient_norms: true,
        epochs: 5,
        ..job(folder)
    }
}

/// In f16 with its scaled loss, by RMSprop, the best epoch of the average.
fn scaled(folder: &Path) -> TrainJob {
    let rmsprop = json!({ "rmsprop": { "lr": 0.003, "momentum": 0.5, "centered": true } });
    TrainJob {
        optimizer: serde_json::from_value(rmsprop).expect("an optimizer"),
        schedule: serde_json::from_value(json!("constant")).expect("a schedule"),
        precision: Precision::F16,
        ema: Some(Ema { decay: 0.8 }),
        early_stop: Some(EarlyStop { metric: "val_loss".into(), patience: 3, min_delta: 0.01, restore_best: true }),
        augment: None,
        epochs: 6,
        ..job(folder)
    }
}

/// Tokens that are hidden, others in every batch of every epoch; in parts, which have different numbers of them.
fn hidden(folder: &Path) -> TrainJob {
    let base = job(folder);
    let mut random = Random(5);
    // Texts of 4 to 12 tokens, filled up with 0.
    let rows = (0..200).flat_map(|_| {
        let length = 4 + random.below(9);
        let mut row: Vec<i32> = (0..length).map(|_| 2 + random.below(28) as i32).collect();
        row.resize(12, 0);
        row
    });
    let bytes: Vec<u8> = rows.flat_map(i32::to_le_bytes).collect();
    let data = folder.join("texts.safetensors");
    let tensors = [("feature.text", TensorView::new(Dtype::I32, vec![200, 12], &bytes).expect("a tensor"))];
    std::fs::write(&data, safetensors::serialize(tensors, None).expect("serialised")).expect("written");
    let special = SpecialIds { pad: Some(0), mask: Some(1), ..SpecialIds::default() };
    let task = Task::MaskedToken { vocabulary: Some(30), masking: Masking { probability: 0.3, special } };
    let input = feature("text", &[12], TensorType::I32);
    let input = FeatureType { cardinality: Some(Dim::Fixed(30)), padding: Some(0), ..input };
    let layers = json!([
        { "embedding": { "dim": 16, "count": 30 } }, { "dropout": 0.1 }, { "linear": { "in": 16, "out": 30 } },
    ]);
    TrainJob {
        architecture: architecture(folder, input, layers, 360, task.clone()),
        validate: Some(data.clone()),
        data,
        target: "text".to_owned(),
        task,
        augment: None,
        accumulate: Accumulate::Parts(3),
        epochs: 6,
        batch_size: 16,
        ..base
    }
}

#[expect(clippy::disallowed_methods, reason = "who runs the tests says how many")]
fn kills() -> u64 {
    std::env::var("KILTER_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS)
}

fn killed_again_and_again(make: fn(&Path) -> TrainJob) {
    let undisturbed = Trial::new(make);
    let mut worker = Worker::start(SETTING);
    let straight = undisturbed.outcome(&undisturbed.events(&mut worker));
    let mut random = Random(11);
    let (mut left, mut resumed, mut resumed_twice) = (kills(), 0, 0);
    while left > 0 {
        let trial = Trial::new(make).with_checkpoints();
        let mut went_on = 0;
        for _ in 0..(1 + random.below(3)).min(left) {
            left -= 1;
            went_on += u64::from(trial.kill_after(random.below(25)).is_some());
        }
        let events = trial.events(&mut Worker::start(SETTING));
        went_on += u64::from(continued(&events).is_some());
        resumed += u64::from(went_on > 0);
        resumed_twice += u64::from(went_on > 1);
        trial.outcome(&events).is(&straight, &format!("{:?}", continued(&events)));
        assert_eq!(warnings(&events), [""; 0]);
    }
    assert!(resumed > 0 && resumed_twice > 0, "{resumed} went on, {resumed_twice} more than once");
}

#[test]
fn killed_at_random_steps_a_network_for_images_ends_with_the_same_bits() {
    killed_again_and_again(images);
}

#[test]
fn killed_at_random_steps_a_network_that_stops_early_ends_with_the_same_bits() {
    killed_again_and_again(numbers);
}

#[test]
fn killed_at_random_steps_a_training_with_averaged_weights_ends_with_the_same_bits() {
    killed_again_and_again(averaged);
}

#[test]
fn killed_at_random_steps_a_training_with_a_scaled_loss_ends_with_the_same_bits() {
    killed_again_and_again(scaled);
}

#[test]
fn killed_at_random_steps_a_language_model_of_hidden_tokens_ends_with_the_same_bits() {
    killed_again_and_again(hidden);
}

#[test]
fn checkpoints_change_no_bit_of_a_training_that_is_not_disturbed() {
    let mut worker = Worker::start(SETTING);
    for make in [images, numbers, averaged, scaled, hidden] {
        let (without, with) = (Trial::new(make), Trial::new(make).with_checkpoints());
        let straight = without.outcome(&without.events(&mut worker));
        let events = with.events(&mut worker);
        assert!(events.iter().any(|event| matches!(event, WorkerEvent::Checkpoint { .. })));
        with.outcome(&events).is(&straight, "with checkpoints");
    }
}

#[test]
fn told_to_stop_a_training_leaves_a_checkpoint_of_that_very_step() {
    let mut trial = Trial::new(images).with_checkpoints();
    // Never by time.
    trial.job.checkpoints.as_mut().expect("checkpoints").every = Some(1e6);
    let mut worker = Worker::start(SETTING);
    worker.begin(trial.folder.path(), Job::Train(Box::new(TrainJob { epochs: 1_000_000, ..trial.job.clone() })));
    while !matches!(worker.hear().expect("an event"), WorkerEvent::Epoch { .. }) {}
    worker.say("cancel");
    let mut events = Vec::new();
    while !matches!(events.last(), Some(WorkerEvent::Failed { .. })) {
        events.push(worker.hear().expect("an answer"));
    }
    assert_eq!(failed(&events).0, "cancelled");
    let Some(WorkerEvent::Checkpoint { step }) = events.get(events.len() - 2).cloned() else { panic!("{events:?}") };
    assert!(step >= 10, "{step}");
    assert_eq!(trial.checkpoints().len(), 1);
    worker.begin(trial.folder.path(), Job::Train(Box::new(TrainJob { epochs: 1_000_000, ..trial.job.clone() })));
    let went_on = loop {
        if let WorkerEvent::Continues { step, from: Start::Checkpoint, .. } = worker.hear().expect("an event") {
            break step;
        }
    };
    assert_eq!(went_on, step);
    worker.say("cancel");
    while !matches!(worker.hear().expect("an answer"), WorkerEvent::Failed { .. }) {}
}

/// A trial that was killed when two checkpoints were there.
fn with_two_checkpoints() -> Trial {
    let trial = Trial::new(images).with_checkpoints();
    trial.kill_after(3);
    assert_eq!(trial.checkpoints().len(), 2);
    trial
}

fn damage(file: &Path) {
    let mut bytes = std::fs::read(file).expect("bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(file, bytes).expect("written");
}

fn step_of(checkpoint: &Path) -> u64 {
    checkpoint.file_name().and_then(|name| name.to_str()?.parse().ok()).expect("a step")
}

#[test]
fn of_a_damaged_checkpoint_the_one_before_is_used_and_it_is_said() {
    let straight = Trial::new(images);
    let straight = straight.outcome(&straight.events(&mut Worker::start(SETTING)));
    for file in ["weights.safetensors", "state.safetensors", "state.json"] {
        let trial = with_two_checkpoints();
        let [before, newest] = trial.checkpoints().try_into().expect("two");
        damage(&newest.join(file));
        let events = trial.events(&mut Worker::start(SETTING));
        let step = step_of(&newest);
        assert_eq!(warnings(&events), [format!("the checkpoint of step {step} is not used: `{file}` is damaged")]);
        assert_eq!(continued(&events).map(|(from, step, _)| (from, step)), Some((Start::Checkpoint, step_of(&before))));
        trial.outcome(&events).is(&straight, file);
    }
}

#[test]
fn when_all_checkpoints_are_damaged_training_begins_anew_and_it_is_said() {
    let straight = Trial::new(images);
    let straight = straight.outcome(&straight.events(&mut Worker::start(SETTING)));
    let trial = with_two_checkpoints();
    let [before, newest] = trial.checkpoints().try_into().expect("two");
    std::fs::remove_file(newest.join("weights.safetensors")).expect("removed");
    damage(&before.join("state.safetensors"));
    let events = trial.events(&mut Worker::start(SETTING));
    let (newest, before) = (step_of(&newest), step_of(&before));
    let expected = [
        format!("the checkpoint of step {newest} is not used: `weights.safetensors` is missing"),
        format!("the checkpoint of step {before} is not used: `state.safetensors` is damaged"),
        "there is no other checkpoint to go on from; training begins anew".to_owned(),
    ];
    assert_eq!(warnings(&events), expected);
    assert_eq!(continued(&events), None);
    trial.outcome(&events).is(&straight, "anew");
}

#[test]
fn a_checkpoint_of_other_numbers_is_not_used() {
    let mut trial = with_two_checkpoints();
    trial.job.setting = Setting { threads: 1, ..SETTING };
    let events = trial.events(&mut Worker::start(trial.job.setting));
    let said = warnings(&events);
    assert!(said[0].ends_with("it was made with threads 2, this is 1, and the numbers would be neither's"), "{said:?}");
    assert_eq!(continued(&events), None);
}

/// `epochs` of a network, gone on from the state of fewer, and straight through.
fn extended(make: fn(&Path) -> TrainJob, first: u64, then: u64) -> (Outcome, Outcome, Option<(Start, u64, u64)>) {
    let mut worker = Worker::start(SETTING);
    let mut short = Trial::new(make);
    short.job.epochs = first;
    short.outcome(&short.events(&mut worker));
    let mut long = Trial::new(make);
    long.job.epochs = then;
    let straight = long.outcome(&long.events(&mut worker));
    let state = short.folder.path().join("state");
    let names = files(&state).into_keys().map(|name| (name.clone(), state.join(name)));
    long.job.earlier = Some(names.collect());
    let events = long.events(&mut worker);
    (long.outcome(&events), straight, continued(&events))
}

/// Adam with a constant rate, moved images, dropout, batch norm.
fn extendable(folder: &Path) -> TrainJob {
    TrainJob { schedule: serde_json::from_value(json!("constant")).expect("a schedule"), ..job(folder) }
}

#[test]
fn more_epochs_go_on_from_the_result_of_fewer_and_end_as_if_run_straight_through() {
    for (first, then) in [(1, 3), (2, 3), (3, 3)] {
        let (extended, straight, from) = extended(extendable, first, then);
        assert_eq!(from, Some((Start::Result, first * 10, first)));
        extended.is(&straight, &format!("{first} -> {then}"));
    }
}

#[test]
fn an_early_stop_goes_on_watching_across_an_extension() {
    for (first, then) in [(2, 12), (4, 40), (30, 40)] {
        let (extended, straight, from) = extended(numbers, first, then);
        assert!(from.is_some_and(|(from, ..)| from == Start::Result));
        extended.is(&straight, &format!("{first} -> {then}"));
    }
}

#[test]
fn an_interrupted_extension_goes_on_and_so_does_one_from_anothers_checkpoint() {
    let mut straight = Trial::new(extendable);
    straight.job.epochs = 6;
    let straight = straight.outcome(&straight.events(&mut Worker::start(SETTING)));
    // Killed with 4 epochs wanted, then 6 are.
    let mut other = Trial::new(extendable).with_checkpoints();
    other.job.epochs = 4;
    other.kill_after(5);
    let mut trial = Trial::new(extendable).with_checkpoints();
    trial.job.epochs = 6;
    let theirs = other.job.checkpoints.as_ref().expect("checkpoints").folder.clone();
    trial.job.checkpoints.as_mut().expect("checkpoints").readable = vec![theirs];
    assert!(trial.kill_after(8).is_some());
    let events = trial.events(&mut Worker::start(SETTING));
    assert!(continued(&events).is_some_and(|(from, ..)| from == Start::Checkpoint));
    trial.outcome(&events).is(&straight, "twice interrupted");
    // What goes further than wanted is left alone.
    let mut short = Trial::new(extendable).with_checkpoints();
    short.job.epochs = 1;
    let theirs = trial.job.checkpoints.as_ref().expect("checkpoints").folder.clone();
    short.job.checkpoints.as_mut().expect("checkpoints").readable = vec![theirs];
    assert_eq!(continued(&short.events(&mut Worker::start(SETTING))), None);
}

#[test]
fn what_cannot_be_written_is_a_warning_and_training_goes_on() {
    let straight = Trial::new(images);
    let straight = straight.outcome(&straight.events(&mut Worker::start(SETTING)));
    let mut trial = Trial::new(images).with_checkpoints();
    std::fs::write(trial.folder.path().join("file"), "in the way").expect("written");
    trial.job.checkpoints.as_mut().expect("checkpoints").folder = trial.folder.path().join("file/below");
    let events = trial.events(&mut Worker::start(SETTING));
    let said = warnings(&events);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("training goes on, and there is none before it"), "{said:?}");
    trial.outcome(&events).is(&straight, "without a place");
}
