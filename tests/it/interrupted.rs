//! Training through the program: killed and run again, extended, verified, cleared away.

use crate::sandbox::Sandbox;
use std::fs::FileTimes;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small network for the penguins with everything that draws random numbers and remembers.
const PIPELINE: &str = r#"
[pipeline]
name = "p"
edition = "2026"
seed = 5

[stage.raw]
kind = "fetch"
path = "penguins.csv"

[stage.table]
kind = "read"
from = "raw"
null_values = ["NA"]

[stage.split]
kind = "split"
from = "table"
parts = { train = 0.7, val = 0.3 }
stratify = "species"

[stage.encode]
kind = "encode"
fit = "split.train"
apply = ["split.val"]
features.body = { numeric = ["bill_*", "flipper_length_mm", "body_mass_g"], scale = "standard", impute = "mean" }
target.species = "category"

[stage.model]
kind = "model"
data = "encode.train"
layers = [{ linear = 16 }, "batch_norm", "relu", { dropout = 0.2 }, { linear = "classes" }]

[stage.train]
kind = "train"
model = "model"
data = "encode.train"
validate = "encode.val"
loss = "cross_entropy"
optimizer.adam = { lr = 0.002 }
epochs = 60
batch_size = 8
drop_last = true
early_stop = { metric = "val_loss", patience = 1000 }
checkpoint_every = "1ms"
"#;

fn sandbox(text: &str) -> Sandbox {
    Sandbox::with_manifest(text).data("penguins.csv")
}

fn epochs(count: u64) -> String {
    PIPELINE.replace("epochs = 60", &format!("epochs = {count}"))
}

/// Every file that a training leaves under `out/`.
fn outputs(sandbox: &Sandbox) -> Vec<(String, Vec<u8>)> {
    let folder = sandbox.path("out/p/train");
    let walk = walkdir::WalkDir::new(&folder).sort_by_file_name().into_iter().map(|entry| entry.expect("an entry"));
    let files = walk.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let name = entry.path().strip_prefix(&folder).expect("below").display().to_string();
            (name, std::fs::read(entry.path()).expect("bytes"))
        })
        .collect()
}

#[track_caller]
fn same(one: &[(String, Vec<u8>)], other: &[(String, Vec<u8>)]) {
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(one), names(other));
    for ((name, one), (_, other)) in one.iter().zip(other) {
        assert!(one == other, "{name} differs");
    }
}

/// Whether there is a whole checkpoint, which has the name of its step.
fn has_checkpoints(sandbox: &Sandbox) -> bool {
    let all = sandbox.path(".kilter/store-v1/checkpoints");
    let mut folders = walkdir::WalkDir::new(all).min_depth(3).max_depth(3).into_iter().filter_map(Result::ok);
    folders.any(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<u64>().is_ok()))
}

