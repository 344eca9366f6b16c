//! Which columns of its tables a plan reads, as polars' own optimizer finds out.
//!
//! The plan is made over tables without content and optimized, and the columns that its scans still give are those that it reads.
//! That alone proves nothing: names and positions are resolved before the optimizer (`SELECT * EXCLUDE (a)`, `ORDER BY 2`,
//! the suffixes of a join), and would be resolved otherwise over a table of fewer columns. So the plan is made once more,
//! over tables that have those columns alone, and both optimized plans are compared node by node, expression by
//! expression. Only if they are the same, and give the same columns in the same order, the other columns do not count.

use super::schema::polars_schema;
use crate::types::TableSchema;
use polars::prelude::*;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{ArenaLpIter, IR, IRPlan};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A column that no table has: it marks whose scan a scan in an optimized plan is.
const MARK: &str = "__kilter_table_";

/// The one column of a table of which nothing but the number of rows is read. Its values say nothing; a table without any
/// column is treated otherwise by polars in places.
pub(super) const ROWS: &str = "__kilter_rows";

/// What the names begin with that polars makes up.
const MADE_UP: &str = "_POLARS_TMP_";

/// Tables by name, as plans are made over them.
pub type Frames = BTreeMap<String, LazyFrame>;

/// The columns of each table that a plan reads, in the order in which it can be given them: that of the plan's result, and
/// then by name; the table's own only where the plan needs that. A table that is read whole, in its own order, is left
/// out. `None` where it cannot be told, because types are not known or the plan needs columns to be there that it
/// does not read.
pub fn columns_read(
    tables: &BTreeMap<String, TableSchema>,
    plan: &dyn Fn(&Frames) -> Option<LazyFrame>,
) -> Option<BTreeMap<String, Vec<String>>> {
    let optimized = |frames: Option<Frames>| -> Option<IRPlan> {
        let lf = plan(&frames?)?;
        // What is computed twice reads the same columns as what is computed once.
        let lf = lf.with_comm_subplan_elim(false).with_comm_subexpr_elim(false);
        // A combination of types that polars was not built with can make it panic.
        catch_unwind(AssertUnwindSafe(|| lf.to_alp_optimized())).ok()?.ok()
    };
    let names = |name: &str| -> Vec<String> { tables[name].names().map(str::to_owned).collect() };
    let read = scanned(&optimized(marked_frames(tables))?, tables);
    let whole = Shape::of(&optimized(frames(tables, &names))?);
    let in_table_order =
        |name: &str| -> Vec<String> { names(name).into_iter().filter(|column| read[name].contains(column)).collect() };
    // What the result has comes in the result's order, so that the table's counts only where the result follows it.
    let in_output_order = |name: &str| -> Vec<String> {
        let output = whole.output.iter().map(|(column, _)| column).filter(|column| read[name].contains(*column));
        let mut columns: Vec<String> = output.cloned().collect();
        let others: Vec<String> = read[name].iter().filter(|column| !columns.contains(column)).cloned().collect();
        columns.extend(others);
        columns
    };
    for given in [&in_output_order as &dyn Fn(&str) -> Vec<String>, &in_table_order] {
        let Some(part) = optimized(frames(tables, given)) else { continue };
        if Shape::of(&part) == whole {
            let given = tables.keys().map(|name| (name.clone(), given(name)));
            return Some(given.filter(|(name, columns)| *columns != names(name)).collect());
        }
    }
    None
}

/// Tables of these columns.
fn frames(tables: &BTreeMap<String, TableSchema>, columns: &dyn Fn(&str) -> Vec<String>) -> Option<Frames> {
    let frame = |name: &String, schema: &TableSchema| {
        let all = polars_schema(schema)?;
        let mut part = Schema::default();
        for column in columns(name) {
            part.insert(column.as_str().into(), all.get(&column)?.clone());
        }
        if part.is_empty() {
            part.insert(ROWS.into(), DataType::Boolean);
        }
        Some((name.clone(), blank(&part)?))
    };
    tables.iter().map(|(name, schema)| frame(name, schema)).collect()
}

/// Tables of all their columns and a mark.
fn marked_frames(tables: &BTreeMap<String, TableSchema>) -> Option<Frames> {
    let frame = |index: usize, name: &String, schema: &TableSchema| {
        let mut all = polars_schema(schema)?;
        all.insert(mark(index).into(), DataType::Boolean);
        Some((name.clone(), blank(&all)?))
    };
    tables.iter().enumerate().map(|(index, (name, schema))| frame(index, name, schema)).collect()
}

/// A table of nulls. Not an empty one: that is sorted by every column, and the optimizer makes use of it.
fn blank(schema: &Schema) -> Option<LazyFrame> {
    let column = |(name, dtype): (&PlSmallStr, &DataType)| {
        let mut series = Series::full_null(name.clone(), 2, dtype);
        series.set_sorted_flag(polars::series::IsSorted::Not);
        series.into_column()
    };
    Some(DataFrame::new(2, schema.iter().map(column).collect()).ok()?.lazy())
}

fn mark(index: usize) -> String {
    format!("{MARK}{index}")
}

/// The columns that the scans of a plan over marked tables give, by table.
fn scanned<'a>(plan: &IRPlan, tables: &'a BTreeMap<String, TableSchema>) -> BTreeMap<&'a str, BTreeSet<String>> {
    let mut read: BTreeMap<&str, BTreeSet<String>> =
        tables.keys().map(|name| (name.as_str(), BTreeSet::new())).collect();
    for (_, node) in plan.lp_arena.iter(plan.lp_top) {
        let IR::DataFrameScan { schema, output_schema, .. } = node else { continue };
        let table = tables.keys().enumerate().find(|(index, _)| schema.contains(&mark(*index)));
        let Some(columns) = table.and_then(|(_, name)| read.get_mut(name.as_str())) else { continue };
        let given = output_schema.as_ref().unwrap_or(schema);
        columns.extend(given.iter_names().filter(|name| !name.starts_with(MARK)).map(ToString::to_string));
    }
    read
}

/// What an optimized plan does, without the columns that its tables have.
#[derive(PartialEq)]
struct Shape {
    /// Names and types of what it gives, in order.
    output: Vec<(String, DataType)>,
    /// Its nodes and their expressions.
    nodes: Vec<String>,
}

impl Shape {
    fn of(plan: &IRPlan) -> Self {
        let schema_of = |node| plan.lp_arena.get(node).schema(&plan.lp_arena).into_owned();
        let output = schema_of(plan.lp_top);
        let output = output.iter().map(|(name, dtype)| (name.to_string(), dtype.clone())).collect();
        let mut nodes = Vec::new();
        for (_, node) in plan.lp_arena.iter(plan.lp_top) {
            let exprs = node.exprs().filter(|expr| !matches!(node, IR::HStack { .. }) || !is_plain(expr, plan));
            let exprs: Vec<String> = exprs.map(|expr| expr.display(&plan.expr_arena).to_string()).collect();
            let (kind, rest): (&'static str, String) = match node {
                // These choose and order columns; what comes of it shows in `output` and in the names that others use.
                IR::SimpleProjection { .. } => continue,
                IR::Select { expr, .. } if expr.iter().all(|expr| is_plain(expr, plan)) => continue,
                IR::HStack { .. } if exprs.is_empty() => continue,
                // These go by position.
                IR::Union { inputs, .. } | IR::HConcat { inputs, .. } => {
                    let names = inputs.iter().map(|input| format!("{:?}", schema_of(*input)));
                    (node.into(), names.collect::<Vec<_>>().join("\n"))
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

#[cfg(test)]
mod tests;
