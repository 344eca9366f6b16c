//! The polars edge: tables on disk and in memory, their types, their logical digests, and SQL over them.
//!
//! Three rules hold here, and nowhere else is polars asked to run a plan:
//! 1. a table's digest is taken over its logical content, column by column ([`digest`]), and what is stored is written
//!    from compacted columns, so equal content is equal bytes ([`mod@write`]);
//! 2. every plan gets a fixed row order, and functions that are SQL's ([`order`]);
//! 3. float sums do not depend on the order of addition ([`sums`]).
//!
//! And one more: of a table of which a stage reads some columns it can see no others ([`mod@read`], [`projection`]).

pub mod alike;
mod apart;
pub mod cast;
pub mod changes;
mod chronology;
pub mod compare;
mod decimal;
pub mod digest;
pub mod dtype;
pub mod engine;
pub mod exact;
mod external;
pub mod file;
mod functions;
pub mod head;
mod memory;
mod misfits;
pub mod order;
mod ordinary;
pub mod profile;
pub mod projection;
pub mod read;
pub mod rolling;
mod row_group;
pub mod same;
pub mod schema;
pub mod sql;
pub mod sums;
mod trying;
pub mod view;
pub mod write;

pub use cast::{CastFault, cast_exactly, is_no_moment, needs_care};
pub use changes::{Matching, TableChanges, table_changes};
pub use chronology::sorts_by_time;
pub use digest::{column_digest, table_digest};
pub use dtype::{from_polars, to_polars};
pub use engine::{PlanFailure, run_plan, try_plan, write_plan};
pub use functions::{OrderKey, as_text as moment_as_text, keys_with_one_zero, one_zero};
pub use head::{head_rows, head_values};
pub use order::{asked_of_rows, by_rows, fixed, fixed_expr};
pub use ordinary::ordinary;
pub use profile::{ColumnProfile, profile};
pub use projection::{Frames, columns_read};
pub use read::{read_table, scan_table, scan_to_blame, table_apart, with_columns_alone};
pub use same::same_rows;
pub use schema::{polars_schema, schema_of};
pub use sums::FloatSums;
pub use trying::{is_tried_for, trying};
pub use view::write_view;
pub use write::{rows_by_columns, write_table};

#[cfg(test)]
pub(crate) use apart::joined;

use crate::diag::brief;
use crate::stage::StageError;
use polars::error::{PolarsError, PolarsResult, PolarsWarning, get_warning_function, set_warning_function};
use polars::prelude::{DataFrame, LazyFrame};
use std::sync::OnceLock;

/// Prepares polars, at the beginning of the program, while there is one thread: stages may limit the memory of its engine, and
/// what it will not do any more in a later version is not told to who runs a pipeline.
pub fn set_up() {
    static TELL: OnceLock<fn(&str, PolarsWarning)> = OnceLock::new();
    memory::limit_memory();
    let _ = TELL.set(get_warning_function());
    set_warning_function(|text, warning| match (warning, TELL.get()) {
        (PolarsWarning::Deprecation, _) | (_, None) => {}
        (other, Some(tell)) => tell(text, other),
    });
}

/// What polars says, in one line and without its own advice on Python.
#[must_use]
pub fn polars_words(error: &PolarsError) -> String {
    let text = match error {
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => return polars_words(error),
        PolarsError::IO { error, .. } => crate::stage::io_words(error),
        PolarsError::AssertionError(text)
        | PolarsError::ColumnNotFound(text)
        | PolarsError::ComputeError(text)
        | PolarsError::Duplicate(text)
        | PolarsError::InvalidOperation(text)
        | PolarsError::NoData(text)
        | PolarsError::OutOfBounds(text)
        | PolarsError::SchemaFieldNotFound(text)
        | PolarsError::SchemaMismatch(text)
        | PolarsError::ShapeMismatch(text)
        | PolarsError::SQLInterface(text)
        | PolarsError::SQLSyntax(text)
        | PolarsError::StringCacheMismatch(text)
        | PolarsError::StructFieldNotFound(text) => text.to_string(),
    };
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.next().unwrap_or("it failed");
    if let Some((a, b)) = line.strip_prefix("'join_where' cannot compare ").and_then(|types| types.split_once(" with "))
    {
        let (a, b) = (misfits::named(a), misfits::named(b));
        return format!("a join does not compare {a} with {b}: CAST one side to the type of the other");
    }
    // The pattern stands between, with a mark below it.
    if let Some(last) = lines.next_back().filter(|_| line.starts_with("regex error")) {
        return format!("regex error: {}", last.trim_start_matches("error: "));
    }
    match line
        .strip_prefix("aggregation 'item' expected no or a single value, got ")
        .and_then(|rest| rest.split(' ').next())
    {
        Some(rows) => format!("a subquery in the place of a value gives {rows} rows, expected one"),
        None if line.starts_with("conversion from") => with_brief_values(line),
        None => line.to_owned(),
    }
}

/// What polars' names begin with for what it computes once for several users.
const MADE_UP: &str = "__POLARS_CSER_";

/// Of a failed conversion the values stand in double quotes.
fn with_brief_values(line: &str) -> String {
    let nameless = line.split_once(&format!(" in column '{MADE_UP}")).map(|(before, rest)| {
        let after = rest.split_once('\'').map_or("", |(_, after)| after);
        format!("{before}{after}")
    });
    let line = nameless.as_deref().unwrap_or(line);
    let parts = line.split('"').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { brief(part) } else { part.into() }).collect::<Vec<_>>().join("\"")
}

/// What polars says, of types in kilter's words.
#[must_use]
pub fn told(error: &PolarsError) -> String {
    let words = polars_words(error);
    misfits::told(&words).unwrap_or(words)
}

/// Runs a plan. A panic inside polars, which a combination of types that it was not built with causes, becomes an error.
///
/// # Errors
/// What polars says, or that it panicked.
pub fn collect(lf: LazyFrame) -> PolarsResult<DataFrame> {
    unpanicked(|| apart::joined(lf, true).collect())
}

fn unpanicked<T>(work: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        let said = said.unwrap_or("it did not say why").trim();
        Err(PolarsError::ComputeError(format!("polars stopped on it: {said}").into()))
    })
}

/// A failure of polars while `doing` something, such as `read the table`.
#[must_use]
pub fn failed(doing: &str, error: &PolarsError) -> StageError {
    StageError::data(format!("cannot {doing}: {}", told(error)))
}
