//! Merges sorted runs: rows that are equal come in the order of their runs.

use super::order::Order;
use super::runs::{Run, RunReader};
use crate::frame::failed;
use crate::stage::{RunCx, StageError};
use polars::prelude::*;
use polars_arrow::array::BinaryArray;

/// A run, and the rows of it that are at hand.
struct Source {
    run: RunReader,
    block: Block,
}

/// Rows and their keys, of which those before `from` were given.
struct Block {
    df: DataFrame,
    keys: BinaryArray<i64>,
    from: usize,
}

impl Block {
    /// The next block of a run; `None` at its end.
    fn next(run: &mut RunReader, order: &Order) -> Result<Option<Self>, StageError> {
        let Some(df) = run.block()? else { return Ok(None) };
        let keys = order.keys(&df).map_err(unsorted)?;
        Ok(Some(Self { df, keys, from: 0 }))
    }

    fn last(&self) -> &[u8] {
        self.keys.value(self.keys.len() - 1)
    }

    /// The rows up to a key that were not given yet; those with that key too, where it is `inclusive`.
    fn until(&mut self, key: &[u8], inclusive: bool) -> DataFrame {
        let (mut low, mut high) = (self.from, self.keys.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let at = self.keys.value(middle);
            if at < key || (inclusive && at == key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let rows = self.df.slice(self.from as i64, low - self.from);
        self.from = low;
        rows
    }
}

impl Source {
    fn new(run: Run, order: &Order) -> Result<Option<Self>, StageError> {
        let mut run = run.read()?;
        Ok(Block::next(&mut run, order)?.map(|block| Self { run, block }))
    }

    /// Goes on to rows that were not given; tells whether there are some.
    fn goes_on(&mut self, order: &Order) -> Result<bool, StageError> {
        if self.block.from < self.block.keys.len() {
            return Ok(true);
        }
        let next = Block::next(&mut self.run, order)?;
        Ok(next.map(|block| self.block = block).is_some())
    }
}

/// Gives the rows of all runs in order.
///
/// Of all blocks at hand, the one that ends first can be given whole: nothing smaller than its last row is still on disk. With it
/// go the rows of the others up to there. Where those are equal to its last row, the runs before it have all of theirs at hand, and
/// the runs behind it wait, because the next block may begin with more of them.
///
/// # Errors
/// When a run cannot be read, or `take` fails.
pub(super) fn merge(
    cx: &RunCx<'_>,
    runs: Vec<Run>,
    order: &Order,
    take: &mut dyn FnMut(DataFrame) -> Result<(), StageError>,
) -> Result<(), StageError> {
    let mut sources = Vec::with_capacity(runs.len());
    for run in runs {
        sources.extend(Source::new(run, order)?);
    }
    while let Some(first) = sources.iter().enumerate().min_by_key(|(_, source)| source.block.last()) {
        cx.check_cancelled()?;
        let (ends, end) = (first.0, first.1.block.last().to_vec());
        let parts = sources.iter_mut().enumerate().map(|(at, source)| source.block.until(&end, at <= ends));
        let parts: Vec<DataFrame> = parts.filter(|rows| rows.height() > 0).collect();
        let alone = parts.len() == 1;
        let rows = stacked(parts).map_err(unsorted)?;
        take(if alone { rows } else { order.sorted(&rows).map_err(unsorted)? })?;
        let mut going = Vec::with_capacity(sources.len());
        for mut source in sources {
            if source.goes_on(order)? {
                going.push(source);
            }
        }
        sources = going;
    }
    Ok(())
}

/// Frames of the same columns below each other.
pub(super) fn stacked(parts: Vec<DataFrame>) -> PolarsResult<DataFrame> {
    let mut parts = parts.into_iter();
    let Some(mut whole) = parts.next() else { return Ok(DataFrame::empty()) };
    for part in parts {
        whole.vstack_mut_owned(part)?;
    }
    Ok(whole)
}

pub(super) fn unsorted(error: PolarsError) -> StageError {
    failed("sort the rows", &error)
}
