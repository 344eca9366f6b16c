//! What changed from one table to another: columns, and rows.
//!
//! Rows are matched by their place where both tables are equally long and most rows agree (and no id among them changed); else
//! by a column whose values are all different in both, such as an id; else by their content, where a changed row is one
//! removed and one added.
//! Cells are compared by 64-bit hashes.

use super::read_table;
use crate::stage::{Input, StageError};
use polars::prelude::*;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

/// So many columns are tried as the one to match rows by.
const CANDIDATES: usize = 16;

/// How rows were matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matching {
    /// The rows that stand at the same place.
    Place,
    /// The rows with the same value of this column.
    Key(String),
    /// The rows with the same content.
    Content,
}

/// What changed from one table to another. Rows are compared in the columns that both have with the same type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableChanges {
    /// Rows before and after.
    pub rows: (u64, u64),
    /// Columns that only the second has.
    pub columns_added: Vec<String>,
    /// Columns that only the first has.
    pub columns_removed: Vec<String>,
    /// Columns of another type: name, type before and after.
    pub columns_retyped: Vec<(String, String, String)>,
    /// Columns with other values in matched rows, and in how many.
    pub columns_changed: Vec<(String, u64)>,
    /// How rows were matched.
    pub matching: Matching,
    /// Rows that only the second has.
    pub rows_added: u64,
    /// Rows that only the first has.
    pub rows_removed: u64,
    /// Matched rows that differ.
    pub rows_changed: u64,
    /// The same rows stand in another order.
    pub reordered: bool,
}

/// What changed from `before` to `after`, both stored tables.
///
/// # Errors
/// When one cannot be read.
pub fn table_changes(before: &Input, after: &Input) -> Result<TableChanges, StageError> {
    let (before, after) = (read_table(before)?, read_table(after)?);
    compare(&before, &after).map_err(|error| super::failed("compare the tables", &error))
}

fn compare(before: &DataFrame, after: &DataFrame) -> PolarsResult<TableChanges> {
    let mut changes = columns(before, after);
    let common: Vec<(&Series, &Series)> = before
        .columns()
        .iter()
        .filter_map(|column| {
            let other = after.column(column.name()).ok()?;
            (other.dtype() == column.dtype()).then(|| (column.as_materialized_series(), other.as_materialized_series()))
        })
        .collect();
    let mut placed = changes.clone();
    let fits = before.height() == after.height() && by_place(&common, &mut placed)?;
    // Where an id changed its place, rows did.
    let moved = |(before, after): &&(&Series, &Series)| {
        placed.columns_changed.iter().any(|(name, _)| name == before.name().as_str())
            && could_be_key(before)
            && matches!((places(before), places(after)), (Ok(Some(_)), Ok(Some(_))))
    };
    if fits && !common.iter().any(|pair| moved(&pair)) {
        return Ok(placed);
    }
    if by_key(&common, &mut changes)? {
        return Ok(changes);
    }
    if fits {
        return Ok(placed);
    }
    by_content(&common, &mut changes)?;
    Ok(changes)
}

fn could_be_key(series: &Series) -> bool {
    series.dtype().is_integer() || series.dtype() == &DataType::String
}

fn columns(before: &DataFrame, after: &DataFrame) -> TableChanges {
    let names = |frame: &DataFrame, other: &DataFrame| -> Vec<String> {
        let only = frame.columns().iter().filter(|column| other.column(column.name()).is_err());
        only.map(|column| column.name().to_string()).collect()
    };
    let retyped = before.columns().iter().filter_map(|column| {
        let other = after.column(column.name()).ok()?;
        let text = |dtype: &DataType| super::dtype::from_polars(dtype).to_string();
        (other.dtype() != column.dtype())
            .then(|| (column.name().to_string(), text(column.dtype()), text(other.dtype())))
    });
    TableChanges {
        rows: (before.height() as u64, after.height() as u64),
        columns_added: names(after, before),
        columns_removed: names(before, after),
        columns_retyped: retyped.collect(),
        columns_changed: Vec::new(),
        matching: Matching::Place,
        rows_added: 0,
        rows_removed: 0,
        rows_changed: 0,
        reordered: false,
    }
}

