//! Rows that repeat another, left out: in memory as long as the table fits; else rows are sorted by what is compared, so that those
//! that are the same stand together, and what stays is sorted back.

use super::merge::{stacked, unsorted};
use super::order::Order;
use super::size;
use super::sorter::Sorter;
use crate::stage::{RunCx, StageError};
use polars::prelude::*;

/// The column of the rows' numbers.
const NUMBER: &str = "__kilter_row";

/// Takes rows, and leaves out those that repeat another.
pub(super) struct Distinct<'a> {
    cx: &'a RunCx<'a>,
    by: Vec<PlSmallStr>,
    keep: UniqueKeepStrategy,
    budget: usize,
    /// In memory, as long as nothing was sorted.
    waiting: Vec<DataFrame>,
    held: usize,
    sorter: Option<Sorter<'a>>,
    rows: u64,
}

impl<'a> Distinct<'a> {
    /// Two sorts run at once, and in memory it takes several times the table.
    pub(super) fn new(cx: &'a RunCx<'a>, by: Vec<PlSmallStr>, keep: UniqueKeepStrategy, budget: usize) -> Self {
        Self { cx, by, keep, budget: budget / 2, waiting: Vec::new(), held: 0, sorter: None, rows: 0 }
    }

    /// The next rows.
    ///
    /// # Errors
    /// When they have to be written and cannot.
    pub(super) fn push(&mut self, df: DataFrame) -> Result<(), StageError> {
        if self.sorter.is_some() {
            return self.sort(df);
        }
        self.held += size(&df);
        self.waiting.push(df);
        if self.held <= self.budget {
            return Ok(());
        }
        self.sorter = Some(Sorter::new(self.cx, Order::ascending(self.by.clone()), self.budget));
        std::mem::take(&mut self.waiting).into_iter().try_for_each(|df| self.sort(df))
    }

    /// Gives the rows that stay, in their order.
    ///
    /// # Errors
    /// When they cannot be compared, written or read, or `take` fails.
    pub(super) fn finish(self, take: &mut dyn FnMut(DataFrame) -> Result<(), StageError>) -> Result<(), StageError> {
        let Some(sorter) = self.sorter else {
            let rows = stacked(self.waiting).map_err(unsorted)?;
            if rows.height() == 0 {
                return Ok(());
            }
            return take(rows.unique_impl(true, Some(self.by), self.keep, None).map_err(unsorted)?);
        };
        let mut back = Sorter::new(self.cx, Order::ascending(vec![NUMBER.into()]), self.budget);
        let mut groups = Groups { order: Order::ascending(self.by), keep: self.keep, last: None };
        sorter.finish(&mut |df| back.push(groups.next(&df).map_err(unsorted)?))?;
        if let Some(row) = groups.end() {
            back.push(row)?;
        }
        back.finish(&mut |mut df| {
            df.drop_in_place(NUMBER).map_err(unsorted)?;
            take(df)
        })
    }

    fn sort(&mut self, mut df: DataFrame) -> Result<(), StageError> {
        let numbers = self.rows..self.rows + df.height() as u64;
        self.rows = numbers.end;
        let numbers = Column::new(NUMBER.into(), numbers.collect::<Vec<u64>>());
        df.with_column(numbers).map_err(unsorted)?;
        self.sorter.as_mut().map_or(Ok(()), |sorter| sorter.push(df))
    }
}

/// Chooses from rows that come sorted: of each group of the same rows the last, or none but a row that is alone.
struct Groups {
    order: Order,
    keep: UniqueKeepStrategy,
    /// The last row, whose group may go on, and whether there is another of it.
    last: Option<(DataFrame, bool)>,
}

impl Groups {
    /// Of the groups that end in these rows, what stays.
    fn next(&mut self, df: &DataFrame) -> PolarsResult<DataFrame> {
        let (rows, repeated) = match self.last.take() {
            Some((row, repeated)) => (stacked(vec![row, df.clone()])?, repeated),
            None => (df.clone(), false),
        };
        let keys = self.order.keys(&rows)?;
        let last = rows.height() - 1;
        let mut stays = vec![false; rows.height()];
        // Whether the row before is the same.
        let mut same = repeated;
        for (row, stays) in stays.iter_mut().enumerate().take(last) {
            let goes_on = keys.value(row) == keys.value(row + 1);
            let repeats = same && self.keep == UniqueKeepStrategy::None;
            *stays = !goes_on && !repeats;
            same = goes_on;
        }
        self.last = Some((rows.slice(last as i64, 1), same));
        rows.filter(&BooleanChunked::from_slice(PlSmallStr::EMPTY, &stays))
    }

    /// The last row, where it stays.
    fn end(self) -> Option<DataFrame> {
        let (row, repeated) = self.last?;
        (!repeated || self.keep != UniqueKeepStrategy::None).then_some(row)
    }
}
