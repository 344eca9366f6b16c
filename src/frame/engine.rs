//! Runs a stage's plan into the store: by the streaming engine, which reads, computes and writes in pieces, and moves what
//! waits to disk where the stage says how much memory it may use (`needs.memory`); or whole in memory, where the streaming
//! engine would need more of it or does not keep the order. Both give the same bytes.

use super::apart::{joined, without_statistics};
use super::external;
use super::memory::Held;
use super::rolling::MARK;
use super::sums::in_streaming_form;
use super::write::{TableWriter, Written};
use super::{failed, unpanicked};
use crate::numbers;
use crate::stage::{Progress, RunCx, StageError};
use polars::prelude::*;
use polars_plan::dsl::{CallbackSinkType, SinkTypeIR};
use polars_plan::plans::{ArenaLpIter, IR, IRPlan};
use polars_plan::prelude::Node;
use std::num::NonZeroUsize;
use std::time::Instant;

/// Rows of a piece: a quarter of a row group.
const PIECE: NonZeroUsize = NonZeroUsize::new(1 << 16).unwrap();

/// What the node of a plan is called that fails where its rows are not as they should be.
pub const CHECK: &str = "check";

/// Plans are deep.
const STACK: usize = 16 << 20;

/// Why a plan gave no table.
#[derive(Debug)]
pub enum PlanFailure {
    /// The plan itself failed.
    Plan(PolarsError),
    /// It was interrupted, or its table could not be written.
    Stage(StageError),
}

impl PlanFailure {
    /// As a stage's error, where the plan was `doing` something.
    #[must_use]
    pub fn while_doing(self, doing: &str) -> StageError {
        match self {
            Self::Plan(error) => failed(doing, &error),
            Self::Stage(error) => error,
        }
    }
}

/// Runs a plan and writes its rows as the table of `port`.
///
/// # Errors
/// [`PlanFailure`].
pub fn write_plan(cx: &RunCx<'_>, port: &str, lf: LazyFrame) -> Result<Written, PlanFailure> {
    let mut writer: Option<TableWriter> = None;
    let schema = run_plan(cx, lf, &mut |df| {
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(TableWriter::new(cx, port, df.schema())?),
        };
        writer.push(df)
    })?;
    let writer = match writer {
        Some(writer) => Ok(writer),
        None => TableWriter::new(cx, port, &schema),
    };
    writer.and_then(TableWriter::finish).map_err(PlanFailure::Stage)
}

/// Runs a plan for its failure alone.
///
/// # Errors
/// [`PlanFailure`].
pub fn try_plan(cx: &RunCx<'_>, lf: LazyFrame) -> Result<(), PlanFailure> {
    run_plan(cx, lf, &mut |_| Ok(())).map(|_| ())
}

/// What takes the rows of a plan.
pub(super) type Take<'a> = &'a mut dyn FnMut(DataFrame) -> Result<(), StageError>;

/// Gives the rows to `take`, in order, and their columns at the end.
///
/// # Errors
/// [`PlanFailure`].
pub fn run_plan(cx: &RunCx<'_>, lf: LazyFrame, take: Take<'_>) -> Result<SchemaRef, PlanFailure> {
    run_once(cx, lf, true, take)
}

