//! A comparison as Markdown, fit for a comment on a pull request: where there is much to say, it is cut, as hosts refuse
//! comments of more than 65,536 characters.

use super::text::field;
use super::{change, facts, param, value};
use crate::diag::excerpts;
use crate::diff::{Comparison, MetricChange, ParamChange, StageChange, Status};
use crate::numbers::{count, counted};
use std::fmt::Write;

/// More than so many of each are counted instead.
const METRICS: usize = 50;
const PARAMS: usize = 30;
const STAGES: usize = 100;
const FIELDS: usize = 20;

/// A page is no longer than this, in bytes, before its last lines; whatever lines come later are counted instead.
const ROOM: usize = 60_000;

pub(super) fn page(found: &Comparison) -> String {
    // The first line lets a script find its own comment again.
    let (before, after) = (escape(&found.before), escape(&found.after));
    let mut out = format!("<!-- kilter diff -->\n### kilter: {before} → {after}\n");
    if found.is_same() {
        out.push_str("\nNo difference.\n");
        return out;
    }
    if !found.metrics.is_empty() {
        out.push_str("\n| stage | metric | before | after | change | |\n|---|---|--:|--:|--:|---|\n");
        let more = fill(&mut out, METRICS, found.metrics.iter().map(metric));
        tell_more(&mut out, "\n", more, "metric");
    } else if found.same_metrics > 0 {
        let _ = writeln!(out, "\nNo metric changed ({} the same).", count(found.same_metrics as u64));
    }
    if !found.params.is_empty() {
        out.push_str("\n| param | before | after |\n|---|---|---|\n");
        let row = |change: &ParamChange| {
            let (before, after) = excerpts(&param(change.before.as_ref()), &param(change.after.as_ref()));
            format!("| {} | {} | {} |\n", escape(&change.name), cell(&before), cell(&after))
        };
        let more = fill(&mut out, PARAMS, found.params.iter().map(row));
        tell_more(&mut out, "\n", more, "param");
    }
    let differ: Vec<&StageChange> = found.stages.iter().filter(|stage| stage.status != Status::Same).collect();
    if !differ.is_empty() {
        let what = counted(differ.len(), "stage");
        let verb = if differ.len() == 1 { "differs" } else { "differ" };
        let same = count((found.stages.len() - differ.len()) as u64);
        let _ = writeln!(out, "\n<details><summary>{what} {verb}, {same} the same</summary>\n");
        let more = fill(&mut out, STAGES, differ.into_iter().map(item));
        tell_more(&mut out, "- ", more, "stage");
        out.push_str("\n</details>\n");
    }
    out
}

/// Adds pieces, as many as may be and as there is room for; gives how many are left.
fn fill(out: &mut String, most: usize, pieces: impl ExactSizeIterator<Item = String>) -> usize {
    let all = pieces.len();
    for (at, piece) in pieces.enumerate() {
        if at == most || out.len() + piece.len() > ROOM {
            return all - at;
        }
        out.push_str(&piece);
    }
    0
}

/// `… and 12 more metrics`
fn tell_more(out: &mut String, lead: &str, more: usize, noun: &str) {
    if more > 0 {
        let plural = if more == 1 { "" } else { "s" };
        let _ = writeln!(out, "{lead}… and {} more {noun}{plural}", count(more as u64));
    }
}

fn metric(metric: &MetricChange) -> String {
    let (before, after) = (metric.before, metric.after);
    format!(
        "| {} | {} | {} | {} | {} | {} |\n",
        escape(&metric.stage),
        escape(&metric.metric),
        value(before),
        value(after),
        change(before, after),
        verdict(metric)
    )
}

/// A stage that differs, and how.
fn item(stage: &StageChange) -> String {
    let mut out = format!("- **{}**: {}\n", escape(&stage.stage), escape(&status(stage)));
    let fields = stage.fields.iter().map(|change| code(&field(change)));
    let outputs = stage.outputs.iter().flat_map(|output| {
        let port = code(&output.port);
        facts(output).into_iter().map(move |fact| format!("{port}: {fact}"))
    });
    let lines: Vec<String> = fields.chain(outputs).collect();
    for line in lines.iter().take(FIELDS) {
        let _ = writeln!(out, "  - {line}");
    }
    tell_more(&mut out, "  - ", lines.len().saturating_sub(FIELDS), "difference");
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
        Status::Renamed(old) => format!("the same, called {old} before"),
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

/// Text as code. Its fence is longer than any row of backticks in it, and stands apart from one at an end.
fn code(text: &str) -> String {
    let text = text.replace('\n', " ");
    let longest = text.split(|c: char| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // One space at both ends is not shown.
    let apart = text.is_empty() || text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let space = if apart { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// Text as code in a table, where a bar would end the cell also inside of code.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::FieldChange;
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
        assert!(text.contains("  - `lr: 0.1 -> a|b`"), "{text}");
    }

    #[test]
    fn code_is_shown_as_it_is() {
        assert_eq!(code("a|b"), "`a|b`");
        assert_eq!(cell("a|b"), "`a\\|b`");
        assert_eq!(code("a `b` c"), "``a `b` c``");
        assert_eq!(code("`b`"), "`` `b` ``");
        assert_eq!(code("``"), "``` `` ```");
        assert_eq!(code(" a"), "`  a `");
    }

    fn stage(at: usize, fields: usize, long: &str) -> StageChange {
        let values = Some((long.to_owned(), long.to_owned()));
        let field = |at: usize| FieldChange { path: format!("f{at}{long}"), values: values.clone() };
        StageChange {
            stage: format!("stage_{at}"),
            kind: "exec".into(),
            status: Status::Changed,
            fields: (0..fields).map(field).collect(),
            outputs: Vec::new(),
            seconds: (None, None),
        }
    }

    /// Much of everything, each stage with so many fields, and all of them with names and values as long as this.
    fn much(fields: usize, long: &str) -> Comparison {
        let metric = |at: usize| MetricChange {
            stage: "s".into(),
            metric: format!("m{at}{long}"),
            before: None,
            after: Some(1.0),
            better: None,
        };
        let param = |at: usize| ParamChange { name: format!("p{at}"), before: Some(json!(long)), after: None };
        Comparison {
            before: "main".into(),
            after: "workspace".into(),
            params: (0..100).map(param).collect(),
            metrics: (0..5_000).map(metric).collect(),
            same_metrics: 0,
            stages: (0..10_000).map(|at| stage(at, fields, long)).collect(),
        }
    }

    #[test]
    fn a_page_is_no_longer_than_hosts_take() {
        // As many as are shown, where they are short.
        let text = page(&much(0, ""));
        assert!(text.contains("\n… and 4,950 more metrics\n") && text.contains("\n… and 70 more params\n"), "{text}");
        assert!(text.ends_with("- **stage_99**: changed\n- … and 9,900 more stages\n\n</details>\n"), "{text}");
        let item = item(&stage(0, 25, ""));
        assert!(item.ends_with("  - … and 5 more differences\n") && item.lines().count() == 22, "{item}");
        // What is long is cut by its length.
        let long = "a long value, ".repeat(40);
        for fields in [1, 25] {
            let text = page(&much(fields, &long));
            assert!(text.len() < 65_536 && text.ends_with(" more stages\n\n</details>\n"), "{}: {text}", text.len());
        }
    }
}
