//! Optimizers: how a step follows from the gradients. Names, defaults and formulas are PyTorch's.

use super::choice::{Problem, choice};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod adam;
mod adamw;
mod muon;
mod rmsprop;
mod sgd;

pub use adam::Adam;
pub use adamw::AdamW;
pub use muon::Muon;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

choice! {
    /// An optimizer, as the manifest writes it: a name, or a table of one entry.
    "an optimizer" "optimizer" Optimizer {
        Sgd(Sgd),
        Adam(Adam),
        AdamW(AdamW),
        RmsProp(RmsProp),
        Muon(Muon),
    }
}

/// Parameters that a weight decay may leave alone. Shrinking them does not keep a network from learning by heart, and may
/// keep it from learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoDecay {
    /// What layers add, those of norms included.
    Bias,
    /// What norms multiply with and add.
    Norm,
    /// The vectors of embeddings, those of learned positions included.
    Embedding,
}

impl Optimizer {
    /// The learning rate that the schedule starts from.
    #[must_use]
    pub fn lr(&self) -> f64 {
        match self {
            Self::Sgd(spec) => spec.lr,
            Self::Adam(spec) => spec.lr,
            Self::AdamW(spec) => spec.lr,
            Self::RmsProp(spec) => spec.lr,
            Self::Muon(spec) => spec.lr,
        }
    }

    /// Whether libtorch has operators that make a whole step of it. These leave a step out, and read the learning rate, where a
    /// tensor on the device says so; other rules have to hear it from the processor.
    #[must_use]
    pub fn is_fused(&self) -> bool {
        match self {
            Self::Sgd(_) | Self::Adam(_) | Self::AdamW(_) => true,
            Self::RmsProp(_) | Self::Muon(_) => false,
        }
    }

    /// The parameters that its weight decay leaves alone.
    #[must_use]
    pub fn no_decay(&self) -> &[NoDecay] {
        match self {
            Self::Sgd(spec) => &spec.no_decay,
            Self::Adam(spec) => &spec.no_decay,
            Self::AdamW(spec) => &spec.no_decay,
            Self::RmsProp(spec) => &spec.no_decay,
            Self::Muon(spec) => &spec.no_decay,
        }
    }
}

/// The rules that all share: a learning rate above 0, a weight decay of at least 0.
fn common_problems(lr: f64, weight_decay: f64) -> Vec<Problem> {
    [
        Problem::unless(lr > 0.0 && lr.is_finite(), "lr", || format!("lr is above 0, found {lr}")),
        Problem::unless(weight_decay >= 0.0 && weight_decay.is_finite(), "weight_decay", || {
            format!("weight_decay is at least 0, found {weight_decay}")
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The rules of the Adam family: betas in [0, 1), eps above 0.
fn adam_problems(lr: f64, weight_decay: f64, betas: [f64; 2], eps: f64) -> Vec<Problem> {
    let mut problems = common_problems(lr, weight_decay);
    problems.extend(Problem::unless(betas.iter().all(|beta| (0.0..1.0).contains(beta)), "betas", || {
        format!("betas are at least 0 and below 1, found [{}, {}]", betas[0], betas[1])
    }));
    problems.extend(Problem::unless(eps > 0.0 && eps.is_finite(), "eps", || format!("eps is above 0, found {eps}")));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_device_alone_is_known() {
        let fused = |name: &&&str| {
            let spec: Optimizer = serde_json::from_value(serde_json::json!(name)).expect("decodes");
            spec.is_fused()
        };
        assert_eq!(Optimizer::NAMES.iter().filter(fused).collect::<Vec<_>>(), [&"sgd", &"adam", &"adamw"]);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let adam: Optimizer =
            serde_json::from_value(serde_json::json!({ "adam": { "lr": 0.0, "betas": [0.9, 1.0] } })).expect("decodes");
        let fields: Vec<_> = adam.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["lr", "betas"]);
        let sgd: Optimizer =
            serde_json::from_value(serde_json::json!({ "sgd": { "nesterov": true } })).expect("decodes");
        assert_eq!(sgd.problems()[0].field, "nesterov");
        let rmsprop: Optimizer =
            serde_json::from_value(serde_json::json!({ "rmsprop": { "alpha": 1.0, "momentum": -0.1 } }))
                .expect("decodes");
        let fields: Vec<_> = rmsprop.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["alpha", "momentum"]);
    }
}
