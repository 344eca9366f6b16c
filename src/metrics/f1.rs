//! F1: the harmonic mean of precision and recall. 0 where a class occurs nowhere.

use super::confusion::{Confusion, Ratio};
use super::label_counts::over_labels;
use super::{Judged, Method, Metric, TaskKind};

/// `sklearn.metrics.f1_score` of the class yes.
pub(super) const F1: Metric = Metric {
    name: "f1",
    title: "F1",
    about: "The harmonic mean of precision and recall of yes; 0 where both are.",
    formula: "2 right yes / (said yes + are yes)",
    range: (0.0, 1.0),
    higher_is_better: true,
    tasks: &[TaskKind::Binary],
    compute: of_yes,
    method: Method::Bootstrap,
};

/// `sklearn.metrics.f1_score(average = "macro")`
pub(super) const F1_MACRO: Metric = Metric {
    name: "f1_macro",
    title: "F1 (macro)",
    about: "The mean of the classes' F1, each class counting the same. Classes that occur neither among the right nor among the predicted ones are left out; labels are not.",
    formula: "mean over classes of 2 right / (given + there are)",
    tasks: &[TaskKind::Category, TaskKind::Binary, TaskKind::MultiLabel],
    compute: over_classes,
    ..F1
};

/// `sklearn.metrics.f1_score(average = "micro")`
pub(super) const F1_MICRO: Metric = Metric {
    name: "f1_micro",
    title: "F1 (micro)",
    about: "F1 over all decisions at once. With one class per row it equals accuracy.",
    formula: "right / rows; of labels as without micro, all decisions counted together",
    tasks: &[TaskKind::Category, TaskKind::Binary, TaskKind::MultiLabel],
    compute: over_rows,
    method: Method::Wilson,
    ..F1
};

fn of_yes(judged: &Judged, weights: &[f64]) -> Option<f64> {
    Confusion::of(judged, weights).yes(Ratio::F1)
}

fn over_classes(judged: &Judged, weights: &[f64]) -> Option<f64> {
    over_labels(
        judged,
        weights,
        |counts| counts.macro_average(Ratio::F1),
        || Confusion::of(judged, weights).macro_average(Ratio::F1),
    )
}

fn over_rows(judged: &Judged, weights: &[f64]) -> Option<f64> {
    over_labels(
        judged,
        weights,
        |counts| counts.micro_average(Ratio::F1),
        || Confusion::of(judged, weights).micro_average(),
    )
}