/// Starts a run and gives it a signal at this step or after it, and to kill it not before there is a checkpoint, which a busy disk
/// takes its time for; gives its exit code.
fn stop(sandbox: &Sandbox, signal: &str, step: u64) -> Option<i32> {
    let mut child = sandbox
        .command(&["run", "pipeline.toml", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("kilter starts");
    // A second signal would not wait for a checkpoint.
    let mut sent = false;
    for line in BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok) {
        let event: serde_json::Value = serde_json::from_str(&line).expect("an event");
        let done = event["progress"]["done"].as_u64().filter(|_| event["progress"]["unit"] == "step");
        let is_time = || signal != "-KILL" || has_checkpoints(sandbox);
        if !sent && done.is_some_and(|done| done >= step) && is_time() {
            sent = true;
            Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
        }
    }
    child.wait().expect("ended").code()
}

#[test]
fn a_killed_run_continues_where_it_was_and_ends_with_the_same_bytes() {
    let undisturbed = sandbox(PIPELINE);
    undisturbed.run(&[]).success();
    assert!(!has_checkpoints(&undisturbed));
    let killed = sandbox(PIPELINE);
    assert_eq!(stop(&killed, "-KILL", 200), None);
    assert!(has_checkpoints(&killed));
    killed.kilter(&["plan", "pipeline.toml"]).success().prints("continues from its checkpoint of step ");
    killed.kilter(&["cache"]).success().prints("checkpoints ");
    assert_eq!(stop(&killed, "-KILL", 900), None);
    killed.run(&[]).success().says("continues at step ").says(" (epoch ");
    same(&outputs(&killed), &outputs(&undisturbed));
    assert!(!has_checkpoints(&killed));
    killed.run(&[]).all_cached();
}

#[test]
fn an_interrupted_run_says_where_it_continues() {
    let undisturbed = sandbox(PIPELINE);
    undisturbed.run(&[]).success();
    let interrupted = sandbox(&PIPELINE.replace("\"1ms\"", "\"1h\""));
    assert_eq!(stop(&interrupted, "-INT", 300), Some(130));
    assert!(has_checkpoints(&interrupted));
    interrupted.run(&[]).success().says("continues at step ");
    same(&outputs(&interrupted), &outputs(&undisturbed));
}

#[test]
fn a_forced_run_begins_anew() {
    let sandbox = sandbox(PIPELINE);
    assert_eq!(stop(&sandbox, "-KILL", 200), None);
    sandbox.run(&["--force"]).success().says_not("continues");
    assert!(!has_checkpoints(&sandbox));
}

#[test]
fn more_epochs_continue_from_the_cached_result_and_end_with_the_same_bytes() {
    let straight = sandbox(&epochs(30));
    straight.run(&[]).success();
    let extended = sandbox(&epochs(10));
    extended.run(&[]).success();
    extended.write("pipeline.toml", epochs(20));
    extended.kilter(&["plan", "pipeline.toml"]).success().prints("epochs: 10 -> 20").prints("continues from epoch 10");
    extended.kilter(&["why", "pipeline.toml", "train"]).success().prints("It continues from epoch 10.");
    extended.run(&[]).success().says("continues from epoch 10 of 20, an earlier result");
    extended.write("pipeline.toml", epochs(30));
    extended.kilter(&["plan", "pipeline.toml"]).success().prints("continues from epoch 20");
    extended.run(&[]).success().says("continues from epoch 20 of 30");
    same(&outputs(&extended), &outputs(&straight));
    // Fewer than any result has: nothing to continue from.
    extended.write("pipeline.toml", epochs(5));
    extended.run(&[]).success().says_not("continues");
    // What `verify` makes it makes from the beginning.
    extended.write("pipeline.toml", epochs(30));
    extended.run(&[]).success();
    extended.kilter(&["verify", "--stage", "train"]).success();
}

#[test]
fn a_schedule_that_ends_with_the_last_epoch_forbids_it_and_why_says_so() {
    let text = |count: u64| epochs(count).replace("epochs =", "schedule = \"cosine\"\nepochs =");
    let sandbox = sandbox(&text(10));
    sandbox.run(&[]).success();
    sandbox.write("pipeline.toml", text(20));
    let words = "begins anew, because schedule.cosine ends with the last epoch, not at a `horizon` of its own";
    sandbox.kilter(&["plan", "pipeline.toml"]).success().prints("epochs: 10 -> 20").prints(words);
    sandbox.kilter(&["why", "pipeline.toml", "train"]).success().prints(&format!("It {words}."));
    sandbox.run(&[]).success().says_not("continues");
}

#[test]
fn a_result_that_kept_no_state_cannot_be_extended_and_why_says_so() {
    let text = |count: u64| epochs(count).replace("epochs =", "extendable = false\nepochs =");
    let sandbox = sandbox(&text(10));
    sandbox.run(&[]).success();
    sandbox.write("pipeline.toml", epochs(20));
    let words = "begins anew, because extendable was false in the shorter one, which kept nothing to continue from";
    sandbox.kilter(&["plan", "pipeline.toml"]).success().prints("epochs: 10 -> 20").prints(words);
    sandbox.kilter(&["why", "pipeline.toml", "train"]).success().prints(&format!("It {words}."));
    sandbox.run(&[]).success().says_not("continues");
}

#[test]
fn fewer_epochs_than_the_cached_result_begin_anew_and_why_says_so() {
    let sandbox = sandbox(&epochs(10));
    sandbox.run(&[]).success();
    sandbox.write("pipeline.toml", epochs(5));
    let words = "begins anew, because the cached result is for 10 epochs, and what it was before its end is not kept";
    sandbox.kilter(&["plan", "pipeline.toml"]).success().prints("epochs: 10 -> 5").prints(words);
    sandbox.kilter(&["why", "pipeline.toml", "train"]).success().prints(&format!("It {words}."));
    sandbox.run(&[]).success().says_not("continues");
}

#[test]
fn a_training_that_stopped_early_continues_from_where_it_stopped() {
    // Nothing is ever so much better than the first epoch, so the second one after it stops.
    let text = |count: u64| epochs(count).replace("patience = 1000", "min_delta = 1e9, patience = 2");
    let sandbox = sandbox(&text(10));
    sandbox.run(&[]).success();
    sandbox.write("pipeline.toml", text(20));
    sandbox.kilter(&["why", "pipeline.toml", "train"]).success().prints("It continues from epoch 3.");
    sandbox.run(&[]).success().says("continues from epoch 3 of 20, an earlier result");
}

#[test]
fn a_batch_larger_than_the_data_is_warned_of() {
    let text = epochs(1).replace("batch_size = 8\ndrop_last = true", "batch_size = 1000");
    let ran = sandbox(&text).run(&[]).success();
    ran.says("batch_size is 1,000, and `encode.train` has ").says("every epoch is a single step of all of them");
}

#[test]
fn a_schedule_with_a_horizon_can_be_extended() {
    let text = |count: u64| epochs(count).replace("epochs =", "schedule.cosine.horizon = 20\nepochs =");
    let extended = sandbox(&text(10));
    extended.run(&[]).success();
    extended.write("pipeline.toml", text(20));
    extended.run(&[]).success().says("continues from epoch 10 of 20, an earlier result");
    let straight = sandbox(&text(20));
    straight.run(&[]).success();
    same(&outputs(&extended), &outputs(&straight));
}

#[test]
fn without_its_state_a_result_is_not_extended() {
    let text = |count: u64| epochs(count).replace("epochs =", "extendable = false\nepochs =");
    let sandbox = sandbox(&text(10));
    sandbox.run(&[]).success();
    assert!(!sandbox.path("out/p/train/state").exists());
    sandbox.write("pipeline.toml", text(20));
    sandbox.run(&[]).success().says_not("continues");
}

#[test]
fn a_damaged_state_is_not_extended_and_it_is_said() {
    let straight = sandbox(&epochs(20));
    straight.run(&[]).success();
    let extended = sandbox(&epochs(10));
    extended.run(&[]).success();
    let bytes = std::fs::read(extended.path("out/p/train/state/state.safetensors")).expect("a state");
    damage(&object_of(&extended, &bytes));
    extended.write("pipeline.toml", epochs(20));
    let words = "the state of the earlier result is not used: `state.safetensors` is damaged";
    extended.run(&[]).success().says(words).says("training begins anew");
    same(&outputs(&extended), &outputs(&straight));
}

/// The file of the store that holds these bytes.
fn object_of(sandbox: &Sandbox, bytes: &[u8]) -> PathBuf {
    let walk = walkdir::WalkDir::new(sandbox.path(".kilter/store-v1/objects")).into_iter();
    let mut files = walk.map(|entry| entry.expect("an entry").into_path()).filter(|path| path.is_file());
    files.find(|path| std::fs::read(path).is_ok_and(|found| found == bytes)).expect("an object")
}

/// Changes a bit of a file as a disk would, which tells nobody.
#[expect(clippy::permissions_set_readonly_false, reason = "a file of this test")]
fn damage(file: &Path) {
    let about = std::fs::metadata(file).expect("a file");
    let mut bytes = std::fs::read(file).expect("bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    let mut permissions = about.permissions();
    permissions.set_readonly(false);
    std::fs::set_permissions(file, permissions).expect("allowed");
    std::fs::write(file, bytes).expect("written");
    let times = FileTimes::new().set_modified(about.modified().expect("a time"));
    std::fs::File::options().write(true).open(file).and_then(|file| file.set_times(times)).expect("set");
}

#[test]
fn a_full_disk_during_a_checkpoint_is_a_warning() {
    let undisturbed = sandbox(PIPELINE);
    undisturbed.run(&[]).success();
    let sandbox = sandbox(PIPELINE);
    std::fs::create_dir_all(sandbox.path(".kilter/store-v1/checkpoints")).expect("a folder");
    let allowed = Command::new("unshare").args(["-rm", "true"]).output().is_ok_and(|out| out.status.success());
    // Some systems do not allow mount namespaces; then there is no way to fill a disk of our own.
    if !allowed {
        return;
    }
    let line = "mount -t tmpfs -o size=16k full .kilter/store-v1/checkpoints && exec KILTER run pipeline.toml";
    let line = line.replace("KILTER", env!("CARGO_BIN_EXE_kilter"));
    let out = Command::new("unshare")
        .args(["-rm", "sh", "-c", &line])
        .current_dir(sandbox.path(""))
        .env("NO_COLOR", "1")
        .output()
        .expect("unshare runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    assert!(said.contains("warning: stage `train`: no checkpoint of step "), "{said}");
    assert!(said.contains("the disk is full; training goes on"), "{said}");
    same(&outputs(&sandbox), &outputs(&undisturbed));
}

#[expect(clippy::disallowed_methods, reason = "files are made old")]
fn age(folder: &Path) {
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(30 * 24 * 3600);
    for entry in walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok).filter(|e| e.file_type().is_file()) {
        std::fs::File::options().write(true).open(entry.path()).expect("open").set_modified(long_ago).expect("dated");
    }
}

#[test]
fn gc_keeps_checkpoints_for_a_week() {
    let sandbox = sandbox(PIPELINE);
    assert_eq!(stop(&sandbox, "-KILL", 100), None);
    sandbox.kilter(&["gc"]).success().prints("checkpoints of 1 unfinished stage stay");
    assert!(has_checkpoints(&sandbox));
    age(&sandbox.path(".kilter/store-v1/checkpoints"));
    sandbox.kilter(&["gc"]).success().prints("checkpoints of 1 unfinished stage go");
    assert!(!has_checkpoints(&sandbox));
    sandbox.run(&[]).success().says_not("continues");
}
