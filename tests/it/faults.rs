//! Bad input and a hostile world: each fault gives a message that names the place and says what to do, the right exit
//! code, and a store that is sound: the mended run works, and the one after it has nothing to do.

use crate::sandbox::Sandbox;
use std::process::Command;

/// A pipeline over `data.csv` up to its split; tests add to it.
const TABLE: &str = r#"
[pipeline]
name = "faults"
edition = "2026"
seed = 1

[stage.raw]
kind = "fetch"
path = "data.csv"

[stage.table]
kind = "read"
from = "raw"
null_values = ["NA"]
"#;

/// The stages from a table to a trained network for the penguins' species.
const TRAIN: &str = r#"
[stage.split]
kind = "split"
from = "table"
parts = { train = 0.7, test = 0.3 }
stratify = "species"

[stage.encode]
kind = "encode"
fit = "split.train"
apply = ["split.test"]
features.body = { numeric = ["flipper_length_mm", "body_mass_g"], scale = "standard", impute = "mean" }
target.species = "category"

[stage.model]
kind = "model"
data = "encode.train"
layers = [{ linear = 8 }, "relu", { linear = "classes" }]

[stage.train]
kind = "train"
model = "model"
data = "encode.train"
loss = "cross_entropy"
optimizer.sgd = { lr = 0.1 }
epochs = 3
batch_size = 32
"#;

fn penguins() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/penguins.csv");
    std::fs::read_to_string(path).expect("test data")
}

/// Runs until it works, and once more: the store is sound.
fn works_now(sandbox: &Sandbox) {
    sandbox.run(&[]).success();
    sandbox.run(&[]).success().says("nothing to do");
}

#[test]
fn a_missing_column_is_found_before_anything_runs() {
    let text = format!(
        "{TABLE}\n[stage.some]\nkind = \"sql\"\ninputs = {{ t = \"table\" }}\nquery = \"SELECT wieght FROM t\"\n"
    );
    let sandbox = Sandbox::with_manifest(&text).file("data.csv", "weight,age\n1.5,2\n2.5,3\n");
    sandbox.run(&[]).exits(2).says("E0213").says("wieght").says("did you mean `weight`?");
    sandbox.write("pipeline.toml", text.replace("wieght", "weight"));
    works_now(&sandbox);
}

#[test]
fn an_empty_file_is_named() {
    let sandbox = Sandbox::with_manifest(TABLE).file("data.csv", "");
    sandbox.run(&[]).exits(2).says("E0224").says("`data.csv`").says("empty");
    sandbox.write("data.csv", "a,b\n1,2\n");
    works_now(&sandbox);
}

#[test]
fn a_ragged_line_is_named_by_its_number() {
    let sandbox = Sandbox::with_manifest(TABLE).file("data.csv", "a,b\n1,2\n3,4,5\n6,7\n");
    sandbox.run(&[]).exits(2).says("line 3").says("3 fields");
    sandbox.write("data.csv", "a,b\n1,2\n3,4\n6,7\n");
    works_now(&sandbox);
}

#[test]
fn a_wrong_sha256_shows_both() {
    let text = |sha256: &str| {
        format!(
            "[pipeline]\nname = \"faults\"\nedition = \"2026\"\n\n[stage.raw]\nkind = \"fetch\"\n\
             package = \"pypi:palmerpenguins==0.1.6\"\nmember = \"palmerpenguins/data/penguins.csv\"\nsha256 = \"{sha256}\"\n"
        )
    };
    let right = "5c3be9af84dd703a25f1aaeadeac6ac770cfd38c1620d00089f581c023129ee0";
    let wrong = right.replace("5c3b", "0000");
    let sandbox = Sandbox::with_manifest(&text(&wrong));
    sandbox.run(&[]).exits(1).says(right).says(&wrong);
    sandbox.write("pipeline.toml", text(right));
    works_now(&sandbox);
}

