//! What a loss that ranks asks of a training.

use super::spec::TrainSpec;
use crate::diag::{codes, did_you_mean, list};
use crate::nn::losses::Ranking;
use crate::path;
use crate::stage::CheckCx;
use crate::types::DatasetType;

/// What is wrong with it.
pub(super) fn check(spec: &TrainSpec, ranking: Ranking<'_>, data: Option<&DatasetType>, cx: &mut CheckCx<'_>) {
    let name = spec.loss.name();
    if let Some(data) = data {
        items(name, ranking.items, data, spec, cx);
    }
    if ranking.negatives >= spec.batch_size {
        let message = format!(
            "a batch of {} has {} other items for each, and `{name}` takes {}",
            spec.batch_size,
            spec.batch_size.saturating_sub(1),
            ranking.negatives
        );
        cx.error(path!["loss", name, "negatives"], codes::OUT_OF_RANGE, message)
            .hint("take fewer negatives, or larger batches");
    }
    if !spec.accumulate.is_whole() {
        let message = format!("`{name}` compares the rows of a batch, which `accumulate` takes apart");
        cx.error(path!["accumulate"], codes::CONFLICT, message).hint("leave `accumulate` out");
    }
    if spec.augment.is_some_and(|augment| augment.mixup > 0.0) {
        let message = format!("`{name}` compares the rows of a batch, which `mixup` mixes");
        cx.error(path!["augment", "mixup"], codes::CONFLICT, message).hint("leave `mixup` out");
    }
}

/// Features that describe items, and others that do not.
fn items(name: &str, items: &[String], data: &DatasetType, spec: &TrainSpec, cx: &mut CheckCx<'_>) {
    let known = || data.features.iter().map(|feature| feature.name.as_str());
    if items.is_empty() {
        cx.error(
            path!["loss", name],
            codes::LOSS_TASK,
            format!("`{name}` does not say which features describe the items"),
        )
        .hint(format!("name them: loss.{name}.items = [\"item\"]; there is {}", list(known(), 8)));
        return;
    }
    for (index, item) in items.iter().enumerate() {
        if data.complete && data.feature(item).is_none() {
            cx.error(
                path!["loss", name, "items", index],
                codes::UNKNOWN_FEATURE,
                format!("the data have no feature `{item}`"),
            )
            .from_stage(&spec.data, "encoded here")
            .maybe_hint(did_you_mean(item, known()))
            .hint(format!("there is {}", list(known(), 8)));
        }
    }
    if data.complete && known().all(|feature| items.iter().any(|item| item == feature)) {
        let message = format!("`{name}` ranks items, and no feature says for whom");
        cx.error(path!["loss", name, "items"], codes::LOSS_TASK, message).from_stage(&spec.data, "encoded here");
    }
}
