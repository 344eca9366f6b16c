//! A comparison as Markdown, fit for a comment on a pull request.

use super::text::field;
use super::{change, facts, param, value};
use crate::diff::{Comparison, MetricChange, StageChange, Status};
use crate::numbers;
use std::fmt::Write;

pub(super) fn page(found: &Comparison) -> String {
    // The first line lets a script find its own comment again.
    let mut out = format!("<!-- kilter diff -->\n### kilter: {} → {}\n", escape(&found.before), escape(&found.after));
    if found.is_same() {
        out.push_str("\nNo difference.\n");
        return out;
    }
    if !found.metrics.is_empty() {
        out.push_str("\n| stage | metric | before | after | change | |\n|---|---|--:|--:|--:|---|\n");
        for metric in &found.metrics {
            let (before, after) = (metric.before, metric.after);
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} |",
                escape(&metric.stage),
                escape(&metric.metric),
                value(before),
                value(after),
                change(before, after),
                verdict(metric)
            );
        }
    } else if found.same_metrics > 0 {
        let _ = writeln!(out, "\nNo metric changed ({} the same).", found.same_metrics);
    }
    if !found.params.is_empty() {
        out.push_str("\n| param | before | after |\n|---|---|---|\n");
        for change in &found.params {
            let (before, after) = (param(change.before.as_ref()), param(change.after.as_ref()));
            let _ = writeln!(out, "| {} | {} | {} |", escape(&change.name), code(&before), code(&after));
        }
    }
    let differ: Vec<&StageChange> = found.stages.iter().filter(|stage| stage.status != Status::Same).collect();
    let same = found.stages.len() - differ.len();
    if !differ.is_empty() {
        let what = numbers::counted(differ.len(), "stage");
        let verb = if differ.len() == 1 { "differs" } else { "differ" };
        let _ = writeln!(out, "\n<details><summary>{what} {verb}, {same} the same</summary>\n");
        for stage in differ {
            let _ = writeln!(out, "- **{}**: {}", escape(&stage.stage), escape(&status(stage)));
            for change in &stage.fields {
                let _ = writeln!(out, "  - {}", code(&field(change)));
            }
            for output in &stage.outputs {
                for fact in facts(output) {
                    let _ = writeln!(out, "  - {}: {fact}", code(&output.port));
                }
            }
        }
        out.push_str("\n</details>\n");
    }
    out
}

fn verdict(metric: &MetricChange) -> &'static str {
    match metric.better {
        Some(true) => "better",
        Some(false) => "**worse**",
        None => "",
    }
}

fn status(stage: &StageChange) -> String {
    match &stage.status {
        Status::Same => "same".to_owned(),
        Status::Remade => "made anew, came out the same".to_owned(),
        Status::Changed => "changed".to_owned(),
        Status::Added => "added".to_owned(),
        Status::Removed => "removed".to_owned(),
        Status::Open(why) => why.clone(),
    }
}

/// Text in which nothing is taken for Markdown.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '\\' | '`' | '*' | '|' | '[' | ']' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// Text as code, also inside of a table.
fn code(text: &str) -> String {
    let ticks = if text.contains('`') { "``" } else { "`" };
    format!("{ticks}{}{ticks}", text.replace('|', "\\|").replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{FieldChange, ParamChange};
    use serde_json::json;

    #[test]
    fn a_page_has_tables_and_folds_the_rest() {
        let metric = MetricChange {
            stage: "evaluate".into(),
            metric: "accuracy".into(),
            before: Some(0.976),
            after: Some(0.981),
            better: Some(true),
        };
        let stage = StageChange {
            stage: "train".into(),
            kind: "train".into(),
            status: Status::Changed,
            fields: vec![FieldChange { path: "lr".into(), values: Some(("0.1".into(), "a|b".into())) }],
            outputs: Vec::new(),
            seconds: (None, None),
        };
        let found = Comparison {
            before: "main".into(),
            after: "workspace".into(),
            params: vec![ParamChange { name: "lr".into(), before: Some(json!(0.1)), after: None }],
            metrics: vec![metric],
            same_metrics: 0,
            stages: vec![stage],
        };
        let text = page(&found);
        assert!(text.starts_with("<!-- kilter diff -->\n### kilter: main → workspace\n"), "{text}");
        assert!(text.contains("| evaluate | accuracy | 0.976 | 0.981 | +0.005 (+0.5 %) | better |"), "{text}");
        assert!(text.contains("| lr | `0.1` | `none` |"), "{text}");
        assert!(text.contains("<summary>1 stage differs, 0 the same</summary>"), "{text}");
        assert!(text.contains("  - `lr: 0.1 -> a\\|b`"), "{text}");
    }
}