/// Compares equally long tables row by row. `false` where most rows differ, so that another way should be tried.
fn by_place(common: &[(&Series, &Series)], changes: &mut TableChanges) -> PolarsResult<bool> {
    let height = common.first().map_or(0, |(before, _)| before.len());
    let mut differs = vec![false; height];
    let (mut rows_before, mut rows_after) = (vec![0_u128; height], vec![0_u128; height]);
    let mut changed = Vec::new();
    for (before, after) in common {
        let (a, b) = (cells(before)?, cells(after)?);
        let mut count = 0;
        for row in 0..height {
            if a[row] != b[row] {
                count += 1;
                differs[row] = true;
            }
            rows_before[row] = chain(rows_before[row], a[row]);
            rows_after[row] = chain(rows_after[row], b[row]);
        }
        if count > 0 {
            changed.push((before.name().to_string(), count));
        }
    }
    let rows_changed = differs.iter().filter(|differs| **differs).count();
    if rows_changed > 0 {
        rows_before.sort_unstable();
        rows_after.sort_unstable();
        if rows_before == rows_after {
            changes.reordered = true;
            return Ok(true);
        }
        if rows_changed * 2 > height {
            return Ok(false);
        }
    }
    changes.rows_changed = rows_changed as u64;
    changes.columns_changed = changed;
    Ok(true)
}

/// Matches rows by a column whose values are all different. `false` where there is none.
fn by_key(common: &[(&Series, &Series)], changes: &mut TableChanges) -> PolarsResult<bool> {
    let candidates = common.iter().filter(|(before, _)| could_be_key(before)).take(CANDIDATES);
    for (before, after) in candidates {
        let (Some(a), Some(b)) = (places(before)?, places(after)?) else { continue };
        let pairs: Vec<(usize, usize)> = a.iter().filter_map(|(value, row)| Some((*row, *b.get(value)?))).collect();
        if pairs.len() * 2 < a.len().min(b.len()) || pairs.is_empty() {
            continue;
        }
        let mut differs = vec![false; before.len()];
        for (before, after) in common {
            let (cells_before, cells_after) = (cells(before)?, cells(after)?);
            let mut count = 0;
            for (row, other) in &pairs {
                if cells_before[*row] != cells_after[*other] {
                    count += 1;
                    differs[*row] = true;
                }
            }
            if count > 0 {
                changes.columns_changed.push((before.name().to_string(), count));
            }
        }
        changes.matching = Matching::Key(before.name().to_string());
        changes.rows_changed = differs.iter().filter(|differs| **differs).count() as u64;
        changes.rows_removed = (a.len() - pairs.len()) as u64;
        changes.rows_added = (b.len() - pairs.len()) as u64;
        return Ok(true);
    }
    Ok(false)
}

/// The row of every value; `None` where a value occurs twice or is missing.
fn places(series: &Series) -> PolarsResult<Option<BTreeMap<u64, usize>>> {
    if series.null_count() > 0 || series.is_empty() {
        return Ok(None);
    }
    let mut places = BTreeMap::new();
    for (row, cell) in cells(series)?.into_iter().enumerate() {
        if places.insert(cell, row).is_some() {
            return Ok(None);
        }
    }
    Ok(Some(places))
}

/// Counts the rows that only one table has.
fn by_content(common: &[(&Series, &Series)], changes: &mut TableChanges) -> PolarsResult<()> {
    let rows = |pick: fn(&(&Series, &Series)) -> Series| -> PolarsResult<Vec<u128>> {
        let mut rows = vec![0; common.first().map_or(0, |pair| pick(pair).len())];
        for pair in common {
            for (row, cell) in rows.iter_mut().zip(cells(&pick(pair))?) {
                *row = chain(*row, cell);
            }
        }
        rows.sort_unstable();
        Ok(rows)
    };
    let (before, after) = (rows(|pair| pair.0.clone())?, rows(|pair| pair.1.clone())?);
    let (mut a, mut b, mut same) = (0, 0, 0);
    while let (Some(one), Some(other)) = (before.get(a), after.get(b)) {
        same += u64::from(one == other);
        a += usize::from(one <= other);
        b += usize::from(other <= one);
    }
    changes.matching = Matching::Content;
    changes.rows_removed = before.len() as u64 - same;
    changes.rows_added = after.len() as u64 - same;
    Ok(())
}

