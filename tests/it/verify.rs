//! Stages run again and compared: what differs is shown.

use crate::lock::{forget, sandbox};
use crate::sandbox::Sandbox;

/// A table that a program makes of what it does not declare, and a stage that uses it.
fn table(more: &str) -> Sandbox {
    let sandbox = Sandbox::new().file("rows.csv", "id,mean\n1,0.5\n2,0.1\n3,0.75\n");
    let rows = sandbox.path("rows.csv").display().to_string();
    sandbox.write(
        "pipeline.toml",
        format!(
            r#"
[pipeline]
name = "table"
edition = "2026"

[stage.features]
kind = "exec"
command = ["cp", "{rows}", "{{outputs.rows}}"]
outputs.rows = {{ path = "rows.csv", type = "table" }}
{more}

[stage.some]
kind = "sql"
inputs = {{ t = "features" }}
query = "SELECT id FROM t WHERE mean > 0.2"
"#
        ),
    );
    sandbox
}

#[test]
fn a_stage_behind_the_manifest_is_told_its_option() {
    let sandbox = sandbox();
    sandbox.kilter(&["verify", "first"]).exits(2).says("`first` is not a manifest").says("`--stage first`");
    let told = sandbox.kilter(&["verify", "pipeline.toml", "first"]).exits(2);
    told.says("unexpected `first`: this command takes one manifest").says("`--stage first`");
}

#[test]
fn a_run_is_verified_and_nothing_is_left_behind() {
    let sandbox = sandbox();
    sandbox.kilter(&["verify"]).exits(4).says("there is no lock");
    sandbox.run(&[]).success();
    let out = sandbox.kilter(&["verify"]).success().prints("in kilter (3 stages, bit for bit)");
    assert!(out.stdout.ends_with(")\n") && out.stdout.contains("3 stages in kilter ("), "{}", out.stdout);
    assert_eq!(std::fs::read_dir(sandbox.path(".kilter/verify")).expect("a folder").count(), 0);
    sandbox.run(&[]).all_cached();
    sandbox.kilter(&["verify", "--stage", "secnd"]).exits(2).says("did you mean `second`?");
    sandbox.kilter(&["verify", "--sample", "120%"]).exits(2).says("20%");
}

#[test]
fn a_file_that_differs_is_shown_from_its_first_byte() {
    let sandbox = sandbox();
    sandbox.run(&[]).success();
    sandbox.write("knob", "knob 2\n");
    let found = sandbox.kilter(&["verify"]).exits(4);
    let found = found.prints("off kilter").prints("file `text`: 1 file with other bytes").prints("from byte 12 on");
    let found = found.prints("1\\n  locked").prints("2\\n  now").prints("1 of 3 stages off kilter");
    // `second` has the locked input still, so it can be told that it is not to blame.
    assert!(
        found.stdout.contains("second  in kilter") || found.stdout.contains("in kilter (2 stages"),
        "{}",
        found.stdout
    );
    let json = sandbox.kilter(&["verify", "--json", "--stage", "first"]).exits(4).json();
    assert_eq!(json["first"], "first");
    assert_eq!(json["stages"][0]["verdict"]["off_kilter"]["outputs"][0]["shown"]["files"]["first"]["offset"], 12);
}

#[test]
fn a_fresh_clone_is_verified_stage_by_stage() {
    let sandbox = sandbox();
    sandbox.run(&[]).success();
    forget(&sandbox);
    sandbox.kilter(&["verify", "--stage", "second"]).success().prints("1 of them run to feed others");
    sandbox.write("knob", "knob 2\n");
    let found = sandbox.kilter(&["verify", "--stage", "second"]).exits(4);
    let found = found.prints("first ").prints("off kilter").prints("the store does not have the locked bytes");
    found.prints("not compared: it uses first").prints("1 not compared");
}

#[test]
fn what_changed_since_it_was_locked_is_not_run() {
    let sandbox = sandbox();
    sandbox.run(&[]).success();
    sandbox.write("source.txt", "changed\n");
    let found = sandbox.kilter(&["verify"]).exits(4).prints("first ").prints("changed since it was locked");
    assert!(found.stdout.contains("1 of 3 stages off kilter"), "{}", found.stdout);
    let text = sandbox.read("pipeline.toml");
    sandbox.write("pipeline.toml", text.replace("stage.beside", "stage.other"));
    sandbox
        .kilter(&["verify", "--stage", "other"])
        .exits(4)
        .prints("not in the lock")
        .prints("`kilter run` takes it in");
    sandbox.write("pipeline.toml", text.replace("\"cp\"", "\"no-such-program\""));
    sandbox.kilter(&["lock", "--resolve"]).success();
    sandbox.kilter(&["verify", "--stage", "second"]).exits(4).prints("changed since it was locked");
}

