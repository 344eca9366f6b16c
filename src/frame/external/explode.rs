//! Lists taken apart a few rows at a time: a piece of rows may hold many times as many items.

use crate::frame::engine::{PlanFailure, Take};
use polars::prelude::*;

/// Items of a slice, about.
const ITEMS: u64 = 1 << 16;

/// Gives one row for each item of the lists, in slices; the lists of one column say how long those are.
///
/// # Errors
/// [`PlanFailure`], where the lists of a row are not equally long.
pub(super) fn explode(
    df: &DataFrame,
    columns: &[PlSmallStr],
    options: ExplodeOptions,
    take: Take<'_>,
) -> Result<(), PlanFailure> {
    for (from, rows) in slices(df, columns).map_err(PlanFailure::Plan)? {
        let slice = df.slice(from as i64, rows).explode(columns, options).map_err(PlanFailure::Plan)?;
        take(slice).map_err(PlanFailure::Stage)?;
    }
    Ok(())
}

/// Where slices begin, and how many rows they have.
fn slices(df: &DataFrame, columns: &[PlSmallStr]) -> PolarsResult<Vec<(usize, usize)>> {
    let Some(first) = columns.first() else { return Ok(vec![(0, df.height())]) };
    let lengths = df.column(first)?.as_materialized_series().list()?.lst_lengths();
    let (mut found, mut from, mut items) = (Vec::new(), 0, 0_u64);
    for (row, length) in lengths.iter().enumerate() {
        // A list without items gives a row too.
        let length = u64::from(length.unwrap_or(0)).max(1);
        if row > from && items + length > ITEMS {
            found.push((from, row - from));
            (from, items) = (row, 0);
        }
        items += length;
    }
    if from < df.height() {
        found.push((from, df.height() - from));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_all_of_the_rows_and_the_same_as_the_whole() {
        let list = |length: usize| Series::new("".into(), (0..length as i64).collect::<Vec<_>>());
        let lengths = [0, 50_000, 20_000, 0, 1, 70_000, 3, 0];
        let lists: Vec<Option<Series>> =
            (lengths.iter().enumerate()).map(|(row, length)| (row != 3).then(|| list(*length))).collect();
        let df = df!["row" => (0..lengths.len() as i64).collect::<Vec<_>>(), "items" => lists].expect("a frame");
        let (columns, options) = (["items".into()], ExplodeOptions { empty_as_null: true, keep_nulls: true });
        let mut slices = Vec::new();
        let exploded = explode(&df, &columns, options, &mut |slice| {
            slices.push(slice);
            Ok(())
        });
        exploded.expect("taken apart");
        assert!(slices.iter().all(|slice| slice.height() <= 70_000) && slices.len() == 4, "{slices:?}");
        let whole = df.explode(&columns, options).expect("taken apart");
        let together = super::super::merge::stacked(slices).expect("stacked");
        assert!(together.equals_missing(&whole));
    }
}