#[test]
fn a_package_that_does_not_exist_is_named() {
    let text = format!(
        "[pipeline]\nname = \"faults\"\nedition = \"2026\"\n\n[stage.raw]\nkind = \"fetch\"\n\
         package = \"pypi:palmerpenguins==99.0\"\nmember = \"x.csv\"\nsha256 = \"{}\"\n",
        "0".repeat(64)
    );
    Sandbox::with_manifest(&text).run(&[]).exits(1).says("99.0").says("palmerpenguins").says("0.1.6");
}

#[test]
fn a_label_unseen_in_training_is_named() {
    let text = format!(
        "{TABLE}
[stage.split]
kind = \"split\"
from = \"table\"
by = \"part\"
parts = {{ train = [\"train\"], test = [\"test\"] }}

[stage.encode]
kind = \"encode\"
fit = \"split.train\"
apply = [\"split.test\"]
features.x = {{ numeric = [\"x\"] }}
target.y = \"category\"
"
    );
    let sandbox = Sandbox::with_manifest(&text).file("data.csv", "part,x,y\ntrain,1,cat\ntrain,2,dog\ntest,3,newt\n");
    sandbox.run(&[]).exits(1).says("newt").says("encode");
    sandbox.write("data.csv", "part,x,y\ntrain,1,cat\ntrain,2,dog\ntest,3,dog\n");
    works_now(&sandbox);
}

#[test]
fn an_image_of_the_wrong_size_is_an_error_at_its_line() {
    let text = format!(
        "{TABLE}
[stage.split]
kind = \"split\"
from = \"table\"
parts = {{ train = 0.5, test = 0.5 }}

[stage.encode]
kind = \"encode\"
fit = \"split.train\"
features.image = {{ image = [1, 2, 3], columns = \"p_*\" }}
target.y = \"category\"
"
    );
    let sandbox = Sandbox::with_manifest(&text)
        .file("data.csv", "p_0,p_1,p_2,p_3,y\n1,2,3,4,a\n5,6,7,8,b\n1,2,3,4,a\n5,6,7,8,b\n");
    sandbox.run(&[]).exits(2).says("6").says("4");
    sandbox.write("pipeline.toml", text.replace("[1, 2, 3]", "[1, 2, 2]"));
    works_now(&sandbox);
}

#[test]
fn a_loss_that_is_not_a_number_stops_the_training() {
    if !cfg!(feature = "torch") {
        return;
    }
    let text = format!("{TABLE}{TRAIN}");
    let sandbox = Sandbox::with_manifest(&text.replace("lr = 0.1", "lr = 1e38")).file("data.csv", penguins());
    sandbox.run(&[]).exits(1).says("train").says("loss is NaN").says("learning rate 1e38");
    sandbox.write("pipeline.toml", &text);
    works_now(&sandbox);
}

#[test]
fn a_killed_worker_is_a_failed_stage_and_the_rest_goes_on() {
    if !cfg!(feature = "torch") {
        return;
    }
    let text = format!("{TABLE}{TRAIN}").replace("epochs = 3", "epochs = 100000");
    let sandbox = Sandbox::with_manifest(&text).file("data.csv", penguins());
    let mut child = sandbox.command(&["run", "pipeline.toml", "--keep-going"]);
    let child =
        child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().expect("kilter starts");
    let worker = wait_for_worker(child.id());
    // Give it time to take some steps, then kill it as the kernel would.
    std::thread::sleep(std::time::Duration::from_millis(700));
    let killed = Command::new("kill").args(["-9", &worker.to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let out = child.wait_with_output().expect("kilter ends");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{said}");
    for word in ["train", "signal 9", "log"] {
        assert!(said.contains(word), "{word} is missing in\n{said}");
    }
    sandbox.write("pipeline.toml", text.replace("epochs = 100000", "epochs = 2"));
    works_now(&sandbox);
}

/// The process id of the worker that `parent` started.
fn wait_for_worker(parent: u32) -> u32 {
    for _ in 0..600 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let children = std::fs::read_dir("/proc").expect("proc").flatten().filter_map(|entry| {
            let process: u32 = entry.file_name().to_string_lossy().parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
            let its_parent: u32 = rest.split_whitespace().nth(1)?.parse().ok()?;
            (name == "kilter-torch" && its_parent == parent).then_some(process)
        });
        if let Some(process) = children.into_iter().next() {
            return process;
        }
    }
    panic!("no worker was started within 30 s");
}

#[test]
fn ctrl_c_stops_cleanly_and_the_next_run_continues() {
    if !cfg!(feature = "torch") {
        return;
    }
    let text = format!("{TABLE}{TRAIN}").replace("epochs = 3", "epochs = 100000");
    let sandbox = Sandbox::with_manifest(&text).file("data.csv", penguins());
    let mut command = sandbox.command(&["run", "pipeline.toml"]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("kilter starts");
    wait_for_worker(child.id());
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    let out = child.wait_with_output().expect("kilter ends");
    assert_eq!(out.status.code(), Some(130), "{}", String::from_utf8_lossy(&out.stderr));
    sandbox.write("pipeline.toml", text.replace("epochs = 100000", "epochs = 2"));
    sandbox.run(&[]).success().says("cached");
    sandbox.run(&[]).success().says("nothing to do");
}

/// Runs a shell line in a mount namespace of its own; `None` where the system does not allow that.
fn in_namespace(sandbox: &Sandbox, line: &str) -> Option<std::process::Output> {
    let allowed = Command::new("unshare").args(["-rm", "true"]).output().is_ok_and(|out| out.status.success());
    // Some systems do not allow mount namespaces; then there is no way to fill a disk of our own.
    if !allowed {
        return None;
    }
    let program = env!("CARGO_BIN_EXE_kilter");
    let out = Command::new("unshare")
        .args(["-rm", "sh", "-c", &line.replace("KILTER", program)])
        .current_dir(sandbox.path(""))
        .env("NO_COLOR", "1")
        .output();
    Some(out.expect("unshare runs"))
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let rows: String = (0..60_000).map(|row| format!("{row},{}\n", row * 7919 % 104_729)).collect();
    let sandbox = Sandbox::with_manifest(TABLE).file("data.csv", format!("a,b\n{rows}"));
    std::fs::create_dir_all(sandbox.path(".kilter")).expect("a folder");
    let line = "mount -t tmpfs -o size=200k full .kilter && KILTER run pipeline.toml; code=$?; \
                find .kilter -path '*index*' -name '*.json' | wc -l; exit $code";
    let Some(out) = in_namespace(&sandbox, line) else { return };
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(matches!(out.status.code(), Some(1 | 3)), "{:?}\n{said}", out.status);
    assert!(said.contains("disk is full"), "{said}");
    works_now(&sandbox);
}

#[test]
fn a_read_only_store_is_an_error_of_the_environment() {
    let sandbox = Sandbox::with_manifest(TABLE).file("data.csv", "a,b\n1,2\n");
    std::fs::create_dir_all(sandbox.path(".kilter")).expect("a folder");
    let line = "mount -t tmpfs -o ro none .kilter && KILTER run pipeline.toml";
    let Some(out) = in_namespace(&sandbox, line) else { return };
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(3), "{said}");
    assert!(said.contains("read-only"), "{said}");
    works_now(&sandbox);
}

#[test]
fn results_that_cannot_be_put_in_place_are_an_error_of_the_environment() {
    let rows: String = (0..60_000).map(|row| format!("{row},{}\n", row * 7919 % 104_729)).collect();
    let sandbox = Sandbox::with_manifest(TABLE).file("data.csv", format!("a,b\n{rows}"));
    sandbox.run(&[]).success();
    for (options, why) in [("ro", "read-only"), ("size=200k", "the disk is full")] {
        std::fs::remove_dir_all(sandbox.path("out")).expect("removed");
        std::fs::create_dir(sandbox.path("out")).expect("a folder");
        let line = format!("mount -t tmpfs -o {options} none out && KILTER run pipeline.toml");
        let Some(out) = in_namespace(&sandbox, &line) else { return };
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{said}");
        assert!(said.contains("/out") && said.contains(why), "{said}");
    }
    // The cached results themselves are whole.
    sandbox.run(&[]).all_cached();
    works_now(&sandbox);
}
