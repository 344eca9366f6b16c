//! Kinds that judge and use models: [`Evaluate`] computes metrics with confidence intervals and holds gates;
//! [`Predict`] answers for raw rows; [`Generate`] goes on with texts.

mod compatible;
mod evaluate;
mod forward;
mod generate;
mod measure;
mod metrics_file;
mod predict;
mod predictions;
mod ranking;
mod report;
#[cfg(test)]
mod tests;

pub use evaluate::{Evaluate, EvaluateSpec, Limits};
pub use generate::{Generate, GenerateSpec};
pub use metrics_file::{METRICS_FILE, METRICS_VERSION, MetricValue, MetricsFile, gate_words};
pub use predict::{Predict, PredictSpec};
pub use ranking::Ranking;
