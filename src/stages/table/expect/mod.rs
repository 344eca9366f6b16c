//! `expect`: what must be true of a table.
//!
//! The table goes through unchanged, so that what uses it waits for the verdict. Checks of severity `error` are gates:
//! the result is kept beside the verdict, and the rows that failed are a table to look at.

mod check;
mod drift;
mod judge;
mod rows;
mod spec;
#[cfg(test)]
mod tests;

pub use spec::{Check, Drift, Fresh, Range, Rows, Severity, Spec};

use crate::frame::{read_table, write_table};
use crate::numbers;
use crate::path;
use crate::stage::{CheckCx, Family, InputTypes, Kind, Outputs, Port, Produced, Reads, RunCx, StageError, StageInfo};
use crate::types::{ArtifactType, Column, DType, TableSchema};
use judge::Verdict;

/// The kind.
pub struct Expect;

const TABLE: &str = "table";
const FAILURES: &str = "failures";

/// What stands before a failing row: the check, the column, and the row's number from 1 on, as messages count.
const MARKS: [(&str, DType); 3] =
    [("failed_check", DType::Str), ("failed_column", DType::Str), ("failed_row", DType::I64)];

impl Kind for Expect {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "expect",
        family: Family::Table,
        version: 9,
        summary: "Checks a table's values, rows, keys, age and spread, and stops the run, or warns, where they are not as expected.",
        ports: &[
            Port { name: TABLE, about: "the same table, for what is to wait for the verdict" },
            Port {
                name: FAILURES,
                about: "the rows that failed, after `failed_check`, `failed_column` and `failed_row` (from 1 on)",
            },
        ],
        example: r#"[stage.checked]
kind = "expect"
from = "table"

[stage.checked.checks]
species = { one_of = { species = ["Adelie", "Chinstrap", "Gentoo"] } }
bills = { range = { "bill_*" = { min = 10, max = 80 } } }
measured = { not_null = "body_mass_g", severity = "warn", allow = 0.01 }
deep = { holds = "bill_depth_mm < bill_length_mm" }
"#,
        seeded: false,
        numeric: false,
    };

    const TAKES_VIEWS: bool = true;

    fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
        let schema = check::check(spec, cx);
        let ty = |schema: Option<TableSchema>| schema.map_or(ArtifactType::Unknown, ArtifactType::Table);
        Outputs::one(TABLE, ty(schema.clone())).and(FAILURES, ty(schema.map(failures_schema)))
    }

    fn reads(spec: &Spec, inputs: &InputTypes<'_>) -> Reads {
        let reads = Reads::everything();
        let Some(reference) = spec.reference.as_ref().filter(|reference| **reference != spec.from) else {
            return reads;
        };
        match inputs.get(reference.0.as_str()) {
            Some(ArtifactType::Table(schema)) => {
                let read =
                    |column: &&Column| spec.drifting().any(|rule| crate::types::matches_pattern(rule, &column.name));
                let mut names: Vec<String> =
                    schema.columns.iter().filter(read).map(|column| column.name.clone()).collect();
                // In which order the other table has them does not count.
                names.sort();
                reads.only(reference, names)
            }
            _ => reads,
        }
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let df = read_table(cx.input(&spec.from)?)?;
        let reference = spec.reference.as_ref().map(|reference| read_table(cx.input(reference)?)).transpose()?;
        let mut verdicts = Vec::new();
        for (name, check) in &spec.checks {
            cx.check_cancelled()?;
            let verdict = judge::judge(name, check, &df, reference.as_ref());
            verdicts.push(
                verdict.map_err(|error| if error.at.is_some() { error } else { error.at(path!["checks", name]) })?,
            );
        }
        verdicts.iter().filter_map(Verdict::complaint).for_each(|complaint| cx.services.warn(complaint));
        let failures = rows::table(&df, &verdicts, usize::try_from(spec.keep).unwrap_or(usize::MAX))?;
        let mut produced = Produced::new(summary(&verdicts, df.height()));
        produced.metrics.insert("rows".to_owned(), df.height() as f64);
        for verdict in &verdicts {
            produced.metrics.extend(verdict.metrics());
            produced.gates.extend(verdict.gates());
        }
        let produced = write_table(cx, TABLE, df, produced)?;
        write_table(cx, FAILURES, failures, produced)
    }
}

fn failures_schema(input: TableSchema) -> TableSchema {
    let marks = MARKS.into_iter().map(|(name, dtype)| Column::new(name, dtype));
    TableSchema { columns: marks.chain(input.columns).collect(), complete: input.complete, rows: None }
}

/// `4 checks hold on 344 rows`, `1 of 4 checks fails on 344 rows: masses`.
fn summary(verdicts: &[Verdict], rows: usize) -> String {
    let names = |warns: bool| -> Vec<&str> {
        let failing = verdicts.iter().filter(|verdict| !verdict.holds() && verdict.warns() == warns);
        failing.map(|verdict| verdict.name.as_str()).collect()
    };
    let (errors, warnings) = (names(false), names(true));
    let (all, rows) = (verdicts.len(), numbers::counted(rows, "row"));
    let failing = errors.len() + warnings.len();
    if failing == 0 {
        let verb = if all == 1 { "holds" } else { "hold" };
        return format!("{} {verb} on {rows}", numbers::counted(all, "check"));
    }
    let verb = if failing == 1 { "fails" } else { "fail" };
    let listed: Vec<String> = errors
        .iter()
        .map(|name| (*name).to_owned())
        .chain(warnings.iter().map(|name| format!("{name} (warning)")))
        .collect();
    format!("{failing} of {} {verb} on {rows}: {}", numbers::counted(all, "check"), listed.join(", "))
}
