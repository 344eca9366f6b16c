//! Set operations inside of others, and their order. polars takes an inner operation for the outer one, and sorts what is put together
//! as well: so each inner one becomes a query of its own, and the order one around all. `EXCEPT ALL` and `INTERSECT ALL`, which it does
//! not know, are of rows with their places among their like: the second of three equal rows goes with the second of the other query.

use super::super::functions::PLACE;
use super::around::{all_of, nothing, of_body};
use super::columns::leave_out;
use super::forms::marked;
use super::walks;
use sqlparser::ast::{Ident, Select, SelectItem, SetExpr, SetOperator, SetQuantifier, Statement};

/// What the column of places is called.
const PLACES: &str = "__kilter_place";

/// Puts brackets around them; says whether there was one.
pub(super) fn apart(statement: &mut Statement) -> bool {
    let mut any = false;
    walks::queries_mut(statement, |query| {
        any |= inner(&mut query.body);
        if matches!(*query.body, SetExpr::SetOperation { .. }) && query.order_by.is_some() {
            let body = std::mem::replace(&mut *query.body, nothing());
            *query.body = SetExpr::Select(Box::new(all_of(of_body(body))));
            any = true;
        }
    });
    any
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
    any | by_places(body)
}

/// `SELECT * EXCLUDE (place) FROM (SELECT *, place FROM (left) EXCEPT SELECT *, place FROM (right))`
fn by_places(body: &mut SetExpr) -> bool {
    let SetExpr::SetOperation {
        op: SetOperator::Except | SetOperator::Intersect,
        set_quantifier: quantifier @ SetQuantifier::All,
        left,
        right,
    } = body
    else {
        return false;
    };
    for side in [left, right] {
        let rows = std::mem::replace(&mut **side, nothing());
        **side = SetExpr::Select(Box::new(with_places(all_of(of_body(rows)))));
    }
    *quantifier = SetQuantifier::None;
    let both = std::mem::replace(body, nothing());
    let mut all = all_of(of_body(both));
    if let Some(SelectItem::Wildcard(options)) = all.projection.first_mut() {
        leave_out(options, std::iter::once(Ident::new(PLACES)));
    }
    *body = SetExpr::Select(Box::new(all));
    true
}

/// The same with the place of each row among those that are equal to it.
fn with_places(mut all: Select) -> Select {
    let expr = marked(Vec::new(), PLACE.to_owned());
    all.projection.push(SelectItem::ExprWithAlias { expr, alias: Ident::new(PLACES) });
    all
}
