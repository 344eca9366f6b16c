//! Joins that keep rows without a match, on conditions that are more than equal columns. polars knows such conditions of inner joins alone,
//! and takes every join for one: so the pairs are found by that, and the rows without one put beside them by their numbers.

use polars::prelude::*;

/// The pairs of an inner join of numbered tables, in the order of both, and what they are of.
pub(super) struct Pairs {
    pub(super) pairs: LazyFrame,
    pub(super) left: LazyFrame,
    pub(super) right: LazyFrame,
    /// What the rows of both are numbered by.
    pub(super) numbers: [PlSmallStr; 2],
}

impl Pairs {
    /// The rows of a join of this sort.
    pub(super) fn of(mut self, how: &JoinType) -> PolarsResult<LazyFrame> {
        let [a, b] = self.numbers.clone();
        let is_number = |name: &&PlSmallStr| **name != a && **name != b;
        let schemas = [&mut self.pairs, &mut self.left, &mut self.right].map(LazyFrame::collect_schema);
        let [all, of_left, of_right] = schemas;
        let (all, of_left, of_right) = (all?, of_left?, of_right?);
        let names: Vec<PlSmallStr> = all.iter_names().filter(is_number).cloned().collect();
        let (left_names, right_names) = names.split_at(of_left.len() - 1);
        // The columns of the right table as they are called beside the left one's.
        let old: Vec<PlSmallStr> = of_right.iter_names().filter(is_number).cloned().collect();
        let right = self.right.clone().rename(old, right_names.to_vec(), true);
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
