//! Which columns of its tables a plan reads, as polars' own optimizer finds out.
//!
//! The plan is made over tables without content and optimized, and the columns that its scans still give are those that it reads.
//! That alone proves nothing: names and positions are resolved before the optimizer (`SELECT * EXCLUDE (a)`, `ORDER BY 2`,
//! the suffixes of a join), and would be resolved otherwise over a table of fewer columns. So the plan is made once more,
//! over tables that have those columns alone, and both optimized plans are compared node by node, expression by
//! expression. Only if they are the same, give the same columns in the same order, and the second reads no more, the other columns
//! do not count. Where a plan needs columns to be there that it does not read (`SELECT a FROM (SELECT a, b FROM t)`), they are
//! there by name and type, and without values (`worlds`).

use super::schema::polars_schema;
use crate::stage::Columns;
use crate::types::TableSchema;
use polars::prelude::*;
use polars_plan::plans::{ArenaLpIter, IR, IRPlan};
use std::collections::{BTreeMap, BTreeSet};

mod shape;
#[cfg(test)]
mod tests;
mod worlds;

use shape::Shape;
use worlds::{World, shrunk, whole, worlds};

/// A column that no table has: it marks whose scan a scan in an optimized plan is.
const MARK: &str = "__kilter_table_";

/// A column that is made up: the one of a table of which nothing but the number of rows is read, for a table without any column is
/// treated otherwise by polars in places, or one beside columns without values. Its type is that of nulls: where polars needs the
/// height of a table and none of its columns, it takes the smallest.
pub(super) const ROWS: &str = "__kilter_rows";

/// Tables by name, as plans are made over them.
pub type Frames = BTreeMap<String, LazyFrame>;

/// The columns that are read of each table.
type ReadBy = BTreeMap<String, BTreeSet<String>>;

/// What a plan reads of each table, in the order in which it can be given it: that of the plan's result, and
/// then by name; the table's own only where the plan needs that. A table that is read whole, in its own order, is left
/// out. `mentioned` says whether a column of this name may be named in the plan. `None` where it cannot be told, because types are
/// not known.
pub fn columns_read(
    tables: &BTreeMap<String, TableSchema>,
    mentioned: &dyn Fn(&str) -> bool,
    plan: &dyn Fn(&Frames) -> Option<LazyFrame>,
) -> Option<BTreeMap<String, Columns>> {
    let optimized = |frames: Option<Frames>| -> Option<IRPlan> {
        let frames = frames?;
        // A combination of types that polars was not built with can make it panic.
        let planned = super::trying(|| {
            // What is computed twice reads the same columns as what is computed once.
            let lf = plan(&frames).map(|lf| lf.with_comm_subplan_elim(false).with_comm_subexpr_elim(false));
            lf.map(LazyFrame::to_alp_optimized).transpose()
        });
        planned.ok()?
    };
    let whole_world = whole(tables);
    let whole_plan = optimized(frames(tables, &whole_world))?;
    let (shape, read_of_whole) = (Shape::of(&whole_plan), scanned(&whole_plan, &whole_world));
    let output: Vec<String> = shape.output.iter().map(|(column, _)| column.clone()).collect();
    let fits = |world: &World, read: &ReadBy| {
        let Some(part) = optimized(frames(tables, world)) else { return false };
        let reads_no_more = scanned(&part, world).iter().all(|(name, columns)| columns.is_subset(&read[name]));
        reads_no_more && Shape::of(&part) == shape
    };
    // With marks the height of a table is taken from a mark; but not every plan can be made with them.
    let by_marks = optimized(marked_frames(tables)).map(|plan| marked(&plan, tables));
    let mut guesses: Vec<ReadBy> = by_marks.into_iter().chain([read_of_whole]).collect();
    guesses.dedup();
    let mut possible = guesses
        .iter()
        .flat_map(|read| worlds(tables, read, &output, mentioned).into_iter().map(move |world| (world, read)));
    let (world, read) = possible.find(|(world, read)| fits(world, read))?;
    let mut world = shrunk(world, &|world| fits(world, read));
    world.retain(|name, columns| *columns != whole_world[name]);
    Some(world)
}

/// Tables of which there is this much.
fn frames(tables: &BTreeMap<String, TableSchema>, world: &World) -> Option<Frames> {
    let frame = |(name, columns): (&String, &Columns)| {
        let all = polars_schema(&tables[name])?;
        let mut part = Schema::default();
        for column in columns.names() {
            part.insert(column.as_str().into(), all.get(column)?.clone());
        }
        if part.is_empty() || columns.counts() {
            part.insert(ROWS.into(), DataType::Null);
        }
        Some((name.clone(), blank(&part)?))
    };
    world.iter().map(frame).collect()
}

/// Tables of all their columns and a mark.
fn marked_frames(tables: &BTreeMap<String, TableSchema>) -> Option<Frames> {
    let frame = |index: usize, name: &String, schema: &TableSchema| {
        let mut all = polars_schema(schema)?;
        all.insert(mark(index).into(), DataType::Null);
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

/// Of each scan of a plan the columns of its table, and those that it gives.
fn scans(plan: &IRPlan) -> impl Iterator<Item = (Vec<&str>, Vec<&str>)> {
    plan.lp_arena.iter(plan.lp_top).filter_map(|(_, node)| {
        let IR::DataFrameScan { schema, output_schema, .. } = node else { return None };
        let given = output_schema.as_ref().unwrap_or(schema);
        Some((
            schema.iter_names().map(PlSmallStr::as_str).collect(),
            given.iter_names().map(PlSmallStr::as_str).collect(),
        ))
    })
}

/// The columns that the scans of a plan over marked tables give, by table.
fn marked(plan: &IRPlan, tables: &BTreeMap<String, TableSchema>) -> ReadBy {
    let mut read: ReadBy = tables.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
    for (all, given) in scans(plan) {
        let table = tables.keys().enumerate().find(|(index, _)| all.contains(&mark(*index).as_str()));
        let Some(columns) = table.and_then(|(_, name)| read.get_mut(name)) else { continue };
        columns.extend(given.into_iter().filter(|name| !name.starts_with(MARK)).map(str::to_owned));
    }
    read
}

/// The same over tables without marks, which are told by their columns: what is read of one of several that have the same
/// columns may be read of each, and so may what no table has all columns of.
fn scanned(plan: &IRPlan, world: &World) -> ReadBy {
    let all_of = |columns: &Columns| -> Vec<String> {
        let made_up = columns.names().is_empty() || columns.counts();
        columns.names().iter().cloned().chain(made_up.then(|| ROWS.to_owned())).collect()
    };
    let columns: BTreeMap<&String, Vec<String>> = world.iter().map(|(name, seen)| (name, all_of(seen))).collect();
    let mut read: ReadBy = world.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
    for (all, given) in scans(plan) {
        let known = columns.values().any(|names| *names == all);
        for (name, columns) in columns.iter().filter(|(_, names)| !known || **names == all) {
            let given = columns.iter().filter(|column| *column != ROWS && given.contains(&column.as_str()));
            read.entry((*name).clone()).or_default().extend(given.cloned());
        }
    }
    read
}
