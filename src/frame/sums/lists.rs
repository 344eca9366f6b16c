//! Moments of values that were gathered as a list for each group: the form that exact aggregates have in plans, which every
//! way of grouping can compute.

use super::moments::{Corr, Cov, Mean, Moment, State, Var};
use super::terms::{Terms, View};
use crate::frame::exact::ExactSum;
use polars::prelude::*;
use rayon::prelude::*;
use std::ops::Range;

/// The moment of each list.
pub(super) fn of_lists(moment: Moment, column: &Column, output: &DataType) -> PolarsResult<Column> {
    let lists = column.list()?.rechunk();
    let terms = Terms::of(&lists.get_inner())?;
    let offsets: Vec<usize> = lists.downcast_iter().next().map_or_else(
        || vec![0],
        |chunk| chunk.offsets().iter().map(|offset| usize::try_from(*offset).unwrap_or_default()).collect(),
    );
    let view = terms.view();
    let values = match moment {
        Moment::Sum => each::<ExactSum>(moment, view, &offsets),
        Moment::Mean => each::<Mean>(moment, view, &offsets),
        Moment::Var { .. } => each::<Var>(moment, view, &offsets),
        Moment::Cov { .. } => each::<Cov>(moment, view, &offsets),
        Moment::Corr => each::<Corr>(moment, view, &offsets),
    };
    let values = Float64Chunked::from_iter(values).into_series().cast(output)?;
    Ok(values.with_name(column.name().clone()).into_column())
}

/// Many small lists are divided among threads here, one large list inside of it.
fn each<S: State>(moment: Moment, view: View<'_>, offsets: &[usize]) -> Vec<Option<f64>> {
    let one = |list: usize| state::<S>(view, offsets[list]..offsets[list + 1]).finish(moment);
    (0..offsets.len() - 1).into_par_iter().with_min_len(256).map(one).collect()
}

fn state<S: State>(view: View<'_>, range: Range<usize>) -> S {
    const PIECE: usize = 1 << 16;
    let piece = |from: usize| {
        let mut state = S::default();
        view.add_all(&mut state, from..(from + PIECE).min(range.end));
        state
    };
    if range.len() <= PIECE {
        return piece(range.start);
    }
    let pieces: Vec<usize> = range.clone().step_by(PIECE).collect();
    let merge = |mut a: S, b: S| {
        a.merge(&b);
        a
    };
    pieces.into_par_iter().map(piece).reduce(S::default, merge)
}
