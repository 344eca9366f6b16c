//! Metrics, the demands on them, and a metrics file.

use super::{View, files};
use crate::cli::{CommandError, Output};
use crate::numbers;
use crate::report::{Align, Table};
use crate::stage::{ArtifactRecord, GateResult, StageResult};
use serde_json::Value;

/// The numbers of a result and the demands on them; empty where there are none.
pub(super) fn text(result: &StageResult, output: Output) -> String {
    if result.metrics.is_empty() {
        return String::new();
    }
    let paint = output.out;
    let head: &[&str] = if result.gates.is_empty() { &["metric", "value"] } else { &["metric", "value", "gate"] };
    let mut table = Table::new(head.iter().copied()).align(&[Align::Left, Align::Right]);
    for (name, value) in &result.metrics {
        let gates: Vec<String> = result
            .gates
            .iter()
            .filter(|gate| gate.metric == *name)
            .map(|gate| if gate.holds { paint.green(gate_text(gate)) } else { paint.red(gate_text(gate)) })
            .collect();
        table.row([name.clone(), numbers::number(*value), gates.join(", ")]);
    }
    format!("\n{}", table.render(output.width, 2, paint))
}

/// `>= 0.928 holds`
fn gate_text(gate: &GateResult) -> String {
    let bounds: Vec<String> = [gate.min.map(|min| format!(">= {min}")), gate.max.map(|max| format!("<= {max}"))]
        .into_iter()
        .flatten()
        .collect();
    format!("{} {}", bounds.join(" and "), if gate.holds { "holds" } else { "does not hold" })
}

/// The file of a `metrics` artefact: a table of what has a value, with intervals where they are given.
pub(super) fn file(artifact: &ArtifactRecord, view: View<'_>) -> Result<String, CommandError> {
    let input = view.store.input(artifact);
    let Some(file) = input.file("metrics.json") else { return files::text(artifact, view) };
    let text = std::fs::read(&file.path).map_err(|error| CommandError::io("read", &file.path, &error))?;
    let value: Value = serde_json::from_slice(&text)
        .map_err(|error| CommandError::environment(format!("the stored metrics cannot be read: {error}")))?;
    let entries = value.get("metrics").unwrap_or(&value);
    let mut table = Table::new(["metric", "value", "95 % CI"]).align(&[Align::Left, Align::Right]);
    for (name, entry) in entries.as_object().into_iter().flatten() {
        let Some(number) = entry.as_f64().or_else(|| entry.get("value")?.as_f64()) else { continue };
        let title = entry.get("title").and_then(Value::as_str).unwrap_or(name);
        table.row([title.to_owned(), numbers::number(number), interval(entry).unwrap_or_default()]);
    }
    if table.is_empty() {
        return files::text(artifact, view);
    }
    Ok(format!("\n{}", table.render(view.output.width, 2, view.output.out)))
}

fn interval(entry: &Value) -> Option<String> {
    let bound = |name: &str| entry.get(name)?.as_f64().map(numbers::number);
    Some(format!("{}–{}", bound("low")?, bound("high")?))
}
