//! Two stored tables side by side: which columns differ, how many rows, and the first of them with both values.
//!
//! Equal is what has the same digest: every NaN is one NaN, 0 and -0 differ. Columns are read one at a time.

use super::{column_digest, failed, scan_table, schema_of};
use crate::stage::{Input, StageError};
use crate::types::TableSchema;
use polars::prelude::*;
use serde::Serialize;

/// How far two numbers may be apart: locked, now.
pub type Admits<'a> = &'a dyn Fn(f64, f64) -> bool;

/// How two tables differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TableDifference {
    /// Rows before and now.
    pub rows: (u64, u64),
    /// Columns that only the first has.
    pub removed: Vec<String>,
    /// Columns that only the second has.
    pub added: Vec<String>,
    /// The columns are the same ones in another order.
    pub reordered: bool,
    /// Columns of another type: name, type before, type now.
    pub retyped: Vec<(String, String, String)>,
    /// The columns whose values differ, in order. Empty where the numbers of rows differ and all rows that both have agree.
    pub columns: Vec<ColumnDifference>,
    /// How many rows differ, among those that both have.
    pub differing: u64,
    /// The largest difference of two numbers that were admitted.
    pub admitted: f64,
}

/// How the values of a column differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnDifference {
    /// The column.
    pub column: String,
    /// How many of its values differ.
    pub count: u64,
    /// The first row that differs, from 0.
    pub row: u64,
    /// The value there before; `null` where there is none.
    pub before: String,
    /// The value there now.
    pub now: String,
    /// For floats: how many floats the two lie apart.
    pub ulps: Option<u64>,
}

impl TableDifference {
    /// Whether they do not differ, beyond what was admitted.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let Self { rows, removed, added, reordered, retyped, columns, .. } = self;
        rows.0 == rows.1
            && removed.is_empty()
            && added.is_empty()
            && !reordered
            && retyped.is_empty()
            && columns.is_empty()
    }

    /// The first differing row, and the first column that differs there.
    #[must_use]
    pub fn first(&self) -> Option<&ColumnDifference> {
        self.columns.iter().min_by_key(|column| column.row)
    }
}

/// Compares two stored tables, the columns that `counts` names. Floats that `admits` lets pass are taken for equal.
///
/// # Errors
/// When one cannot be read.
pub fn compare(
    before: &Input,
    now: &Input,
    admits: Option<Admits<'_>>,
    counts: &dyn Fn(&str) -> bool,
) -> Result<TableDifference, StageError> {
    let (one, other) = (schema(before)?, schema(now)?);
    let mut found = TableDifference { rows: (rows(&one), rows(&other)), ..TableDifference::default() };
    found.removed = one.names().filter(|name| !other.names().any(|known| known == *name)).map(str::to_owned).collect();
    found.added = other.names().filter(|name| !one.names().any(|known| known == *name)).map(str::to_owned).collect();
    found.reordered = found.removed.is_empty() && found.added.is_empty() && !one.names().eq(other.names());
    let shared = usize::try_from(found.rows.0.min(found.rows.1)).unwrap_or(usize::MAX);
    let mut differs = vec![false; shared];
    for column in one.columns.iter().filter(|column| counts(&column.name)) {
        let Some(real) = other.columns.iter().find(|real| real.name == column.name) else { continue };
        if real.dtype != column.dtype {
            let (before, now) = (column.dtype.to_string(), real.dtype.to_string());
            found.retyped.push((column.name.clone(), before, now));
            continue;
        }
        let (one, other) = (read(before, &column.name)?, read(now, &column.name)?);
        if same(&one, &other)? {
            continue;
        }
        let (one, other) = (one.slice(0, shared), other.slice(0, shared));
        found.columns.extend(column_difference(&one, &other, &mut differs, admits, &mut found.admitted)?);
    }
    found.differing = differs.iter().filter(|differs| **differs).count() as u64;
    Ok(found)
}

