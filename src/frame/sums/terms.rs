//! The values of a column, as the states of moments take them in.

use super::moments::State;
use polars::prelude::*;
use std::ops::Range;

/// Numbers of a column of numbers, or pairs of a column of structs with two fields, each in one piece.
pub(super) struct Terms {
    x: Float64Chunked,
    y: Option<Float64Chunked>,
    /// Which are there, where some are missing.
    valid: Option<Vec<bool>>,
}

impl Terms {
    pub(super) fn of(series: &Series) -> PolarsResult<Self> {
        let fields = match series.dtype() {
            DataType::Struct(_) => series.struct_()?.fields_as_series(),
            _ => vec![series.clone()],
        };
        let floats = |field: &Series| -> PolarsResult<Float64Chunked> {
            Ok(field.cast(&DataType::Float64)?.f64()?.rechunk().into_owned())
        };
        let x = floats(&fields[0])?;
        let y = fields.get(1).map(floats).transpose()?;
        let missing = |values: &Float64Chunked| values.null_count() > 0;
        let valid = (missing(&x) || y.as_ref().is_some_and(missing)).then(|| {
            let there = |values: &Float64Chunked| values.iter().map(|value| value.is_some()).collect::<Vec<_>>();
            let mut valid = there(&x);
            if let Some(y) = &y {
                valid.iter_mut().zip(there(y)).for_each(|(both, y)| *both &= y);
            }
            valid
        });
        Ok(Self { x, y, valid })
    }

    fn slice(values: &Float64Chunked) -> &[f64] {
        values.downcast_iter().next().map_or(&[], |chunk| chunk.values().as_slice())
    }

    /// As slices, to go over.
    pub(super) fn view(&self) -> View<'_> {
        let x = Self::slice(&self.x);
        View { x, y: self.y.as_ref().map_or(x, Self::slice), valid: self.valid.as_deref() }
    }
}

/// Terms as slices. Where there are no pairs, both are the same.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    x: &'a [f64],
    y: &'a [f64],
    valid: Option<&'a [bool]>,
}

impl View<'_> {
    /// Adds one term, where it is not missing.
    #[inline(always)]
    pub(super) fn add<S: State>(&self, state: &mut S, at: usize) {
        if self.valid.is_none_or(|valid| valid[at]) {
            state.add(self.x[at], self.y[at]);
        }
    }

    /// Adds some terms.
    pub(super) fn add_all<S: State>(&self, state: &mut S, range: Range<usize>) {
        let (x, y) = (&self.x[range.clone()], &self.y[range.clone()]);
        match self.valid {
            None => state.add_all(x, y),
            Some(valid) => {
                for ((x, y), valid) in x.iter().zip(y).zip(&valid[range]) {
                    if *valid {
                        state.add(*x, *y);
                    }
                }
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.x.len()
    }
}