fn chain(row: u128, cell: u64) -> u128 {
    // An odd multiplier keeps all bits, so the order of columns counts.
    row.rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) ^ u128::from(cell)
}

/// A hash of every cell: equal for equal values, for two missing ones and for two NaNs.
fn cells(series: &Series) -> PolarsResult<Vec<u64>> {
    let series = series.to_physical_repr();
    let hash = |bytes: Option<&[u8]>| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(u8::from(bytes.is_some()));
        hasher.write(bytes.unwrap_or_default());
        hasher.finish()
    };
    Ok(match series.dtype() {
        DataType::String => series.str()?.iter().map(|text| hash(text.map(str::as_bytes))).collect(),
        DataType::Binary => series.binary()?.iter().map(hash).collect(),
        DataType::Float32 | DataType::Float64 => {
            let floats = series.cast(&DataType::Float64)?;
            let bits = |value: f64| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
            floats
                .f64()?
                .iter()
                .map(|value| hash(value.map(|value| bits(value).to_le_bytes()).as_ref().map(|b| &b[..])))
                .collect()
        }
        dtype if dtype.is_integer() && *dtype != DataType::Int128 && *dtype != DataType::UInt64 => {
            let whole = series.cast(&DataType::Int64)?;
            whole.i64()?.iter().map(|value| hash(value.map(i64::to_le_bytes).as_ref().map(|b| &b[..]))).collect()
        }
        _ => {
            let mut out = Vec::with_capacity(series.len());
            for row in 0..series.len() {
                out.push(match series.get(row)? {
                    AnyValue::Null => hash(None),
                    value => hash(Some(value.to_string().as_bytes())),
                });
            }
            out
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(before: DataFrame, after: DataFrame) -> TableChanges {
        compare(&before, &after).expect("compared")
    }

    #[test]
    fn equal_tables_and_other_orders() {
        let frame =
            df!("a" => [1_i64, 2, 3], "b" => [Some("x"), None, Some("z")], "c" => [f64::NAN, 1.0, 2.0]).unwrap();
        let same = changes(frame.clone(), frame.clone());
        assert_eq!((same.rows_changed, same.rows_added, same.rows_removed, same.reordered), (0, 0, 0, false));
        let turned = frame.reverse();
        assert!(changes(frame, turned).reordered);
    }

    #[test]
    fn columns_that_come_go_and_change() {
        let before =
            df!("a" => [1_i64, 2, 3, 4], "b" => [1_i64, 1, 1, 1], "gone" => [0_i64; 4], "t" => [1_i64; 4]).unwrap();
        let after =
            df!("a" => [1_i64, 2, 3, 4], "b" => [1_i64, 1, 1, 9], "new" => [0_i64; 4], "t" => ["1"; 4]).unwrap();
        let found = changes(before, after);
        assert_eq!((found.columns_added, found.columns_removed), (vec!["new".to_owned()], vec!["gone".to_owned()]));
        assert_eq!(found.columns_retyped, [("t".to_owned(), "i64".to_owned(), "str".to_owned())]);
        assert_eq!((found.columns_changed, found.rows_changed), (vec![("b".to_owned(), 1)], 1));
    }

    #[test]
    fn rows_are_matched_by_an_id() {
        let before = df!("id" => ["a", "b", "c", "d"], "v" => [1.0, 2.0, 3.0, 4.0]).unwrap();
        let after = df!("id" => ["d", "c", "b", "e", "f"], "v" => [4.0, 3.5, 2.0, 1.0, 1.0]).unwrap();
        let found = changes(before, after);
        assert_eq!(found.matching, Matching::Key("id".to_owned()));
        assert_eq!((found.rows_added, found.rows_removed, found.rows_changed), (2, 1, 1));
        assert_eq!(found.columns_changed, [("v".to_owned(), 1)]);
    }

    #[test]
    fn rows_without_an_id_are_matched_by_content() {
        let before = df!("v" => [1.5, 1.5, 2.5, 3.5]).unwrap();
        let after = df!("v" => [9.5, 1.5, 2.5]).unwrap();
        let found = changes(before, after);
        assert_eq!(found.matching, Matching::Content);
        assert_eq!((found.rows_added, found.rows_removed), (1, 2));
    }
}
