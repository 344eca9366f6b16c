//! An aggregate while its frame moves over the rows of a group.

use super::super::decimal::{LIMIT, MOST_DIGITS};
use super::super::exact::{SlidingSum, exact_sum};
use super::Aggregate;
use super::sorted::Sorted;
use polars::prelude::*;
use std::collections::VecDeque;
use std::ops::Range;

/// What is aggregated, in the order of the groups.
pub(super) enum Values {
    /// Rows, whatever is in them.
    Rows,
    /// Whether each value is there.
    Valid(Vec<bool>),
    Floats(Vec<Option<f64>>),
    Ints(Vec<Option<i64>>),
    /// Whole numbers that need more room: those behind decimals, and `u64`.
    Wide(Vec<Option<i128>>),
    /// The place of each value among all of them, from the smallest; equal ones share it.
    Ranks(Vec<Option<IdxSize>>),
}

impl Values {
    pub(super) fn new(value: Option<&Column>, aggregate: Aggregate, sorted: &Sorted) -> PolarsResult<Self> {
        let Some(value) = value else { return Ok(Self::Rows) };
        let in_order = || value.take(&sorted.rows);
        Ok(match aggregate {
            Aggregate::First | Aggregate::Last | Aggregate::Nth(_) => Self::Rows,
            Aggregate::Count => {
                Self::Valid(in_order()?.is_not_null().iter().map(|valid| valid == Some(true)).collect())
            }
            Aggregate::Min | Aggregate::Max => Self::Ranks(ranks(&in_order()?)?),
            Aggregate::Sum if value.dtype().is_decimal() => {
                Self::Wide(in_order()?.decimal()?.physical().iter().collect())
            }
            Aggregate::Sum if *value.dtype() == DataType::UInt64 => {
                Self::Wide(in_order()?.u64()?.iter().map(|value| value.map(i128::from)).collect())
            }
            Aggregate::Sum if value.dtype().is_integer() => {
                Self::Ints(in_order()?.cast(&DataType::Int64)?.i64()?.iter().collect())
            }
            Aggregate::Sum | Aggregate::Mean | Aggregate::Var { .. } => {
                Self::Floats(in_order()?.cast(&DataType::Float64)?.f64()?.iter().collect())
            }
        })
    }
}

fn ranks(column: &Column) -> PolarsResult<Vec<Option<IdxSize>>> {
    let series = column.as_materialized_series();
    let order = series.arg_sort(SortOptions::default().with_nulls_last(true));
    let sorted = series.take(&order)?;
    let differs = sorted.not_equal_missing(&sorted.shift(1))?;
    let valid = sorted.is_not_null();
    let mut ranks: Vec<Option<IdxSize>> = vec![None; series.len()];
    let mut rank = 0;
    for ((at, differs), valid) in order.iter().zip(differs.iter()).zip(valid.iter()) {
        rank += IdxSize::from(differs == Some(true));
        if let Some(place) = at.filter(|_| valid == Some(true)).and_then(|at| ranks.get_mut(at as usize)) {
            *place = Some(rank);
        }
    }
    Ok(ranks)
}

/// An aggregate for each row of a group.
pub(super) enum Out {
    Counts(Vec<IdxSize>),
    Floats(Vec<Option<f64>>),
    Ints(Vec<Option<i64>>),
    Wide(Vec<Option<i128>>),
    /// Places in the order.
    Places(Vec<Option<usize>>),
}