/// The cells of a row, by column; floats with all their digits.
///
/// # Errors
/// When the table cannot be read.
pub fn row(table: &Input, row: u64) -> Result<Vec<(String, String)>, StageError> {
    let at = i64::try_from(row).unwrap_or(i64::MAX);
    let frame = scan_table(table)?.slice(at, 1).collect().map_err(|error| failed("read the table", &error))?;
    let cell = |column: &Column| {
        let text = column.get(0).map_or_else(|_| String::new(), |value| exact(&value));
        (column.name().to_string(), text)
    };
    Ok(frame.columns().iter().map(cell).collect())
}

fn schema(table: &Input) -> Result<TableSchema, StageError> {
    match &table.ty {
        crate::types::ArtifactType::Table(schema) if schema.complete && schema.rows.is_some() => Ok(schema.clone()),
        _ => Ok(schema_of(&super::read_table(table)?)),
    }
}

fn rows(schema: &TableSchema) -> u64 {
    schema.rows.unwrap_or(0)
}

fn read(table: &Input, name: &str) -> Result<Series, StageError> {
    let frame = scan_table(table)?.select([Expr::Column(name.into())]).collect();
    let frame = frame.map_err(|error| failed("read the table", &error))?;
    let column = frame.columns().first().ok_or_else(|| StageError::bug(format!("the column `{name}` is gone")))?;
    Ok(column.as_materialized_series().clone())
}

fn same(one: &Series, other: &Series) -> Result<bool, StageError> {
    let digest = |series| column_digest(series).map_err(|error| failed("compare the tables", &error));
    Ok(one.len() == other.len() && digest(one)? == digest(other)?)
}

/// Compares value by value; marks the rows that differ.
fn column_difference(
    one: &Series,
    other: &Series,
    differs: &mut [bool],
    admits: Option<Admits<'_>>,
    admitted: &mut f64,
) -> Result<Option<ColumnDifference>, StageError> {
    let words = |error: PolarsError| failed("compare the tables", &error);
    let (mut count, mut first) = (0, None);
    for (row, slot) in differs.iter_mut().enumerate() {
        let (a, b) = (one.get(row).map_err(words)?, other.get(row).map_err(words)?);
        if equal(&a, &b) {
            continue;
        }
        if let (Some(a), Some(b), Some(admits)) = (float(&a), float(&b), admits)
            && admits(a, b)
        {
            *admitted = admitted.max((a - b).abs());
            continue;
        }
        *slot = true;
        count += 1;
        if first.is_none() {
            first = Some((row, exact(&a), exact(&b), ulps(&a, &b)));
        }
    }
    Ok(first.map(|(row, before, now, ulps)| {
        let column = one.name().to_string();
        ColumnDifference { column, count, row: row as u64, before, now, ulps }
    }))
}

