//! `metrics.json`: what an evaluation found, for people, releases and comparisons.

use crate::metrics::Method;
use crate::stage::{GateResult, Input, StageError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The file of a `metrics` artefact.
pub const METRICS_FILE: &str = "metrics.json";
/// Its version; raised when its form changes so that an older kilter would misread it.
pub const METRICS_VERSION: u32 = 1;

/// What an evaluation found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricsFile {
    /// [`METRICS_VERSION`]
    pub version: u32,
    /// `category`, `binary` or `number`.
    pub task: String,
    /// The target's column.
    pub target: String,
    /// How many rows were judged.
    pub rows: u64,
    /// The metrics by name.
    pub metrics: BTreeMap<String, MetricValue>,
    /// The class names, for categories; `no` and `yes` for binary targets.
    #[serde(default)]
    pub classes: Vec<String>,
    /// The confusion matrix: a row per right class, a column per predicted one. Empty for numbers.
    #[serde(default)]
    pub confusion: Vec<Vec<u64>>,
    /// Demands on the metrics.
    #[serde(default)]
    pub gates: Vec<GateResult>,
}

/// One metric's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricValue {
    /// Its name for people.
    pub title: String,
    /// The value; `null` where it is not defined on these rows.
    pub value: Option<f64>,
    /// The lower end of the 95 % confidence interval, where there is one.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// How the interval was made.
    pub method: Option<Method>,
    /// Whether more is better; unknown for metrics that a program wrote.
    pub higher_is_better: Option<bool>,
}

impl MetricValue {
    /// `0.976 (95 % CI 0.962–0.988)`
    #[must_use]
    pub fn words(&self) -> String {
        let number = crate::numbers::number;
        match (self.value, self.low, self.high) {
            (None, ..) => "not defined on these rows".to_owned(),
            (Some(value), Some(low), Some(high)) => {
                format!("{} (95 % CI {}–{})", number(value), number(low), number(high))
            }
            (Some(value), ..) => number(value),
        }
    }
}

/// The gate in words: `accuracy >= 0.928 holds`, `accuracy >= 0.928 does not hold`.
#[must_use]
pub fn gate_words(gate: &GateResult) -> String {
    let bounds = [gate.min.map(|min| format!(">= {min}")), gate.max.map(|max| format!("<= {max}"))];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    let verb = if gate.holds { "holds" } else { "does not hold" };
    format!("{} {} {verb}", gate.metric, bounds.join(" and "))
}

impl MetricsFile {
    /// Reads the file of a `metrics` artefact: one that `evaluate` wrote, or an object of plain numbers from a program.
    ///
    /// # Errors
    /// When it is missing, damaged, or of a newer version.
    pub fn of(artefact: &Input, name: &str) -> Result<Self, StageError> {
        let file = artefact.file(METRICS_FILE);
        let file = file.ok_or_else(|| StageError::bug(format!("`{name}` has no `{METRICS_FILE}`")))?;
        let text = std::fs::read_to_string(&file.path).map_err(|error| StageError::io("read", &file.path, &error))?;
        Self::parse(&text)
            .map_err(|problem| StageError::data(format!("the metrics of `{name}` cannot be read: {problem}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if value.get("metrics").is_some_and(serde_json::Value::is_object) {
            let file: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
            if file.version > METRICS_VERSION {
                return Err(format!(
                    "they have version {}, this kilter knows {METRICS_VERSION}; use a newer one",
                    file.version
                ));
            }
            return Ok(file);
        }
        let numbers: BTreeMap<String, f64> = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let plain = |(name, value): (String, f64)| {
            let title = name.clone();
            (
                name,
                MetricValue { title, value: Some(value), low: None, high: None, method: None, higher_is_better: None },
            )
        };
        Ok(Self { version: METRICS_VERSION, metrics: numbers.into_iter().map(plain).collect(), ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_of_a_program_are_metrics_too() {
        let file = MetricsFile::parse(r#"{"latency_ms": 1.25}"#).unwrap();
        assert_eq!(file.metrics["latency_ms"].value, Some(1.25));
        assert!(MetricsFile::parse(r#"{"version": 9, "task": "", "target": "", "rows": 0, "metrics": {}}"#).is_err());
        assert!(MetricsFile::parse("[1]").is_err());
    }

    #[test]
    fn values_and_gates_read_as_sentences() {
        let value = |value, low, high| MetricValue {
            title: "accuracy".to_owned(),
            value,
            low,
            high,
            method: None,
            higher_is_better: Some(true),
        };
        assert_eq!(value(Some(0.976), Some(0.962), Some(0.988)).words(), "0.976 (95 % CI 0.962–0.988)");
        assert_eq!(value(None, None, None).words(), "not defined on these rows");
        let gate = GateResult { metric: "accuracy".to_owned(), value: 0.9, min: Some(0.928), max: None, holds: false };
        assert_eq!(gate_words(&gate), "accuracy >= 0.928 does not hold");
    }
}
