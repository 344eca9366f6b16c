//! Table schemas from frames and back.

use super::dtype::{from_polars, to_polars};
use crate::types::{Column, TableSchema};
use polars::prelude::{DataFrame, Schema};

/// The schema of a frame, with its row count.
#[must_use]
pub fn schema_of(df: &DataFrame) -> TableSchema {
    from_polars_schema(df.schema()).with_rows(df.height() as u64)
}

/// The schema that polars gives, complete and without a row count.
#[must_use]
pub fn from_polars_schema(schema: &Schema) -> TableSchema {
    TableSchema::new(schema.iter().map(|(name, dtype)| Column::new(name.as_str(), from_polars(dtype))).collect())
}

/// The polars schema; `None` where columns or types are not known yet, or have no polars type.
#[must_use]
pub fn polars_schema(schema: &TableSchema) -> Option<Schema> {
    if !schema.complete {
        return None;
    }
    let mut out = Schema::with_capacity(schema.columns.len());
    for column in &schema.columns {
        out.insert(column.name.as_str().into(), to_polars(&column.dtype)?);
    }
    Some(out)
}
