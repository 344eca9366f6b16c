//! Joins on conditions that are more than equal columns. polars knows such conditions of inner joins alone, and takes every join for one:
//! so the pairs are found by that, and the rows without one put beside them by their numbers.

use polars::prelude::*;
use std::sync::Arc;

/// A join on conditions, which name the columns of both tables as they are called beside each other.
pub(super) fn on_conditions(
    pair: usize,
    left: DslPlan,
    right: DslPlan,
    predicates: Vec<Expr>,
    mut options: JoinOptions,
) -> PolarsResult<DslPlan> {
    // Such joins have no order of their own: rows are numbered before, and sorted by the numbers after.
    let numbers = ["left", "right"].map(|side| PlSmallStr::from_string(format!("__kilter_{side}_{pair}")));
    let [mut left, mut right] = [left, right].map(LazyFrame::from);
    right = beside(&mut left, right, options.args.suffix())?;
    let numbered = |table: LazyFrame, name: &PlSmallStr| table.with_row_index(name.clone(), None);
    let (left, right) = (numbered(left, &numbers[0]), numbered(right, &numbers[1]));
    let how = std::mem::replace(&mut options.args.how, JoinType::Inner);
    let joined = DslPlan::Join {
        input_left: Arc::new(left.logical_plan.clone()),
        input_right: Arc::new(right.logical_plan.clone()),
        left_on: Vec::new(),
        right_on: Vec::new(),
        predicates,
        options: Arc::new(options),
    };
    let by = SortMultipleOptions::default().with_maintain_order(true);
    let pairs = LazyFrame::from(joined).sort(numbers.clone(), by);
    Ok(Pairs { pairs, left, right, numbers }.of(&how)?.logical_plan)
}

/// The right table with its columns called as they are beside the left one's: where polars calls them so itself, and only some are
/// asked for, it forgets who they are.
pub(super) fn beside(left: &mut LazyFrame, mut right: LazyFrame, suffix: &PlSmallStr) -> PolarsResult<LazyFrame> {
    let (of_left, of_right) = (left.collect_schema()?, right.collect_schema()?);
    let old: Vec<PlSmallStr> = of_right.iter_names().filter(|name| of_left.contains(name)).cloned().collect();
    let new: Vec<PlSmallStr> = old.iter().map(|name| PlSmallStr::from_string(format!("{name}{suffix}"))).collect();
    Ok(if old.is_empty() { right } else { right.rename(old, new, true) })
}

/// The pairs of an inner join of numbered tables without a name in common, in the order of both, and what they are of.
struct Pairs {
    pairs: LazyFrame,
    left: LazyFrame,
    right: LazyFrame,
    /// What the rows of both are numbered by.
    numbers: [PlSmallStr; 2],
}

impl Pairs {
    /// The rows of a join of this sort.
    fn of(mut self, how: &JoinType) -> PolarsResult<LazyFrame> {
        let [a, b] = self.numbers.clone();
        let is_number = |name: &&PlSmallStr| **name != a && **name != b;
        let (all, of_left) = (self.pairs.collect_schema()?, self.left.collect_schema()?);
        let names: Vec<PlSmallStr> = all.iter_names().filter(is_number).cloned().collect();
        let (left_names, right_names) = names.split_at(of_left.len() - 1);
        let right = self.right;
        let beside = |table: LazyFrame, number: &PlSmallStr, others: &[PlSmallStr]| {
            let wanted: Vec<Expr> = others.iter().chain([number]).cloned().map(col).collect();
            let joined = table.join_builder().with(self.pairs.clone().select(wanted)).how(JoinType::Left);
            let joined = joined.on([col(number.clone())]).coalesce(JoinCoalesce::CoalesceColumns);
            joined.maintain_order(MaintainOrderJoin::LeftRight).finish()
        };
        let in_order = |lf: LazyFrame| lf.select(names.iter().cloned().map(col).collect::<Vec<_>>());
        Ok(match how {
            JoinType::Left => in_order(beside(self.left, &a, right_names)),
            JoinType::Right => in_order(beside(right, &b, left_names)),
            JoinType::Full => {
                let unmatched =
                    right.join_builder().with(self.pairs.clone().select([col(b.clone())])).how(JoinType::Anti);
                let unmatched = unmatched.on([col(b.clone())]).maintain_order(MaintainOrderJoin::Left).finish();
                let missing = left_names.iter().map(|name| {
                    let dtype = of_left.get(name).cloned().unwrap_or(DataType::Null);
                    lit(NULL).cast(dtype).alias(name.clone())
                });
                let unmatched = in_order(unmatched.with_columns(missing.collect::<Vec<_>>()));
                let args = UnionArgs { maintain_order: true, ..UnionArgs::default() };
                concat([in_order(beside(self.left, &a, right_names)), unmatched], args)?
            }
            JoinType::Semi | JoinType::Anti => {
                let matched = self.pairs.clone().select([col(a.clone())]);
                let joined = self.left.join_builder().with(matched).how(how.clone()).on([col(a)]);
                let joined = joined.maintain_order(MaintainOrderJoin::Left).finish();
                joined.select(left_names.iter().cloned().map(col).collect::<Vec<_>>())
            }
            JoinType::Inner => in_order(self.pairs),
            other => polars_bail!(InvalidOperation: "a {other} join has no condition"),
        })
    }
}
