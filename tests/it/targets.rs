//! Several targets in one encoding: a model for each is trained on it, judged on it, and asked about raw rows; what a prediction reads
//! of a table. With libtorch only.

use crate::sandbox::{Ran, Sandbox};
use std::fmt::Write;

const MANIFEST: &str = r#"
[pipeline]
name = "two"
edition = "2026"
seed = 5

[stage.raw]
kind = "fetch"
path = "rows.csv"

[stage.rows]
kind = "read"
from = "raw"

[stage.split]
kind = "split"
from = "rows"
parts = { train = 0.75, test = 0.25 }
stratify = "kind"
leaks = "ignore"

[stage.encode]
kind = "encode"
fit = "split.train"
apply = ["split.test"]
features.x = { numeric = ["a", "b"] }
target.kind = "category"
target.size = "number"

[stage.new_file]
kind = "fetch"
path = "new.csv"

[stage.new]
kind = "read"
from = "new_file"
"#;

fn model(target: &str, layer: &str, loss: &str, metrics: &str) -> String {
    format!(
        r#"
[stage.model_{target}]
kind = "model"
data = "encode.train"
target = "{target}"
layers = [{layer}]

[stage.train_{target}]
kind = "train"
model = "model_{target}"
data = "encode.train"
loss = "{loss}"
optimizer.adamw = {{ lr = 0.05 }}
epochs = 60
batch_size = 16

[stage.judge_{target}]
kind = "evaluate"
model = "train_{target}.model"
data = "encode.test"
metrics = {metrics}

[stage.ask_{target}]
kind = "predict"
model = "train_{target}.model"
data = "new"
keep = ["id"]
"#
    )
}

/// Rows of two kinds, far apart, and of a size that is 3 a - b.
fn sandbox() -> Sandbox {
    let mut rows = "a,b,kind,size,other\n".to_owned();
    for row in 0..64 {
        let (a, b) = (f64::from(row % 8) / 4.0 + if row % 2 == 0 { 3.0 } else { -3.0 }, f64::from(row * 5 % 7) / 3.0);
        let _ = writeln!(rows, "{a},{b},{},{},x{row}", ["even", "odd"][row as usize % 2], 3.0 * a - b);
    }
    let text = [
        MANIFEST.to_owned(),
        model("kind", "{ linear = \"classes\" }", "cross_entropy", "[\"accuracy\"]"),
        model("size", "{ linear = 1 }", "mse", "[\"r2\", \"rmse\"]"),
    ];
    let new = "id,note,a,b\n1,x,3.5,1\n2,y,-2.5,0\n3,z,4,2\n";
    Sandbox::with_manifest(&text.concat()).file("rows.csv", rows).file("new.csv", new)
}

fn metric(sandbox: &Sandbox, stage: &str, name: &str) -> f64 {
    let shown = sandbox.kilter(&["show", "pipeline.toml", stage, "--json"]).success().json();
    let found = shown["metrics"][name].as_f64();
    found.unwrap_or_else(|| panic!("no {name} of {stage}: {shown}"))
}

fn answers(sandbox: &Sandbox, stage: &str) -> Vec<String> {
    let shown = sandbox.kilter(&["show", "pipeline.toml", stage, "--json"]).success().json();
    let rows = shown["outputs"]["table"]["head"].as_array().cloned().unwrap_or_default();
    rows.iter()
        .map(|row| row["prediction"].as_str().map_or_else(|| row["prediction"].to_string(), str::to_owned))
        .collect()
}

/// The stages that were cached.
fn cached(ran: &Ran) -> Vec<String> {
    let events = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an event"));
    let done = events.filter(|event| event["event"] == "stage_done" && event["cached"] == true);
    done.map(|event| event["stage"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn two_models_are_trained_and_judged_from_one_encoding() {
    let sandbox = sandbox();
    sandbox.run(&[]).success();
    assert_eq!(metric(&sandbox, "judge_kind", "accuracy"), 1.0);
    assert!(metric(&sandbox, "judge_size", "r2") > 0.98);
    assert_eq!(answers(&sandbox, "ask_kind"), ["even", "odd", "even"]);
    for (found, expected) in answers(&sandbox, "ask_size").iter().zip([9.5, -7.5, 10.0]) {
        let found: f64 = found.parse().expect("a number");
        assert!((found - expected).abs() < 1.0, "{found}, not {expected}");
    }
    sandbox.run(&[]).all_cached();
    // A prediction reads the columns that its model takes and those that it keeps.
    sandbox.write("new.csv", "note,id,b,a\nchanged,1,1,3.5\ny,2,0,-2.5\nz,3,2,4\n");
    let ran = sandbox.run(&["--json"]).success();
    assert!(
        ["ask_kind", "ask_size"].iter().all(|stage| cached(&ran).contains(&(*stage).to_owned())),
        "{:?}",
        cached(&ran)
    );
    sandbox.write("new.csv", "note,id,b,a\nchanged,1,1,-3.5\ny,2,0,-2.5\nz,3,2,4\n");
    let ran = sandbox.run(&["--json"]).success();
    assert!(
        !["ask_kind", "ask_size"].iter().any(|stage| cached(&ran).contains(&(*stage).to_owned())),
        "{:?}",
        cached(&ran)
    );
    assert_eq!(answers(&sandbox, "ask_kind"), ["odd", "odd", "even"]);
    // The other target is none of this model's business: what is trained for it stays.
    let text = sandbox.read("pipeline.toml").replace("[\"r2\", \"rmse\"]", "[\"r2\"]");
    sandbox.write("pipeline.toml", text);
    let ran = sandbox.run(&["--json"]).success();
    let told = cached(&ran);
    assert!(told.contains(&"judge_kind".to_owned()) && !told.contains(&"judge_size".to_owned()), "{told:?}");
}

#[test]
fn a_model_of_several_targets_must_say_which() {
    let sandbox = sandbox();
    let text = sandbox.read("pipeline.toml");
    sandbox.write("pipeline.toml", text.replace("target = \"size\"\n", ""));
    let told = sandbox.kilter(&["check", "pipeline.toml"]).exits(2);
    told.says("the data has several targets: `kind` and `size`").says("target = \"kind\"");
    sandbox.write("pipeline.toml", text.replace("target = \"size\"\n", "target = \"sizes\"\n"));
    sandbox.kilter(&["check", "pipeline.toml"]).exits(2).says("the data has no target `sizes`");
}
