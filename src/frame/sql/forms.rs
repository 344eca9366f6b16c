//! A text with what polars' SQL does not know, or knows otherwise, in forms that it does. The parts that are not here: windows with a
//! name (`windows`), set operations (`sets`), joins `USING` columns (`using`), conditions of joins (`on`), `QUALIFY` (`qualify`), words
//! (`meanings`). Here: windows with a frame (`frames`), windows whose order goes up by one column and down by another, `INITCAP`,
//! and subqueries that stand for a value (`scalars`). All but the last become a `COALESCE` of their columns with a text at
//! its end that says what is meant; in the plan that becomes the function (see `frame/functions`). A function of our own
//! would not do: polars forgets those in subqueries.
//!
//! What a query holds is looked at once (`holds`), and only those parts look at it again that have something to do.

use super::super::functions::{INITCAP, OrderKey};
use super::calls::{is_one_of, plain};
use super::conditions::has_column;
use super::holds::Holds;
use super::scalars::Plan;
use super::{
    Problem, compared, distinct, distinct_on, exists, frames, groups, meanings, no_table, on, qualify, refused,
    regroup, reserved, scalars, semi, sets, unnest, using, windows,
};
use crate::types::TableSchema;
use polars::prelude::{PolarsResult, polars_bail, polars_err};
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, OrderByExpr, OrderByOptions, Statement,
    Value, Visit, VisitMut, VisitorMut, WindowType,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What is wrong with what polars does not know.
pub(super) fn problems<T: VisitMut + Visit + Clone>(text: &str, ast: &T, holds: Holds) -> Vec<Problem> {
    let mut written_out = None;
    if holds.named {
        let ast = written_out.insert(ast.clone());
        if let Err(message) = windows::written_out(ast) {
            return vec![Problem::syntax(message, None)];
        }
    }
    let ast = written_out.as_ref().unwrap_or(ast);
    let mut found = Vec::new();
    if holds.odd {
        found.extend(refused::problems(text, ast));
    }
    if holds.windows {
        found.extend(frames::problems(text, ast));
        found.extend(windows::problems(text, ast));
    }
    if holds.may_mean_otherwise() {
        found.extend(meanings::problems(text, ast));
    }
    if holds.joins {
        found.extend(on::problems(text, ast));
        found.extend(using::problems(text, ast));
    }
    if holds.queries {
        found.extend(scalars::problems(text, ast));
    }
    found
}

/// What is wrong with what polars does not know of a query over these tables.
pub(super) fn query_problems(
    text: &str,
    statement: &Statement,
    mut holds: Holds,
    tables: &BTreeMap<String, TableSchema>,
) -> Vec<Problem> {
    let mut found = Vec::new();
    if holds.calls || holds.groups {
        found.extend(groups::problems(text, statement, tables));
    }
    if holds.unnest {
        found.extend(unnest::problems(text, statement));
    }
    let mut joined = None;
    if holds.queries {
        holds.joins |= exists::written(joined.insert(statement.clone()), tables);
    }
    let joined = joined.as_ref().unwrap_or(statement);
    found.extend(problems(text, joined, holds));
    if found.is_empty() && holds.groups && regroup::is_needed(joined, tables) {
        let mut regrouped = joined.clone();
        if windows::written_out(&mut regrouped).is_ok()
            && let Err(message) = regroup::written(&mut regrouped, tables)
        {
            found.push(Problem::syntax(message, None));
        }
    }
    found
}

/// The types of the tables that a query is over.
pub(super) type Schemas<'a> = &'a dyn Fn() -> PolarsResult<&'a BTreeMap<String, TableSchema>>;

/// A query for polars to read; `plan` is asked for the subqueries that stand for a value, in the order of their numbers.
pub(super) fn query<'a>(
    text: &'a str,
    mut statement: Statement,
    mut holds: Holds,
    schemas: Schemas<'_>,
    plan: Plan<'_>,
) -> PolarsResult<Cow<'a, str>> {
    let mut any = distinct::is_in(text, &statement) || reserved::users_in_quotes(text).is_some();
    any |= holds.no_table && no_table::written(&mut statement);
    any |= holds.distinct_on && distinct_on::written(&mut statement);
    if holds.joins && semi::written(&mut statement) {
        (any, holds.queries) = (true, true);
    }
    if holds.queries && exists::written(&mut statement, schemas()?) {
        (any, holds.joins) = (true, true);
    }
    any |= holds.unnest && unnest::written(&mut statement);
    any |= written(&mut statement, holds)?;
    let mut regrouped = false;
    if holds.groups {
        let written = regroup::written(&mut statement, schemas()?);
        regrouped = written.map_err(|message| polars_err!(SQLSyntax: "{message}"))?;
    }
    any |= regrouped;
    any |= holds.qualify && qualify::written(&mut statement);
    // Groups by sets of keys are put together as well.
    any |= (holds.sets || regrouped) && sets::apart(&mut statement);
    // What was written anew may have windows that the query did not have.
    any |= (holds.windows || holds.initcap || any) && take(&mut statement)?;
    any |= holds.types && compared::written(&mut statement);
    if holds.queries && scalars::are_in(&statement) {
        scalars::take(&mut statement, plan)?;
        any = true;
    }
    Ok(if any { Cow::Owned(statement.to_string()) } else { Cow::Borrowed(text) })
}

