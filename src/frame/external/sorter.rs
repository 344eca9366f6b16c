//! Sorts rows as they come: in memory as long as they fit, else in runs on disk that are merged in the end.

use super::merge::{merge, stacked, unsorted};
use super::order::Order;
use super::runs::{Run, RunWriter};
use super::size;
use crate::numbers;
use crate::stage::{Progress, RunCx, StageError};
use polars::prelude::*;
use std::time::Instant;

/// Runs that are merged at once. Of each a block is in memory, so a block is such a part of what may be held.
const AT_ONCE: usize = 64;

/// Rows on their way into an order.
pub(super) struct Sorter<'a> {
    cx: &'a RunCx<'a>,
    order: Order,
    /// Bytes that may wait in memory.
    budget: usize,
    pub(super) at_once: usize,
    waiting: Vec<DataFrame>,
    held: usize,
    rows: u64,
    /// By how often they were merged: those that were more often have the earlier rows.
    runs: Vec<Vec<Run>>,
}

impl<'a> Sorter<'a> {
    /// For rows in this order.
    pub(super) fn new(cx: &'a RunCx<'a>, order: Order, budget: usize) -> Self {
        Self { cx, order, budget, at_once: AT_ONCE, waiting: Vec::new(), held: 0, rows: 0, runs: Vec::new() }
    }

    /// The next rows.
    ///
    /// # Errors
    /// When they have to be written and cannot.
    pub(super) fn push(&mut self, df: DataFrame) -> Result<(), StageError> {
        if df.height() == 0 {
            return Ok(());
        }
        self.rows += df.height() as u64;
        self.held += size(&df);
        self.waiting.push(df);
        if self.held > self.budget { self.write() } else { Ok(()) }
    }

    /// Gives all rows in order.
    ///
    /// # Errors
    /// When they cannot be sorted, written or read, or `take` fails.
    pub(super) fn finish(
        mut self,
        take: &mut dyn FnMut(DataFrame) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        if self.runs.is_empty() {
            let rows = self.sorted()?;
            return if rows.height() > 0 { take(rows) } else { Ok(()) };
        }
        self.write()?;
        // The latest are the shortest.
        let mut runs: Vec<Run> = std::mem::take(&mut self.runs).into_iter().rev().flatten().collect();
        while runs.len() > self.at_once {
            let count = (runs.len() - self.at_once + 1).min(self.at_once);
            let latest = runs.split_off(runs.len() - count);
            runs.push(self.merged(latest)?);
        }
        let (begin, mut done) = (Instant::now(), 0);
        merge(self.cx, runs, &self.order, &mut |df| {
            done += df.height() as u64;
            let detail = numbers::rate(done as f64 / begin.elapsed().as_secs_f64(), "rows");
            self.cx.services.progress(Progress { done, total: Some(self.rows), unit: "row", detail });
            take(df)
        })
    }

    /// The rows that wait, in order.
    fn sorted(&mut self) -> Result<DataFrame, StageError> {
        self.held = 0;
        let mut rows = stacked(std::mem::take(&mut self.waiting)).map_err(unsorted)?;
        if rows.height() == 0 {
            return Ok(rows);
        }
        // Else the sort does it, and the pieces stay beside what they become.
        rows.rechunk_mut_par();
        self.order.sorted(&rows).map_err(unsorted)
    }

    /// Writes the rows that wait as a run.
    fn write(&mut self) -> Result<(), StageError> {
        self.cx.check_cancelled()?;
        let rows = self.sorted()?;
        if rows.height() == 0 {
            return Ok(());
        }
        let mut writer = self.writer(&rows)?;
        writer.push(&rows)?;
        drop(rows);
        let mut run = writer.finish()?;
        for merges in 0.. {
            if self.runs.len() == merges {
                self.runs.push(Vec::new());
            }
            self.runs[merges].push(run);
            if self.runs[merges].len() < self.at_once {
                break;
            }
            let full = std::mem::take(&mut self.runs[merges]);
            run = self.merged(full)?;
        }
        Ok(())
    }

    /// Several runs as one.
    fn merged(&self, runs: Vec<Run>) -> Result<Run, StageError> {
        let mut writer: Option<RunWriter> = None;
        merge(self.cx, runs, &self.order, &mut |df| {
            let writer = match &mut writer {
                Some(writer) => writer,
                None => writer.insert(self.writer(&df)?),
            };
            writer.push(&df)
        })?;
        writer.map_or_else(|| Err(StageError::bug("runs without a row were merged")), RunWriter::finish)
    }

    fn writer(&self, rows: &DataFrame) -> Result<RunWriter, StageError> {
        RunWriter::new(self.cx.scratch, rows.schema(), self.budget / self.at_once)
    }
}
