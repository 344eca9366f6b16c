//! The rows of several tables, one after the other.

use super::{Rule, Tables};
use crate::diag::codes;
use crate::frame::{FloatSums, failed};
use crate::stage::{CheckCx, Path, Ref, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::{LazyFrame, SchemaRef, UnionArgs, col, concat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The tables that follow this one, in this order.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Concat {
    /// The other tables.
    pub with: Vec<Ref>,
    /// What becomes of columns that not all tables have.
    #[serde(default)]
    pub how: How,
}

/// What becomes of columns that not all tables have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// There must be none: all tables have the same columns, in any order.
    #[default]
    Vertical,
    /// They stay, with missing values in the rows of the tables that lack them.
    Diagonal,
}

impl Concat {
    /// Reports columns that do not fit; adds new ones.
    fn check_one(&self, index: usize, left: &mut TableSchema, right: &TableSchema, at: &Path, cx: &mut CheckCx<'_>) {
        let place: Path = [at.clone(), vec!["with".into(), index.into()]].concat();
        let lacks = |table: &TableSchema, name: &str| table.complete && !table.names().any(|known| known == name);
        let vertical = self.how == How::Vertical;
        let missing = left.names().find(|name| lacks(right, name)).map(|name| (name.to_owned(), "lacks"));
        let extra = right.names().find(|name| lacks(left, name)).map(|name| (name.to_owned(), "also has"));
        if let Some((name, verb)) = missing.or(extra).filter(|_| vertical) {
            cx.error(place, codes::UNKNOWN_COLUMN, format!("`{}` {verb} the column `{name}`", self.with[index]))
                .label("its columns are not those of the tables before")
                .hint("how = \"diagonal\" puts missing values where a table has no such column")
                .from_stage(&self.with[index], "the table comes from here");
            return;
        }
        for column in &right.columns {
            match left.columns.iter().find(|known| known.name == column.name) {
                None => left.columns.push(column.clone()),
                Some(known) if same(&known.dtype, &column.dtype) => {}
                Some(known) => {
                    let (name, before, here) = (&column.name, &known.dtype, &column.dtype);
                    let message = format!("`{name}` is {before} before, and {here} in `{}`", self.with[index]);
                    cx.error(place.clone(), codes::COLUMN_TYPE, message)
                        .label("types that do not go together")
                        .hint("cast it in one of the tables")
                        .from_stage(&self.with[index], "the table comes from here");
                }
            }
        }
    }
}

fn same(a: &DType, b: &DType) -> bool {
    a == b || a.is_unknown() || b.is_unknown()
}

impl Rule for Concat {
    fn check(&self, mut input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        input.rows = None;
        for (index, reference) in self.with.iter().enumerate() {
            let place: Path = [at.clone(), vec!["with".into(), index.into()]].concat();
            match cx.table(reference, place) {
                Some(right) => {
                    self.check_one(index, &mut input, &right, at, cx);
                    input.complete &= right.complete || self.how == How::Vertical;
                }
                None => input.complete = false,
            }
        }
        input
    }

    fn apply(
        &self,
        lf: LazyFrame,
        schema: &SchemaRef,
        _: FloatSums,
        tables: Tables<'_>,
    ) -> Result<LazyFrame, StageError> {
        let mut all = vec![lf];
        for reference in &self.with {
            let other = tables(reference)?;
            all.push(match self.how {
                How::Vertical => other.select(schema.iter_names().map(|name| col(name.as_str())).collect::<Vec<_>>()),
                How::Diagonal => other,
            });
        }
        let args = UnionArgs { diagonal: self.how == How::Diagonal, maintain_order: true, ..UnionArgs::default() };
        concat(all, args).map_err(|error| failed("put the tables together", &error))
    }
}
