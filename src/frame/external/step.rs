//! The steps of a plan that need a whole table.

use super::distinct::Distinct;
use super::explode::explode;
use super::order::Order;
use super::sorter::Sorter;
use crate::frame::engine::{PlanFailure, Take, run_node};
use crate::stage::{RunCx, StageError};
use polars::prelude::*;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, FunctionIR, IR, IRBuilder, IRPlan};
use polars_plan::prelude::{DistinctOptionsIR, Node, ProjectionOptions};
use std::sync::Arc;

/// A step, and the node that its rows come from.
pub(super) struct Step {
    input: Node,
    what: What,
}

enum What {
    /// Sorts; where values were computed to sort by, these are the columns without them.
    Sort { order: Order, columns: Option<SchemaRef> },
    /// Leaves out rows that repeat another.
    Distinct { by: Vec<PlSmallStr>, keep: UniqueKeepStrategy },
    /// Takes lists apart.
    Explode { columns: Arc<[PlSmallStr]>, options: ExplodeOptions },
}

impl Step {
    /// The step that a node is, if it is one. What takes lists apart needs no more than a piece of its table: only where it is the
    /// last of its plan are its rows given on at once.
    pub(super) fn of(node: Node, plan: &mut IRPlan, last: bool) -> Option<Self> {
        match plan.lp_arena.get(node) {
            IR::Sort { input, by_column, slice: None, sort_options }
                if sort_options.limit.is_none() && sort_options.maintain_order && !by_column.is_empty() =>
            {
                let (input, by, options) = (*input, by_column.clone(), sort_options.clone());
                Self::sort(input, &by, options, plan)
            }
            IR::Distinct { input, options } => Self::distinct(*input, options, plan),
            IR::MapFunction { input, function: FunctionIR::Explode { columns, options, .. } } if last => {
                let (input, columns, options) = (*input, columns.clone(), *options);
                let schema = plan.lp_arena.get(input).schema(&plan.lp_arena);
                let are_lists = columns.iter().all(|name| schema.get(name).is_some_and(DataType::is_list));
                are_lists.then_some(Self { input, what: What::Explode { columns, options } })
            }
            _ => None,
        }
    }

    /// What is no column is computed before.
    fn sort(input: Node, by: &[ExprIR], options: SortMultipleOptions, plan: &mut IRPlan) -> Option<Self> {
        let schema = plan.lp_arena.get(input).schema(&plan.lp_arena).into_owned();
        let (mut names, mut computed) = (Vec::new(), Vec::new());
        for (place, key) in by.iter().enumerate() {
            names.push(match plan.expr_arena.get(key.node()) {
                AExpr::Column(name) => name.clone(),
                _ => {
                    let name = PlSmallStr::from_string(format!("__kilter_key_{place}"));
                    computed.push(key.with_alias(name.clone()));
                    name
                }
            });
        }
        let order = Order::new(names, options);
        if computed.is_empty() {
            return is_plain(&schema).then_some(Self { input, what: What::Sort { order, columns: None } });
        }
        let builder = IRBuilder::new(input, &mut plan.expr_arena, &mut plan.lp_arena);
        let input = builder.with_columns(computed, ProjectionOptions::default()).node();
        let all = plan.lp_arena.get(input).schema(&plan.lp_arena);
        is_plain(&all).then_some(Self { input, what: What::Sort { order, columns: Some(schema) } })
    }

    fn distinct(input: Node, options: &DistinctOptionsIR, plan: &IRPlan) -> Option<Self> {
        // The first of equal rows is known when it comes.
        let waits = matches!(options.keep_strategy, UniqueKeepStrategy::Last | UniqueKeepStrategy::None);
        let schema = plan.lp_arena.get(input).schema(&plan.lp_arena);
        if !waits || !options.maintain_order || options.slice.is_some() || schema.is_empty() || !is_plain(&schema) {
            return None;
        }
        let by = match &options.subset {
            Some(names) => names.to_vec(),
            None => schema.iter_names().cloned().collect(),
        };
        let keep = options.keep_strategy;
        (!by.is_empty()).then_some(Self { input, what: What::Distinct { by, keep } })
    }

    /// Runs what is below, and gives the rows of the step.
    ///
    /// # Errors
    /// [`PlanFailure`].
    pub(super) fn run(self, cx: &RunCx<'_>, plan: &IRPlan, budget: usize, take: Take<'_>) -> Result<(), PlanFailure> {
        match self.what {
            What::Sort { order, columns } => {
                let mut sorter = Sorter::new(cx, order, budget);
                run_node(cx, plan, self.input, &mut |df| sorter.push(df))?;
                let sorted = sorter.finish(&mut |df| take(super::chosen(df, columns.as_deref())?));
                sorted.map_err(PlanFailure::Stage)
            }
            What::Distinct { by, keep } => {
                let mut distinct = Distinct::new(cx, by, keep, budget);
                run_node(cx, plan, self.input, &mut |df| distinct.push(df))?;
                distinct.finish(take).map_err(PlanFailure::Stage)
            }
            What::Explode { columns, options } => {
                // Lists that are not equally long are the plan's failure, which is told with the row.
                let mut failed = None;
                let ran = run_node(cx, plan, self.input, &mut |df| {
                    explode(&df, &columns, options, take).map_err(|failure| {
                        let (told, failure) = match failure {
                            PlanFailure::Stage(error) => return error,
                            failure => (StageError::bug("lists could not be taken apart"), failure),
                        };
                        failed = Some(failure);
                        told
                    })
                });
                failed.map_or(ran, Err)
            }
        }
    }
}

/// Whether columns can be written as they are. The others are those of no table.
fn is_plain(schema: &Schema) -> bool {
    fn plain(dtype: &DataType) -> bool {
        match dtype {
            DataType::List(inner) | DataType::Array(inner, _) => plain(inner),
            DataType::Struct(fields) => fields.iter().all(|field| plain(field.dtype())),
            DataType::Int128 | DataType::UInt128 => false,
            DataType::Boolean | DataType::String | DataType::Binary | DataType::Decimal(..) => true,
            other => other.is_primitive_numeric() || other.is_temporal(),
        }
    }
    schema.iter_values().all(plain)
}