/// The same; with `again` once more where a failure names no column of the user's.
fn run_once(cx: &RunCx<'_>, mut lf: LazyFrame, again: bool, take: Take<'_>) -> Result<SchemaRef, PlanFailure> {
    let schema = unpanicked(|| lf.collect_schema()).map_err(PlanFailure::Plan)?;
    // What is computed once and used twice waits in memory until its last user has had it.
    let shared = cx.memory.is_none();
    let lf = joined(lf, shared);
    let (send, pieces) = crossbeam_channel::bounded::<DataFrame>(1);
    let sink = PlanCallback::new(move |df| Ok(send.send(df).is_err()));
    let streaming =
        || streaming_plan(lf.clone().with_comm_subplan_elim(shared).sink_batches(sink, true, Some(PIECE))?);
    let Some(plan) = unpanicked(streaming).map_err(PlanFailure::Plan)? else {
        return run_whole(cx, lf, take).map(|()| schema);
    };
    let mut given = false;
    let streamed = run_streaming(cx, plan, pieces, &mut |df| {
        given = true;
        take(df)
    });
    match streamed {
        // It tells of the piece that it failed in, and which that was is chance: the table as a whole fails in one way.
        Err(PlanFailure::Plan(error)) if cx.memory.is_none() => {
            run_whole(cx, lf, &mut |df| if given { Ok(()) } else { take(df) })?;
            if given { Err(PlanFailure::Plan(error)) } else { Ok(schema) }
        }
        Err(PlanFailure::Plan(error)) if again && !given => match plainly(&lf, &error) {
            Some(plain) => run_once(cx, plain, false, take),
            None => Err(PlanFailure::Plan(error)),
        },
        other => other.map(|()| schema),
    }
}

/// Gives the rows as the streaming engine has them, with the steps that need a whole table in pieces where memory is limited.
fn run_streaming(
    cx: &RunCx<'_>,
    plan: IRPlan,
    pieces: crossbeam_channel::Receiver<DataFrame>,
    take: Take<'_>,
) -> Result<(), PlanFailure> {
    let Some(memory) = cx.memory else { return run_in_pieces(cx, plan, pieces, take) };
    let _held = Held::new(memory);
    match external::run(cx, plan, memory, take)? {
        Some(rest) => run_in_pieces(cx, rest.plan, pieces, take),
        None => Ok(()),
    }
}

/// Gives all rows at once.
fn run_whole(cx: &RunCx<'_>, lf: LazyFrame, take: Take<'_>) -> Result<(), PlanFailure> {
    let df = super::collect(lf.clone()).or_else(|error| match plainly(&lf, &error) {
        Some(plain) => super::collect(plain),
        None => Err(error),
    });
    let df = df.map_err(PlanFailure::Plan)?;
    cx.check_cancelled().and_then(|()| take(df)).map_err(PlanFailure::Stage)
}

/// The same plan with less done to it, after a failure that names no column of the user's: what is computed once for several has a name of
/// polars' own, and a condition that reaches a file is asked of its statistics first, whose smallest values may not even be among the rows
/// that are asked for.
fn plainly(lf: &LazyFrame, error: &PolarsError) -> Option<LazyFrame> {
    let said = format!("{error:?}");
    if said.contains(super::MADE_UP) {
        return Some(lf.clone().with_comm_subexpr_elim(false));
    }
    (said.contains("_min'") || said.contains("_min`")).then(|| without_statistics(lf))
}

/// Gives the rows as the streaming engine has them.
fn run_in_pieces(
    cx: &RunCx<'_>,
    mut plan: IRPlan,
    pieces: crossbeam_channel::Receiver<DataFrame>,
    take: Take<'_>,
) -> Result<(), PlanFailure> {
    let (taken, run) = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(format!("plan of {}", cx.stage)).stack_size(STACK);
        let run = thread.spawn_scoped(scope, move || {
            unpanicked(|| polars_stream::run_query(plan.lp_top, &mut plan.lp_arena, &mut plan.expr_arena))
        });
        let taken = take_pieces(cx, pieces, take);
        let run = match run.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(run)) => run.map(|_| ()),
            Ok(Err(_)) => Err(PolarsError::ComputeError("the engine's thread stopped".into())),
            Err(error) => Err(PolarsError::from(error)),
        };
        (taken, run)
    });
    taken.map_err(PlanFailure::Stage)?;
    run.map_err(PlanFailure::Plan)
}

