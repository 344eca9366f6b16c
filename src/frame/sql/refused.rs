//! What databases have and polars' SQL does not, with what to write instead. What it says itself are its own words, often without a place.

use super::Problem;
use super::calls::{arguments, is_one_of, name_of};
use super::groups::{AGGREGATES, has};
use super::place::{of_expr, range, word_like};
use sqlparser::ast::{
    DataType, Expr, Function, FunctionArgumentClause, FunctionArguments, NullTreatment, Query, Spanned, TableFactor,
    TimezoneInfo, UnaryOperator, Value, Visit, Visitor,
};
use std::ops::ControlFlow;

/// What to say, and the word that it is said of.
type Told = (&'static str, &'static str);

/// What is wrong with them.
pub(super) fn problems<T: Visit>(text: &str, ast: &T) -> Vec<Problem> {
    let mut judge = Judge { text, found: Vec::new() };
    let _ = ast.visit(&mut judge);
    judge.found
}

struct Judge<'t> {
    text: &'t str,
    found: Vec<Problem>,
}

impl Judge<'_> {
    fn tell(&mut self, told: Option<Told>) {
        if let Some((message, word)) = told {
            self.found.push(Problem::syntax(message, word_like(self.text, word)));
        }
    }
}

impl Visitor for Judge<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.tell(of_query(query));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        self.tell(of_table(factor));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Some(message) = of_value(expr) {
            let place = match expr {
                Expr::Function(call) => range(self.text, call.name.span()),
                Expr::Substring { shorthand, .. } => {
                    word_like(self.text, if *shorthand { "substr" } else { "substring" })
                }
                expr => of_expr(self.text, expr),
            };
            self.found.push(Problem::syntax(message, place));
        }
        ControlFlow::Continue(())
    }
}

/// What is wrong with a query.
pub(super) fn of_query(query: &Query) -> Option<Told> {
    if query.with.as_ref().is_some_and(|with| with.recursive) {
        return Some((
            "a table of WITH is made of others, not of itself: leave RECURSIVE out, or make the table with the kind `exec`",
            "recursive",
        ));
    }
    query.fetch.as_ref().filter(|fetch| fetch.with_ties).map(|_| {
        (
            "rows that are equal to the last are kept by `QUALIFY rank() OVER (ORDER BY x) <= 3`, not by WITH TIES",
            "ties",
        )
    })
}

/// What is wrong with a table of `FROM`.
pub(super) fn of_table(factor: &TableFactor) -> Option<Told> {
    const SAMPLE: Told = (
        "rows that are drawn have a seed: the step `sample` of the kind `table` draws them, not TABLESAMPLE",
        "tablesample",
    );
    match factor {
        TableFactor::Pivot { .. } => Some((
            "PIVOT is the step `pivot` of the kind `table`; in a query each column is written out, `sum(x) FILTER (WHERE k = 'a') AS a`",
            "pivot",
        )),
        TableFactor::Unpivot { .. } => Some(("UNPIVOT is the step `unpivot` of the kind `table`", "unpivot")),
        TableFactor::Derived { lateral: true, .. } => Some((
            "LATERAL is not known: an aggregate that asks of the row around it stands in SELECT, `(SELECT max(b.x) FROM b WHERE b.k = a.k)`; what else does is a join",
            "lateral",
        )),
        TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => Some(SAMPLE),
        _ => None,
    }
}

/// What is wrong with an expression.
pub(super) fn of_value(expr: &Expr) -> Option<String> {
    let message = match expr {
        Expr::Function(call) => return of_call(call),
        Expr::Substring { substring_for: Some(length), .. } if is_negative(length) => LENGTH,
        Expr::AtTimeZone { .. } => {
            "times have no zone here, and AT TIME ZONE is not known: `x + INTERVAL '2 hours'` moves one"
        }
        Expr::Collate { .. } => {
            "texts are compared by their characters' numbers, and COLLATE is not known: `lower(x)` leaves capitals out"
        }
        Expr::Overlay { .. } => "OVERLAY is not known: write `left(x, 2) || 'new' || substr(x, 6)`",
        Expr::TypedString(written) => match written.data_type {
            DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => {
                "times have no zone here: write `TIMESTAMP '2024-01-31 12:30:00'`"
            }
            _ => return None,
        },
        Expr::Value(value) => match &value.value {
            Value::HexStringLiteral(_) => "bytes are not written out in a query: write a text or a number",
            Value::Placeholder(_) => "nothing stands in for this: a parameter of the pipeline is written `${name}`",
            _ => return None,
        },
        _ => return None,
    };
    Some(message.to_owned())
}

const LENGTH: &str = "a text has no negative length: `substr(x, 2, 3)` takes 3 characters from the second on";

fn of_call(call: &Function) -> Option<String> {
    if let Some(treatment) = null_treatment(call) {
        return Some(match treatment {
            NullTreatment::RespectNulls => "RESPECT NULLS is meant anyhow: leave it out".to_owned(),
            NullTreatment::IgnoreNulls => "IGNORE NULLS is not known: the step `fill` carries values on (`\"forward\"`), and a `WITH` can leave out the rows without one".to_owned(),
        });
    }
    if call.over.is_none() && has_order(call) && is_one_of(call, IN_ANY_ORDER) {
        return Some(format!("`{}` is the same in any order: leave the ORDER BY out", name_of(call)));
    }
    if call.over.is_none() && is_one_of(call, AGGREGATES) && has(&call.args, is_columns) {
        return Some(format!("`{}` is of one column: write one for each instead of COLUMNS", name_of(call)));
    }
    let (rounds, cuts) = (is_one_of(call, &["round"]), is_one_of(call, &["substr", "substring"]));
    match *arguments(call).filter(|_| rounds || cuts)?.as_slice() {
        [_, digits] if rounds && is_negative(digits) => {
            Some("ROUND counts digits after the point, from 0 on: `round(x / 10) * 10` rounds to tens".to_owned())
        }
        [_, _, length] if cuts && is_negative(length) => Some(LENGTH.to_owned()),
        _ => None,
    }
}

