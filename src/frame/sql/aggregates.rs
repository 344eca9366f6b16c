//! Aggregates that polars' SQL does not have, in words that it has; and parts of some that only the plan can say (see `frame/functions`).

use super::super::functions::{DISTINCT, LISTED, POPULATION, TRUTH, TUPLE};
use super::calls::{arguments, distinct, has_wildcard, is_distinct, is_one_of, name_of, of};
use super::conditions::{and, nested};
use super::forms::{as_choice, marked};
use super::parse_expr;
use sqlparser::ast::{
    Expr, Function, FunctionArgumentClause, FunctionArguments, Ident, ObjectName, OrderByExpr, Value, WindowType,
};

/// What a call of an aggregate means; `None` where polars has it so.
pub(super) fn meant(call: &Function) -> Result<Option<Expr>, String> {
    if let Some(inside) = filtered_inside(call) {
        return Ok(Some(meant(&inside)?.unwrap_or(Expr::Function(inside))));
    }
    let Some(arguments) = arguments(call) else { return Ok(None) };
    let made = |call: Function| Ok(Some(Expr::Function(call)));
    let once = is_distinct(call);
    match (&*name_of(call), arguments.as_slice()) {
        ("mean", &[value]) if !once => made(of(call, "AVG", vec![value.clone()])),
        ("approx_count_distinct", &[value]) => made(distinct(of(call, "COUNT", vec![value.clone()]))),
        (name @ ("first" | "last"), &[_]) if call.over.is_none() && has_order(call) => {
            let list = Function { name: ObjectName::from(Ident::new("ARRAY_AGG")), ..call.clone() };
            let place = if name == "first" { "1" } else { "-1" };
            Ok(parse_expr(&format!("array_get({list}, {place})")).ok())
        }
        // Of no rows there is no list.
        ("array_agg", &[_]) if call.over.is_none() => Ok(Some(as_choice(&Expr::Function(call.clone()), LISTED))),
        ("bool_and" | "every", &[value]) => made(of(call, "MIN", vec![as_choice(value, TRUTH)])),
        ("bool_or", &[value]) => made(of(call, "MAX", vec![as_choice(value, TRUTH)])),
        ("count_if", &[condition]) => made(of(call, "COUNT", vec![kept(&constant(), condition)])),
        ("any_value", &[value]) if call.over.is_none() => {
            let there = not_missing(value);
            let filter = match &call.filter {
                Some(also) => and(there, nested(also.as_ref().clone())),
                None => there,
            };
            made(Function { filter: Some(Box::new(filter)), ..of(call, "FIRST", vec![value.clone()]) })
        }
        ("stddev_pop", &[value]) if !once && !is_in_order(call) => {
            made(of(call, "STDDEV", vec![as_choice(value, POPULATION)]))
        }
        ("var_pop", &[value]) if !once && !is_in_order(call) => {
            made(of(call, "VARIANCE", vec![as_choice(value, POPULATION)]))
        }
        // Of equal values one is the least and the greatest too.
        ("min", &[value]) if once => made(of(call, "MIN", vec![value.clone()])),
        ("max", &[value]) if once => made(of(call, "MAX", vec![value.clone()])),
        ("count", &[_, _, ..] | &[Expr::Tuple(_)]) if once => made(count_of_tuples(call, &arguments)),
        (name, &[value]) if once && call.over.is_none() => made_once(call, name, value).map_or(Ok(None), made),
        (name @ ("percentile_cont" | "percentile_disc"), &[share]) => percentile(call, name, share),
        (name @ ("arg_max" | "max_by" | "arg_min" | "min_by"), &[value, by]) if call.over.is_none() => {
            let direction = if name.contains("max") { "DESC" } else { "ASC" };
            let both = and(not_missing(value), not_missing(by));
            let filter = match &call.filter {
                Some(also) => and(both, nested(also.as_ref().clone())),
                None => both,
            };
            let list = format!("array_agg({value} ORDER BY {by} {direction} LIMIT 1) FILTER (WHERE {filter})");
            Ok(parse_expr(&format!("array_get({list}, 1)")).ok())
        }
        _ => Ok(None),
    }
}

