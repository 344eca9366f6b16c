//! Steps that need a table as a whole, in pieces, where their stage says how much memory it may use: the streaming engine holds what
//! it sorts, and what it looks for repeated rows in. They are taken out of the optimized plan from below: what is under a step runs by
//! itself and gives its rows to the step, and what the step gives stands in its place in the plan. As long as the rows fit they stay
//! in memory and go through polars' own sort; else they are sorted in runs on disk. Both give the same bytes.

mod distinct;
mod explode;
mod merge;
mod order;
mod runs;
mod sorter;
mod spool;
mod step;
#[cfg(test)]
mod tests;

use super::engine::{PlanFailure, Take};
use crate::stage::{RunCx, StageError};
use polars::prelude::*;
use polars_plan::plans::{ArenaLpIter, IR, IRPlan, to_alp};
use polars_plan::prelude::Node;
use spool::{Spool, Spooled};
use step::Step;

/// Of what a stage may use, so much waits in memory: to be sorted it is copied twice, and the rest is for the engine, which goes on.
const SHARE: f64 = 0.15;

/// What is left to run of a plan, and the rows that wait for it.
pub(super) struct Rest {
    pub(super) plan: IRPlan,
    _waiting: Vec<Spooled>,
}

/// Runs the steps of a plan that need a whole table. Where one of them is the last of the plan, its rows go to `take` at once, and
/// nothing is left.
///
/// # Errors
/// [`PlanFailure`].
pub(super) fn run(cx: &RunCx<'_>, mut plan: IRPlan, memory: u64, take: Take<'_>) -> Result<Option<Rest>, PlanFailure> {
    let mut waiting = Vec::new();
    let IR::Sink { input: top, .. } = *plan.root() else { return Ok(Some(Rest { plan, _waiting: waiting })) };
    let (last, columns) = match plan.lp_arena.get(top) {
        IR::SimpleProjection { input, columns } => (*input, Some(columns.clone())),
        _ => (top, None),
    };
    let budget = (memory as f64 * SHARE) as usize;
    // All that waits in memory for the rest of the plan.
    let mut held = 0;
    // Each node comes before those that it stands on.
    let nodes: Vec<Node> = plan.lp_arena.iter(top).map(|(node, _)| node).collect();
    for node in nodes.into_iter().rev() {
        let Some(step) = Step::of(node, &mut plan, node == last) else { continue };
        if node == last {
            step.run(cx, &plan, budget, &mut |df| take(chosen(df, columns.as_deref())?))?;
            return Ok(None);
        }
        let schema = plan.lp_arena.get(node).schema(&plan.lp_arena).into_owned();
        let mut spool = Spool::new(cx, budget.saturating_sub(held));
        step.run(cx, &plan, budget, &mut |df| spool.push(df))?;
        let spooled = spool.finish(&schema).map_err(PlanFailure::Stage)?;
        held += spooled.held();
        put(&mut plan, node, &spooled).map_err(PlanFailure::Plan)?;
        waiting.push(spooled);
    }
    Ok(Some(Rest { plan, _waiting: waiting }))
}

/// Puts rows in the place of the node that has given them.
fn put(plan: &mut IRPlan, node: Node, rows: &Spooled) -> PolarsResult<()> {
    let scan = rows.plan()?.logical_plan;
    let top = to_alp(scan, &mut plan.expr_arena, &mut plan.lp_arena, &mut OptFlags::default())?;
    let scan = plan.lp_arena.get(top).clone();
    plan.lp_arena.replace(node, scan);
    Ok(())
}

/// The columns of a projection.
fn chosen(df: DataFrame, columns: Option<&Schema>) -> Result<DataFrame, StageError> {
    match columns {
        None => Ok(df),
        Some(columns) => df.select(columns.iter_names()).map_err(|error| super::failed("choose columns", &error)),
    }
}

/// How much memory rows take.
fn size(df: &DataFrame) -> usize {
    let is_text = |column: &&Column| matches!(column.dtype(), DataType::String | DataType::Binary);
    let views = df.columns().iter().filter(is_text).count() * size_of::<u128>();
    df.estimated_size() + views * df.height()
}
