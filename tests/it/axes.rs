//! Axes: stages that are made once for every value, by the program itself.

use crate::sandbox::Sandbox;

const FOLDS: &str = r#"
[pipeline]
name = "folds"
edition = "2026"
seed = 1

[stage]
raw = { kind = "fetch", path = "penguins.csv" }
table = { kind = "read", from = "raw", null_values = ["NA"] }
none = { kind = "table", from = "table", steps = [{ filter = "body_mass_g < 0" }] }

[stage.split]
kind = "split"
from = "table"
folds = 5
fold = "${fold}"
matrix.fold = [1, 2, 3, 4, 5]

[stage.sizes]
kind = "sql"
inputs = { t = "split.test" }
query = "SELECT count(*) AS n FROM t"

[stage.together]
kind = "table"
from = "none"
steps = [{ concat = { with = ["split.test"] } }]

[stage.once]
kind = "expect"
from = "together"
checks.rows = { rows = { min = 344, max = 344 } }
"#;

fn sandbox(more: &str) -> Sandbox {
    Sandbox::with_manifest(&format!("{FOLDS}\n{more}")).data("penguins.csv")
}

#[test]
fn folds_are_dealt_alike_and_a_list_gathers_them() {
    let sandbox = sandbox("");
    sandbox.run(&[]).success().says("split[fold=5]");
    sandbox.run(&[]).all_cached();
    let sizes: i64 = (1..=5)
        .map(|fold| {
            let shown = sandbox.kilter(&["show", &format!("sizes[fold={fold}]"), "--json"]).success().json();
            let head = shown["outputs"]["table"]["head"].to_string();
            head.chars().filter(char::is_ascii_digit).collect::<String>().parse::<i64>().expect("a count")
        })
        .sum();
    assert_eq!(sizes, 344, "every row is in one fold");
    // Every row once: the parts of the folds are disjoint.
    let read = |name: &str| sandbox.kilter(&["show", name, "--json"]).success().json()["outputs"].to_string();
    assert_ne!(read("split[fold=1].test"), read("split[fold=2].test"));
}

#[test]
fn a_program_takes_all_values_of_an_axis() {
    let sandbox = sandbox(
        r#"
[stage.measured]
kind = "exec"
command = ["sh", "-c", "echo $0 > n.txt", "${fold}"]
inputs.part = "split.test"
outputs.n = "n.txt"
matrix.fold = [1, 2, 3, 4, 5]

[stage.summary]
kind = "exec"
command = ["sh", "-c", "cat \"$@\" > all.txt", "sh", "{inputs.all}"]
inputs.all = ["measured"]
outputs.all = "all.txt"
"#,
    );
    sandbox.run(&["summary"]).success();
    let read = || sandbox.read("out/folds/summary/all.txt").chars().filter(char::is_ascii_digit).collect::<String>();
    assert_eq!(read(), "12345", "in the order of the axis");
    sandbox.run(&["summary"]).all_cached();
    let text = sandbox.read("pipeline.toml");
    sandbox.write("pipeline.toml", text.replace("[1, 2, 3, 4, 5]\n\n[stage.summary]", "[5, 1]\n\n[stage.summary]"));
    sandbox.run(&["summary"]).success().says("1 stage ran");
    assert_eq!(read(), "51");
}

#[test]
fn one_more_value_makes_only_what_it_needs() {
    let sandbox = sandbox("");
    sandbox.run(&["split", "sizes"]).success();
    let manifest = FOLDS.replace("folds = 5", "folds = 5 # five").replace("[1, 2, 3, 4, 5]", "[1, 2, 3]");
    sandbox.write("pipeline.toml", &manifest);
    sandbox.run(&["sizes"]).all_cached();
    sandbox.run(&["sizes[fold=2]"]).all_cached();
    sandbox.run(&["sizes[fold=4]"]).exits(2).says("there is no stage `sizes[fold=4]`");
    sandbox.kilter(&["why", "sizes"]).exits(2).says("`sizes` is 3 stages").says("`sizes[fold=1]`");
}

