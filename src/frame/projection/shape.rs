//! What an optimized plan does, so that two can be compared.

use polars::prelude::*;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{ArenaLpIter, IR, IRPlan};
use std::sync::Arc;

/// What the names begin with that polars makes up.
const MADE_UP: &str = "_POLARS_TMP_";

/// What an optimized plan does, without the columns that its tables have.
#[derive(PartialEq)]
pub(super) struct Shape {
    /// Names and types of what it gives, in order.
    pub(super) output: Vec<(String, DataType)>,
    /// Its nodes and their expressions.
    nodes: Vec<String>,
}

impl Shape {
    pub(super) fn of(plan: &IRPlan) -> Self {
        let schema_of = |node| plan.lp_arena.get(node).schema(&plan.lp_arena).into_owned();
        let output = schema_of(plan.lp_top);
        let output = output.iter().map(|(name, dtype)| (name.to_string(), dtype.clone())).collect();
        let mut nodes = Vec::new();
        for (_, node) in plan.lp_arena.iter(plan.lp_top) {
            let exprs = node.exprs().filter(|expr| !matches!(node, IR::HStack { .. }) || !is_plain(expr, plan));
            let mut exprs: Vec<String> = exprs.map(|expr| expr.display(&plan.expr_arena).to_string()).collect();
            if matches!(node, IR::HStack { .. }) {
                // None of them sees another.
                exprs.sort();
            }
            let (kind, rest): (&'static str, String) = match node {
                // These choose and order columns; what comes of it shows in `output` and in the names that others use.
                IR::SimpleProjection { .. } => continue,
                IR::Select { expr, .. } if expr.iter().all(|expr| is_plain(expr, plan)) => continue,
                IR::HStack { .. } if exprs.is_empty() => continue,
                // These go by position.
                IR::Union { inputs, .. } | IR::HConcat { inputs, .. } => {
                    let schemas = inputs.iter().map(|input| schema_of(*input));
                    (node.into(), by_position(node, schemas.collect()))
                }
                IR::Distinct { options, .. } => (node.into(), format!("{:?}", options.subset)),
                // `NATURAL JOIN` names its keys in an order that changes from plan to plan.
                IR::Join { left_on, right_on, .. } => {
                    let text = |expr: &ExprIR| expr.display(&plan.expr_arena).to_string();
                    let mut pairs: Vec<_> = left_on.iter().map(text).zip(right_on.iter().map(text)).collect();
                    pairs.sort();
                    let others = exprs.iter().skip(left_on.len() + right_on.len());
                    let others: Vec<_> = others.collect();
                    nodes.push(format!("join {pairs:?} {others:?}"));
                    continue;
                }
                IR::MapFunction { function, .. } => (node.into(), function.to_string()),
                other => (other.into(), String::new()),
            };
            nodes.push(format!("{kind} {rest} {exprs:?}"));
        }
        Self { output, nodes: renumbered(nodes) }
    }
}

/// The columns of what a node puts together. Where rows are put below each other and the columns stand alike in all, any other
/// order would give the same.
fn by_position(node: &IR, mut schemas: Vec<SchemaRef>) -> String {
    let alike = schemas.windows(2).all(|pair| pair[0].iter().eq(pair[1].iter()));
    if matches!(node, IR::Union { .. }) && alike {
        schemas.iter_mut().for_each(|schema| Arc::make_mut(schema).sort_by_key(|name, _| name.clone()));
    }
    schemas.iter().map(|schema| format!("{schema:?}")).collect::<Vec<_>>().join("\n")
}

/// The names that polars makes up for columns of its own are numbered on from plan to plan: here from 0 on.
fn renumbered(nodes: Vec<String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut renumber = |text: &str| {
        let mut parts = text.split(MADE_UP);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            let place = seen.iter().position(|known| known == number).unwrap_or_else(|| {
                seen.push(number.to_owned());
                seen.len() - 1
            });
            out.push_str(&format!("{MADE_UP}{place}{rest}"));
        }
        out
    };
    nodes.iter().map(|node| renumber(node)).collect()
}

/// Whether an expression is a column under its own name.
fn is_plain(expr: &ExprIR, plan: &IRPlan) -> bool {
    let text = expr.display(&plan.expr_arena).to_string();
    text == format!("col(\"{}\")", expr.output_name())
}
