//! Metrics on plain slices, one a file, with scikit-learn's definitions: same names, same handling of ties, of empty
//! denominators (0) and of classes that do not occur; the tests hold its numbers. Every metric takes weights of rows,
//! as scikit-learn's `sample_weight`, which is how the bootstrap (`interval`) resamples.
//!
//! [`METRICS`] lists them; [`Judged`] is what they look at.

mod accuracy;
mod brier;
mod calibration;
mod confusion;
mod f1;
mod hamming_loss;
mod hit_rate;
mod interval;
mod judged;
mod label_counts;
mod lists;
mod log_loss;
mod mae;
mod mrr;
mod mse;
mod ndcg;
mod precision;
mod r2;
mod rank;
mod recall;
mod rmse;
mod roc_auc;
mod subset_accuracy;
#[cfg(test)]
mod tests;
mod tokens;

pub use calibration::{Bin, CALIBRATION_BINS, bins};
pub use confusion::Confusion;
pub use interval::{Interval, Method, intervals, wilson};
pub use judged::{Judged, Outcome};
pub use lists::lists;
pub use rank::{RocCurve, roc_curve};

use serde::Serialize;

/// The tasks that metrics are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// One of several classes.
    Category,
    /// Yes or no.
    Binary,
    /// A number.
    Number,
    /// Any of several labels.
    MultiLabel,
    /// The tokens after others.
    NextToken,
    /// Hidden tokens.
    MaskedToken,
}

impl TaskKind {
    /// `category`, `binary`, `number`, `multi_label`, `next_token` or `masked_token`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Binary => "binary",
            Self::Number => "number",
            Self::MultiLabel => "multi_label",
            Self::NextToken => "next_token",
            Self::MaskedToken => "masked_token",
        }
    }
}

impl From<&crate::types::Task> for TaskKind {
    fn from(task: &crate::types::Task) -> Self {
        match task {
            crate::types::Task::Category { .. } => Self::Category,
            crate::types::Task::Binary { .. } => Self::Binary,
            crate::types::Task::Number { .. } => Self::Number,
            crate::types::Task::MultiLabel { .. } => Self::MultiLabel,
            crate::types::Task::NextToken { .. } => Self::NextToken,
            crate::types::Task::MaskedToken { .. } => Self::MaskedToken,
        }
    }
}

/// What is known of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name in manifests.
    pub name: &'static str,
    /// Its name for people: `F1 (macro)`.
    pub title: &'static str,
    /// What it says, in a sentence or two.
    pub about: &'static str,
    /// How it is computed.
    pub formula: &'static str,
    /// The least and greatest value that it can have.
    pub range: (f64, f64),
    /// Whether more is better.
    pub higher_is_better: bool,
    /// The tasks that it is for.
    pub tasks: &'static [TaskKind],
    /// The value over weighted rows; `None` where it is not defined (no rows; one class only, for the ROC).
    pub compute: fn(&Judged, &[f64]) -> Option<f64>,
    /// How its confidence interval is made.
    pub method: Method,
}

impl Metric {
    /// The value over all rows, each counted once.
    #[must_use]
    pub fn value(&self, judged: &Judged) -> Option<f64> {
        (self.compute)(judged, &vec![1.0; judged.rows()])
    }

    /// How its interval is made for a task: a share of right rows is one where a row has one class.
    #[must_use]
    pub fn method_for(&self, task: TaskKind) -> Method {
        if task == TaskKind::MultiLabel && self.name != subset_accuracy::SUBSET_ACCURACY.name {
            return Method::Bootstrap;
        }
        self.method
    }

    /// Whether it judges the order of rows that are ranked against each other, and takes [`Outcome::Lists`].
    #[must_use]
    pub fn ranks(&self) -> bool {
        [hit_rate::HIT_RATE.name, ndcg::NDCG.name, mrr::MRR.name].contains(&self.name)
    }

    /// Whether it is for this task.
    #[must_use]
    pub fn fits(&self, task: TaskKind) -> bool {
        self.tasks.contains(&task)
    }
}

/// Every metric, in the order of the reference.
pub const METRICS: &[Metric] = &[
    accuracy::ACCURACY,
    precision::PRECISION,
    precision::PRECISION_MACRO,
    precision::PRECISION_MICRO,
    recall::RECALL,
    recall::RECALL_MACRO,
    recall::RECALL_MICRO,
    f1::F1,
    f1::F1_MACRO,
    f1::F1_MICRO,
    subset_accuracy::SUBSET_ACCURACY,
    hamming_loss::HAMMING_LOSS,
    roc_auc::ROC_AUC,
    hit_rate::HIT_RATE,
    ndcg::NDCG,
    mrr::MRR,
    log_loss::LOG_LOSS,
    brier::BRIER,
    calibration::CALIBRATION_ERROR,
    mse::MSE,
    rmse::RMSE,
    mae::MAE,
    r2::R2,
    tokens::PERPLEXITY,
    tokens::BITS_PER_TOKEN,
    tokens::BITS_PER_CHARACTER,
    tokens::TOKEN_ACCURACY,
];

/// The metric of this name.
#[must_use]
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}
