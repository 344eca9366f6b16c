//! Comparisons of two types in conditions of joins and in `IN` over a query. There polars knows equal types alone, and looks at them
//! where it reads a query: so both sides are floats to it, and in the plan again what they are, where they get the type that they have in
//! common (see `frame/order/keys.rs`). Also a date or time with a text, `d > '2024-01-31'`, of a column that polars does not find there:
//! the text is of the date's type to it, and in the plan the date that it says (see `frame/order/mixed.rs`).

use super::super::functions::{COMPARED, WRITTEN};
use super::super::polars_words;
use super::calls::is_one_of;
use super::conditions::{binary, has_column, nested};
use super::forms::{as_choice, marked, typed};
use super::holds::is_grouped;
use super::parse_expr;
use super::smallest::constraint_mut;
use polars::prelude::PolarsError;
use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, JoinConstraint, Query, Select, SelectItem,
    SetExpr, Statement, UnaryOperator, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Whether polars refuses a query for such a comparison.
pub(super) fn are_refused(error: &PolarsError) -> bool {
    let words = polars_words(error);
    let refusals = [
        "datatypes of join keys don't match",
        "a join does not compare ",
        "'is_in' cannot check for ",
        "cannot compare 'date/datetime/time' to a string value",
        "conversion from `str` to `datetime",
    ];
    refusals.iter().any(|refusal| words.starts_with(refusal))
}

/// Writes them so; says whether there was one.
pub(super) fn written(statement: &mut Statement) -> bool {
    let mut writer = Writer { any: false };
    let _ = VisitMut::visit(statement, &mut writer);
    writer.any
}

struct Writer {
    any: bool,
}

impl VisitorMut for Writer {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for join in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            if let Some(JoinConstraint::On(condition)) = constraint_mut(&mut join.join_operator) {
                self.condition(condition);
            }
        }
        // Of tables side by side, `FROM a, b`, the conditions of the join stand here.
        if let Some(condition) = &mut select.selection
            && select.from.len() > 1
        {
            self.condition(condition);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::InSubquery { expr, subquery, .. } = expr
            && let Some(column) = only_column(subquery)
            && !matches!(**expr, Expr::Tuple(_))
        {
            self.sides(expr, column);
        }
        self.texts(expr);
        ControlFlow::Continue(())
    }
}

impl Writer {
    fn condition(&mut self, condition: &mut Expr) {
        use BinaryOperator as B;
        match condition {
            Expr::Nested(inner) => self.condition(inner),
            Expr::BinaryOp { left, op: B::And, right } => {
                self.condition(left);
                self.condition(right);
            }
            Expr::BinaryOp { left, op: B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq, right }
                if has_column(left) && has_column(right) =>
            {
                self.sides(left, right);
            }
            _ => {}
        }
    }

    /// Texts that are written out and compared with something.
    fn texts(&mut self, expr: &mut Expr) {
        use BinaryOperator as B;
        match expr {
            Expr::BinaryOp { left, op: B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq, right }
            | Expr::IsDistinctFrom(left, right)
            | Expr::IsNotDistinctFrom(left, right) => {
                self.beside(left, right);
                self.beside(right, left);
            }
            Expr::Between { expr: value, low, high, .. } => {
                self.beside(value, low);
                self.beside(value, high);
            }
            Expr::InList { expr: value, list, negated } if list.iter().all(|one| text_of(one).is_some()) => {
                let equal = |mut one: Expr| {
                    self.beside(value, &mut one);
                    binary(nested((**value).clone()), B::Eq, one)
                };
                if let Some(any) = std::mem::take(list).into_iter().map(equal).reduce(|a, b| binary(a, B::Or, b)) {
                    let any = nested(any);
                    *expr = if *negated {
                        nested(Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(any) })
                    } else {
                        any
                    };
                }
            }
            Expr::Case { operand, conditions, .. }
                if conditions.iter().any(|when| text_of(&when.condition).is_some()) =>
            {
                let Some(value) = operand.take() else { return };
                for when in conditions {
                    let mut one = std::mem::replace(&mut when.condition, Expr::value(Value::Null));
                    self.beside(&value, &mut one);
                    when.condition = binary(nested((*value).clone()), B::Eq, nested(one));
                }
            }
            Expr::Function(call) if is_one_of(call, &["nullif"]) => {
                if let FunctionArguments::List(list) = &mut call.args
                    && let [
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)),
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(one)),
                    ] = list.args.as_mut_slice()
                {
                    self.beside(value, one);
                }
            }
            _ => {}
        }
    }

    /// Makes a text of the type of what it is compared with.
    fn beside(&mut self, value: &Expr, other: &mut Expr) {
        if let (None, Some(text)) = (text_of(value), text_of(other)) {
            *other = as_choice(value, &format!("{WRITTEN}{text}"));
            self.any = true;
        }
    }

    fn sides(&mut self, left: &mut Expr, right: &mut Expr) {
        for side in [left, right] {
            if let Ok(float) = parse_expr(&format!("CAST({side} AS DOUBLE)")) {
                let value = std::mem::replace(side, Expr::value(Value::Null));
                *side = typed(marked(vec![value], COMPARED.to_owned()), float);
                self.any = true;
            }
        }
    }
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        _ => None,
    }
}

/// The column of a query that gives one, of each of its rows.
fn only_column(query: &mut Query) -> Option<&mut Expr> {
    let SetExpr::Select(select) = &mut *query.body else { return None };
    if is_grouped(select) {
        return None;
    }
    match select.projection.as_mut_slice() {
        [SelectItem::UnnamedExpr(column) | SelectItem::ExprWithAlias { expr: column, .. }] => Some(column),
        _ => None,
    }
}