/// Whether two cells have the same content, as digests see it.
fn equal(a: &AnyValue<'_>, b: &AnyValue<'_>) -> bool {
    match (a, b) {
        (AnyValue::Float64(a), AnyValue::Float64(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
        (AnyValue::Float32(a), AnyValue::Float32(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
        (AnyValue::List(a), AnyValue::List(b)) => same(a, b).unwrap_or(false),
        (a, b) => a == b,
    }
}

fn float(value: &AnyValue<'_>) -> Option<f64> {
    match value {
        AnyValue::Float64(value) => Some(*value),
        AnyValue::Float32(value) => Some(f64::from(*value)),
        _ => None,
    }
}

/// A cell with everything that tells it from another.
#[must_use]
pub fn exact(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null => "null".to_owned(),
        AnyValue::Float64(value) => format!("{value:?}"),
        AnyValue::Float32(value) => format!("{value:?}"),
        AnyValue::List(values) => {
            let items = values.iter().map(|item| exact(&item));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        value => value.str_value().into_owned(),
    }
}

fn ulps(a: &AnyValue<'_>, b: &AnyValue<'_>) -> Option<u64> {
    match (a, b) {
        (AnyValue::Float64(a), AnyValue::Float64(b)) => crate::numbers::ulps(*a, *b),
        (AnyValue::Float32(a), AnyValue::Float32(b)) => crate::numbers::ulps_f32(*a, *b),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::stage::InputFile;
    use crate::types::ArtifactType;

    fn stored(folder: &std::path::Path, name: &str, mut df: DataFrame) -> Input {
        let path = folder.join(name);
        ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut df).unwrap();
        let digest = Digest::of(name.as_bytes());
        let file = InputFile { name: "table.parquet".into(), path, size: 0, digest };
        Input::new(ArtifactType::Table(schema_of(&df)), digest, vec![file])
    }

    fn difference(one: DataFrame, other: DataFrame, admits: Option<Admits<'_>>) -> TableDifference {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (stored(folder.path(), "1", one), stored(folder.path(), "2", other));
        compare(&one, &other, admits, &|_| true).unwrap()
    }

    #[test]
    fn the_first_row_and_column_are_shown_with_both_values() {
        let one = df!["id" => [1_i64, 2, 3, 4], "mean" => [1.5, 0.1, f64::NAN, 7.0], "name" => ["a", "b", "c", "d"]];
        let other = df!["id" => [1_i64, 2, 3, 4], "mean" => [1.5, 0.1_f64.next_up(), -f64::NAN, 7.5], "name" => ["a", "b", "c", "x"]];
        let found = difference(one.unwrap(), other.unwrap(), None);
        assert_eq!((found.rows, found.differing), ((4, 4), 2));
        let names: Vec<_> = found.columns.iter().map(|column| (column.column.as_str(), column.count)).collect();
        assert_eq!(names, [("mean", 2), ("name", 1)]);
        let first = found.first().unwrap();
        assert_eq!((first.row, first.before.as_str(), first.now.as_str()), (1, "0.1", "0.10000000000000002"));
        assert_eq!(first.ulps, Some(1));
    }

    #[test]
    fn equal_tables_do_not_differ_and_zero_has_a_sign() {
        let frame = || df!["x" => [Some(0.0), None]].unwrap();
        assert!(difference(frame(), frame(), None).is_none());
        let found = difference(frame(), df!["x" => [Some(-0.0), None]].unwrap(), None);
        assert_eq!(found.first().map(|column| (column.now.as_str(), column.ulps)), Some(("-0.0", Some(0))));
        let found = difference(frame(), df!["x" => [Some(0.0), Some(1.0)]].unwrap(), None);
        assert_eq!(found.first().map(|column| (column.before.as_str(), column.now.as_str())), Some(("null", "1.0")));
    }

    #[test]
    fn what_a_tolerance_admits_is_no_difference() {
        let (one, other) = (df!["x" => [1.0, 2.0]].unwrap(), df!["x" => [1.001, 2.5]].unwrap());
        let found = difference(one.clone(), other.clone(), Some(&|a, b| (a - b).abs() < 0.01));
        assert_eq!((found.differing, found.columns[0].row), (1, 1));
        let found = difference(one, other, Some(&|a, b| (a - b).abs() < 1.0));
        assert!(found.is_none());
        assert_eq!(found.admitted, 0.5);
    }

    #[test]
    fn other_columns_rows_and_types_are_told() {
        let one = df!["a" => [1_i64, 2], "b" => [1_i64, 2], "c" => ["x", "y"]].unwrap();
        let other = df!["c" => ["x"], "b" => [1.0], "d" => [1_i64]].unwrap();
        let found = difference(one, other, None);
        assert_eq!((found.rows, found.removed, found.added), ((2, 1), vec!["a".to_owned()], vec!["d".to_owned()]));
        assert_eq!(found.retyped, [("b".to_owned(), "i64".to_owned(), "f64".to_owned())]);
        assert!(found.columns.is_empty() && !found.reordered);
        let (one, other) = (df!["a" => [1], "b" => [2]].unwrap(), df!["b" => [2], "a" => [1]].unwrap());
        assert!(difference(one, other, None).reordered);
    }

    #[test]
    fn a_row_is_read_with_all_its_digits() {
        let folder = tempfile::tempdir().unwrap();
        let table = stored(folder.path(), "1", df!["step" => [1_i64, 2], "loss" => [0.1_f32, 2.312_585]].unwrap());
        let cells = [("step", "2"), ("loss", "2.312585")].map(|(name, cell)| (name.to_owned(), cell.to_owned()));
        assert_eq!(row(&table, 1).unwrap(), cells);
    }
}