/// The aggregate of each frame; neither end of the frames ever moves back.
pub(super) fn aggregate(values: &Values, aggregate: Aggregate, frames: &[Range<usize>]) -> PolarsResult<Out> {
    Ok(match (values, aggregate) {
        (_, Aggregate::First) => {
            Out::Places(frames.iter().map(|frame| (!frame.is_empty()).then_some(frame.start)).collect())
        }
        (_, Aggregate::Last) => {
            Out::Places(frames.iter().map(|frame| (!frame.is_empty()).then(|| frame.end - 1)).collect())
        }
        (_, Aggregate::Nth(place)) => {
            let nth = |frame: &Range<usize>| (place <= frame.len()).then(|| frame.start + place - 1);
            Out::Places(frames.iter().map(nth).collect())
        }
        (Values::Rows, _) => Out::Counts(frames.iter().map(|frame| frame.len() as IdxSize).collect()),
        (Values::Valid(valid), _) => {
            let mut count = 0;
            Out::Counts(slide(frames, &mut count, &|count, at, enters| step(count, valid[at], enters), &|count, _| {
                *count
            }))
        }
        (Values::Ints(values), _) => {
            let fit = |sum: i128| i64::try_from(sum).map_err(|_| too_large("does not fit i64: cast to f64 before it"));
            let sums = sums(frames, &|at| values[at].map(i128::from))?.into_iter();
            Out::Ints(sums.map(|sum| sum.map(fit).transpose()).collect::<PolarsResult<_>>()?)
        }
        (Values::Wide(values), _) => Out::Wide(sums(frames, &|at| values[at])?),
        (Values::Ranks(ranks), _) => Out::Places(extremes(ranks, frames, aggregate == Aggregate::Max)),
        (Values::Floats(values), Aggregate::Var { ddof, root }) => {
            let one = |frame: &Range<usize>| variance(values[frame.clone()].iter().copied().flatten(), ddof, root);
            Out::Floats(frames.iter().map(one).collect())
        }
        (Values::Floats(values), _) => {
            let mut sum = SlidingSum::default();
            let told = |sum: &SlidingSum, _: &Range<usize>| match (sum.count(), aggregate) {
                (0, _) => None,
                (count, Aggregate::Mean) => Some(sum.value() / count as f64),
                _ => Some(sum.value()),
            };
            let add = |sum: &mut SlidingSum, at: usize, enters: bool| match (values[at], enters) {
                (Some(value), true) => sum.add(value),
                (Some(value), false) => sum.remove(value),
                (None, _) => {}
            };
            Out::Floats(slide(frames, &mut sum, &add, &told))
        }
    })
}

fn step(count: &mut IdxSize, counts: bool, enters: bool) {
    if counts {
        *count = if enters { *count + 1 } else { *count - 1 };
    }
}

/// The sum of each frame; missing where nothing is in it.
fn sums(frames: &[Range<usize>], value: &dyn Fn(usize) -> Option<i128>) -> PolarsResult<Vec<Option<i128>>> {
    let mut sum = (Some(0_i128), 0);
    let add = |(sum, count): &mut (Option<i128>, IdxSize), at: usize, enters: bool| {
        let Some(value) = value(at) else { return };
        step(count, true, enters);
        *sum = sum.and_then(|sum| if enters { sum.checked_add(value) } else { sum.checked_sub(value) });
    };
    let told = |(sum, count): &(Option<i128>, IdxSize), _: &Range<usize>| match (count, sum) {
        (0, _) => Ok(None),
        (_, Some(sum)) => Ok(Some(*sum)),
        (_, None) => Err(too_large("has too many digits")),
    };
    slide(frames, &mut sum, &add, &told).into_iter().collect()
}

fn too_large(why: &str) -> PolarsError {
    polars_err!(ComputeError: "a sum over a frame {why}")
}

/// Moves a frame along: `change` is told of every row that enters (`true`) or leaves, `told` asked at every frame.
fn slide<S, T>(
    frames: &[Range<usize>],
    state: &mut S,
    change: &dyn Fn(&mut S, usize, bool),
    told: &dyn Fn(&S, &Range<usize>) -> T,
) -> Vec<T> {
    let mut inside = frames.first().map_or(0..0, |frame| frame.start..frame.start);
    let mut out = Vec::with_capacity(frames.len());
    for frame in frames {
        for leaving in inside.start..frame.start.min(inside.end) {
            change(state, leaving, false);
        }
        inside.start = frame.start.max(inside.start);
        for entering in inside.end.max(frame.start)..frame.end {
            change(state, entering, true);
        }
        inside.end = frame.end.max(inside.end).max(inside.start);
        out.push(told(state, frame));
    }
    out
}

