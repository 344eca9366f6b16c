//! recall: of the rows that have a class, the share that was given it. 0 where no row has it.

use super::confusion::{Confusion, Ratio};
use super::label_counts::over_labels;
use super::{Judged, Method, Metric, TaskKind};

/// `sklearn.metrics.recall_score` of the class yes.
pub(super) const RECALL: Metric = Metric {
    name: "recall",
    title: "recall",
    about: "The share of the rows that are yes which was found; 0 where there is none.",
    formula: "right yes / are yes",
    range: (0.0, 1.0),
    higher_is_better: true,
    tasks: &[TaskKind::Binary],
    compute: of_yes,
    method: Method::Bootstrap,
};

/// `sklearn.metrics.recall_score(average = "macro")`
pub(super) const RECALL_MACRO: Metric = Metric {
    name: "recall_macro",
    title: "recall (macro)",
    about: "The mean of the classes' recall, each class counting the same. Classes that occur neither among the right nor among the predicted ones are left out; labels are not.",
    formula: "mean over classes of right / there are",
    tasks: &[TaskKind::Category, TaskKind::Binary, TaskKind::MultiLabel],
    compute: over_classes,
    ..RECALL
};

/// `sklearn.metrics.recall_score(average = "micro")`
pub(super) const RECALL_MICRO: Metric = Metric {
    name: "recall_micro",
    title: "recall (micro)",
    about: "recall over all decisions at once. With one class per row it equals accuracy.",
    formula: "right / rows; of labels as without micro, all decisions counted together",
    tasks: &[TaskKind::Category, TaskKind::Binary, TaskKind::MultiLabel],
    compute: over_rows,
    method: Method::Wilson,
    ..RECALL
};

fn of_yes(judged: &Judged, weights: &[f64]) -> Option<f64> {
    Confusion::of(judged, weights).yes(Ratio::Recall)
}

fn over_classes(judged: &Judged, weights: &[f64]) -> Option<f64> {
    over_labels(
        judged,
        weights,
        |counts| counts.macro_average(Ratio::Recall),
        || Confusion::of(judged, weights).macro_average(Ratio::Recall),
    )
}

fn over_rows(judged: &Judged, weights: &[f64]) -> Option<f64> {
    over_labels(
        judged,
        weights,
        |counts| counts.micro_average(Ratio::Recall),
        || Confusion::of(judged, weights).micro_average(),
    )
}
