//! Rows into columns.

use super::super::columns::{OneOrMany, column, select, wrong_type};
use super::{Rule, Tables, after, matching};
use crate::diag::{brief, codes, list};
use crate::frame::{FloatSums, failed, fixed_expr, keys_with_one_zero, moment_as_text};
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::{
    ChunkUnique, DataType, Expr, Field, LazyFrame, NULL, PolarsError, PolarsResult, SchemaRef, SortMultipleOptions,
    col, lit, when,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The column whose values become columns. They are listed, so that the table's columns are known before there is data;
/// a value that is not listed fails the stage. Rows come sorted by `by`, missing values first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Pivot {
    /// The column whose values become columns.
    pub on: String,
    /// Its values, in the order of the new columns, as text.
    pub columns: Vec<String>,
    /// The columns whose values make a row, names or patterns.
    pub by: OneOrMany,
    /// The column of the values.
    pub value: String,
    /// What becomes of several values in one place; missing ones do not count, and a place without any is missing (its `count` is 0).
    #[serde(default)]
    pub agg: Aggregate,
}

/// What several values become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// The first.
    #[default]
    First,
    /// The last.
    Last,
    /// Their sum; missing where there are none, as it is in SQL.
    Sum,
    /// Their mean.
    Mean,
    /// Their median.
    Median,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// How many there are.
    Count,
}

impl Aggregate {
    fn of(self, values: Expr) -> Expr {
        match self {
            Self::First => values.drop_nulls().first(),
            Self::Last => values.drop_nulls().last(),
            // Of no values there is no sum, as in SQL.
            Self::Sum => when(values.clone().count().gt(lit(0))).then(values.sum()).otherwise(lit(NULL)),
            Self::Mean => values.mean(),
            Self::Median => values.median(),
            Self::Min => values.min(),
            Self::Max => values.max(),
            Self::Count => values.count(),
        }
    }

    fn needs_numbers(self) -> bool {
        matches!(self, Self::Sum | Self::Mean | Self::Median)
    }

    fn compares(self) -> bool {
        matches!(self, Self::Min | Self::Max)
    }
}

impl Pivot {
    /// The values of `on` as text; one that is not listed is an error.
    fn listed(&self, dtype: Option<&DataType>) -> Expr {
        let known: BTreeSet<String> = self.columns.iter().cloned().collect();
        let on = self.on.clone();
        let check = move |values: polars::prelude::Column| {
            let different = values.str()?.unique()?;
            let unlisted = different.iter().flatten().filter(|value| !known.contains(*value)).map(brief);
            let unlisted: BTreeSet<_> = unlisted.collect();
            let named = |most| list(unlisted.iter().map(|value| &**value), most);
            let message = match unlisted.len() {
                0 => return Ok(values),
                1 => format!("column `{on}` has the value {}, which `columns` does not list", named(1)),
                _ => format!("column `{on}` has values that `columns` does not list: {}", named(8)),
            };
            Err(PolarsError::ComputeError(message.into()))
        };
        let text = |_: &polars::prelude::Schema, field: &Field| Ok(Field::new(field.name().clone(), DataType::String));
        let values = col(self.on.as_str());
        let moments = dtype.and_then(|dtype| moment_as_text(values.clone(), dtype));
        moments.unwrap_or_else(|| values.cast(DataType::String)).map_with_fmt_str(
            check,
            text,
            format!("listed {:?}", self.columns),
        )
    }

    fn plan(&self, lf: LazyFrame, schema: &SchemaRef, sums: FloatSums) -> PolarsResult<LazyFrame> {
        const ON: &str = "__kilter_on";
        let by: Vec<String> = self.by.0.iter().flat_map(|pattern| matching(schema, pattern)).collect();
        let mut lf = lf.with_column(self.listed(schema.get(&self.on)).alias(ON));
        let schema = lf.collect_schema()?;
        let aggregates = self.columns.iter().map(|name| {
            let values = when(col(ON).eq(lit(name.as_str()))).then(col(self.value.as_str())).otherwise(lit(NULL));
            Ok(fixed_expr(&self.agg.of(values), &schema, sums)?.alias(name.as_str()))
        });
        let aggregates: Vec<Expr> = aggregates.collect::<PolarsResult<_>>()?;
        let order = SortMultipleOptions::default().with_maintain_order(true);
        let keys = keys_with_one_zero(by.iter().map(|name| col(name.as_str())).collect(), &schema)?;
        Ok(lf.group_by_stable(keys).agg(aggregates).sort(by, order))
    }

    /// Reports a column whose values are no texts, and names that none of its values can have.
    fn check_values(&self, dtype: &DType, at: &Path, cx: &mut CheckCx<'_>) {
        if dtype.is_nested() {
            wrong_type(cx, [at.clone(), vec!["on".into()]].concat(), &self.on, dtype, "a column of single values");
            return;
        }
        let can_be = |name: &str| match dtype {
            DType::Bool => matches!(name, "true" | "false"),
            dtype if dtype.is_integer() => name.parse::<i128>().is_ok_and(|value| value.to_string() == name),
            _ => true,
        };
        for (index, name) in self.columns.iter().enumerate().filter(|(_, name)| !can_be(name)) {
            let place: Path = [at.clone(), vec!["columns".into(), index.into()]].concat();
            let message = format!("column `{}` is {dtype}, and never `{name}`", self.on);
            cx.error(place, codes::COLUMN_TYPE, message).label(format!("no {dtype}"));
        }
    }

