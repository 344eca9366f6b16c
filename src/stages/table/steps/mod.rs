//! The steps of a `table` stage, a file each: what they say, what they make of a table's columns, how they run.

mod cast;
mod clean;
mod complete;
mod concat;
mod dedupe;
mod derive;
mod drop;
mod explode;
mod fill;
mod filter;
mod frame;
mod group;
mod join;
#[cfg(test)]
mod mistakes;
mod names;
mod pivot;
mod rename;
mod sample;
mod select;
mod sort;
#[cfg(test)]
mod tests;
mod unpivot;
mod window;

use super::columns::all_named;
use crate::frame::schema::from_polars_schema;
use crate::frame::{FloatSums, failed, polars_schema, trying};
use crate::stage::{CheckCx, Path, Ref, RunCx, StageError};
use crate::types::TableSchema;
use polars::prelude::{DataFrame, IntoLazy, LazyFrame, PolarsResult, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One step.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Keeps the rows for which an SQL expression is true: `{ filter = "dep_delay > 15 AND carrier <> 'UA'" }`.
    Filter(filter::Filter),
    /// New columns, or new values of old ones, by SQL expressions: `{ derive = { speed = "distance / air_time" } }`.
    /// Expressions of one step see the columns from before it; new columns come last, sorted by name.
    Derive(derive::Derive),
    /// Other column types, by name or pattern: `{ cast = { "pixel_*" = "f32" } }`. A value that the new type cannot
    /// hold is an error that names its row: a fraction in a whole number, a whole number that a float type would round, a
    /// time of day in a date; fractions are rounded to what a float type holds. Texts become dates and times as in csv files.
    Cast(cast::Cast),
    /// Cleans texts: normal form, case, patterns, white space, markers of missing values:
    /// `{ clean = { columns = "text", form = "nfkc", squeeze = true, null_values = [""] } }`.
    Clean(clean::Clean),
    /// New names of columns: `{ rename = { old = "new" } }`.
    Rename(rename::Rename),
    /// All names in one style: `{ names = "snake_case" }`.
    Names(names::Names),
    /// Keeps these columns, in this order: `{ select = ["label", "pixel_*"] }`.
    Select(select::Select),
    /// Leaves columns out: `{ drop = ["notes", "tmp_*"] }`.
    Drop(drop::Drop),
    /// Puts something in the place of missing values, by name or pattern: a value, or `mean`, `median`, `min`, `max`,
    /// `forward` (the value of the row before) or `backward`: `{ fill = { age = "median", city = "unknown" } }`; from the
    /// rows of the same group: `{ fill = { price = { take = "forward", by = "shop", order = "day" } } }`. Mean
    /// and median of whole numbers make an `f64` column. What is learned from the data is learned from all rows: to
    /// learn from training rows only, impute in `encode`.
    Fill(fill::Fills),
    /// Leaves out rows that repeat another in the columns `by` (all columns without it): `{ dedupe = { by = "id" } }`.
    Dedupe(dedupe::Dedupe),
    /// Sorts the rows; rows that are equal keep their order: `{ sort = { by = ["day", "time"] } }`.
    Sort(sort::Sort),
    /// Adds the columns of another table: `{ join = { with = "planes", on = "tailnum", how = "left" } }`.
    Join(join::Join),
    /// Adds the rows of other tables: `{ concat = { with = ["y2023", "y2024"] } }`.
    Concat(concat::Concat),
    /// One row for each group: `{ group = { by = "carrier", agg = { n = "count(*)", mean = "avg(dep_delay)" } } }`.
    Group(group::Group),
    /// New columns from the rows around each row:
    /// `{ window = { by = "carrier", order = "day", columns = { before = "lag(delay)", total = "sum(delay)" } } }`;
    /// of the rows near it alone: `{ window = { by = "origin", order = "time", range = { from = "-6h", to = "-2h" }, columns = { recent = "avg(delay)" } } }`.
    Window(window::Window),
    /// A row for each missing place of a sequence, between each group's first and last:
    /// `{ complete = { by = "shop", order = "month", every = "1mo" } }`.
    Complete(complete::Complete),
    /// One row for each item of a list: `{ explode = "tags" }`.
    Explode(explode::Explode),
    /// Rows into columns: `{ pivot = { on = "sex", columns = ["male", "female"], by = "species", value = "mass", agg = "mean" } }`.
    Pivot(pivot::Pivot),
    /// Columns into rows: `{ unpivot = { on = ["q1", "q2"], index = "id", variable = "quarter", value = "sales" } }`.
    Unpivot(unpivot::Unpivot),
    /// Some of the rows, at random: `{ sample = { rows = 1000 } }` or `{ sample = { fraction = 0.1 } }`.
    Sample(sample::Sample),
}

/// Where a step finds another table.
pub(super) type Tables<'a> = &'a dyn Fn(&Ref) -> Result<LazyFrame, StageError>;

