//! The rows in the order of their groups and of their order columns, and where each row's frame begins and ends.

use super::{Frame, Offset, full};
use polars::prelude::*;
use std::ops::Range;

/// Rows by groups, each in its order.
pub(super) struct Sorted {
    /// The rows, by their places in the table.
    pub(super) rows: IdxCa,
    /// Where each group begins, and where the last one ends.
    starts: Vec<usize>,
    /// Where each run of rows begins that are equal in their order too, and where the last one ends.
    runs: Vec<usize>,
}

impl Sorted {
    pub(super) fn new(
        height: usize,
        keys: &[Column],
        order: &[Column],
        descending: &[bool],
        nulls_last: &[bool],
    ) -> PolarsResult<Self> {
        if keys.is_empty() && order.is_empty() || height == 0 {
            let rows = IdxCa::from_vec(ROW.into(), (0..height as IdxSize).collect());
            let starts = if height == 0 { vec![0] } else { vec![0, height] };
            return Ok(Self { rows, runs: starts.clone(), starts });
        }
        let columns: Vec<Column> = keys.iter().chain(order).cloned().collect();
        let of_keys =
            |of_order: &[bool]| keys.iter().map(|_| false).chain(of_order.iter().copied()).collect::<Vec<_>>();
        let (sorted, rows) = sort(height, &columns, &of_keys(descending), &of_keys(nulls_last))?;
        Ok(Self { rows, starts: starts(&sorted, keys.len())?, runs: starts(&sorted, columns.len())? })
    }

    /// The groups, as places in the order.
    pub(super) fn groups(&self) -> Vec<Range<usize>> {
        self.starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
    }

    /// The frame of each row of a group, as places in the order. Neither end ever moves back.
    pub(super) fn frames(&self, group: &Range<usize>, frame: Frame, order: Option<&Order>) -> Vec<Range<usize>> {
        match (frame, order) {
            (Frame::Range { from, to }, Some(order)) => order.frames(group, from, to),
            (Frame::Rows { from, to }, _) => by_rows(group, from, to),
            (Frame::Peers, _) => self.up_to_equals(group),
            (Frame::Range { .. }, None) => Vec::new(),
        }
    }

    fn up_to_equals(&self, group: &Range<usize>) -> Vec<Range<usize>> {
        let first = self.runs.partition_point(|start| *start <= group.start);
        let mut ends = self.runs[first..].iter().copied();
        let mut end = group.start;
        let one = |row: usize| {
            if row >= end {
                end = ends.next().unwrap_or(group.end);
            }
            group.start..end
        };
        group.clone().map(one).collect()
    }
}

/// The column of the rows' places.
const ROW: &str = "row";

/// Columns of so many rows (of a constant one value is enough) in order, and which row of the table is where; rows that are equal keep
/// their order.
pub(in crate::frame) fn sort(
    height: usize,
    columns: &[Column],
    descending: &[bool],
    nulls_last: &[bool],
) -> PolarsResult<(DataFrame, IdxCa)> {
    let named = columns.iter().enumerate();
    let mut columns: Vec<Column> = named
        .map(|(at, column)| Ok(full(column, height)?.with_name(at.to_string().into())))
        .collect::<PolarsResult<_>>()?;
    let names: Vec<PlSmallStr> = columns.iter().map(|column| column.name().clone()).collect();
    columns.push(IdxCa::from_vec(ROW.into(), (0..height as IdxSize).collect()).into_column());
    let options = SortMultipleOptions::default()
        .with_order_descending_multi(descending.iter().copied())
        .with_nulls_last_multi(nulls_last.iter().copied())
        .with_maintain_order(true);
    let mut sorted = DataFrame::new(height, columns)?.sort(names, options)?;
    let rows = sorted.drop_in_place(ROW)?.idx()?.rechunk().into_owned();
    Ok((sorted, rows))
}

