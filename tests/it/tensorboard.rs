//! TensorBoard's event files, read back by TensorBoard's own reader.

use crate::python::python;
use crate::sandbox::Sandbox;

const MANIFEST: &str = r#"
[pipeline]
name = "board"
edition = "2026"
seed = 1

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
features.body = { numeric = ["bill_*", "flipper_length_mm", "body_mass_g"], impute = "mean" }
target.species = "category"

[stage.model]
kind = "model"
data = "encode.train"
layers = [{ linear = 8 }, "relu", { linear = "classes" }]

[stage.train]
kind = "train"
model = "model"
data = "encode.train"
validate = "encode.val"
loss = "cross_entropy"
optimizer.adam = { lr = 0.01 }
epochs = 4
gradient_norms = true
"#;

/// Prints `tag step value` of every scalar below a folder, in order.
const READER: &str = "
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
for tag in sorted(events.Tags()['scalars']):
    for scalar in events.Scalars(tag):
        print(tag, scalar.step, repr(scalar.value))
";

#[test]
fn tensorboard_reads_what_a_training_tells() {
    let sandbox = Sandbox::with_manifest(MANIFEST).data("penguins.csv");
    sandbox.run(&["--tensorboard", "board"]).success();
    let runs: Vec<_> = std::fs::read_dir(sandbox.path("board")).expect("written").collect();
    assert_eq!(runs.len(), 1);
    let folder = runs[0].as_ref().expect("a folder").path().join("train");
    let told = python(&["tensorboard==2.21.0"], READER, &[&folder]);
    let of = |tag: &str| -> Vec<(u64, f64)> {
        let lines = told.lines().filter_map(|line| line.strip_prefix(tag)?.strip_prefix(' '));
        lines
            .map(|line| {
                let (step, value) = line.split_once(' ').expect("two words");
                (step.parse().expect("a step"), value.parse().expect("a number"))
            })
            .collect()
    };
    let (losses, validation) = (of("train/loss"), of("val/loss"));
    assert!(losses.len() >= 10 && losses[0].0 == 1, "{told}");
    assert_eq!(validation.len(), 4, "{told}");
    assert!(validation.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[1].1 < pair[0].1), "{told}");
    assert_eq!(of("gradients/layers.0").len(), losses.len(), "{told}");
    // What is cached was told before.
    sandbox.run(&["--tensorboard", "again"]).success();
    assert!(!sandbox.path("again").exists());
    // The table holds the same norms.
    let shown = sandbox.kilter(&["show", "pipeline.toml", "train.gradients"]).success();
    assert!(shown.stdout.contains("layers.0") && shown.stdout.contains("layers.2"), "{}", shown.stdout);
}
