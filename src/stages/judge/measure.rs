//! Computing what an evaluation asks for, and its summary.

use super::evaluate::{EvaluateSpec, Limits};
use super::metrics_file::{METRICS_VERSION, MetricValue, MetricsFile, gate_words};
use crate::metrics::{Confusion, Interval, Judged, Metric, intervals, metric};
use crate::path;
use crate::stage::{GateResult, RunCx, StageError};
use crate::types::{TargetType, Task};
use std::collections::BTreeMap;

/// The metrics over the rows, and over the rankings that these make; whether the gates hold.
pub(super) fn measure(
    spec: &EvaluateSpec,
    target: &TargetType,
    judged: &Judged,
    ranked: Option<&Judged>,
    cx: &RunCx<'_>,
) -> Result<MetricsFile, StageError> {
    let chosen = spec.metrics.iter().filter_map(|name| metric(name));
    let (of_lists, of_rows): (Vec<&Metric>, Vec<&Metric>) = chosen.partition(|metric| metric.ranks());
    let seed = cx.seed.number("bootstrap");
    let mut metrics = values(&of_rows, judged, seed);
    if let Some(ranked) = ranked {
        let top = spec.ranking.as_ref().map_or(0, |ranking| ranking.top);
        metrics.extend(values(&of_lists, ranked, seed).into_iter().map(|(name, mut value)| {
            value.title = format!("{}@{top}", value.title);
            (name, value)
        }));
    }
    let gates = spec.require.iter().map(|(name, limits)| gate(name, limits, &metrics)).collect::<Result<_, _>>()?;
    let classes = match &target.task {
        Task::Category { classes } => classes.clone().unwrap_or_default(),
        Task::Binary { .. } => vec!["no".to_owned(), "yes".to_owned()],
        Task::MultiLabel { labels } => labels.clone(),
        Task::Number { .. } | Task::NextToken { .. } | Task::MaskedToken { .. } => Vec::new(),
    };
    let confusion = Confusion::of(judged, &vec![1.0; judged.rows()]).rows();
    Ok(MetricsFile {
        version: METRICS_VERSION,
        task: target.task.name().to_owned(),
        target: target.name.clone(),
        rows: judged.rows() as u64,
        metrics,
        classes,
        confusion,
        gates,
    })
}

/// Metrics with their intervals, by their names.
fn values(chosen: &[&Metric], judged: &Judged, seed: u64) -> BTreeMap<String, MetricValue> {
    let one = |(metric, interval): (&&Metric, Option<Interval>)| {
        let value = metric.value(judged);
        let interval = interval.filter(|_| value.is_some());
        let value = MetricValue {
            title: metric.title.to_owned(),
            value,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            method: interval.map(|interval| interval.method),
            higher_is_better: Some(metric.higher_is_better),
        };
        (metric.name.to_owned(), value)
    };
    chosen.iter().zip(intervals(chosen, judged, seed)).map(one).collect()
}

fn gate(name: &str, limits: &Limits, metrics: &BTreeMap<String, MetricValue>) -> Result<GateResult, StageError> {
    let value = metrics.get(name).and_then(|metric| metric.value).ok_or_else(|| {
        let more = match metric(name).is_some_and(Metric::ranks) {
            true => "judge on rankings with rows that are yes and rows that are no: what can be ranked, and not only what was chosen",
            false => "judge on more rows, in which every class occurs",
        };
        StageError::data(format!("`{name}` is not defined on these rows, so `require.{name}` cannot be judged"))
            .hint(more)
            .at(path!["require", name])
    })?;
    let holds = limits.min.is_none_or(|min| value >= min) && limits.max.is_none_or(|max| value <= max);
    Ok(GateResult { metric: name.to_owned(), value, min: limits.min, max: limits.max, holds })
}

/// `accuracy 0.976 (95 % CI 0.962–0.988) · F1 (macro) 0.976 · gate accuracy >= 0.928 holds`
pub(super) fn summary(spec: &EvaluateSpec, found: &MetricsFile) -> String {
    let mut parts = Vec::new();
    for (index, name) in spec.metrics.iter().enumerate() {
        let Some(metric) = found.metrics.get(name) else { continue };
        parts.push(match (index, metric.value) {
            (0, _) | (_, None) => format!("{} {}", metric.title, metric.words()),
            (_, Some(value)) => format!("{} {}", metric.title, crate::numbers::number(value)),
        });
    }
    parts.extend(found.gates.iter().map(|gate| format!("gate {}", gate_words(gate))));
    parts.join(" · ")
}