/// Where the first columns, which are the keys, take other values.
fn starts(sorted: &DataFrame, keys: usize) -> PolarsResult<Vec<usize>> {
    let height = sorted.height();
    let mut differs: Option<BooleanChunked> = None;
    for key in sorted.columns().iter().take(keys) {
        let key = key.as_materialized_series();
        let other = key.not_equal_missing(&key.shift(1))?;
        differs = Some(differs.map_or_else(|| other.clone(), |known| known | other.clone()));
    }
    let inner = differs.iter().flat_map(|differs| differs.iter().enumerate().skip(1));
    let inner = inner.filter(|(_, differs)| *differs == Some(true)).map(|(at, _)| at);
    Ok(std::iter::once(0).chain(inner).chain([height]).collect())
}

fn by_rows(group: &Range<usize>, from: Option<i64>, to: Option<i64>) -> Vec<Range<usize>> {
    let (start, end) = (group.start as i64, group.end as i64);
    let place = |at: i64| usize::try_from(at.clamp(start, end)).unwrap_or(group.start);
    group
        .clone()
        .map(|row| {
            let row = row as i64;
            let first = from.map_or(start, |from| row.saturating_add(from));
            let last = to.map_or(end, |to| row.saturating_add(to).saturating_add(1));
            place(first)..place(last).max(place(first))
        })
        .collect()
}

/// Refuses an offset that values of this type are not apart by.
pub(super) fn check_offset(dtype: &DataType, offset: Offset) -> PolarsResult<()> {
    let known = super::super::from_polars(dtype);
    let wanted = match (dtype, offset) {
        (_, Offset::Zero) if dtype.is_temporal() || dtype.is_float() => return Ok(()),
        _ if dtype.is_temporal() && !matches!(offset, Offset::Micros(_)) => "an interval: `INTERVAL '6 hours'`",
        _ if dtype.is_integer() && !matches!(offset, Offset::Int(_) | Offset::Zero) => "a whole number",
        _ if dtype.is_float() && matches!(offset, Offset::Micros(_)) => "a number",
        _ if dtype.is_temporal() || dtype.is_float() => return Ok(()),
        (DataType::UInt64 | DataType::Int128 | DataType::UInt128, _) => "to be ordered by i64 or f64",
        _ if dtype.is_integer() => return Ok(()),
        _ => {
            polars_bail!(InvalidOperation: "a frame by RANGE needs to be ordered by whole numbers, floats, dates or times, found {known}")
        }
    };
    polars_bail!(InvalidOperation: "a frame by RANGE in the order of {known} needs {wanted}")
}

/// The values of the order column, in the order; they rise.
pub(super) struct Order {
    values: Numbers,
    /// Whether each is there.
    valid: Vec<bool>,
}

enum Numbers {
    Whole(Vec<i64>),
    Real(Vec<Real>),
}

/// A number in the order that rises: 1 before it where it is NaN, which no offset brings nearer to a number, -1 where that comes first.
type Real = (i8, f64);

impl Order {
    pub(super) fn of(column: &Column, descending: &[bool], sorted: &Sorted) -> PolarsResult<Self> {
        let column = full(column, sorted.rows.len())?.take(&sorted.rows)?;
        let valid = column.is_not_null().iter().map(|valid| valid == Some(true)).collect();
        let turned = descending.first() == Some(&true);
        let values = if column.dtype().is_float() {
            let values = column.cast(&DataType::Float64)?;
            let sign = if turned { -1.0 } else { 1.0 };
            let number = |value: Option<f64>| match value {
                Some(x) if x.is_nan() => (if turned { -1 } else { 1 }, 0.0),
                value => (0, value.unwrap_or(0.0) * sign),
            };
            Numbers::Real(values.f64()?.iter().map(number).collect())
        } else {
            let values = whole(&column)?;
            let sign = if turned { -1 } else { 1 };
            Numbers::Whole(values.i64()?.iter().map(|value| value.unwrap_or(0).saturating_mul(sign)).collect())
        };
        Ok(Self { values, valid })
    }

