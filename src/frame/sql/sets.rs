//! Set operations inside of others, and their order. polars takes an inner operation for the outer one, and sorts what is put together
//! as well: so each inner one becomes a query of its own, and the order one around all.

use super::place::range;
use super::{Problem, parse};
use sqlparser::ast::{
    Query, SetExpr, SetOperator, SetQuantifier, Spanned, Statement, TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};
use std::ops::ControlFlow;

/// Puts brackets around them; says whether there was one.
pub(super) fn apart(statement: &mut Statement) -> bool {
    let mut taker = Taker { any: false };
    let _ = VisitMut::visit(statement, &mut taker);
    taker.any
}

/// What is wrong with them: rows that come more than once are not counted.
pub(super) fn problems<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    struct Judge<'a>(&'a str, Vec<Problem>);
    impl Judge<'_> {
        fn body(&mut self, body: &SetExpr) {
            let SetExpr::SetOperation { left, op, set_quantifier, right } = body else { return };
            self.body(left);
            self.body(right);
            if *op != SetOperator::Union && *set_quantifier == SetQuantifier::All {
                let message = format!(
                    "{op} ALL is not known: leave ALL out, or number rows that are equal in both queries, with `row_number() OVER (PARTITION BY …)`"
                );
                self.1.push(Problem::syntax(message, range(self.0, right.span())));
            }
        }
    }
    impl Visitor for Judge<'_> {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            self.body(&query.body);
            ControlFlow::Continue(())
        }
    }
    let mut judge = Judge(text, Vec::new());
    let _ = ast.visit(&mut judge);
    judge.1
}

struct Taker {
    any: bool,
}

impl VisitorMut for Taker {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.any |= inner(&mut query.body);
        if matches!(*query.body, SetExpr::SetOperation { .. }) && query.order_by.is_some() {
            self.any |= around(query);
        }
        ControlFlow::Continue(())
    }
}

fn inner(body: &mut SetExpr) -> bool {
    let SetExpr::SetOperation { left, right, .. } = body else { return false };
    let mut any = false;
    for side in [left, right] {
        any |= inner(side);
        if matches!(**side, SetExpr::SetOperation { .. }) {
            let body = std::mem::replace(&mut **side, nothing());
            **side = SetExpr::Query(Box::new(of_body(body)));
            any = true;
        }
    }
    any
}

/// `SELECT * FROM (…) ORDER BY …`
fn around(query: &mut Query) -> bool {
    let Some(mut outer) = all_of_a_subquery() else { return false };
    let SetExpr::Select(select) = &mut *outer.body else { return false };
    let Some(TableFactor::Derived { subquery, .. }) = select.from.first_mut().map(|from| &mut from.relation) else {
        return false;
    };
    let body = std::mem::replace(&mut *query.body, nothing());
    **subquery = of_body(body);
    query.body = outer.body;
    true
}

/// `SELECT * FROM (…)`, with something in the brackets.
pub(super) fn all_of_a_subquery() -> Option<Query> {
    match parse("SELECT * FROM (SELECT 1) AS __kilter_rows") {
        Ok(Statement::Query(query)) => Some(*query),
        _ => None,
    }
}

/// A query of nothing but this.
pub(super) fn of_body(body: SetExpr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// What stands for a body while it is taken out.
pub(super) fn nothing() -> SetExpr {
    SetExpr::Values(sqlparser::ast::Values { explicit_row: false, value_keyword: false, rows: Vec::new() })
}
