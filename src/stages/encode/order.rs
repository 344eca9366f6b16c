//! Rows in groups, each in an order: what lags and sequences look back along.

use super::labels::column;
use crate::frame::sorts_by_time;
use crate::stage::StageError;
use polars::prelude::*;

/// The rows of a table, group after group, each group in its order.
pub struct Groups {
    /// Row numbers.
    rows: Vec<usize>,
    /// Where each place's group begins in `rows`.
    starts: Vec<usize>,
}

impl Groups {
    /// Groups rows that agree in the columns `by` (nulls agree with each other) and orders each group by `order`; rows
    /// that are equal in it keep their order.
    ///
    /// # Errors
    /// When a column does not exist or cannot be compared, or `order` is null or a text that does not sort by time; names the row.
    pub fn of(frame: &DataFrame, by: &[String], order: &str) -> Result<Self, StageError> {
        let ranks = codes(frame, order)?;
        let null = column(frame, order)?.is_null();
        if let Some(row) = null.iter().position(|null| null == Some(true)) {
            return Err(StageError::data(format!(
                "column `{order}`, which orders the rows, is null in row {}",
                row + 1
            ))
            .note("rows are counted from 1")
            .hint("drop or fill such rows in a `table` stage before"));
        }
        sorts_by_time(column(frame, order)?)?;
        let groups = by.iter().map(|name| codes(frame, name)).collect::<Result<Vec<_>, _>>()?;
        let same = |a: usize, b: usize| groups.iter().all(|codes| codes[a] == codes[b]);
        let key = |row: usize| groups.iter().map(move |codes| codes[row]);
        let mut rows: Vec<usize> = (0..frame.height()).collect();
        rows.sort_by(|a, b| key(*a).cmp(key(*b)).then(ranks[*a].cmp(&ranks[*b])));
        let mut starts = Vec::with_capacity(rows.len());
        for place in 0..rows.len() {
            let goes_on = place > 0 && same(rows[place - 1], rows[place]);
            starts.push(if goes_on { starts[place - 1] } else { place });
        }
        Ok(Self { rows, starts })
    }

    /// For each row of the table the row so many places before it in its group.
    pub fn before(&self, lag: usize) -> Vec<Option<usize>> {
        let mut before = vec![None; self.rows.len()];
        for (place, row) in self.rows.iter().enumerate() {
            let earlier = place.checked_sub(lag).filter(|earlier| *earlier >= self.starts[place]);
            before[*row] = earlier.map(|earlier| self.rows[earlier]);
        }
        before
    }
}

/// Each row's value as the number of its place among the sorted values: equal values, equal numbers.
fn codes(frame: &DataFrame, name: &str) -> Result<Vec<u32>, StageError> {
    let column = column(frame, name)?;
    if column.dtype().is_nested() {
        return Err(StageError::data(format!("column `{name}` is {}, which has no order", column.dtype())));
    }
    let wrong = |error: PolarsError| StageError::data(format!("column `{name}` cannot be ordered: {error}"));
    let series = column.as_materialized_series();
    let order = series.arg_sort(SortOptions::default().with_maintain_order(true));
    let sorted = series.take(&order).map_err(wrong)?;
    let changed = sorted.not_equal_missing(&sorted.shift(1)).map_err(wrong)?;
    let mut codes = vec![0; series.len()];
    let mut code = 0;
    for (place, (row, changed)) in order.iter().zip(changed.iter()).enumerate() {
        code += u32::from(place > 0 && changed == Some(true));
        if let Some(row) = row {
            codes[row as usize] = code;
        }
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_before_stay_within_the_group_and_follow_the_order() {
        let frame = df!["day" => [3, 1, 2, 1, 2], "shop" => [Some("a"), Some("a"), Some("a"), None, None]].unwrap();
        let groups = Groups::of(&frame, &["shop".to_owned()], "day").unwrap();
        assert_eq!(groups.before(1), [Some(2), None, Some(1), None, Some(3)]);
        assert_eq!(groups.before(0), [Some(0), Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!(groups.before(9), [None; 5]);
        let all = Groups::of(&frame, &[], "day").unwrap();
        assert_eq!(all.before(1), [Some(4), None, Some(3), Some(1), Some(2)], "equal days keep the table's order");
        let failure = Groups::of(&frame, &[], "shop").err().unwrap();
        assert_eq!(failure.message, "column `shop`, which orders the rows, is null in row 4");
        let frame = df!["day" => ["31/12/2023", "01/01/2024"]].unwrap();
        let failure = Groups::of(&frame, &[], "day").err().unwrap();
        assert_eq!(failure.message, "`day` holds `31/12/2023` in row 1, which does not sort by time");
    }
}
