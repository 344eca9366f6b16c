//! Which rows are the same in some columns.

use super::{failed, unpanicked};
use crate::stage::StageError;
use polars::prelude::*;

/// Each row as a number from 0, equal for rows that are the same in all these columns, which have `rows` rows. Missing values are
/// the same, and so are NaNs.
///
/// # Errors
/// When polars cannot compare them.
pub fn same_rows(columns: Vec<Column>, rows: usize) -> Result<Vec<u32>, StageError> {
    let groups = unpanicked(|| {
        let df = DataFrame::new(rows, columns.clone())?;
        Ok(df.group_by_with_series(columns, true, false)?.into_groups())
    })
    .map_err(|error| failed("compare rows", &error))?;
    let mut out = vec![0; rows];
    for (number, group) in groups.iter().enumerate() {
        match group {
            GroupsIndicator::Idx((_, rows)) => rows.iter().for_each(|row| out[*row as usize] = number as u32),
            GroupsIndicator::Slice([first, length]) => {
                (first..first + length).for_each(|row| out[row as usize] = number as u32);
            }
        }
    }
    Ok(out)
}
