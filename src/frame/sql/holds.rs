//! What a query holds, found in one walk: most queries hold little of what others are rewritten for, and need no other walk.

use super::calls::is_one_of;
use super::smallest::constraint;
use super::{meanings, refused};
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, JoinConstraint, Query, Select, SetExpr, TableFactor, Visit, Visitor, WindowType,
};
use std::ops::ControlFlow;

/// Sorts of things that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holds {
    /// Calls of functions.
    pub(super) calls: bool,
    /// Windows.
    pub(super) windows: bool,
    /// `INITCAP`.
    pub(super) initcap: bool,
    /// Windows with a name.
    pub(super) named: bool,
    /// Queries in expressions.
    pub(super) queries: bool,
    /// Joins on a condition or on columns.
    pub(super) joins: bool,
    /// `DISTINCT ON`.
    pub(super) distinct_on: bool,
    /// Queries of no table.
    pub(super) no_table: bool,
    /// Set operations.
    pub(super) sets: bool,
    /// `GROUP BY` or `HAVING`.
    pub(super) groups: bool,
    /// `QUALIFY`.
    pub(super) qualify: bool,
    /// `UNNEST`.
    pub(super) unnest: bool,
    /// Words that mean something else to polars.
    pub(super) meanings: bool,
    /// What polars does not know (see `refused`).
    pub(super) odd: bool,
    /// Comparisons of two types, as polars said.
    pub(super) types: bool,
}

impl Holds {
    /// What a statement or an expression holds.
    pub(super) fn of<T: Visit>(ast: &T) -> Self {
        let mut found = Self::default();
        let _ = ast.visit(&mut found);
        found
    }

    /// Whether there may be words that mean something else: also where it is written out first what could have some.
    pub(super) fn may_mean_otherwise(self) -> bool {
        self.meanings || self.named || self.queries || self.unnest
    }
}

/// Whether a `SELECT` makes groups.
pub(super) fn is_grouped(select: &Select) -> bool {
    match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(keys, modifiers) => !keys.is_empty() || !modifiers.is_empty(),
    }
}

impl Visitor for Holds {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.sets |= matches!(*query.body, SetExpr::SetOperation { .. });
        self.odd |= refused::of_query(query).is_some();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.groups |= is_grouped(select) || select.having.is_some();
        self.distinct_on |= matches!(select.distinct, Some(Distinct::On(_)));
        self.qualify |= select.qualify.is_some();
        self.no_table |= select.from.is_empty();
        self.named |= !select.named_window.is_empty();
        self.meanings |= meanings::compares_values(select);
        let mut joins = select.from.iter().flat_map(|from| &from.joins);
        self.joins |= joins.any(|join| {
            matches!(constraint(&join.join_operator), Some(JoinConstraint::On(_) | JoinConstraint::Using(_)))
        });
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        self.unnest |= matches!(factor, TableFactor::UNNEST { .. });
        self.odd |= refused::of_table(factor).is_some();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.meanings = self.meanings || meanings::has_another(expr);
        self.odd = self.odd || refused::of_value(expr).is_some();
        match expr {
            Expr::Function(call) => {
                self.calls = true;
                self.windows |= call.over.is_some();
                self.named |= match &call.over {
                    Some(WindowType::NamedWindow(_)) => true,
                    Some(WindowType::WindowSpec(window)) => window.window_name.is_some(),
                    None => false,
                };
                self.unnest |= is_one_of(call, &["unnest"]);
                self.initcap |= is_one_of(call, &["initcap"]);
            }
            Expr::Exists { .. } | Expr::InSubquery { .. } | Expr::Subquery(_) => self.queries = true,
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse, parse_expr};
    use super::Holds;

    #[test]
    fn what_is_there_is_found_also_inside() {
        let of = |query: &str| Holds::of(&parse(query).expect("a query"));
        assert_eq!(of("SELECT a, b + 1 AS c FROM t WHERE a = 2 ORDER BY b LIMIT 3"), Holds::default());
        let sets = of("SELECT a FROM (SELECT a FROM t UNION SELECT b FROM u JOIN v USING (b)) AS s GROUP BY a");
        assert_eq!(sets, Holds { sets: true, joins: true, groups: true, ..Holds::default() });
        let windows = of("SELECT sum(a) OVER w AS s FROM t WHERE a IN (SELECT b FROM u) WINDOW w AS (ORDER BY a)");
        let found = Holds { calls: true, windows: true, named: true, queries: true, ..Holds::default() };
        assert_eq!(windows, found);
        assert!(of("SELECT a FROM t QUALIFY a = 1").qualify && of("SELECT Unnest(a) AS a FROM t").unnest);
        assert!(of("SELECT DISTINCT ON (a) b FROM t").distinct_on && !of("SELECT DISTINCT a FROM t").distinct_on);
        assert!(of("SELECT mean(a) AS m FROM t").meanings && of("SELECT a FROM t WHERE NULL = NULL").meanings);
        assert_eq!(Holds::of(&parse_expr("upper(a)").expect("one")), Holds { calls: true, ..Holds::default() });
    }
}
