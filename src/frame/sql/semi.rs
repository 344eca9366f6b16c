//! `SEMI JOIN` and `ANTI JOIN` on more than equal columns, as an `EXISTS` (see `exists`). polars makes an inner join of one, and forgets that
//! the second table has no column in it: `*` asks for those too, and a name that both have is of neither.

use super::around::{all_from, of_select};
use super::conditions::{and, conjuncts, nested};
use super::{parse_expr, walks};
use sqlparser::ast::{
    BinaryOperator, Expr, Join, JoinConstraint, JoinOperator, Select, SelectItem, TableWithJoins, VisitMut,
    visit_expressions,
};
use std::ops::ControlFlow;

/// Writes them so; says whether there was one.
pub(super) fn written<T: VisitMut>(ast: &mut T) -> bool {
    let mut any = false;
    walks::selects_mut(ast, |select| {
        if let Some(exists) = taken(select) {
            select.selection = select.selection.take().map(nested).into_iter().chain([exists]).reduce(and);
            any = true;
        }
    });
    any
}

/// The last join of a `SELECT` as a condition; `None` where it stays.
fn taken(select: &mut Select) -> Option<Expr> {
    let [from] = select.from.as_mut_slice() else { return None };
    let (condition, negated) = asked(from.joins.last()?)?;
    if !conjuncts(condition).into_iter().all(is_comparison) || conjuncts(condition).into_iter().all(is_of_columns) {
        return None;
    }
    let (condition, one) = (condition.clone(), parse_expr("1").ok()?);
    let relation = from.joins.pop()?.relation;
    let mut query = all_from(TableWithJoins { relation, joins: Vec::new() });
    query.projection = vec![SelectItem::UnnamedExpr(one)];
    query.selection = Some(condition);
    Some(Expr::Exists { subquery: Box::new(of_select(query)), negated })
}

/// The condition of such a join, and whether it keeps the rows without a pair.
fn asked(join: &Join) -> Option<(&Expr, bool)> {
    use JoinOperator as J;
    match &join.join_operator {
        J::Semi(JoinConstraint::On(condition)) | J::LeftSemi(JoinConstraint::On(condition)) => Some((condition, false)),
        J::Anti(JoinConstraint::On(condition)) | J::LeftAnti(JoinConstraint::On(condition)) => Some((condition, true)),
        _ => None,
    }
}

/// Whether a part of the condition is a comparison that says of each column whose it is.
fn is_comparison(part: &Expr) -> bool {
    use BinaryOperator as B;
    let compares = matches!(part, Expr::BinaryOp { op: B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq, .. });
    let unsaid = |expr: &Expr| match expr {
        Expr::Identifier(_) | Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    };
    compares && visit_expressions(part, unsaid).is_continue()
}

/// Whether it is an equality of columns, which polars knows.
fn is_of_columns(part: &Expr) -> bool {
    let is_column = |side: &Expr| matches!(side, Expr::CompoundIdentifier(_));
    matches!(part, Expr::BinaryOp { left, op: BinaryOperator::Eq, right } if is_column(left) && is_column(right))
}

#[cfg(test)]
mod tests {
    use super::super::{FloatSums, check_query, parse, plan_query};
    use super::written;
    use crate::types::{Column, DType, TableSchema};
    use polars::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn equal_columns_alone_stay_a_join() {
        for (query, is) in [
            ("SELECT * FROM t SEMI JOIN u ON t.a = u.a", false),
            ("SELECT * FROM t ANTI JOIN u ON t.a = u.a AND t.b = u.b", false),
            ("SELECT * FROM t SEMI JOIN u USING (a)", false),
            ("SELECT * FROM t JOIN u ON t.a < u.a", false),
            ("SELECT * FROM t SEMI JOIN u ON a < u.b", false),
            ("SELECT * FROM t SEMI JOIN u ON t.a = u.a AND t.b < u.b", true),
            ("SELECT * FROM t LEFT ANTI JOIN u ON t.a <> u.a", true),
        ] {
            assert_eq!(written(&mut parse(query).expect("a query")), is, "{query}");
        }
    }

    #[test]
    fn a_join_on_more_than_equal_columns_has_the_first_table_s_columns() {
        let frame = |ids: [i64; 3], n: [Option<i64>; 3]| df!["id" => ids, "n" => n].expect("a frame").lazy();
        let tables = BTreeMap::from([
            ("t".to_owned(), frame([1, 2, 3], [Some(1), Some(5), None])),
            ("u".to_owned(), frame([1, 2, 9], [Some(3), Some(2), Some(0)])),
        ]);
        let schema = TableSchema::new(vec![Column::new("id", DType::I64), Column::new("n", DType::I64)]);
        let schemas = BTreeMap::from(["t", "u"].map(|name| (name.to_owned(), schema.clone())));
        for (query, kept) in [
            ("SELECT * FROM t SEMI JOIN u ON t.n < u.n", vec![1]),
            ("SELECT * FROM t ANTI JOIN u ON t.n < u.n", vec![2, 3]),
            ("SELECT id, n FROM t SEMI JOIN u ON t.id = u.id AND t.n > u.n WHERE n > 0 OR id = 3", vec![2]),
            ("SELECT p.* FROM t AS p ANTI JOIN t AS q ON p.n < q.n AND p.id <> q.id", vec![2, 3]),
        ] {
            let checked = check_query(query, &schemas, FloatSums::Exact);
            assert_eq!(checked.as_ref().map(|schema| schema.columns.len()), Ok(2), "{query}");
            let found = plan_query(query, &tables, FloatSums::Exact).expect(query).collect().expect(query);
            let found: Vec<i64> = found.column("id").expect("id").i64().expect("numbers").iter().flatten().collect();
            assert_eq!(found, kept, "{query}");
        }
    }
}
