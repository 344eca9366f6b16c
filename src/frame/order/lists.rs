//! Lists of `IN (…)`, and such as are taken apart together.

use super::super::alike::common;
use super::super::{collect, functions};
use super::{Scope, mixed};
use polars::prelude::*;
use polars_plan::plans::DslFunction;
use std::collections::BTreeSet;

/// The list of `IN (…)` as a literal. As SQL is planned it is an aggregate of a literal, for the sake of which the optimizer would
/// move no condition of that filter down to the files.
pub(super) fn whole(expr: Expr) -> Expr {
    literal(&expr).unwrap_or(expr)
}

/// A value and a list in the type that they have in common, where polars compares them in none or in that of the value: decimals, and
/// dates with times.
pub(super) fn alike(mut input: Vec<Expr>, scope: &Scope<'_>) -> Vec<Expr> {
    // What is wrong with them is told where they are used.
    let dtype = |expr: &Expr| scope.schema().and_then(|schema| expr.to_field(schema)).ok().map(|field| field.dtype);
    if let [value, list] = input.as_mut_slice()
        && let Some(of_value) = dtype(value)
        && let Some(moments) = moments(list, &of_value)
    {
        *list = moments;
    }
    if let [value, list] = input.as_mut_slice()
        && let (Some(of_value), Some(DataType::List(of_list))) = (dtype(value), dtype(list))
        && !(of_value.is_primitive_numeric() && of_list.is_primitive_numeric())
        && !(of_value.is_decimal() && of_list.is_integer())
        && let Some(dtype) = common(&of_value, &of_list)
    {
        if *of_list != dtype {
            let dtype = DataType::List(Box::new(dtype.clone()));
            *list = match &*list {
                Expr::Literal(LiteralValue::Series(values)) => match values.strict_cast(&dtype) {
                    Ok(values) => Expr::Literal(LiteralValue::Series(SpecialEq::new(values))),
                    Err(_) => list.clone().strict_cast(dtype),
                },
                other => other.clone().strict_cast(dtype),
            };
        }
        if of_value != dtype {
            *value = value.clone().strict_cast(dtype);
        }
    }
    input
}

/// Texts that are written out as the dates or times among which one is looked for; `None` where there are none, or one of them is
/// no such thing.
fn moments(list: &Expr, dtype: &DataType) -> Option<Expr> {
    let Expr::Literal(LiteralValue::Series(list)) = list else { return None };
    if !matches!(dtype, DataType::Date | DataType::Datetime(..) | DataType::Time) {
        return None;
    }
    let texts = list.list().ok()?.get_as_series(0).filter(|texts| texts.dtype().is_string())?;
    let texts = DataFrame::new(texts.len(), vec![texts.with_name("texts".into()).into_column()]).ok()?;
    let read = collect(texts.lazy().select([mixed::read(col("texts"), dtype)])).ok()?;
    let list = read.columns().first()?.as_materialized_series().implode().ok()?.into_series();
    Some(Expr::Literal(LiteralValue::Series(SpecialEq::new(list))))
}

/// A list and what is looked for in it. `IN` over a query asks whether its list holds a missing value, which polars takes for no
/// decimal.
pub(super) fn typed(mut input: Vec<Expr>, scope: &Scope<'_>) -> Vec<Expr> {
    if let [list, value] = input.as_mut_slice()
        && matches!(value, Expr::Literal(literal) if literal.is_null())
        && let Ok(schema) = scope.schema()
        && let Ok(field) = list.to_field(schema)
        && let DataType::List(dtype) = field.dtype
    {
        *value = value.clone().strict_cast(*dtype);
    }
    input
}

/// The table whose lists a function takes apart, if it does, with missing values behind the shorter ones of a row: so PostgreSQL and
/// DuckDB have it.
pub(super) fn together(function: &DslFunction, table: Scope<'_>) -> PolarsResult<DslPlan> {
    let DslFunction::Explode { columns: Selector::ByName { names, .. }, .. } = function else {
        return Ok(table.into_input());
    };
    let names: BTreeSet<&PlSmallStr> = names.iter().collect();
    if names.len() < 2 {
        return Ok(table.into_input());
    }
    let schema = table.schema()?;
    let are_lists = names.iter().all(|name| schema.get(name.as_str()).is_some_and(DataType::is_list));
    let lf = LazyFrame::from(table.into_input());
    if !are_lists {
        return Ok(lf.logical_plan);
    }
    let as_long = |name: &&PlSmallStr| {
        let others = names.iter().filter(|other| *other != name);
        let lists = std::iter::once(name).chain(others).map(|name| col((*name).clone()));
        functions::together(lists.collect()).alias((*name).clone())
    };
    Ok(lf.with_columns(names.iter().map(as_long).collect::<Vec<_>>()).logical_plan)
}

fn literal(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Alias(inner, _) => literal(inner),
        Expr::Agg(AggExpr::Implode { input, .. }) => match input.as_ref() {
            Expr::Literal(LiteralValue::Series(values)) => {
                let list = values.implode().ok()?.into_series();
                Some(Expr::Literal(LiteralValue::Series(SpecialEq::new(list))))
            }
            _ => None,
        },
        _ => None,
    }
}