/// What each step can do.
trait Rule {
    /// The columns after the step; reports what is wrong.
    fn check(&self, input: TableSchema, sums: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema;

    /// The step's plan over a table of this schema.
    fn apply(
        &self,
        lf: LazyFrame,
        schema: &SchemaRef,
        sums: FloatSums,
        tables: Tables<'_>,
    ) -> Result<LazyFrame, StageError>;
}

impl Step {
    /// Its key in the manifest.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Filter(_) => "filter",
            Self::Derive(_) => "derive",
            Self::Cast(_) => "cast",
            Self::Clean(_) => "clean",
            Self::Rename(_) => "rename",
            Self::Names(_) => "names",
            Self::Select(_) => "select",
            Self::Drop(_) => "drop",
            Self::Fill(_) => "fill",
            Self::Dedupe(_) => "dedupe",
            Self::Sort(_) => "sort",
            Self::Join(_) => "join",
            Self::Concat(_) => "concat",
            Self::Group(_) => "group",
            Self::Window(_) => "window",
            Self::Complete(_) => "complete",
            Self::Explode(_) => "explode",
            Self::Pivot(_) => "pivot",
            Self::Unpivot(_) => "unpivot",
            Self::Sample(_) => "sample",
        }
    }

    fn rule(&self) -> &dyn Rule {
        match self {
            Self::Filter(step) => step,
            Self::Derive(step) => step,
            Self::Cast(step) => step,
            Self::Clean(step) => step,
            Self::Rename(step) => step,
            Self::Names(step) => step,
            Self::Select(step) => step,
            Self::Drop(step) => step,
            Self::Fill(step) => step,
            Self::Dedupe(step) => step,
            Self::Sort(step) => step,
            Self::Join(step) => step,
            Self::Concat(step) => step,
            Self::Group(step) => step,
            Self::Window(step) => step,
            Self::Complete(step) => step,
            Self::Explode(step) => step,
            Self::Pivot(step) => step,
            Self::Unpivot(step) => step,
            Self::Sample(step) => step,
        }
    }

    /// The columns after the step.
    pub(super) fn check(&self, input: TableSchema, sums: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let before = input.names().any(str::is_empty);
        let output = self.rule().check(input, sums, at, cx);
        if !before {
            all_named([], &output, at.clone(), cx);
        }
        output
    }

    /// The plan with the step.
    pub(super) fn apply(
        &self,
        mut lf: LazyFrame,
        sums: FloatSums,
        tables: Tables<'_>,
    ) -> Result<LazyFrame, StageError> {
        let schema = lf.collect_schema().map_err(|error| failed("tell the table's columns", &error))?;
        self.rule().apply(lf, &schema, sums, tables)
    }

    /// Whether it makes a random choice without saying what that derives from.
    pub(super) fn needs_seed(&self) -> bool {
        matches!(self, Self::Sample(sample) if sample.seed.is_none())
    }

    /// Gives it a seed, where it needs one.
    pub(super) fn take_seed(&mut self, seed: u64) {
        if let Self::Sample(sample) = self {
            sample.seed.get_or_insert(seed);
        }
    }

    /// The other tables that it needs.
    pub(super) fn others(&self) -> &[Ref] {
        match self {
            Self::Join(join) => std::slice::from_ref(&join.with),
            Self::Concat(concat) => &concat.with,
            _ => &[],
        }
    }

    /// What went wrong with which row, after the step failed on the table that `before` gives; `None` where only polars
    /// knows.
    pub(super) fn blame(
        &self,
        cx: &RunCx<'_>,
        before: impl FnOnce() -> Option<LazyFrame>,
        sums: FloatSums,
        tables: Tables<'_>,
    ) -> Option<String> {
        match self {
            Self::Cast(step) => step.blame(cx, before()?),
            Self::Explode(step) => step.blame(cx, before()?),
            Self::Join(step) => step.blame(cx, before()?, sums, tables),
            _ => None,
        }
    }

    /// Adds what to do about a failure of this step.
    pub(super) fn explain(&self, error: StageError) -> StageError {
        match self {
            Self::Cast(_) => error.hint(
                "filter or mend those values before, or cast to a type that holds them; `round` and `strptime` of a \
                 `derive` step make whole numbers and dates of others",
            ),
            Self::Complete(_) => error.hint(
                "make places of the values in a `derive` step before, such as `date_trunc('month', day)`, or filter those rows",
            ),
            Self::Pivot(_) => error.hint("list the value in `columns`, or filter those rows before"),
            Self::Explode(_) => error.hint(
                "lists that are taken apart together must be equally long in each row: filter the others, or take them apart \
                 one by one; `SELECT unnest(a) AS a, unnest(b) AS b` of SQL fills the shorter ones up",
            ),
            Self::Join(_) => unconverted(join::Join::explain(error)),
            _ => unconverted(error),
        }
    }
}

/// Adds what to do about values that a `CAST` of an expression or a query cannot convert, where that failed.
pub(super) fn unconverted(error: StageError) -> StageError {
    let found = |what: &str| error.message.contains(what);
    match (found("conversion from"), found("conversion from `str` to `date")) {
        (false, _) => error,
        (true, true) => error.hint(
            "filter or mend those values before; of dates that are written otherwise `strptime(a, '%d/%m/%Y')` says how",
        ),
        (true, false) => {
            error.hint("filter or mend those values before, or make them missing: `TRY_CAST(a AS INT)`")
        }
    }
}

/// The names of a schema's columns that a name or pattern stands for.
fn matching(schema: &SchemaRef, pattern: &str) -> Vec<String> {
    let names = schema.iter_names().map(|name| name.as_str());
    names.filter(|name| crate::types::matches_pattern(pattern, name)).map(str::to_owned).collect()
}

/// The columns that a plan over one table gives; `None` where the table's types are not known yet.
fn after(
    input: &TableSchema,
    plan: impl FnOnce(LazyFrame, &SchemaRef) -> PolarsResult<LazyFrame>,
) -> Option<PolarsResult<TableSchema>> {
    let schema = Arc::new(polars_schema(input)?);
    let planned = || {
        let mut lf = plan(DataFrame::empty_with_schema(&schema).lazy(), &schema)?;
        lf.collect_schema()
    };
    Some(trying(planned).map(|schema| from_polars_schema(&schema)))
}