/// Makes the lock's record of a stage one that was made elsewhere: with another fact, and so under another key.
fn lock_elsewhere(sandbox: &Sandbox, stage: &str, fact: &str, value: &str) {
    let (head, fact) = (format!("[stage.{stage}]"), format!("environment.{fact} = "));
    let (mut inside, mut found) = (false, 0);
    let mut text = String::new();
    for line in sandbox.read("pipeline.lock").lines() {
        if line.starts_with('[') {
            inside = line == head;
        }
        let part = ["key = ", &fact].into_iter().find(|part| inside && line.starts_with(part));
        found += usize::from(part.is_some());
        match part {
            Some("key = ") => text.push_str(&format!("key = \"{}\"\n", "0".repeat(64))),
            Some(fact) => text.push_str(&format!("{fact}\"{value}\"\n")),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    assert_eq!(found, 2, "{text}");
    sandbox.write("pipeline.lock", text);
}

#[test]
fn a_lock_of_another_kilter_is_said_to_be_one() {
    let sandbox = sandbox();
    sandbox.run(&[]).success();
    lock_elsewhere(&sandbox, "first", "kilter", "0.0.1");
    let told = format!("kilter: 0.0.1 locked, {} now", env!("CARGO_PKG_VERSION"));
    let found = sandbox.kilter(&["verify", "--stage", "first"]).exits(4).prints("changed since it was locked");
    found.prints("or the kilter that made it").prints(&told);
    let json = sandbox.kilter(&["verify", "--stage", "first", "--json"]).exits(4).json();
    assert_eq!(json["stages"][0]["verdict"]["changed"]["environment"][0]["before"], "0.0.1", "{json:#}");
    sandbox.run(&["--locked"]).exits(4).says("or the kilter that made it").says(&told);
}

#[cfg(feature = "torch")]
#[test]
fn a_lock_of_another_libtorch_is_said_to_be_one() {
    let sandbox = Sandbox::with_manifest(TRAINING).file("penguins.csv", include_bytes!("../data/penguins.csv"));
    sandbox.run(&[]).success();
    lock_elsewhere(&sandbox, "train", "libtorch", "1.0.0");
    let told = format!("libtorch: 1.0.0 locked, {} now", kilter::job::LIBTORCH);
    sandbox.kilter(&["verify", "--stage", "train"]).exits(4).prints("changed since it was locked").prints(&told);
    sandbox.run(&["--locked"]).exits(4).says(&told);
}

#[test]
fn a_table_that_differs_is_shown_by_row_and_column() {
    let sandbox = table("");
    sandbox.run(&[]).success();
    sandbox.write("rows.csv", "id,mean\n1,0.5\n2,0.10000000000000002\n3,0.75\n");
    let found = sandbox.kilter(&["verify"]).exits(4);
    let found = found.prints("table `rows`, 3 rows: 1 row differs, all in column `mean`").prints("first at row 2:");
    found
        .prints("0.1                  locked")
        .prints("0.10000000000000002  now     (1 ULP)")
        .prints("in kilter (bit for bit)");
}

#[test]
fn a_declared_tolerance_admits_and_is_printed() {
    let sandbox = table("tolerance.rows = { rtol = 1e-3 }");
    sandbox.run(&[]).success();
    assert!(sandbox.read("pipeline.lock").contains("determinism = \"within tolerance\""));
    sandbox.write("rows.csv", "id,mean\n1,0.5\n2,0.1\n3,0.7501\n");
    let found = sandbox.kilter(&["verify"]).success().prints("in kilter within its tolerance");
    found.prints("rows: the largest difference is 1.0e-4; allowed is rtol 1e-3");
    sandbox.write("rows.csv", "id,mean\n1,0.5\n2,0.1\n3,0.76\n");
    sandbox.kilter(&["verify"]).exits(4).prints("first at row 3:").prints("\n      allowed is rtol 1e-3");
    // Words and whole numbers have no tolerance.
    sandbox.write("rows.csv", "id,mean\n1,0.5\n2,0.1\n4,0.75\n");
    sandbox.kilter(&["verify"]).exits(4).prints("all in column `id`");
    // It is not part of the key.
    sandbox.write("pipeline.toml", sandbox.read("pipeline.toml").replace("1e-3", "1e-1"));
    sandbox.run(&["--locked"]).all_cached();
}

#[test]
fn a_tolerance_is_not_applied_to_what_is_not_there() {
    let sandbox = table("tolerance.rows = { rtol = 1e-3 }");
    sandbox.run(&[]).success();
    forget(&sandbox);
    sandbox.kilter(&["verify"]).success().prints("bit for bit");
    sandbox.write("rows.csv", "id,mean\n1,0.5\n2,0.1\n3,0.7501\n");
    let found = sandbox.kilter(&["verify"]).exits(4).prints("off kilter");
    found.prints("whether it is within its `tolerance` cannot be told without the locked bytes");
    // Metrics stand in the lock itself.
    let metrics = r#"
[pipeline]
name = "metrics"
edition = "2026"

[stage.judge]
kind = "exec"
command = ["cp", "SCORES", "{outputs.scores}"]
outputs.scores = { path = "scores.json", type = "metrics" }
tolerance = { rtol = 1e-2 }
"#;
    let scores = sandbox.path("scores.json");
    sandbox.write("pipeline.toml", metrics.replace("SCORES", &scores.display().to_string()));
    sandbox.write("scores.json", "{\"accuracy\": 0.5}");
    sandbox.run(&[]).success();
    forget(&sandbox);
    for (accuracy, said) in [("0.501", "bytes: its metrics are\n"), ("0.6", "bytes: its metrics are not\n")] {
        sandbox.write("scores.json", format!("{{\"accuracy\": {accuracy}}}"));
        sandbox.kilter(&["verify"]).exits(4).prints(said);
    }
}

#[test]
fn what_is_within_its_tolerance_beside_a_difference_is_none() {
    let manifest = r#"
[pipeline]
name = "both"
edition = "2026"

[stage.judge]
kind = "exec"
command = ["sh", "-c", "cp FOLDER/scores.json s.json; cp FOLDER/words.txt w.txt"]
outputs.scores = { path = "s.json", type = "metrics" }
outputs.words = "w.txt"
tolerance.scores = { rtol = 1e-1 }
"#;
    let sandbox = Sandbox::with_manifest(manifest).file("scores.json", "{\"accuracy\": 0.5}").file("words.txt", "a b");
    let folder = sandbox.path("").display().to_string();
    sandbox.write("pipeline.toml", manifest.replace("FOLDER/", &folder));
    sandbox.run(&[]).success();
    sandbox.write("scores.json", "{\"accuracy\": 0.51}");
    sandbox.write("words.txt", "a c");
    let found = sandbox.kilter(&["verify"]).exits(4).prints("from byte 2 on:");
    let found = found.prints("within its tolerance, scores: the largest difference is 1.0e-2; allowed is rtol 1e-1");
    assert!(!found.stdout.contains("accuracy 0.5"), "{}", found.stdout);
}

#[test]
fn a_sample_is_drawn_by_its_seed() {
    let sandbox = sandbox();
    sandbox.run(&[]).success();
    let names = |seed: &str| -> Vec<String> {
        let found =
            sandbox.kilter(&["verify", "--sample", "34%", "--seed", seed, "--json"]).success().says("of 3 stages");
        let stages = found.json()["stages"].as_array().expect("stages").clone();
        stages.iter().map(|stage| stage["stage"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names("1"), names("1"));
    assert_eq!(names("1").len(), 2);
    // Of the stages that are asked for.
    let two = ["verify", "--stage", "first", "--stage", "second", "--sample", "50%"];
    sandbox.kilter(&two).success().says("a sample of 1 of 2 stages, by seed 0");
}

#[test]
fn what_follows_the_cores_is_found_by_running_twice() {
    let text = r#"
[pipeline]
name = "cores"
edition = "2026"

[stage.cores]
kind = "exec"
command = ["sh", "-c", "unset OMP_NUM_THREADS; nproc > \"$1\"", "sh", "{outputs.text}"]
outputs.text = "text.txt"

[stage.after]
kind = "exec"
command = ["cp", "{inputs.text}", "{outputs.copy}"]
inputs.text = "cores"
outputs.copy = "copy.txt"
"#;
    let sandbox = Sandbox::with_manifest(text);
    let several = std::thread::available_parallelism().expect("cores").get() > 1;
    if several {
        let found = sandbox.kilter(&["verify", "--twice"]).exits(4).prints("off kilter").prints("1\\n  with 1 thread");
        // Both runs of `after` had the same input.
        found.prints("after  in kilter (bit for bit)").prints("look for times, random numbers");
    }
    sandbox.run(&[]).success();
    sandbox.kilter(&["verify", "--twice", "--stage", "after"]).success().prints("1 stage in kilter");
    let found = sandbox.kilter(&["verify", "--twice", "--stage", "after", "--json"]).success();
    assert_eq!(found.json()["fed"], 0);
    sandbox.write("pipeline.toml", text.replace("\"cp\"", "\"false\""));
    sandbox.kilter(&["verify", "--twice", "--stage", "after"]).exits(1).prints("after  failed");
}

#[cfg(feature = "torch")]
#[test]
fn trainings_that_part_are_shown_with_tensor_and_step() {
    let penguins = include_bytes!("../data/penguins.csv");
    let sandbox = Sandbox::with_manifest(TRAINING).file("penguins.csv", penguins);
    sandbox.run(&[]).success();
    let lock = sandbox.read("pipeline.lock");
    assert!(lock.contains("determinism = \"bitwise on cpu ") && lock.contains("outputs.trace = "), "{lock}");
    sandbox.kilter(&["verify"]).success();
    sandbox.kilter(&["verify", "--twice", "--stage", "train"]).success();
    // A processor of another class.
    let worker = env!("CARGO_BIN_EXE_kilter-torch");
    let other = "ATEN_CPU_CAPABILITY=default MKL_CBWR=COMPATIBLE ONEDNN_MAX_CPU_ISA=SSE41";
    sandbox.write("other.sh", format!("#!/bin/sh\nexport {other}\nexec {worker} \"$@\"\n"));
    let path = sandbox.path("other.sh");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    let sandbox = sandbox.env("KILTER_TORCH", &path.to_string_lossy());
    let found = sandbox.kilter(&["verify", "--stage", "train"]).exits(4).prints("the runs part at step ");
    let found = found.prints("of 4 tensors differ").prints("ULP").prints("cpu_capability ").prints("default now");
    found.prints("its bits are claimed on cpu ").prints("numerics = \"portable\"");
    // Within a tolerance it is the same model.
    let tolerant = TRAINING.replace("epochs = 3", "epochs = 3\ntolerance = { rtol = 1e-2, atol = 1e-3 }");
    sandbox.write("pipeline.toml", tolerant);
    let found = sandbox.kilter(&["verify", "--stage", "train"]).success().prints("in kilter within its tolerance");
    found.prints("model: the largest difference is ").prints("allowed is rtol 1e-2, atol 1e-3");
    sandbox.write(
        "pipeline.toml",
        TRAINING.replace("epochs = 3", "epochs = 3\ntolerance.model = { rtol = 1e-2, atol = 1e-3 }"),
    );
    let found = sandbox.kilter(&["verify", "--stage", "train"]).exits(4);
    assert!(!found.stdout.contains("model `model`") && found.stdout.contains("table `trace`"), "{}", found.stdout);
    // A run that is held to the lock says the same.
    sandbox.write("pipeline.toml", TRAINING);
    let locked =
        sandbox.run(&["train", "--force", "--locked"]).exits(4).says("another result").says("cpu_capability: ");
    locked.says("default now").says("its bits are claimed on cpu ").says("numerics = \"portable\"");
}

#[cfg(feature = "torch")]
const TRAINING: &str = r#"
[pipeline]
name = "training"
edition = "2026"
seed = 3

[stage.raw]
kind = "fetch"
path = "penguins.csv"

[stage.table]
kind = "read"
from = "raw"
null_values = ["NA"]

[stage.encode]
kind = "encode"
fit = "table"
features.body = { numeric = ["flipper_length_mm", "body_mass_g"], scale = "standard", impute = "mean" }
target.species = "category"

[stage.model]
kind = "model"
data = "encode.table"
layers = [{ linear = 64 }, "tanh", { linear = "classes" }]

[stage.train]
kind = "train"
model = "model"
data = "encode.table"
loss = "cross_entropy"
optimizer.adam = { lr = 0.01 }
epochs = 3
"#;