    fn check_names(&self, input: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) {
        let place = |field: &str| -> Path { [at.clone(), vec![field.into()]].concat() };
        if let Some(dtype) = column(input, &self.on, place("on"), cx) {
            self.check_values(&dtype, at, cx);
        }
        if let Some(dtype) = column(input, &self.value, place("value"), cx)
            && !dtype.is_unknown()
        {
            if self.agg.needs_numbers() && !dtype.is_numeric() {
                wrong_type(cx, place("value"), &self.value, &dtype, "a number");
            } else if self.agg.compares() && matches!(dtype, DType::List(_) | DType::Array(..) | DType::Struct(_)) {
                wrong_type(cx, place("value"), &self.value, &dtype, "a column of single values");
            }
        }
        let mut by = Vec::new();
        for (pattern, place) in self.by.with_paths(&place("by")) {
            by.extend(select(input, pattern, place, cx));
        }
        if self.by.0.is_empty() || self.columns.is_empty() {
            let field = if self.columns.is_empty() { "columns" } else { "by" };
            cx.error(place(field), codes::OUT_OF_RANGE, format!("`{field}` needs at least one name")).label("is empty");
        }
        for (index, name) in self.columns.iter().enumerate() {
            if by.contains(name) || self.columns[..index].contains(name) {
                let place: Path = [place("columns"), vec![index.into()]].concat();
                cx.error(place, codes::DUPLICATE_COLUMN, format!("two columns would be called `{name}`"))
                    .label("the name is taken")
                    .hint(format!("the rows keep {}", list(by.iter().map(String::as_str), 8)));
            }
        }
    }
}

impl Rule for Pivot {
    fn check(&self, input: TableSchema, sums: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let before = cx.count();
        self.check_names(&input, at, cx);
        if cx.count() > before {
            return TableSchema::unknown();
        }
        match after(&input, |lf, schema| self.plan(lf, schema, sums)) {
            Some(Ok(output)) => output,
            Some(Err(error)) => {
                let message = format!("this cannot be pivoted: {}", crate::frame::told(&error));
                cx.error(at.clone(), codes::COLUMN_TYPE, message).label("here");
                TableSchema::unknown()
            }
            None => TableSchema::unknown(),
        }
    }

    fn apply(
        &self,
        lf: LazyFrame,
        schema: &SchemaRef,
        sums: FloatSums,
        _: Tables<'_>,
    ) -> Result<LazyFrame, StageError> {
        self.plan(lf, schema, sums).map_err(|error| failed("plan the pivot", &error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::stepwise::Table;
    use super::super::super::testing::{penguins, run, table_input};
    use crate::stage::testing::Bench;
    use polars::prelude::{DataFrame, DataType};

    fn steps(steps: &str) -> DataFrame {
        let mut bench = Bench::default();
        table_input(&mut bench, "t", penguins());
        run::<Table>(&bench, &format!("from = \"t\"\nsteps = [{steps}]")).expect("it runs").remove(0).1
    }

    fn texts(df: &DataFrame, name: &str) -> Vec<String> {
        let column = df.column(name).expect("there").cast(&DataType::String).expect("texts");
        column.str().expect("texts").iter().map(|text| text.unwrap_or("null").to_owned()).collect()
    }

    #[test]
    fn decimals_are_numbers() {
        for agg in ["sum", "mean", "median"] {
            let pivot = format!(
                r#"{{ pivot = {{ on = "sex", columns = ["male", "female"], by = "species", value = "body_mass_g", agg = "{agg}" }} }}"#
            );
            let decimals = steps(&format!(r#"{{ cast = {{ body_mass_g = "decimal(10, 2)" }} }}, {pivot}"#));
            let is_decimal = decimals.column("male").expect("there").dtype().is_decimal();
            assert_eq!(is_decimal, agg == "sum", "{agg}");
            let numbers = |df: DataFrame| {
                let column = df.column("male").expect("there").cast(&DataType::Float64).expect("numbers");
                column.f64().expect("numbers").iter().collect::<Vec<_>>()
            };
            assert_eq!(numbers(decimals), numbers(steps(&pivot)), "{agg}");
        }
    }

    #[test]
    fn a_moment_is_the_same_text_as_in_sql() {
        let at = r#"{ derive = { at = "CAST('2024-01-01 00:00:00' AS TIMESTAMP) + INTERVAL '90 minutes' * (year - 2007)" } }"#;
        let cast = r#"{ derive = { sql = "CAST(at AS VARCHAR)" } }, { cast = { at = "str" } }"#;
        let df = steps(&format!("{at}, {cast}"));
        assert_eq!(texts(&df, "at"), texts(&df, "sql"));
        assert_eq!(texts(&df, "at")[0], "2024-01-01 00:00:00");
        let columns = r#"["2024-01-01 00:00:00", "2024-01-01 01:30:00", "2024-01-01 03:00:00"]"#;
        let pivot = r#"on = "at", by = "species", value = "year", agg = "count""#;
        let df = steps(&format!("{at}, {{ pivot = {{ {pivot}, columns = {columns} }} }}"));
        assert_eq!((df.height(), df.width()), (3, 4));
    }
}
