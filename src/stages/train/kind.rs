//! The kind `train`.

use super::spec::TrainSpec;
use super::{check, run};
use crate::job::TRACE;
use crate::path;
use crate::stage::{Apart, CheckCx, Family, Kind, Outputs, Port, Produced, RunCx, Series, StageError, StageInfo};

/// The port of the trained model.
pub(super) const MODEL: &str = "model";
/// The port of the history.
pub(super) const HISTORY: &str = "history";

/// The port of the norms of gradients.
pub(super) const GRADIENTS: &str = "gradients";

/// The port of the curves.
pub(super) const CURVES: &str = "curves";

/// The port of the state at the end.
pub(super) const STATE: &str = "state";

/// Trains a model on a dataset.
pub struct Train;

impl Kind for Train {
    type Spec = TrainSpec;

    const INFO: StageInfo = StageInfo {
        name: "train",
        family: Family::Train,
        version: 7,
        summary: "Trains a model on a dataset",
        ports: &[
            Port { name: MODEL, about: "the model with its weights" },
            Port {
                name: HISTORY,
                about: "a table with a row per epoch: `epoch`, `loss`, `lr`, and with `validate` `val_loss` and the target's metrics",
            },
            Port {
                name: TRACE,
                about: "a table with `step`, `epoch`, `loss`, `grad_norm` and a `digest` of all losses between, a row every few steps: where two runs part, `verify` reads it from here",
            },
            Port {
                name: STATE,
                about: "all that a training of more epochs continues from; not with `extendable = false`",
            },
            Port {
                name: GRADIENTS,
                about: "with `gradient_norms`: a table with `step`, `epoch`, `layer` and `norm`, a row for each layer at every step of the trace",
            },
            Port { name: CURVES, about: "the losses, and the target's metric, as a picture (`curves.svg`)" },
        ],
        example: r#"
[stage.train]
kind = "train"
model = "model"
data = "encode.train"
validate = "encode.val"
loss = "cross_entropy"
optimizer.adamw = { lr = 0.002, weight_decay = 0.01 }
schedule.cosine = { warmup_epochs = 1 }
epochs = 10
batch_size = 64
early_stop = { metric = "val_loss", patience = 3 }
clip = { norm = 1.0 }
"#,
        seeded: true,
        numeric: true,
    };

    fn check(spec: &TrainSpec, cx: &mut CheckCx<'_>) -> Outputs {
        check::check(spec, cx)
    }

    fn bitwise(spec: &TrainSpec) -> bool {
        spec.deterministic
    }

    fn run(spec: &TrainSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        run::run(spec, cx)
    }

    fn series(spec: &TrainSpec) -> Option<Series> {
        let apart = spec.schedule.ends_with_the_last_epoch().then(|| Apart {
            field: path!["schedule", spec.schedule.name()],
            why: "ends with the last epoch, not at a `horizon` of its own",
        });
        let free = &["epochs", "extendable"];
        Some(Series { free, length: spec.epochs, unit: "epoch", port: STATE, keeps: Some("extendable"), apart })
    }
}
