//! `split`: a table's rows divided into parts.
//!
//! Every row goes to exactly one part (or to none, where `parts` counts rows or a `gap` leaves it out), and the rows of a part
//! keep their order. Chance comes from the stage's seed alone, or from a key's hash.

mod assign;
mod gap;
mod hashed;
mod leaks;
mod near;
mod part;
mod spec;
#[cfg(test)]
mod tests;

pub use part::Part;
pub use spec::{Leaks, Spec};

use crate::diag::list;
use crate::frame::{failed, read_table, write_table};
use crate::numbers;
use crate::stage::{CheckCx, Family, Kind, Outputs, Port, Produced, RunCx, StageError, StageInfo};
use crate::types::{ArtifactType, TableSchema};
use polars::prelude::{DataFrame, IdxCa, NewChunkedArray};

/// The kind.
pub struct Split;

/// Fewer rows than this say little as a part.
const TINY: usize = 20;

impl Kind for Split {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "split",
        family: Family::Table,
        version: 7,
        summary: "Divides a table's rows into parts: at random, stratified, by groups, by time, by the hash of a key, into folds or by a given column; counts rows that stand in several.",
        ports: &[Port {
            name: "*",
            about: "a table for each entry of `parts`, under its name; with `folds` the tables `train` and `test`",
        }],
        example: r#"[stage.split]
kind = "split"
from = "table"
parts = { train = 0.8, val = 0.1, test = 0.1 }
stratify = "label"
"#,
        seeded: true,
        numeric: false,
    };

    const TAKES_VIEWS: bool = true;

    fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
        let schema = spec.check(cx);
        let ty = |schema: &Option<TableSchema>| match schema {
            Some(schema) => ArtifactType::Table(schema.clone()),
            None => ArtifactType::Unknown,
        };
        spec.names().into_iter().fold(Outputs::none(), |outputs, part| outputs.and(part, ty(&schema)))
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let df = read_table(cx.input(&spec.from)?)?;
        let mut parts = assign::assign(spec, &df, cx)?;
        let names = spec.names();
        if let Some((name, _)) = names.iter().zip(&parts).find(|(_, rows)| rows.is_empty()) {
            return Err(no_rows(spec, name, df.height()));
        }
        let over = df.height() - parts.iter().map(Vec::len).sum::<usize>();
        let left_out = gap::leave_out(spec, &df, &names, &mut parts)?;
        warn_of_sizes(spec, &names, &parts, over, cx);
        let mut produced = Produced::new(summary(spec, &names, &parts));
        if over > 0 {
            produced.summary += &format!(", {} in no part", numbers::counted(over, "row"));
        }
        if let (Some(gap), Some(left_out)) = (&spec.gap, &left_out) {
            produced.summary +=
                &format!(", {} left out by the gap of {gap}", numbers::counted(left_out.iter().sum(), "row"));
        }
        let looked = leaks::look(spec, &df, &names, &parts, cx)?;
        produced.metrics = looked.metrics;
        for (name, rows) in names.iter().zip(left_out.iter().flatten()) {
            produced.metrics.insert(format!("left_out.{name}"), *rows as f64);
        }
        looked.compared.into_iter().for_each(|compared| produced.summary += &format!(" · {compared}"));
        for (name, rows) in names.iter().zip(&parts) {
            produced = write_table(cx, name, take(&df, rows)?, produced)?;
            produced.metrics.insert(format!("rows.{name}"), rows.len() as f64);
        }
        Ok(produced)
    }
}

/// Warns of parts that are too small to say much, and of rows that are in none, `over`, because shares of a hundred were meant.
fn warn_of_sizes(spec: &Spec, names: &[String], parts: &[Vec<u32>], over: usize, cx: &RunCx<'_>) {
    for (name, rows) in names.iter().zip(parts).filter(|(_, rows)| rows.len() < TINY) {
        let rows = numbers::counted(rows.len(), "row");
        cx.services.warn(format!("part `{name}` has {rows}: what is measured on it says little"));
    }
    if over > 0 && spec.counted() == 100 {
        cx.services.warn(format!(
            "whole numbers in `parts` count rows, and are no shares of a hundred: {} are in no part. Shares are written as 0.8",
            numbers::counted(over, "row")
        ));
    }
}

fn no_rows(spec: &Spec, part: &str, rows: usize) -> StageError {
    let error = StageError::data(format!("part `{part}` would have no rows"))
        .note(format!("the table has {}", numbers::counted(rows, "row")));
    let marks = spec.parts.get(part).filter(|part| !part.is_rest()).map(Part::values);
    error.hint(match (&spec.by, &spec.time, &spec.hash) {
        (Some(by), ..) => match marks {
            Some(marks) => format!("`{by}` has none of its values, {}", list(marks.iter().map(String::as_str), 6)),
            None => format!("all values of `{by}` belong to other parts"),
        },
        (_, Some(time), _) => {
            format!("rows of one `{time}` stay together, which may be all: give `{part}` a larger share, or split a larger table")
        }
        (.., Some(key)) => format!(
            "give `{part}` a larger share or the split another `salt`: no value of `{key}` belongs to it by its hash"
        ),
        _ => format!("give `{part}` a larger share, or split a larger table"),
    })
}

fn take(df: &DataFrame, rows: &[u32]) -> Result<DataFrame, StageError> {
    let index = IdxCa::from_slice("row".into(), rows);
    df.take(&index).map_err(|error| failed("take the rows of a part", &error))
}

/// `train 4,000 · val 500 · test 500, stratified by label`
fn summary(spec: &Spec, names: &[String], parts: &[Vec<u32>]) -> String {
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|at| (spec.place_in_order(&names[*at]), names[*at].clone()));
    let sizes: Vec<String> =
        order.into_iter().map(|at| format!("{} {}", names[at], numbers::count(parts[at].len() as u64))).collect();
    let fold = match (spec.fold, spec.folds) {
        (Some(fold), Some(folds)) => format!(", fold {fold} of {folds}"),
        _ => String::new(),
    };
    let how = match (&spec.stratify, &spec.group, &spec.time, spec.by.as_ref().or(spec.hash.as_ref())) {
        (Some(stratify), Some(group), ..) => format!(", stratified by {stratify}, grouped by {group}"),
        (Some(stratify), ..) => format!(", stratified by {stratify}"),
        (_, Some(group), ..) => format!(", grouped by {group}"),
        (_, _, Some(time), _) => format!(", in the order of {time}"),
        (.., Some(key)) if spec.hash.is_some() => format!(", by the hash of {key}"),
        (.., Some(by)) => format!(", by {by}"),
        _ => String::new(),
    };
    format!("{}{fold}{how}", sizes.join(" · "))
}
