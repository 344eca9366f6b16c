//! Joins on a condition that is more than equality: the price that was valid at the time, the events within a day.

use super::super::super::report::condition;
use super::matches::{Matches, one};
use super::{How, Join};
use crate::diag::codes;
use crate::frame::alike::alike;
use crate::frame::sql::plan_expr;
use crate::frame::{FloatSums, failed, polars_schema};
use crate::stage::{CheckCx, Path, StageError};
use crate::types::TableSchema;
use polars::prelude::*;
use std::sync::Arc;

/// What rows of this table are numbered by, and those of the other: pairs come in the order of both.
const LEFT: &str = "__kilter_left";
const RIGHT: &str = "__kilter_right";

/// The plan of a join with a condition.
pub(super) fn plan(
    join: &Join,
    condition: &str,
    mut left: LazyFrame,
    mut right: LazyFrame,
    sums: FloatSums,
) -> Result<LazyFrame, StageError> {
    let told = |error: PolarsError| failed("join the tables", &error);
    let (of_left, of_right) = (left.collect_schema().map_err(told)?, right.collect_schema().map_err(told)?);
    let (mut pairs, row) = pairs(join, condition, left.clone(), right, sums)?;
    if join.matches == Matches::One {
        // Before the sort by it, which needs the row's number and with it the check.
        let row = [row.to_owned()];
        pairs = one(pairs.clone(), &row, pairs, &row);
    }
    let in_order = SortMultipleOptions::default().with_maintain_order(true);
    let (left, pairs) = (left.with_row_index(LEFT, None), pairs.sort([LEFT, RIGHT], in_order));
    let r = join.keys().map_or(&[][..], |(_, r)| r.1);
    let called = |name: &String| called(name, &of_left, &join.suffix);
    // Keys are in this table already.
    let added: Vec<PlSmallStr> = of_right
        .iter_names()
        .filter(|name| !r.iter().any(|key| key == name.as_str()))
        .map(|name| called(&name.to_string()))
        .collect();
    let beside = |how: JoinType, columns: &[PlSmallStr]| {
        let wanted: Vec<Expr> = columns.iter().cloned().chain([PlSmallStr::from(LEFT)]).map(col).collect();
        let joined = left.clone().join_builder().with(pairs.clone().select(wanted)).how(how);
        let joined = joined.on([col(LEFT)]).maintain_order(MaintainOrderJoin::LeftRight);
        joined.coalesce(JoinCoalesce::CoalesceColumns).finish().drop(cols([LEFT]))
    };
    let names = of_left.iter_names().cloned().chain(added.iter().cloned());
    Ok(match join.how {
        How::Left => beside(JoinType::Left, &added),
        How::Semi => beside(JoinType::Semi, &[]),
        How::Anti => beside(JoinType::Anti, &[]),
        _ => pairs.clone().select(names.map(col).collect::<Vec<_>>()),
    })
}

/// The pairs of rows that match, in no order, and the column of them that numbers the rows of this table.
pub(super) fn pairs(
    join: &Join,
    condition: &str,
    mut left: LazyFrame,
    mut right: LazyFrame,
    sums: FloatSums,
) -> Result<(LazyFrame, &'static str), StageError> {
    let told = |error: PolarsError| failed("join the tables", &error);
    let (of_left, of_right) = (left.collect_schema().map_err(told)?, right.collect_schema().map_err(told)?);
    let both = Arc::new(both(&of_left, &of_right, &join.suffix));
    let condition = plan_expr(condition, &both, sums).and_then(|condition| alike(condition, &both)).map_err(told)?;
    let (l, r) = join.keys().map_or((&[][..], &[][..]), |(l, r)| (l.1, r.1));
    let keys = l.iter().zip(r).map(|(a, b)| col(a.as_str()).eq(col(called(b, &of_left, &join.suffix))));
    let conditions: Vec<Expr> = keys.chain([condition]).collect();
    let (left, right) = (left.with_row_index(LEFT, None), right.with_row_index(RIGHT, None));
    let pairs = left.join_builder().with(right).how(JoinType::Inner).suffix(join.suffix.as_str());
    Ok((pairs.join_where(conditions), LEFT))
}

/// What a column of the other table is called beside this one's.
fn called(name: &str, of_left: &Schema, suffix: &str) -> PlSmallStr {
    if of_left.contains(name) { format!("{name}{suffix}").into() } else { name.into() }
}

/// The columns that a condition can name.
fn both(of_left: &Schema, of_right: &Schema, suffix: &str) -> Schema {
    let mut both = of_left.clone();
    for (name, dtype) in of_right.iter() {
        both.insert(called(name, of_left, suffix), dtype.clone());
    }
    both
}

/// Reports what is wrong with the condition of a join; where both tables' types are known.
pub(super) fn check(
    join: &Join,
    text: &str,
    left: &TableSchema,
    right: &TableSchema,
    sums: FloatSums,
    at: &Path,
    cx: &mut CheckCx<'_>,
) {
    let place: Path = [at.clone(), vec!["where".into()]].concat();
    if !matches!(join.how, How::Inner | How::Left | How::Semi | How::Anti) {
        cx.error(place, codes::CONFLICT, "`where` is for joins that are inner, left, semi or anti")
            .at_key()
            .label("has no meaning here")
            .hint("filter in a step after, or swap the tables");
        return;
    }
    let (Some(of_left), Some(of_right)) = (polars_schema(left), polars_schema(right)) else { return };
    let both = crate::frame::schema::from_polars_schema(&both(&of_left, &of_right, &join.suffix));
    let before = cx.count();
    condition(text, &both, sums, "a join", &place, cx);
    let of_rows = plan_expr(text, &Arc::new(polars_schema(&both).unwrap_or_default()), sums)
        .is_ok_and(|expr| expr.into_iter().all(|node| !matches!(node, Expr::Agg(_) | Expr::Over { .. } | Expr::Len)));
    if !of_rows && cx.count() == before {
        cx.error(place, codes::SQL_SYNTAX, "the condition of a join is of one row of each table")
            .label("has an aggregate or a window")
            .hint("compute it in a step before");
    }
}