/// The place of the smallest or largest of each frame: only those are kept that nothing smaller (or larger) follows.
fn extremes(ranks: &[Option<IdxSize>], frames: &[Range<usize>], largest: bool) -> Vec<Option<usize>> {
    let mut kept: VecDeque<(IdxSize, usize)> = VecDeque::new();
    let mut next = frames.first().map_or(0, |frame| frame.start);
    let one = |frame: &Range<usize>| {
        let entering = next.max(frame.start)..frame.end;
        for at in entering {
            let Some(rank) = ranks[at] else { continue };
            let beats = |other: IdxSize| if largest { rank > other } else { rank < other };
            while kept.back().is_some_and(|(other, _)| beats(*other)) {
                kept.pop_back();
            }
            kept.push_back((rank, at));
        }
        next = next.max(frame.end);
        while kept.front().is_some_and(|(_, at)| *at < frame.start) {
            kept.pop_front();
        }
        kept.front().map(|(_, at)| *at)
    };
    frames.iter().map(one).collect()
}

/// Around the rounded mean with the usual correction, each sum exact: as `VARIANCE` without a frame.
fn variance(values: impl Iterator<Item = f64> + Clone, ddof: u8, root: bool) -> Option<f64> {
    let count = values.clone().count();
    if count <= usize::from(ddof) {
        return None;
    }
    let n = count as f64;
    let mean = exact_sum(values.clone()) / n;
    let squares = exact_sum(values.clone().map(|value| (value - mean) * (value - mean)));
    let rest = exact_sum(values.map(|value| value - mean));
    let variance = ((squares - rest * rest / n) / (n - f64::from(ddof))).max(0.0);
    Some(if root { variance.sqrt() } else { variance })
}

/// The groups' aggregates as one column, row by row of the table.
pub(super) fn put_together(
    groups: Vec<Out>,
    sorted: &Sorted,
    value: Option<&Column>,
    dtype: &DataType,
) -> PolarsResult<Column> {
    let rows: Vec<usize> = sorted.rows.iter().map(|row| row.unwrap_or(0) as usize).collect();
    let (mut counts, mut floats, mut ints, mut wide) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut places = Vec::new();
    for group in groups {
        match group {
            Out::Counts(more) => counts.extend(more),
            Out::Floats(more) => floats.extend(more),
            Out::Ints(more) => ints.extend(more),
            Out::Wide(more) => wide.extend(more),
            Out::Places(more) => places.extend(more),
        }
    }
    let name = PlSmallStr::EMPTY;
    let column = if !floats.is_empty() {
        Float64Chunked::from_iter(scattered(&rows, &floats)).into_column()
    } else if !ints.is_empty() {
        Int64Chunked::from_iter(scattered(&rows, &ints)).into_column()
    } else if !wide.is_empty() {
        return widened(scattered(&rows, &wide), dtype);
    } else if !counts.is_empty() {
        IdxCa::from_vec(name.clone(), scattered(&rows, &counts)).into_column()
    } else if let (Some(value), false) = (value, places.is_empty()) {
        let rows_of: Vec<Option<IdxSize>> = places.iter().map(|at| at.map(|at| rows[at] as IdxSize)).collect();
        return value.take(&IdxCa::from_iter(scattered(&rows, &rows_of)));
    } else {
        return Ok(Column::new_empty(name, dtype));
    };
    column.cast(dtype)
}

fn widened(sums: Vec<Option<i128>>, dtype: &DataType) -> PolarsResult<Column> {
    let largest = sums.iter().flatten().map(|sum| sum.unsigned_abs()).max().unwrap_or(0);
    let sums = Int128Chunked::from_iter(sums);
    match dtype {
        DataType::Decimal(digits, scale) if largest < LIMIT => {
            Ok(sums.into_decimal_unchecked(*digits, *scale).into_column())
        }
        DataType::Decimal(..) => Err(too_large(&format!("has more than {MOST_DIGITS} digits"))),
        dtype => {
            sums.into_column().strict_cast(dtype).map_err(|_| too_large("does not fit u64: cast to f64 before it"))
        }
    }
}

/// What stands at a place of the order, at the place of its row.
fn scattered<T: Copy + Default>(rows: &[usize], values: &[T]) -> Vec<T> {
    let mut out = vec![T::default(); rows.len()];
    for (row, value) in rows.iter().zip(values) {
        out[*row] = *value;
    }
    out
}
