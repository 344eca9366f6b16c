//! `kilter diff`

mod machine;
mod markdown;
mod sides;
mod text;

use super::{Exit, Outcome, Output, args};
use crate::diff::{OutputChange, compare};
use crate::frame::{Matching, TableChanges};
use crate::numbers;

pub(super) fn run(options: &args::Diff, output: Output) -> Outcome {
    let (before, after, store) = sides::find(options, output)?;
    let found = compare(&before, &after, &store);
    if options.json {
        output.json(&machine::json(&found))?;
    } else if options.markdown {
        output.data(&markdown::page(&found))?;
    } else {
        output.data(&text::lines(&found, output))?;
    }
    Ok(Exit::Done)
}

/// What changed in an output, a fact each.
fn facts(change: &OutputChange) -> Vec<String> {
    let mut facts = match (change.before, change.after) {
        (None, Some(after)) => vec![format!("new, {}", numbers::bytes(after))],
        (Some(before), None) => vec![format!("gone, it had {}", numbers::bytes(before))],
        (Some(before), Some(after)) if change.table.is_none() => {
            let sizes = if before == after {
                numbers::bytes(after)
            } else {
                format!("{} -> {}", numbers::bytes(before), numbers::bytes(after))
            };
            vec![format!("other content, {sizes}")]
        }
        _ => Vec::new(),
    };
    facts.extend(change.table.as_ref().map(table_facts).unwrap_or_default());
    facts.extend(change.note.clone());
    facts
}

fn table_facts(table: &TableChanges) -> Vec<String> {
    let (before, after) = table.rows;
    let count = numbers::count;
    let mut facts = Vec::new();
    if before != after {
        facts.push(format!("{} -> {} rows", count(before), count(after)));
    }
    let rows = [(table.rows_added, "added"), (table.rows_removed, "removed"), (table.rows_changed, "changed")];
    let rows: Vec<String> = rows
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(*number)))
        .collect();
    if !rows.is_empty() {
        let matched = match &table.matching {
            Matching::Place => String::new(),
            Matching::Key(column) => format!(", matched by `{column}`"),
            Matching::Content => ", matched by content".to_owned(),
        };
        facts.push(format!("rows: {}{matched}", rows.join(", ")));
    }
    if table.reordered {
        facts.push("the same rows in another order".to_owned());
    }
    let names = |names: &[String]| crate::diag::list(names.iter().map(String::as_str), 8);
    for (columns, what) in [(&table.columns_added, "added"), (&table.columns_removed, "removed")] {
        if !columns.is_empty() {
            facts.push(format!("{what}: {} {}", if columns.len() == 1 { "column" } else { "columns" }, names(columns)));
        }
    }
    for (name, before, after) in &table.columns_retyped {
        facts.push(format!("column `{name}`: {before} -> {after}"));
    }
    if !table.columns_changed.is_empty() {
        let shown: Vec<String> = table
            .columns_changed
            .iter()
            .take(8)
            .map(|(name, rows)| format!("`{name}` in {}", numbers::counted(*rows as usize, "row")))
            .collect();
        let more = table.columns_changed.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} columns more") } else { String::new() };
        facts.push(format!("other values: {}{more}", shown.join(", ")));
    }
    facts
}

/// `0.976`, `none`
fn value(number: Option<f64>) -> String {
    number.map_or_else(|| "none".to_owned(), numbers::number)
}

/// `+0.005`, with `(-1.2 %)` where that says more.
fn change(before: Option<f64>, after: Option<f64>) -> String {
    let (Some(before), Some(after)) = (before, after) else { return String::new() };
    let by = after - before;
    let sign = if by > 0.0 { "+" } else { "" };
    let share = if before != 0.0 && by.is_finite() {
        format!(" ({sign}{:.1} %)", 100.0 * by / before.abs())
    } else {
        String::new()
    };
    // Whole numbers are counts where one is at least 2; the 1 between two of them is one as well.
    let counts = before.fract() == 0.0 && after.fract() == 0.0 && before.abs().max(after.abs()) >= 2.0;
    let by = if counts && by.abs() == 1.0 { format!("{by:.0}") } else { numbers::number(by) };
    format!("{sign}{by}{share}")
}

/// A param's value, as it is written.
fn param(value: Option<&serde_json::Value>) -> String {
    value.map_or_else(|| "none".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_read_as_facts() {
        assert_eq!(change(Some(0.5), Some(0.525)), "+0.025 (+5.0 %)");
        assert_eq!(change(Some(0.5), Some(0.4)), "-0.100 (-20.0 %)");
        assert_eq!(change(Some(0.0), Some(1.0)), "+1.000");
        assert_eq!(change(Some(224.0), Some(223.0)), "-1 (-0.4 %)");
        assert_eq!(change(None, Some(1.0)), "");
        let table = TableChanges {
            rows: (10, 12),
            columns_added: vec!["x".into()],
            columns_removed: Vec::new(),
            columns_retyped: vec![("t".into(), "i64".into(), "str".into())],
            columns_changed: vec![("v".into(), 1)],
            matching: Matching::Key("id".into()),
            rows_added: 3,
            rows_removed: 1,
            rows_changed: 1,
            reordered: false,
        };
        let output = OutputChange { port: "t".into(), before: Some(1), after: Some(2), table: Some(table), note: None };
        assert_eq!(
            facts(&output),
            [
                "10 -> 12 rows",
                "rows: 3 added, 1 removed, 1 changed, matched by `id`",
                "added: column `x`",
                "column `t`: i64 -> str",
                "other values: `v` in 1 row"
            ]
        );
    }
}
