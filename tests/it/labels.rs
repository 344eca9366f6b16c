//! A target of several labels, from the table to the gate.

use crate::sandbox::Sandbox;

const MANIFEST: &str = r#"
[pipeline]
name = "labels"
edition = "2026"
seed = 1

[stage.raw]
kind = "fetch"
path = "penguins.csv"

[stage.table]
kind = "read"
from = "raw"
null_values = ["NA"]

[stage.rows]
kind = "sql"
inputs = { p = "table" }
query = """
SELECT bill_length_mm, bill_depth_mm, flipper_length_mm, island,
       body_mass_g > 4200 AS heavy, species = 'Adelie' AS adelie, CAST(species = 'Gentoo' AS INT) AS gentoo
FROM p WHERE sex IS NOT NULL
"""

[stage.split]
kind = "split"
from = "rows"
parts = { train = 0.6, val = 0.2, test = 0.2 }

[stage.encode]
kind = "encode"
fit = "split.train"
apply = ["split.val", "split.test"]
features.body = { numeric = ["bill_*", "flipper_*"] }
features.island = "category"
target.what = { multi_label = ["heavy", "adelie", "gentoo"] }

[stage.model]
kind = "model"
data = "encode.train"
layers = [{ linear = 16 }, "relu", { linear = "classes" }]

[stage.train]
kind = "train"
model = "model"
data = "encode.train"
validate = "encode.val"
loss.focal = { gamma = 1.0 }
optimizer.adamw = { lr = 0.02, weight_decay = 0.05, no_decay = ["bias"] }
schedule.plateau = { metric = "val_f1_micro", patience = 5 }
early_stop = { metric = "val_subset_accuracy", patience = 12 }
epochs = 40

[stage.evaluate]
kind = "evaluate"
model = "train.model"
data = "encode.test"
metrics = ["f1_micro", "f1_macro", "subset_accuracy", "hamming_loss", "precision_micro", "recall_macro", "roc_auc"]
require.f1_micro = { min = 0.9 }
require.hamming_loss = { max = 0.1 }

[stage.predict]
kind = "predict"
model = "train.model"
data = "split.test"
keep = ["heavy"]
"#;

#[test]
fn labels_are_learnt_judged_and_predicted() {
    let sandbox = Sandbox::with_manifest(MANIFEST).data("penguins.csv");
    sandbox.run(&[]).success().says("gate f1_micro");
    let shown = sandbox.kilter(&["show", "pipeline.toml", "predict"]).success().stdout;
    for column in ["heavy", "prediction_heavy", "prediction_gentoo", "p_adelie"] {
        assert!(shown.contains(column), "{column}: {shown}");
    }
    let shown = sandbox.kilter(&["show", "pipeline.toml", "evaluate.predictions"]).success().stdout;
    assert!(shown.contains("target_gentoo"), "{shown}");
    sandbox.kilter(&["show", "pipeline.toml", "train.model"]).success().prints("any of heavy, adelie, gentoo");
    // What judges single classes does not fit, and says what does.
    sandbox.write("pipeline.toml", MANIFEST.replace("\"f1_micro\", \"f1_macro\"", "\"accuracy\", \"f1_micro\""));
    sandbox.kilter(&["check", "pipeline.toml"]).exits(2).says("`accuracy`");
    sandbox.write("pipeline.toml", MANIFEST.replace("loss.focal = { gamma = 1.0 }", "loss = \"cross_entropy\""));
    let said = sandbox.kilter(&["check", "pipeline.toml"]).exits(2).stderr;
    assert!(said.contains("is a loss for `category`, `next_token` and `masked_token` targets"), "{said}");
    assert!(said.contains("and this target is `multi_label`"), "{said}");
}

#[test]
fn yes_can_count_more_than_no_for_each_label() {
    let sandbox = Sandbox::with_manifest(MANIFEST).data("penguins.csv");
    for weight in ["[1.0, 2.0, 1.5]", "\"balanced\""] {
        let loss = format!("loss.binary_cross_entropy = {{ pos_weight = {weight} }}");
        sandbox.write("pipeline.toml", MANIFEST.replace("loss.focal = { gamma = 1.0 }", &loss));
        sandbox.run(&[]).success().says("gate f1_micro");
    }
    let few =
        MANIFEST.replace("loss.focal = { gamma = 1.0 }", "loss.binary_cross_entropy = { pos_weight = [1.0, 2.0] }");
    sandbox.write("pipeline.toml", few);
    sandbox.kilter(&["check", "pipeline.toml"]).exits(2).says("in their order: `heavy`, `adelie` and `gentoo`");
}

#[test]
fn a_label_that_no_training_row_has_is_named() {
    let query = "species = 'Adelie' AS adelie";
    let sandbox =
        Sandbox::with_manifest(&MANIFEST.replace(query, "species = 'Emperor' AS adelie")).data("penguins.csv");
    sandbox.run(&[]).exits(1).says("no training row has the label `adelie`");
}
