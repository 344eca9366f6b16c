//! Ready-made models of `stdlib/`, from the rows of a table to a judgement, by the program itself: two towers that rank, linear and
//! logistic regression, and ResNet-18. With libtorch only.

use crate::sandbox::Sandbox;
use std::fmt::Write;

const TABLE: &str = r#"
[pipeline]
name = "ready_made"
edition = "2026"
seed = 4

[stage.raw]
kind = "fetch"
path = "rows.csv"

[stage.rows]
kind = "read"
from = "raw"
null_values = ["NA"]
"#;

const RANKING: &str = r#"
[stage.split]
kind = "split"
from = "rows"
parts = { train = 0.6, val = 0.2, test = 0.2 }
stratify = "liked"

[stage.encode]
kind = "encode"
fit = "split.train"
apply = ["split.val", "split.test"]
features.user = { category = "reader", encode = "index" }
features.item = { category = "book", encode = "index" }
target.liked = "binary"

[stage.towers]
use = "std/rec/two_tower"
data = "encode.train"
"#;

/// A training by a loss, its judgement, and the four books that it puts first for a reader.
fn ranked_by(loss: &str) -> String {
    format!(
        r#"
[stage.{loss}]
kind = "train"
model = "towers.model"
data = "encode.train"
validate = "encode.val"
loss.{loss} = {{ items = ["item"], negatives = 8 }}
optimizer.adam = {{ lr = 0.02 }}
epochs = 30
batch_size = 64

[stage.judge_{loss}]
kind = "evaluate"
model = "{loss}.model"
data = "encode.test"
metrics = ["roc_auc", "hit_rate", "ndcg", "mrr"]
require.roc_auc = {{ min = 0.7 }}
ranking = {{ by = ["user"], top = 3 }}

[stage.ask_{loss}]
kind = "predict"
model = "{loss}.model"
data = "new"
keep = ["book"]
logits = true

[stage.first_{loss}]
kind = "sql"
inputs = {{ asked = "ask_{loss}" }}
query = "SELECT book FROM asked ORDER BY logit DESC LIMIT 4"
"#
    )
}

fn metric(sandbox: &Sandbox, stage: &str, name: &str) -> f64 {
    let shown = sandbox.kilter(&["show", "pipeline.toml", stage, "--json"]).success().json();
    let found = shown["metrics"][name].as_f64();
    found.unwrap_or_else(|| panic!("no {name} of {stage}: {shown}"))
}

/// 24 readers and 24 books of three kinds each: a reader likes the books of its kind.
#[test]
fn two_columns_of_ids_are_ranked_and_judged() {
    let mut rows = "reader,book,liked\n".to_owned();
    let mut new = "reader,book\n".to_owned();
    for book in 0..24 {
        let _ = writeln!(new, "r0,b{book}");
        for reader in 0..24 {
            let _ = writeln!(rows, "r{reader},b{book},{}", u8::from(reader % 3 == book % 3));
        }
    }
    let new_rows =
        "[stage.new_raw]\nkind = \"fetch\"\npath = \"new.csv\"\n\n[stage.new]\nkind = \"read\"\nfrom = \"new_raw\"\n";
    let losses = ["bpr", "sampled_softmax"];
    let text = [TABLE, RANKING, new_rows, &ranked_by(losses[0]), &ranked_by(losses[1])].concat();
    let sandbox = Sandbox::with_manifest(&text).file("rows.csv", rows).file("new.csv", new);
    sandbox.run(&[]).success().says("gate roc_auc");
    for loss in losses {
        // About a third of other books is liked as well, which nothing can rank.
        let right = metric(&sandbox, loss, "val_pair_accuracy");
        assert!(right > 0.65, "{loss}: {right}");
        // Each reader has about five rows in `test`, one or two of them yes.
        let judge = format!("judge_{loss}");
        let [hit_rate, ndcg, mrr] = ["hit_rate", "ndcg", "mrr"].map(|name| metric(&sandbox, &judge, name));
        assert!(hit_rate > 0.9 && ndcg > 0.8 && mrr > 0.8, "{loss}: {hit_rate} {ndcg} {mrr}");
        let shown = sandbox.kilter(&["show", "pipeline.toml", &format!("first_{loss}"), "--json"]).success().json();
        let first = shown["outputs"]["table"]["head"].as_array().cloned().unwrap_or_default();
        let of_its_kind = first.iter().filter(|row| {
            let number = row["book"].as_str().and_then(|book| book[1..].parse::<u32>().ok());
            number.is_some_and(|number| number % 3 == 0)
        });
        assert!(first.len() == 4 && of_its_kind.count() >= 3, "{loss}: {shown}");
    }
    sandbox.run(&[]).all_cached();
}

