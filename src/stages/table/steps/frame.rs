//! Frames of windows: which rows around a row count.

use super::super::columns::OneOrMany;
use super::super::distance::Distance;
use crate::diag::codes;
use crate::stage::{CheckCx, Path};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From which row to which, counted from the row itself: `{ from = -6, to = 0 }` are the six before it and itself. Without `from` it
/// begins at the group's first row, without `to` it ends at its last.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowFrame {
    /// The first row; negative ones come before the row itself.
    pub from: Option<i64>,
    /// The last row.
    pub to: Option<i64>,
}

/// How far the order value of a row may lie from the row's own, both ends included: `{ from = "-6h", to = "-2h" }` are the rows
/// from six to two hours before. Without an end all rows on that side.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RangeFrame {
    /// The smallest distance; negative ones come before the row itself.
    pub from: Option<Distance>,
    /// The largest distance.
    pub to: Option<Distance>,
}

/// The frame as SQL; empty where all rows count.
pub(super) fn sql(rows: Option<&RowFrame>, range: Option<&RangeFrame>) -> String {
    let row = |at: i64| match at {
        0 => "CURRENT ROW".to_owned(),
        before @ ..0 => format!("{} PRECEDING", before.unsigned_abs()),
        behind => format!("{behind} FOLLOWING"),
    };
    let (units, from, to) = match (rows, range) {
        (Some(rows), _) => ("ROWS", rows.from.map(row), rows.to.map(row)),
        (None, Some(range)) => ("RANGE", range.from.as_ref().map(frame_end), range.to.as_ref().map(frame_end)),
        (None, None) => return String::new(),
    };
    let from = from.unwrap_or_else(|| "UNBOUNDED PRECEDING".to_owned());
    format!(" {units} BETWEEN {from} AND {}", to.unwrap_or_else(|| "UNBOUNDED FOLLOWING".to_owned()))
}

fn frame_end(distance: &Distance) -> String {
    // Nothing is no distance in any unit.
    if distance.length() == Some(0.0) {
        return "CURRENT ROW".to_owned();
    }
    let (text, before) = distance.parts();
    let shown = if distance.has_unit() { format!("INTERVAL '{text}'") } else { text.to_owned() };
    format!("{shown} {}", if before { "PRECEDING" } else { "FOLLOWING" })
}

/// Reports frames that no table could make right.
pub(super) fn check(
    rows: Option<&RowFrame>,
    range: Option<&RangeFrame>,
    order: &OneOrMany,
    at: &Path,
    cx: &mut CheckCx<'_>,
) {
    let place = |field: &str| [at.clone(), vec![field.into()]].concat();
    if rows.is_some() && range.is_some() {
        cx.error(place("range"), codes::CONFLICT, "`rows` and `range` exclude each other")
            .at_key()
            .label("a window has one frame")
            .related(place("rows"), "the other");
    }
    let inside = |field: &str, end: &str| [place(field), vec![end.into()]].concat();
    let ends: [Option<f64>; 2] = match (rows, range) {
        (Some(rows), _) => [rows.from.map(|row| row as f64), rows.to.map(|row| row as f64)],
        (None, Some(range)) => {
            for (end, distance) in [("from", &range.from), ("to", &range.to)] {
                if let Some(distance) = distance.as_ref().filter(|distance| distance.length().is_none()) {
                    let message = format!("`{distance}` is no distance");
                    cx.error(inside("range", end), codes::OUT_OF_RANGE, message)
                        .label("neither a number nor a duration")
                        .hint("write `-5`, or `\"-90min\"`, `\"-6h\"`, `\"7d\"` where the order is dates or times");
                }
            }
            if order.0.len() != 1 {
                cx.error(place("range"), codes::CONFLICT, "a range is measured in the order's one column")
                    .at_key()
                    .label(format!("`order` names {} columns", order.0.len()))
                    .hint("name one column in `order`, or count rows: `rows = { from = -6, to = 0 }`");
            }
            [&range.from, &range.to].map(|end| end.as_ref().and_then(Distance::length))
        }
        (None, None) => return,
    };
    if let [Some(from), Some(to)] = ends
        && from > to
    {
        let field = if rows.is_some() { "rows" } else { "range" };
        cx.error(inside(field, "to"), codes::OUT_OF_RANGE, "the frame ends before it begins")
            .label("smaller than `from`")
            .hint("negative numbers lie before the row: `{ from = -6, to = 0 }`");
    }
}
