//! Kinds that judge and use models: [`Evaluate`] computes metrics with confidence intervals and holds gates;
//! [`Predict`] answers for raw rows.

mod compatible;
mod evaluate;
mod forward;
mod metrics_file;
mod predict;
mod predictions;
mod report;
#[cfg(test)]
mod tests;

pub use evaluate::{Evaluate, EvaluateSpec, Limits};
pub use metrics_file::{METRICS_FILE, METRICS_VERSION, MetricValue, MetricsFile, gate_words};
pub use predict::{Predict, PredictSpec};