    fn frames(&self, group: &Range<usize>, from: Option<Offset>, to: Option<Offset>) -> Vec<Range<usize>> {
        let missing = self.valid[group.clone()].iter().filter(|valid| !**valid).count();
        // Missing ones are each other's like, and stand together at one end.
        let last = missing > 0 && !self.valid[group.end - 1];
        let (there, alike) = match last {
            true => (group.start..group.end - missing, group.end - missing..group.end),
            false => (group.start + missing..group.end, group.start..group.start + missing),
        };
        let begin = if from.is_some() { alike.start } else { group.start };
        let end = if to.is_some() { alike.end } else { group.end };
        let peers = std::iter::repeat_n(begin..end, missing);
        let of_values = self.of_values(group, &there, from, to);
        match last {
            true => of_values.into_iter().chain(peers).collect(),
            false => peers.chain(of_values).collect(),
        }
    }

    /// The frames of the rows whose value is there.
    fn of_values(
        &self,
        group: &Range<usize>,
        there: &Range<usize>,
        from: Option<Offset>,
        to: Option<Offset>,
    ) -> Vec<Range<usize>> {
        let mut frames: Vec<Range<usize>> = Vec::with_capacity(there.len());
        let (mut first, mut last) = (there.start, there.start);
        for row in there.clone() {
            if let Some(from) = from {
                while first < there.end && self.is_before(first, row, from) {
                    first += 1;
                }
            }
            match to {
                Some(to) => {
                    while last < there.end && !self.is_behind(last, row, to) {
                        last += 1;
                    }
                }
                None => last = group.end,
            }
            let begin = if from.is_some() { first } else { group.start };
            frames.push(begin..last.max(begin));
        }
        frames
    }

    /// Whether the value at `at` is smaller than the one of `row` and the offset together.
    fn is_before(&self, at: usize, row: usize, offset: Offset) -> bool {
        match (&self.values, offset) {
            (Numbers::Whole(values), offset) => values[at] < values[row].saturating_add(whole_of(offset)),
            (Numbers::Real(values), offset) => values[at] < moved(values[row], offset),
        }
    }

    fn is_behind(&self, at: usize, row: usize, offset: Offset) -> bool {
        match (&self.values, offset) {
            (Numbers::Whole(values), offset) => values[at] > values[row].saturating_add(whole_of(offset)),
            (Numbers::Real(values), offset) => values[at] > moved(values[row], offset),
        }
    }
}

fn whole_of(offset: Offset) -> i64 {
    match offset {
        Offset::Zero | Offset::Float(_) => 0,
        Offset::Int(by) | Offset::Micros(by) => by,
    }
}

fn moved((nan, value): Real, offset: Offset) -> Real {
    let by = match offset {
        Offset::Zero => 0.0,
        Offset::Float(by) => by,
        Offset::Int(by) | Offset::Micros(by) => by as f64,
    };
    (nan, value + by)
}

/// Whole numbers as they are, dates and times in microseconds.
fn whole(column: &Column) -> PolarsResult<Column> {
    let micros = TimeUnit::Microseconds;
    match column.dtype() {
        DataType::Date => column.cast(&DataType::Datetime(micros, None))?.cast(&DataType::Int64),
        DataType::Datetime(_, zone) => {
            column.cast(&DataType::Datetime(micros, zone.clone()))?.to_physical_repr().cast(&DataType::Int64)
        }
        DataType::Duration(_) => column.cast(&DataType::Duration(micros))?.cast(&DataType::Int64),
        DataType::Time => {
            let nanos = column.cast(&DataType::Int64)?;
            Ok(nanos.i64()?.apply_values(|nanos| nanos / 1_000).into_column())
        }
        _ => column.cast(&DataType::Int64),
    }
}
