//! Aggregates that polars' SQL does not have, in words that it has; and parts of some that only the plan can say (see `frame/functions`).

use super::super::functions::{DISTINCT, POPULATION, TRUTH, TUPLE};
use super::forms::{as_choice, marked};
use super::parse_expr;
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, OrderByExpr, Value, WindowType,
};

/// The arguments of a call, where they are plain expressions.
pub(super) fn arguments(call: &Function) -> Option<Vec<Expr>> {
    let plain = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument.clone()),
        _ => None,
    };
    match &call.args {
        FunctionArguments::List(list) => list.args.iter().map(plain).collect(),
        _ => None,
    }
}

/// The same call by another name and of other arguments, plain ones.
pub(super) fn of(call: &Function, name: &str, arguments: Vec<Expr>) -> Function {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    // The name keeps its place.
    let ident = match call.name.0.first().and_then(|part| part.as_ident()) {
        Some(old) => Ident { value: name.to_owned(), quote_style: None, span: old.span },
        None => Ident::new(name),
    };
    Function { name: ObjectName::from(ident), args: FunctionArguments::List(list), ..call.clone() }
}

/// What a call of an aggregate means; `None` where polars has it so.
pub(super) fn meant(call: &Function) -> Result<Option<Expr>, String> {
    let name = call.name.to_string().to_ascii_lowercase();
    let Some(arguments) = arguments(call) else {
        let of_rows = name == "count" && has_wildcard(call);
        return Ok(if of_rows { filtered_window(call, &name, &[constant()]) } else { None });
    };
    let renamed = |name: &str, arguments: Vec<Expr>| Ok(Some(Expr::Function(of(call, name, arguments))));
    let distinct = is_distinct(call);
    match (name.as_str(), arguments.as_slice()) {
        ("mean", [_]) if !distinct => renamed("AVG", arguments),
        ("approx_count_distinct", [of]) => Ok(parse_expr(&format!("COUNT(DISTINCT {of})")).ok()),
        ("bool_and" | "every", [of]) => renamed("MIN", vec![as_choice(of, TRUTH)]),
        ("bool_or", [of]) => renamed("MAX", vec![as_choice(of, TRUTH)]),
        ("count_if", [condition]) => renamed("COUNT", vec![kept(&constant(), condition)]),
        ("any_value", [value]) if call.over.is_none() => {
            let mut filter = not_missing(value);
            if let Some(also) = &call.filter {
                filter = format!("({filter}) AND ({also})");
            }
            let filter = parse_expr(&filter).ok().map(Box::new);
            Ok(Some(Expr::Function(Function { filter, ..of(call, "FIRST", arguments) })))
        }
        ("stddev_pop", [value]) if !is_in_order(call) => renamed("STDDEV", vec![as_choice(value, POPULATION)]),
        ("var_pop", [value]) if !is_in_order(call) => renamed("VARIANCE", vec![as_choice(value, POPULATION)]),
        ("sum" | "avg" | "mean", [value]) if distinct && call.over.is_none() => {
            let value = match &call.filter {
                Some(condition) => kept(value, condition),
                None => value.clone(),
            };
            let name = if name == "sum" { "SUM" } else { "AVG" };
            let call = of(call, name, vec![as_choice(&value, DISTINCT)]);
            Ok(Some(Expr::Function(Function { filter: None, ..call })))
        }
        ("count", [_, _, ..] | [Expr::Tuple(_)]) if distinct => Ok(Some(count_of_tuples(call, &arguments))),
        ("percentile_cont" | "percentile_disc", [share]) => percentile(call, &name, share),
        ("arg_max" | "max_by" | "arg_min" | "min_by", [value, by]) if call.over.is_none() => {
            let direction = if name.contains("max") { "DESC" } else { "ASC" };
            let both = format!("{} AND {}", not_missing(value), not_missing(by));
            let filter = call.filter.as_ref().map_or(both.clone(), |also| format!("{both} AND ({also})"));
            let list = format!("array_agg({value} ORDER BY {by} {direction} LIMIT 1) FILTER (WHERE {filter})");
            Ok(parse_expr(&format!("array_get({list}, 1)")).ok())
        }
        _ => Ok(filtered_window(call, &name, &arguments)),
    }
}

fn has_wildcard(call: &Function) -> bool {
    matches!(&call.args, FunctionArguments::List(list) if matches!(list.args.as_slice(), [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]))
}

fn is_distinct(call: &Function) -> bool {
    matches!(&call.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}

fn is_in_order(call: &Function) -> bool {
    matches!(&call.over, Some(WindowType::WindowSpec(spec)) if !spec.order_by.is_empty() || spec.window_frame.is_some())
}

fn constant() -> Expr {
    Expr::value(Value::Number("1".to_owned(), false))
}

fn not_missing(value: &Expr) -> String {
    format!("({value}) IS NOT NULL")
}

/// A value where a condition is true, and none where it is not.
fn kept(value: &Expr, condition: &Expr) -> Expr {
    parse_expr(&format!("CASE WHEN {condition} THEN {value} END")).unwrap_or_else(|_| value.clone())
}

/// Different rows of several columns: those of a tuple all, `count(DISTINCT a, b)` those in which none is missing.
fn count_of_tuples(call: &Function, arguments: &[Expr]) -> Expr {
    let counted = match arguments {
        [Expr::Tuple(parts)] => marked(parts.clone(), TUPLE.to_owned()),
        parts => {
            let all: Vec<String> = parts.iter().map(not_missing).collect();
            let tuple = marked(parts.to_vec(), TUPLE.to_owned());
            parse_expr(&format!("CASE WHEN {} THEN {tuple} END", all.join(" AND "))).unwrap_or(tuple)
        }
    };
    let mut counted = of(call, "COUNT", vec![counted]);
    if let FunctionArguments::List(list) = &mut counted.args {
        list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
    }
    Expr::Function(counted)
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

/// `FILTER` in a window: what is filtered out is missing there.
fn filtered_window(call: &Function, name: &str, arguments: &[Expr]) -> Option<Expr> {
    const OF_VALUES: &[&str] = &[
        "avg",
        "bool_and",
        "bool_or",
        "count",
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
    let condition = call.filter.as_ref().filter(|_| call.over.is_some() && OF_VALUES.contains(&name))?;
    let value = match arguments {
        [value] => value.clone(),
        _ => return None,
    };
    let call = of(call, name, vec![kept(&value, condition)]);
    Some(Expr::Function(Function { filter: None, ..call }))
}
