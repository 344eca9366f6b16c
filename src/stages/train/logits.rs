//! Outputs that have gone through what the loss applies itself.

use super::spec::TrainSpec;
use crate::diag::codes;
use crate::nn::Architecture;
use crate::nn::losses::Loss;
use crate::path;
use crate::stage::CheckCx;
use crate::types::ModelType;

/// Warns of a network that ends with `softmax` or `sigmoid` before a loss that takes logits: nothing fails, and little is learnt.
pub(super) fn check(spec: &TrainSpec, model: &ModelType, cx: &mut CheckCx<'_>) {
    let takes_logits = matches!(spec.loss, Loss::CrossEntropy(_) | Loss::BinaryCrossEntropy(_) | Loss::Focal(_));
    let Some(last) = last_layer(model).filter(|_| takes_logits) else { return };
    let message = format!("`{}` makes probabilities itself, and the model ends with `{last}`", spec.loss.name());
    cx.error(path!["loss"], codes::PROBABILITIES_TWICE, message)
        .label("takes the numbers before them")
        .from_stage(&spec.model, "the model comes from here")
        .hint(format!(
            "leave the model's last layer, `{last}`, out; `predict` and `evaluate` give probabilities all the same"
        ));
}

/// The last layer's name, where it is one that makes probabilities.
fn last_layer(model: &ModelType) -> Option<&'static str> {
    let network: Architecture = serde_json::from_value(model.network.clone()?).ok()?;
    let last = network.layers.last()?.name();
    ["softmax", "sigmoid"].contains(&last).then_some(last)
}
