//! The plots of an evaluation.

use crate::metrics::{Confusion, Judged, Outcome, TaskKind, bins, metric, roc_curve};
use crate::plot::{self, ReliabilityBin, RocLine, Scatter};
use crate::stage::StageError;
use std::path::Path;

/// Most classes for which ROC curves are drawn, each against the rest.
const MOST_ROC_CLASSES: usize = 6;

/// Writes the plots that fit the task; gives the names of the files.
pub(super) fn write(
    judged: &Judged,
    classes: &[String],
    target: &str,
    folder: &Path,
) -> Result<Vec<String>, StageError> {
    let mut plots: Vec<(&str, String)> = Vec::new();
    match judged.outcome() {
        Outcome::Number { truth, predicted } => {
            let against: Vec<(f64, f64)> = truth.iter().copied().zip(predicted.iter().copied()).collect();
            let residuals: Vec<(f64, f64)> = against.iter().map(|(right, found)| (*found, right - found)).collect();
            let title = format!("Predictions of {target}");
            plots.push(("predictions.svg", draw(&title, target, "predicted", &against, 1.0)));
            plots.push((
                "residuals.svg",
                draw(&format!("Residuals of {target}"), "predicted", "actual − predicted", &residuals, 0.0),
            ));
        }
        Outcome::MultiLabel { truth, probabilities, .. } => {
            let decisions = Outcome::Binary { truth: truth.clone(), probabilities: probabilities.clone() };
            plots.push(("calibration.svg", calibration(&Judged::new(decisions), target)));
            let lines = label_lines(judged, classes);
            if !lines.is_empty() {
                plots.push(("roc.svg", plot::roc(&format!("ROC of {target}"), &lines)));
            }
        }
        Outcome::Tokens { log_loss, tokens, .. } => {
            let rows = log_loss.iter().zip(tokens).filter(|(_, tokens)| **tokens > 0.0);
            let bits: Vec<f64> = rows.map(|(nats, tokens)| nats / tokens / std::f64::consts::LN_2).collect();
            plots.push(("bits_per_token.svg", rows_by_bits(bits, target)));
        }
        Outcome::Lists { .. } => {}
        Outcome::Category { .. } | Outcome::Binary { .. } => {
            let confusion = Confusion::of(judged, &vec![1.0; judged.rows()]);
            plots.push((
                "confusion.svg",
                plot::confusion(&format!("Confusion matrix of {target}"), classes, &confusion.rows()),
            ));
            plots.push(("calibration.svg", calibration(judged, target)));
            let lines = roc_lines(judged, classes);
            if !lines.is_empty() {
                plots.push(("roc.svg", plot::roc(&format!("ROC of {target}"), &lines)));
            }
        }
    }
    for (name, svg) in &plots {
        let path = folder.join(name);
        std::fs::write(&path, svg).map_err(|error| StageError::io("write", &path, &error))?;
    }
    Ok(plots.into_iter().map(|(name, _)| name.to_owned()).collect())
}

/// The rows in the order of their bits a token: how many are easy and how many are hard.
fn rows_by_bits(mut bits: Vec<f64>, target: &str) -> String {
    bits.sort_by(f64::total_cmp);
    let last = bits.len().saturating_sub(1).max(1) as f64;
    // As many points as can be told apart.
    let step = bits.len().div_ceil(500).max(1);
    let points = bits.iter().enumerate().step_by(step).map(|(row, bits)| (row as f64 / last * 100.0, *bits)).collect();
    let line = plot::Curve { name: "bits per token".to_owned(), points };
    plot::curves(&format!("Rows of {target} by bits per token"), "rows, %", "", &[line], None)
}

fn draw(title: &str, x: &str, y: &str, points: &[(f64, f64)], guide: f64) -> String {
    plot::scatter(&Scatter { title, x, y, points, guide })
}

fn calibration(judged: &Judged, target: &str) -> String {
    let weights = vec![1.0; judged.rows()];
    let filled: Vec<ReliabilityBin> = bins(judged, &weights)
        .into_iter()
        .filter(|bin| bin.weight > 0.0)
        .map(|bin| ReliabilityBin { probability: bin.probability, frequency: bin.frequency, rows: bin.weight as u64 })
        .collect();
    let error = metric("calibration_error").and_then(|metric| metric.value(judged)).unwrap_or(0.0);
    let of =
        if judged.task() == TaskKind::Binary { "probability of yes" } else { "probability of the predicted class" };
    plot::reliability(&format!("Calibration of {target}"), of, &filled, error)
}

fn roc_lines(judged: &Judged, classes: &[String]) -> Vec<RocLine> {
    let wanted: Vec<usize> = match judged.task() {
        TaskKind::Binary => vec![1],
        _ if classes.len() <= MOST_ROC_CLASSES => (0..classes.len()).collect(),
        _ => Vec::new(),
    };
    wanted.into_iter().filter_map(|class| roc_line(judged, class, &classes[class])).collect()
}

/// A line for each label.
fn label_lines(judged: &Judged, labels: &[String]) -> Vec<RocLine> {
    if labels.len() > MOST_ROC_CLASSES {
        return Vec::new();
    }
    labels.iter().enumerate().filter_map(|(at, label)| roc_line(&judged.label(at)?, 1, label)).collect()
}

fn roc_line(judged: &Judged, class: usize, name: &str) -> Option<RocLine> {
    let curve = roc_curve(judged, class)?;
    let points = curve.false_positive.into_iter().zip(curve.true_positive).collect();
    Some(RocLine { name: name.to_owned(), points, area: curve.area })
}