/// Gives the rows of a node of a plan, in order.
///
/// # Errors
/// [`PlanFailure`].
pub(super) fn run_node(cx: &RunCx<'_>, plan: &IRPlan, node: Node, take: Take<'_>) -> Result<(), PlanFailure> {
    let (send, pieces) = crossbeam_channel::bounded::<DataFrame>(1);
    let function = PlanCallback::new(move |df| Ok(send.send(df).is_err()));
    let payload = SinkTypeIR::Callback(CallbackSinkType { function, maintain_order: true, chunk_size: Some(PIECE) });
    // The engine changes what it runs.
    let mut part = IRPlan::new(node, plan.lp_arena.clone(), plan.expr_arena.clone());
    part.lp_top = part.lp_arena.add(IR::Sink { input: node, payload });
    run_in_pieces(cx, part, pieces, take)
}

/// The optimized plan of what ends in a sink, where the streaming engine can run it.
fn streaming_plan(lf: LazyFrame) -> PolarsResult<Option<IRPlan>> {
    let mut plan = lf.with_streaming(true).to_alp_optimized()?;
    in_streaming_form(&mut plan);
    #[cfg(test)]
    if IN_MEMORY.get() {
        return Ok(None);
    }
    Ok((!needs_memory(&plan)).then_some(plan))
}

/// The rows of a plan by the streaming engine.
#[cfg(test)]
pub(crate) fn collect_streaming(lf: LazyFrame) -> PolarsResult<DataFrame> {
    let mut plan = lf.with_streaming(true).to_alp_optimized()?;
    in_streaming_form(&mut plan);
    plan.ensure_root_node_is_sink();
    polars_stream::run_query(plan.lp_top, &mut plan.lp_arena, &mut plan.expr_arena).map(|found| found.unwrap_single())
}

#[cfg(test)]
thread_local! {
    /// Tests compare the engines: in this thread plans run whole in memory.
    pub(crate) static IN_MEMORY: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether a plan is for memory alone. Where it puts aggregates of groups beside rows (windows), or gathers values, the
/// streaming engine joins each row with what was gathered for it: many times the table; and a frame of rows needs all of its
/// group. And what it unpivots comes in the order of its pieces, and of a full join
/// the rows of the other table that lack a key before those that match nothing. It is built without joins on a range. And where only the
/// first rows are wanted it stops when it has them, so that it would be chance how many rows a check has seen.
fn needs_memory(plan: &IRPlan) -> bool {
    let has = |is: fn(&IR) -> bool| plan.lp_arena.iter(plan.lp_top).any(|(_, node)| is(node));
    let checks = |node: &IR| matches!(node, IR::MapFunction { function, .. } if function.to_string() == CHECK);
    if has(checks) && has(|node| matches!(node, IR::Slice { .. })) {
        return true;
    }
    let mut nodes = plan.lp_arena.iter(plan.lp_top);
    nodes.any(|(_, node)| {
        if let IR::MapFunction { function, .. } = node
            && function.to_string().to_lowercase().contains("unpivot")
        {
            return true;
        }
        if let IR::Join { options, .. } = node
            && (matches!(options.args.how, JoinType::Full) || options.args.how.is_range())
        {
            return true;
        }
        let mut exprs = node.exprs().map(|expr| expr.display(&plan.expr_arena).to_string());
        !matches!(node, IR::GroupBy { .. })
            && exprs.any(|text| [".over(", ".implode(", MARK].iter().any(|word| text.contains(word)))
    })
}

/// Takes pieces until there are no more, and tells how far it is.
fn take_pieces(
    cx: &RunCx<'_>,
    pieces: crossbeam_channel::Receiver<DataFrame>,
    take: Take<'_>,
) -> Result<(), StageError> {
    let (begin, mut rows) = (Instant::now(), 0_u64);
    for df in pieces {
        cx.check_cancelled()?;
        rows += df.height() as u64;
        take(df)?;
        let rate = numbers::rate(rows as f64 / begin.elapsed().as_secs_f64(), "rows");
        cx.services.progress(Progress { done: rows, total: None, unit: "row", detail: rate });
    }
    Ok(())
}