/// An expression for polars to read.
pub(super) fn expr(text: &str, mut ast: Expr) -> PolarsResult<Cow<'_, str>> {
    let holds = Holds::of(&ast);
    let any = distinct::is_in(text, &ast) | reserved::users_in_quotes(text).is_some() | written(&mut ast, holds)?;
    let any = any | (holds.calls && take(&mut ast)?);
    Ok(if any { Cow::Owned(ast.to_string()) } else { Cow::Borrowed(text) })
}

/// Writes out what has another meaning; says whether there was something.
fn written<T: VisitMut>(ast: &mut T, holds: Holds) -> PolarsResult<bool> {
    let told = |message: String| polars_err!(SQLSyntax: "{message}");
    let mut any = holds.named && windows::written_out(ast).map_err(told)?;
    if holds.may_mean_otherwise() {
        any |= meanings::written(ast).map_err(told)?;
    }
    if holds.joins {
        any |= using::written(ast);
        any |= on::written(ast);
    }
    Ok(any)
}

/// Puts calls in their places; says whether there was one.
fn take<T: VisitMut>(ast: &mut T) -> PolarsResult<bool> {
    let mut taker = Taker { any: false };
    match VisitMut::visit(ast, &mut taker) {
        ControlFlow::Continue(()) => Ok(taker.any),
        ControlFlow::Break(message) => polars_bail!(SQLSyntax: "{message}"),
    }
}

struct Taker {
    any: bool,
}

impl VisitorMut for Taker {
    type Break = String;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        match frames::replaced(call) {
            Ok(Some(replaced)) => {
                self.any = true;
                *expr = replaced;
                return ControlFlow::Continue(());
            }
            Ok(None) => {}
            Err(message) => return ControlFlow::Break(message),
        }
        // polars gives missing values no rank.
        let ranks = is_one_of(call, &["rank", "dense_rank"]);
        if let Some(WindowType::WindowSpec(window)) = &mut call.over {
            // An order by a constant is none, and to polars one of a single row.
            let written = window.order_by.len();
            window.order_by.retain(|by| ranks || has_column(&by.expr));
            self.any |= window.order_by.len() < written;
            self.any |= in_one_direction(&mut window.order_by, ranks);
        }
        if is_one_of(call, &["initcap"]) {
            let Some(text) = only_argument(call) else {
                return ControlFlow::Break("`INITCAP` takes one text".to_owned());
            };
            *expr = marked(vec![text], INITCAP.to_owned());
            self.any = true;
        }
        ControlFlow::Continue(())
    }
}

/// Whether missing values come last in an order, which is what databases take for the largest: last as it goes up, first as it goes down.
pub(super) fn nulls_come_last(by: &OrderByExpr) -> bool {
    !by.options.nulls_first.unwrap_or(by.options.asc == Some(false))
}

/// Makes one column, which goes up, of an order that polars cannot follow in a window, and of any where it is `asked`; says whether it did.
/// Of one column with missing values where they are unless it is said, the plan tells where they come (see `frame/order`).
fn in_one_direction(order: &mut Vec<OrderByExpr>, asked: bool) -> bool {
    let descending: Vec<bool> = order.iter().map(|by| by.options.asc == Some(false)).collect();
    let nulls_last: Vec<bool> = order.iter().map(nulls_come_last).collect();
    let known = descending.len() == 1 && descending[0] != nulls_last[0];
    if order.is_empty() || (known && !asked) {
        return false;
    }
    let columns = std::mem::take(order).into_iter().map(|by| by.expr).collect();
    let expr = marked(columns, OrderKey { descending, nulls_last }.mark());
    order.push(OrderByExpr { expr, options: OrderByOptions { asc: None, nulls_first: None }, with_fill: None });
    true
}

/// What stands for a function of these columns, which `mark` tells.
pub(super) fn marked(mut columns: Vec<Expr>, mark: String) -> Expr {
    columns.push(Expr::value(Value::SingleQuotedString(mark)));
    Expr::Function(plain("COALESCE", columns))
}

/// What stands for a function of one value that is of the value's type, which `mark` tells.
pub(super) fn as_choice(value: &Expr, mark: &str) -> Expr {
    typed(Expr::value(Value::SingleQuotedString(mark.to_owned())), value.clone())
}

/// What stands for something, of the type of a value: polars looks at types where it reads a query.
pub(super) fn typed(meant: Expr, value: Expr) -> Expr {
    let condition = Expr::IsNull(Box::new(meant));
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result: value }],
        else_result: None,
    }
}

/// The one argument of a call; `None` where there is another number of them, or more is said of it.
fn only_argument(call: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &call.args else { return None };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] if list.clauses.is_empty() && call.over.is_none() => {
            Some(argument.clone())
        }
        _ => None,
    }
}
