//! A comparison as JSON.

use crate::diff::{Comparison, MetricChange, OutputChange, StageChange, Status};
use crate::frame::{Matching, TableChanges};
use serde_json::{Value, json};

pub(super) fn json(found: &Comparison) -> Value {
    let params = found
        .params
        .iter()
        .map(|change| json!({ "param": change.name, "before": change.before, "after": change.after }));
    json!({
        "before": found.before,
        "after": found.after,
        "same": found.is_same(),
        "params": params.collect::<Vec<_>>(),
        "metrics": found.metrics.iter().map(metric).collect::<Vec<_>>(),
        "stages": found.stages.iter().map(stage).collect::<Vec<_>>(),
    })
}

fn metric(change: &MetricChange) -> Value {
    let by = change.before.zip(change.after).map(|(before, after)| after - before);
    json!({
        "stage": change.stage,
        "metric": change.metric,
        "before": change.before,
        "after": change.after,
        "change": by,
        "better": change.better,
    })
}

fn stage(change: &StageChange) -> Value {
    let (status, why) = match &change.status {
        Status::Same => ("same", None),
        Status::Renamed(_) => ("renamed", None),
        Status::Remade => ("remade", None),
        Status::Changed => ("changed", None),
        Status::Added => ("added", None),
        Status::Removed => ("removed", None),
        Status::Open(why) => ("open", Some(why)),
    };
    let stage_before = match &change.status {
        Status::Renamed(old) => Some(old),
        _ => None,
    };
    let fields = change.fields.iter().map(|field| {
        let values = field.values.as_ref();
        json!({ "path": field.path, "before": values.map(|v| &v.0), "after": values.map(|v| &v.1) })
    });
    json!({
        "stage": change.stage,
        "stage_before": stage_before,
        "kind": change.kind,
        "status": status,
        "why": why,
        "fields": fields.collect::<Vec<_>>(),
        "outputs": change.outputs.iter().map(output).collect::<Vec<_>>(),
        "seconds_before": change.seconds.0,
        "seconds_after": change.seconds.1,
    })
}

fn output(change: &OutputChange) -> Value {
    json!({
        "port": change.port,
        "bytes_before": change.before,
        "bytes_after": change.after,
        "table": change.table.as_ref().map(table),
        "note": change.note,
    })
}

fn table(changes: &TableChanges) -> Value {
    let matched = match &changes.matching {
        Matching::Place => json!("place"),
        Matching::Content => json!("content"),
        Matching::Key(column) => json!({ "column": column }),
    };
    let retyped = changes.columns_retyped.iter();
    let changed = changes.columns_changed.iter();
    json!({
        "rows_before": changes.rows.0,
        "rows_after": changes.rows.1,
        "rows_added": changes.rows_added,
        "rows_removed": changes.rows_removed,
        "rows_changed": changes.rows_changed,
        "reordered": changes.reordered,
        "matched_by": matched,
        "columns_added": changes.columns_added,
        "columns_removed": changes.columns_removed,
        "columns_retyped": retyped.map(|(name, a, b)| json!({ "column": name, "before": a, "after": b })).collect::<Vec<_>>(),
        "columns_changed": changed.map(|(name, rows)| json!({ "column": name, "rows": rows })).collect::<Vec<_>>(),
    })
}
