//! Exact aggregates of an optimized plan as reductions of the streaming engine.

use super::Function;
use super::reduce::reduction;
use polars::prelude::*;
use polars_expr::reduce::GroupedReduction;
use polars_plan::dsl::{AnonymousAgg, LazySerde, SpecialEq};
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{AExpr, IRAggExpr, IRPlan};
use polars_plan::prelude::{Arena, Node};
use std::any::Any;
use std::sync::Arc;

/// Lets exact aggregates take in their values as they come, where these are made row by row. The others gather their values:
/// what filters, slices or sorts inside of an aggregate is not for the streaming engine.
pub(in crate::frame) fn in_streaming_form(plan: &mut IRPlan) {
    let arena = &mut plan.expr_arena;
    let nodes: Vec<Node> = (0..arena.len()).map(Node).collect();
    for node in nodes {
        if let Some(reduced) = reduced(node, arena) {
            arena.replace(node, reduced);
        }
    }
}

fn reduced(node: Node, arena: &Arena<AExpr>) -> Option<AExpr> {
    let AExpr::AnonymousFunction { input, fmt_str, .. } = arena.get(node) else { return None };
    let [gathered] = input.as_slice() else { return None };
    let AExpr::Agg(IRAggExpr::Implode { input, .. }) = arena.get(gathered.node()) else { return None };
    let called = Function::called(fmt_str)?;
    let aggregate =
        ExactAgg { reduction: reduction(called.moment, called.output.clone()), output: called.output.clone() };
    let function: Arc<dyn AnonymousAgg> = Arc::new(aggregate);
    by_rows(*input, arena).then(|| AExpr::AnonymousAgg {
        input: vec![ExprIR::from_node(*input, arena)],
        function: LazySerde::Deserialized(SpecialEq::new(function)),
        fmt_str: fmt_str.clone(),
    })
}

/// Whether an expression gives a value for each row from that row alone.
fn by_rows(node: Node, arena: &Arena<AExpr>) -> bool {
    let all = |inputs: &[ExprIR]| inputs.iter().all(|input| by_rows(input.node(), arena));
    match arena.get(node) {
        AExpr::Column(_) => true,
        AExpr::Literal(value) => value.is_scalar(),
        AExpr::BinaryExpr { left, right, .. } => by_rows(*left, arena) && by_rows(*right, arena),
        AExpr::Cast { expr, .. } => by_rows(*expr, arena),
        AExpr::Ternary { predicate, truthy, falsy } => {
            [predicate, truthy, falsy].into_iter().all(|part| by_rows(*part, arena))
        }
        AExpr::Function { input, options, .. } | AExpr::AnonymousFunction { input, options, .. } => {
            options.is_elementwise() && all(input)
        }
        _ => false,
    }
}

/// A reduction as polars' plans carry it.
struct ExactAgg {
    reduction: Box<dyn GroupedReduction>,
    output: DataType,
}

impl AnonymousAgg for ExactAgg {
    fn as_any(&self) -> &dyn Any {
        &self.reduction
    }

    fn get_field(&self, _: &Schema, fields: &[Field]) -> PolarsResult<Field> {
        Ok(Field::new(fields[0].name().clone(), self.output.clone()))
    }
}