#[test]
fn axes_cross_pair_and_are_summed_up() {
    let training = r#"
[stage.encode]
kind = "encode"
fit = "split.train"
apply = ["split.test"]
features.body = { numeric = ["bill_*"], impute = "mean" }
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
optimizer.adam = { lr = "${lr}" }
epochs = 4
batch_size = 32
matrix = { lr = [0.02, 0.001], seed = [1, 2] }

[stage.judge]
kind = "evaluate"
model = "train.model"
data = "encode.test"
metrics = ["accuracy"]
"#;
    if !cfg!(feature = "torch") {
        return;
    }
    let sandbox = sandbox(training);
    sandbox.run(&[]).success().says("judge[fold=5,lr=0.001,seed=2]");
    let shown = sandbox.kilter(&["show", "judge", "--json"]).success().json();
    assert_eq!(shown["points"].as_array().map(Vec::len), Some(20));
    assert_eq!(shown["all"]["accuracy"]["n"], 20);
    let by = |axis: &str| shown["by"][axis].as_array().expect("values").len();
    assert_eq!((by("fold"), by("lr"), by("seed")), (5, 2, 2));
    let mean =
        |axis: &str, place: usize| shown["by"][axis][place]["metrics"]["accuracy"]["mean"].as_f64().expect("a mean");
    let halves = (mean("lr", 0) + mean("lr", 1)) / 2.0;
    assert!((halves - shown["all"]["accuracy"]["mean"].as_f64().expect("a mean")).abs() < 1e-12);
    assert!(mean("lr", 0) > mean("lr", 1), "4 epochs at 0.001 are too few");
    sandbox.kilter(&["show", "judge"]).success().prints("20 stages over fold, lr, seed").prints("accuracy, mean ± sd");
    let sorted = sandbox.kilter(&["show", "judge", "--sort", "accuracy", "--json"]).success().json();
    let values: Vec<f64> =
        sorted["points"].as_array().expect("points").iter().filter_map(|p| p["metrics"]["accuracy"].as_f64()).collect();
    assert!(values.len() == 20 && values.is_sorted_by(|a, b| a >= b), "{values:?}");
    assert_eq!(sorted["by"]["lr"][0]["value"], sorted["points"][0]["axes"]["lr"]);
    sandbox.kilter(&["show", "judge", "--sort", "acuracy"]).exits(2).says("did you mean `accuracy`?");
    sandbox.kilter(&["show", "judge[fold=1,lr=0.02,seed=1]", "--sort", "accuracy"]).exits(2).says("is one stage");
    // Repeats differ: the axis `seed` is a part of the stage's seed.
    let curve = |seed: u32| {
        let name = format!("train[fold=1,lr=0.02,seed={seed}]");
        sandbox.kilter(&["show", &name, "--json"]).success().json()["metrics"].to_string()
    };
    assert_ne!(curve(1), curve(2));
    sandbox.kilter(&["verify"]).success();
}

/// Every file of the results.
fn results(sandbox: &Sandbox) -> Vec<(String, Vec<u8>)> {
    let folder = sandbox.path("out/folds");
    let walk = walkdir::WalkDir::new(&folder).follow_links(true).sort_by_file_name().into_iter();
    let files = walk.map(|entry| entry.expect("an entry")).filter(|entry| entry.file_type().is_file());
    let read = |entry: walkdir::DirEntry| {
        let name = entry.path().strip_prefix(&folder).expect("below").display().to_string();
        (name, std::fs::read(entry.path()).expect("bytes"))
    };
    files.map(read).collect()
}

#[test]
fn trials_side_by_side_give_the_bytes_of_trials_one_after_the_other() {
    let trials = r#"
[stage.encode]
kind = "encode"
fit = "table"
features.body = { numeric = ["bill_*"], impute = "mean" }
target.species = "category"

[stage.model]
kind = "model"
data = "encode.table"
layers = [{ linear = 8 }, "relu", { dropout = 0.3 }, { linear = "classes" }]

[stage.train]
kind = "train"
model = "model"
data = "encode.table"
loss = "cross_entropy"
optimizer.adam = { lr = "${lr}" }
epochs = 3
threads = 1
matrix = { lr = [0.02, 0.001], seed = [1, 2, 3] }
"#;
    if !cfg!(feature = "torch") {
        return;
    }
    let run = |jobs: &str| {
        let sandbox = sandbox(trials);
        sandbox.run(&["train", "--jobs", jobs]).success();
        results(&sandbox)
    };
    let (one_by_one, together) = (run("1"), run("4"));
    assert_eq!(one_by_one.iter().filter(|(name, _)| name.ends_with("model.safetensors")).count(), 6);
    assert_eq!(
        one_by_one.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        together.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
    for ((name, one), (_, other)) in one_by_one.iter().zip(&together) {
        assert!(one == other, "{name} differs");
    }
}

#[test]
fn axes_go_through_modules() {
    let sandbox = sandbox(
        r#"
[stage.heavy]
use = "./heavy.toml"
rows = "split.test"

[stage.count]
kind = "sql"
inputs = { t = "heavy" }
query = "SELECT count(*) AS n FROM t"
"#,
    )
    .file(
        "heavy.toml",
        r#"
[pipeline]
name = "heavy"
edition = "2026"
[inputs]
rows = "table"
[outputs]
table = "kept"
[stage.kept]
kind = "table"
from = "rows"
steps = [{ filter = "body_mass_g > 4000" }]
"#,
    );
    sandbox.run(&["count"]).success().says("heavy/kept[fold=3]").says("count[fold=3]");
    sandbox.run(&["count[fold=3]"]).all_cached();
}