/// Aggregates that no order changes.
const IN_ANY_ORDER: &[&str] = &[
    "avg", "bool_and", "bool_or", "corr", "count", "count_if", "every", "max", "mean", "median", "min", "stddev",
    "sum", "variance",
];

fn null_treatment(call: &Function) -> Option<NullTreatment> {
    let inside = match &call.args {
        FunctionArguments::List(list) => list.clauses.iter().find_map(|clause| match clause {
            FunctionArgumentClause::IgnoreOrRespectNulls(treatment) => Some(*treatment),
            _ => None,
        }),
        _ => None,
    };
    call.null_treatment.or(inside)
}

fn has_order(call: &Function) -> bool {
    let is_order = |clause: &FunctionArgumentClause| matches!(clause, FunctionArgumentClause::OrderBy(_));
    matches!(&call.args, FunctionArguments::List(list) if list.clauses.iter().any(is_order))
}

fn is_columns(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(call) if is_one_of(call, &["columns"]))
}

fn is_negative(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_negative(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
            matches!(expr.as_ref(), Expr::Value(value) if matches!(value.value, Value::Number(..)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FloatSums, check_query};
    use crate::types::{Column, TableSchema};
    use std::collections::BTreeMap;

    #[test]
    fn what_is_not_known_is_told_at_its_place_with_what_to_write() {
        let columns = [("k", "str"), ("x", "f64"), ("d", "datetime")];
        let table =
            TableSchema::new(columns.map(|(name, dtype)| Column::new(name, dtype.parse().expect("a type"))).into());
        let tables = BTreeMap::from([("t".to_owned(), table)]);
        for (query, place, says) in [
            ("SELECT * FROM t PIVOT (sum(x) FOR k IN ('a')) AS p", "PIVOT", "the step `pivot`"),
            ("SELECT * FROM t UNPIVOT (v FOR c IN (x, d)) AS p", "UNPIVOT", "the step `unpivot`"),
            ("SELECT a.k FROM t AS a, LATERAL (SELECT max(x) AS m FROM t AS c) AS b", "LATERAL", "stands in SELECT"),
            ("SELECT k FROM t TABLESAMPLE (10)", "TABLESAMPLE", "the step `sample`"),
            ("SELECT k FROM t ORDER BY k FETCH FIRST 3 ROWS WITH TIES", "TIES", "`QUALIFY rank() OVER"),
            ("WITH RECURSIVE r AS (SELECT k FROM t) SELECT k FROM r", "RECURSIVE", "leave RECURSIVE out"),
            ("SELECT k, lag(x) IGNORE NULLS OVER (ORDER BY k) AS a FROM t", "lag", "the step `fill`"),
            ("SELECT k, round(x, -1) AS a FROM t", "round", "`round(x / 10) * 10`"),
            ("SELECT substring(k, 1, -1) AS a FROM t", "substring", "`substr(x, 2, 3)`"),
            ("SELECT sum(x ORDER BY k) AS a FROM t", "sum", "leave the ORDER BY out"),
            ("SELECT max(COLUMNS('^x$')) FROM t", "max", "instead of COLUMNS"),
            ("SELECT d AT TIME ZONE 'UTC' AS a FROM t", "d AT TIME ZONE 'UTC'", "INTERVAL '2 hours'"),
            ("SELECT k COLLATE \"C\" AS a FROM t", "k COLLATE \"C\"", "`lower(x)`"),
            ("SELECT DATE '2024-02-30' AS a, k FROM t", "'2024-02-30'", "no day of the calendar"),
            ("SELECT k FROM t WHERE (k, x) = ('a', 1, 2)", "k, x) = ('a', 1, 2)", "compared with one of 3"),
        ] {
            let found = check_query(query, &tables, FloatSums::Exact).expect_err(query);
            let [problem] = found.as_slice() else { panic!("{query}: {found:?}") };
            assert!(problem.message.contains(says), "{query}: {problem:?}");
            let shown = problem.range.clone().map(|range| &query[range]).unwrap_or_default();
            assert!(shown.contains(place) && (shown.len() <= place.len() + 8), "{query}: {shown:?}");
        }
        for fine in [
            "SELECT E'a''b' AS a, N'c' AS b, k FROM t",
            "SELECT first(k ORDER BY x DESC) AS a, last(k ORDER BY x) AS b FROM t",
            "SELECT string_agg(k, ',' ORDER BY x) AS a, round(x, 1) AS b FROM t GROUP BY x",
            "SELECT k FROM t WHERE (k, x) < ('b', 2.5) OR (k, x) IN (('a', 1), ('b', 2))",
        ] {
            let found = check_query(fine, &tables, FloatSums::Exact);
            assert!(found.is_ok(), "{fine}: {found:?}");
        }
    }
}