/// An aggregate of values of which each counts once.
fn made_once(call: &Function, name: &str, value: &Expr) -> Option<Function> {
    let (name, of_all) = match name {
        "sum" => ("SUM", false),
        "avg" | "mean" => ("AVG", false),
        "median" => ("MEDIAN", false),
        "stddev" | "stddev_samp" => ("STDDEV", false),
        "variance" | "var_samp" => ("VARIANCE", false),
        "stddev_pop" => ("STDDEV", true),
        "var_pop" => ("VARIANCE", true),
        _ => return None,
    };
    let value = match &call.filter {
        Some(condition) => kept(value, condition),
        None => value.clone(),
    };
    let value = as_choice(&value, DISTINCT);
    let value = if of_all { as_choice(&value, POPULATION) } else { value };
    Some(Function { filter: None, ..of(call, name, vec![value]) })
}

/// Whether its arguments have an order, and nothing else is said of them.
fn has_order(call: &Function) -> bool {
    matches!(&call.args, FunctionArguments::List(list) if matches!(list.clauses.as_slice(), [FunctionArgumentClause::OrderBy(_)]))
}

fn is_in_order(call: &Function) -> bool {
    matches!(&call.over, Some(WindowType::WindowSpec(spec)) if !spec.order_by.is_empty() || spec.window_frame.is_some())
}

fn constant() -> Expr {
    Expr::value(Value::Number("1".to_owned(), false))
}

fn not_missing(value: &Expr) -> Expr {
    Expr::IsNotNull(Box::new(nested(value.clone())))
}

/// A value where a condition is true, and none where it is not.
fn kept(value: &Expr, condition: &Expr) -> Expr {
    parse_expr(&format!("CASE WHEN {condition} THEN {value} END")).unwrap_or_else(|_| value.clone())
}

/// Different rows of several columns: those of a tuple all, `count(DISTINCT a, b)` those in which none is missing.
fn count_of_tuples(call: &Function, arguments: &[&Expr]) -> Function {
    let tuple = |parts: Vec<Expr>| marked(parts, TUPLE.to_owned());
    let counted = match arguments {
        [Expr::Tuple(parts)] => tuple(parts.clone()),
        parts => {
            let tuple = tuple(parts.iter().map(|part| (*part).clone()).collect());
            match parts.iter().map(|part| not_missing(part)).reduce(and) {
                Some(all) => kept(&tuple, &all),
                None => tuple,
            }
        }
    };
    distinct(of(call, "COUNT", vec![counted]))
}

fn percentile(call: &Function, name: &str, share: &Expr) -> Result<Option<Expr>, String> {
    let [OrderByExpr { expr, options, .. }] = call.within_group.as_slice() else {
        return Err(format!("`{name}` needs its column: `{name}({share}) WITHIN GROUP (ORDER BY column)`"));
    };
    if options.asc == Some(false) {
        return Err(format!("`{name}` goes up by its column: take 1 - {share} instead of DESC"));
    }
    let named = if name == "percentile_cont" { "QUANTILE_CONT" } else { "QUANTILE_DISC" };
    let call = of(call, named, vec![expr.clone(), share.clone()]);
    Ok(Some(Expr::Function(Function { within_group: Vec::new(), ..call })))
}

/// Aggregates of values that are there.
const OF_VALUES: &[&str] = &[
    "avg",
    "bool_and",
    "bool_or",
    "count",
    "count_if",
    "every",
    "max",
    "mean",
    "min",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
];

/// A window with a `FILTER` without it: what is filtered out is missing there.
fn filtered_inside(call: &Function) -> Option<Function> {
    let condition = call.filter.as_deref().filter(|_| call.over.is_some() && is_one_of(call, OF_VALUES))?;
    let value = match arguments(call).as_deref() {
        Some(&[value]) => kept(value, condition),
        None if has_wildcard(call) && is_one_of(call, &["count"]) => kept(&constant(), condition),
        _ => return None,
    };
    let inside = Function { filter: None, ..of(call, &name_of(call), vec![value]) };
    Some(if is_distinct(call) { distinct(inside) } else { inside })
}
