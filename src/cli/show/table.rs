//! A table's first rows.

use super::View;
use crate::cli::CommandError;
use crate::frame;
use crate::numbers;
use crate::report::{Align, Table};
use crate::stage::ArtifactRecord;
use crate::types::TableSchema;
use serde_json::Value;

pub(super) fn text(artifact: &ArtifactRecord, schema: &TableSchema, view: View<'_>) -> Result<String, CommandError> {
    let rows = frame::head_rows(&view.store.input(artifact), view.rows)?;
    let aligns: Vec<Align> = schema
        .columns
        .iter()
        .map(|column| if column.dtype.is_numeric() { Align::Right } else { Align::Left })
        .collect();
    let mut table =
        Table::new(schema.names()).subhead(schema.columns.iter().map(|column| column.dtype.to_string())).align(&aligns);
    for row in &rows {
        table.row(row.iter().map(|cell| cell.clone().unwrap_or_else(|| "null".to_owned())));
    }
    let mut out = format!("\n{}", table.render(view.output.width, 2, view.output.out));
    let more = schema.rows.unwrap_or(0).saturating_sub(rows.len() as u64);
    if more > 0 {
        let more = view.output.out.dim(format!("  … and {} more", numbers::counted(more as usize, "row")));
        out.push_str(&format!("{more}\n"));
    }
    Ok(out)
}

/// The first rows as a list of objects, every value with all of its digits.
pub(super) fn json(artifact: &ArtifactRecord, schema: &TableSchema, view: View<'_>) -> Result<Value, CommandError> {
    let rows = frame::head_values(&view.store.input(artifact), view.rows)?;
    let object = |row: Vec<Value>| -> Value { schema.names().map(str::to_owned).zip(row).collect() };
    Ok(rows.into_iter().map(object).collect())
}
