//! precision: of the rows that were given a class, the share that has it. 0 where no row was given it.

use super::confusion::{Confusion, Ratio};
use super::label_counts::over_labels;
use super::{Judged, Method, Metric, TaskKind};

/// `sklearn.metrics.precision_score` of the class yes.
pub(super) const PRECISION: Metric = Metric {
    name: "precision",
    title: "precision",
    about: "The share of right ones among the rows that were said to be yes; 0 where none was.",
    formula: "right yes / said yes",
    range: (0.0, 1.0),
    higher_is_better: true,
    tasks: &[TaskKind::Binary],
    compute: of_yes,
    method: Method::Bootstrap,
};

/// `sklearn.metrics.precision_score(average = "macro")`
pub(super) const PRECISION_MACRO: Metric = Metric {
    name: "precision_macro",
    title: "precision (macro)",
    about: "The mean of the classes' precision, each class counting the same. Classes that occur neither among the right nor among the predicted ones are left out; labels are not.",
    formula: "mean over classes of right / given",
    tasks: &[TaskKind::Category, TaskKind::Binary, TaskKind::MultiLabel],
    compute: over_classes,
    ..PRECISION
};

/// `sklearn.metrics.precision_score(average = "micro")`
pub(super) const PRECISION_MICRO: Metric = Metric {
    name: "precision_micro",
    title: "precision (micro)",
    about: "precision over all decisions at once. With one class per row it equals accuracy.",
    formula: "right / rows; of labels as without micro, all decisions counted together",
    tasks: &[TaskKind::Category, TaskKind::Binary, TaskKind::MultiLabel],
    compute: over_rows,
    method: Method::Wilson,
    ..PRECISION
};

fn of_yes(judged: &Judged, weights: &[f64]) -> Option<f64> {
    Confusion::of(judged, weights).yes(Ratio::Precision)
}

fn over_classes(judged: &Judged, weights: &[f64]) -> Option<f64> {
    over_labels(
        judged,
        weights,
        |counts| counts.macro_average(Ratio::Precision),
        || Confusion::of(judged, weights).macro_average(Ratio::Precision),
    )
}

fn over_rows(judged: &Judged, weights: &[f64]) -> Option<f64> {
    over_labels(
        judged,
        weights,
        |counts| counts.micro_average(Ratio::Precision),
        || Confusion::of(judged, weights).micro_average(),
    )
}