const PENGUINS: &str = r#"
[stage.known]
kind = "table"
from = "rows"
steps = [{ filter = "sex IS NOT NULL" }]

[stage.split]
kind = "split"
from = "known"
parts = { train = 0.75, test = 0.25 }
stratify = "species"
"#;

/// One target of the penguins, by one of the models that are a single layer.
fn regression(name: &str, model: &str, features: &str, target: &str, loss: &str, gate: &str) -> String {
    format!(
        r#"
[stage.encode_{name}]
kind = "encode"
fit = "split.train"
apply = ["split.test"]
features.body = {{ numeric = ["bill_*", "flipper_length_mm"] }}
{features}
target.{target}

[stage.model_{name}]
use = "std/tabular/{model}"
data = "encode_{name}.train"

[stage.train_{name}]
kind = "train"
model = "model_{name}.model"
data = "encode_{name}.train"
loss = "{loss}"
optimizer.adamw = {{ lr = 0.03 }}
epochs = 60

[stage.judge_{name}]
kind = "evaluate"
model = "train_{name}.model"
data = "encode_{name}.test"
{gate}
"#
    )
}

#[test]
fn linear_and_logistic_regression_learn_a_number_classes_and_yes_or_no() {
    let gate = |metric: &str, least: &str| format!("metrics = [\"{metric}\"]\nrequire.{metric} = {{ min = {least} }}");
    let (species, mass) = ("features.species = \"category\"", "features.mass = { numeric = [\"body_mass_g\"] }");
    let both = format!("{species}\n{mass}");
    let text = [
        TABLE,
        PENGUINS,
        &regression("mass", "linear_regression", species, "body_mass_g = \"number\"", "mse", &gate("r2", "0.7")),
        &regression(
            "kind",
            "logistic_regression",
            mass,
            "species = \"category\"",
            "cross_entropy",
            &gate("accuracy", "0.93"),
        ),
        &regression(
            "sex",
            "logistic_regression",
            &both,
            "sex = { binary = { positive = \"male\" } }",
            "binary_cross_entropy",
            &gate("accuracy", "0.75"),
        ),
    ]
    .concat();
    let sandbox = Sandbox::with_manifest(&text).data("penguins.csv");
    sandbox.write("rows.csv", sandbox.read("penguins.csv"));
    sandbox.run(&[]).success().says("gate r2").says("gate accuracy");
    // Bill twice, flipper and three species for a number; bill twice, flipper and mass for three classes.
    for (stage, told) in [("train_mass.model", "7 parameters"), ("train_kind.model", "15 parameters")] {
        sandbox.kilter(&["show", "pipeline.toml", stage]).success().prints(told);
    }
}

const PICTURES: &str = r#"
[stage.encode]
kind = "encode"
fit = "rows"
features.image = { image = [1, 8, 8], columns = "p_*", scale = 255 }
target.side = "category"

[stage.net]
use = "std/vision/resnet18"
data = "encode.rows"

[stage.train]
kind = "train"
model = "net.model"
data = "encode.rows"
loss = "cross_entropy"
optimizer.sgd = { lr = 0.01, momentum = 0.9 }
epochs = 1
batch_size = 16
# Its 11 million weights once are enough here.
extendable = false

[stage.evaluate]
kind = "evaluate"
model = "train.model"
data = "encode.rows"
metrics = ["accuracy"]
"#;

#[test]
fn resnet18_takes_small_pictures_of_one_channel_too() {
    let pixels: Vec<String> = (0..64).map(|pixel| format!("p_{pixel}")).collect();
    let mut rows = format!("{},side\n", pixels.join(","));
    for row in 0..32_u32 {
        let bright = |pixel: u32| u32::from(pixel % 8 / 4 == row % 2) * 150 + (row * 7 + pixel * 13) % 100;
        let values: Vec<String> = (0..64).map(|pixel| bright(pixel).to_string()).collect();
        let _ = writeln!(rows, "{},{}", values.join(","), ["left", "right"][row as usize % 2]);
    }
    let sandbox = Sandbox::with_manifest(&[TABLE, PICTURES].concat()).file("rows.csv", rows);
    sandbox.run(&[]).success();
    assert!(metric(&sandbox, "train", "loss").is_finite());
    assert!((0.0..=1.0).contains(&metric(&sandbox, "evaluate", "accuracy")));
}
