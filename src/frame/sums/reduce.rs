//! Moments as reductions of the streaming engine: a state for each group, and the values are gone when they are in it.

use super::moments::{Corr, Cov, Mean, Moment, State, Var};
use super::terms::Terms;
use crate::frame::exact::ExactSum;
use polars::prelude::*;
use polars_expr::EvictIdx;
use polars_expr::reduce::GroupedReduction;
use std::any::Any;

/// The reduction that computes a moment of terms of this type.
pub(super) fn reduction(moment: Moment, output: DataType) -> Box<dyn GroupedReduction> {
    match moment {
        Moment::Sum => Reduction::<ExactSum>::boxed(moment, output),
        Moment::Mean => Reduction::<Mean>::boxed(moment, output),
        Moment::Var { .. } => Reduction::<Var>::boxed(moment, output),
        Moment::Cov { .. } => Reduction::<Cov>::boxed(moment, output),
        Moment::Corr => Reduction::<Corr>::boxed(moment, output),
    }
}

struct Reduction<S> {
    moment: Moment,
    output: DataType,
    groups: Vec<S>,
    /// States of groups whose place another group took.
    evicted: Vec<S>,
}

impl<S: State> Reduction<S> {
    fn boxed(moment: Moment, output: DataType) -> Box<dyn GroupedReduction> {
        Box::new(Self { moment, output, groups: Vec::new(), evicted: Vec::new() })
    }

    fn with_groups(&self, groups: Vec<S>) -> Box<dyn GroupedReduction> {
        Box::new(Self { moment: self.moment, output: self.output.clone(), groups, evicted: Vec::new() })
    }
}

impl<S: State> GroupedReduction for Reduction<S> {
    fn new_empty(&self) -> Box<dyn GroupedReduction> {
        self.with_groups(Vec::new())
    }

    fn reserve(&mut self, additional: usize) {
        self.groups.reserve(additional);
    }

    fn resize(&mut self, groups: IdxSize) {
        self.groups.resize_with(groups as usize, S::default);
    }

    fn update_group(&mut self, values: &[&Column], group: IdxSize, _: u64) -> PolarsResult<()> {
        let terms = Terms::of(values[0].as_materialized_series())?;
        let view = terms.view();
        view.add_all(&mut self.groups[group as usize], 0..view.len());
        Ok(())
    }

    unsafe fn update_groups_while_evicting(
        &mut self,
        values: &[&Column],
        subset: &[IdxSize],
        groups: &[EvictIdx],
        _: u64,
    ) -> PolarsResult<()> {
        let terms = Terms::of(values[0].as_materialized_series())?;
        let view = terms.view();
        for (at, group) in subset.iter().zip(groups) {
            let state = &mut self.groups[group.idx()];
            if group.should_evict() {
                self.evicted.push(std::mem::take(state));
            }
            view.add(state, *at as usize);
        }
        Ok(())
    }

    unsafe fn combine_subset(
        &mut self,
        other: &dyn GroupedReduction,
        subset: &[IdxSize],
        groups: &[IdxSize],
    ) -> PolarsResult<()> {
        let Some(other) = other.as_any().downcast_ref::<Self>() else {
            polars_bail!(ComputeError: "an aggregate was given the groups of another");
        };
        for (from, to) in subset.iter().zip(groups) {
            self.groups[*to as usize].merge(&other.groups[*from as usize]);
        }
        Ok(())
    }

    fn take_evictions(&mut self) -> Box<dyn GroupedReduction> {
        let evicted = std::mem::take(&mut self.evicted);
        self.with_groups(evicted)
    }

    fn finalize(&mut self) -> PolarsResult<Series> {
        let groups = std::mem::take(&mut self.groups);
        let values = groups.iter().map(|state| state.finish(self.moment));
        Float64Chunked::from_iter(values).into_series().cast(&self.output)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
