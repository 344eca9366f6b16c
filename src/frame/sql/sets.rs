//! Set operations inside of others, and their order. polars takes an inner operation for the outer one, and sorts what is put together
//! as well: so each inner one becomes a query of its own, and the order one around all.

use super::parse;
use sqlparser::ast::{Query, SetExpr, Statement, TableFactor, VisitMut, VisitorMut};
use std::ops::ControlFlow;

/// Puts brackets around them; says whether there was one.
pub(super) fn apart(statement: &mut Statement) -> bool {
    let mut taker = Taker { any: false };
    let _ = VisitMut::visit(statement, &mut taker);
    taker.any
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
