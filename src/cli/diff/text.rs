//! A comparison for a terminal.

use super::{change, facts, param, value};
use crate::cli::{Level, Output};
use crate::diag::excerpts;
use crate::diff::{Comparison, FieldChange, MetricChange, StageChange, Status};
use crate::numbers;
use crate::report::{Align, Paint, Table};

pub(super) fn lines(found: &Comparison, output: Output) -> String {
    let paint = output.out;
    let mut out = format!("{} -> {}\n", paint.bold(&found.before), paint.bold(&found.after));
    if found.is_same() {
        out.push_str("no difference\n");
        return out;
    }
    let width = if output.terminal { output.width } else { usize::MAX };
    if !found.params.is_empty() {
        let mut table = Table::new(["param", "before", "after"]);
        for change in &found.params {
            table.row([change.name.clone(), param(change.before.as_ref()), param(change.after.as_ref())]);
        }
        out.push_str(&format!("\n{}", table.render(width, 2, paint)));
    }
    if !found.metrics.is_empty() {
        use Align::{Left, Right};
        let mut table = Table::new(["stage", "metric", "before", "after", "change", ""])
            .align(&[Left, Left, Right, Right, Right, Left]);
        for metric in &found.metrics {
            let (before, after) = (metric.before, metric.after);
            let cells = [value(before), value(after), change(before, after), verdict(metric, paint)];
            table.row([metric.stage.clone(), metric.metric.clone()].into_iter().chain(cells));
        }
        out.push_str(&format!("\n{}", table.render(width, 2, paint)));
    }
    out.push_str(&format!("\n{}", stages(found, output)));
    out
}

fn verdict(metric: &MetricChange, paint: Paint) -> String {
    match metric.better {
        Some(true) => paint.green("better"),
        Some(false) => paint.red("worse"),
        None => String::new(),
    }
}

fn stages(found: &Comparison, output: Output) -> String {
    let paint = output.out;
    let all = output.level == Level::Verbose;
    let shown: Vec<&StageChange> = found.stages.iter().filter(|stage| all || stage.status != Status::Same).collect();
    let width = shown.iter().map(|stage| stage.stage.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for stage in &shown {
        let mut lines = vec![status(stage, paint)];
        lines.extend(stage.fields.iter().map(field));
        for output in &stage.outputs {
            lines.extend(facts(output).into_iter().map(|fact| format!("{}: {fact}", output.port)));
        }
        for (at, line) in lines.iter().enumerate() {
            let head = format!("{:<width$}", if at == 0 { stage.stage.as_str() } else { "" });
            let indent = if at == 0 { "" } else { "  " };
            out.push_str(&format!("  {}  {indent}{line}\n", paint.bold(head)));
        }
    }
    let same = found.stages.len() - found.stages.iter().filter(|stage| stage.status != Status::Same).count();
    if same > 0 && !all {
        out.push_str(&paint.dim(format!("  {} the same\n", numbers::counted(same, "stage"))));
    }
    out
}

fn status(stage: &StageChange, paint: Paint) -> String {
    match &stage.status {
        Status::Same => paint.dim("same"),
        Status::Renamed(old) => format!("the same, called {old} before"),
        Status::Remade => "made anew, came out the same".to_owned(),
        Status::Changed => match stage.seconds {
            // Milliseconds differ from one time to the next.
            (Some(before), Some(after)) if before.max(after) >= 1.0 => {
                let times = format!("{} -> {}", numbers::duration(before), numbers::duration(after));
                format!("{}  {}", paint.yellow("changed"), paint.dim(times))
            }
            _ => paint.yellow("changed"),
        },
        Status::Added => paint.green("added"),
        Status::Removed => paint.red("removed"),
        Status::Open(why) => paint.yellow(why),
    }
}

/// `lr: 0.1 -> 0.2`, `split.train changed`
pub(super) fn field(change: &FieldChange) -> String {
    match &change.values {
        Some((before, after)) => {
            let (before, after) = excerpts(before, after);
            format!("{}: {before} -> {after}", change.path)
        }
        None => format!("{} changed", change.path),
    }
}
