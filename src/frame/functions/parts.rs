//! Parts of aggregates that SQL says and polars' SQL does not: different values alone, all of a population, truth values, several columns
//! as one.

use super::{by_rows, called};
use polars::prelude::*;
use polars_plan::dsl::{BooleanFunction, UserDefinedFunction};
use std::sync::{Arc, LazyLock};

/// The text of a `COALESCE` that stands for the place of a row among those that are equal to it (see `frame/order/places.rs`).
pub const PLACE: &str = "__kilter_place";

/// The text of a `COALESCE` that stands for what is compared with something of another type.
pub const COMPARED: &str = "__kilter_compared";

/// The text of a `CASE` that stands for a list of values, of which there may be none.
pub const LISTED: &str = "__kilter_listed";

/// The text of a `CASE` that stands for the different ones of values.
pub const DISTINCT: &str = "__kilter_distinct";

/// The text of a `CASE` that stands for values that are all there are, of which a variance is.
pub const POPULATION: &str = "__kilter_population";

/// The text of a `CASE` that stands for truth values.
pub const TRUTH: &str = "__kilter_truth";

/// The text at the end of a `COALESCE` of columns that are one value together.
pub const TUPLE: &str = "__kilter_tuple";

/// What the text of a `CASE` begins with that stands for a text beside a value of any type; the text follows (see `frame/sql/compared.rs`).
pub const WRITTEN: &str = "__kilter_written ";

/// The text that a `CASE WHEN predicate THEN value END` stands for beside its value.
pub(in crate::frame) fn written(predicate: &Expr) -> Option<&str> {
    text_of(predicate)?.strip_prefix(WRITTEN)
}

/// What a `CASE WHEN predicate THEN value END` stands for, where it is no choice.
pub(in crate::frame) fn chosen(predicate: &Expr, value: &Expr) -> Option<Expr> {
    let Expr::Function { input, function: FunctionExpr::Boolean(BooleanFunction::IsNull) } = predicate else {
        return None;
    };
    if let [Expr::Function { input, function: FunctionExpr::Coalesce }] = input.as_slice() {
        return super::marked(input);
    }
    let text = text_of(predicate)?;
    let value = value.clone();
    match text {
        DISTINCT => Some(value.unique_stable()),
        LISTED => Some(listed(value)),
        TRUTH => Some(truth(value)),
        _ => super::times::Unit::of_mark(text).map(|unit| unit.truncated(value)),
    }
}

/// The text that is asked of whether it is missing.
fn text_of(predicate: &Expr) -> Option<&str> {
    let Expr::Function { input, function: FunctionExpr::Boolean(BooleanFunction::IsNull) } = predicate else {
        return None;
    };
    match input.as_slice() {
        [Expr::Literal(text)] => text.extract_str(),
        _ => None,
    }
}

/// A variance or deviation of a population; `None` where it is one of a sample.
pub(in crate::frame) fn of_population(aggregate: &AggExpr) -> Option<AggExpr> {
    match aggregate {
        AggExpr::Var(values, _) => Some(AggExpr::Var(Arc::new(population(values)?), 0)),
        AggExpr::Std(values, _) => Some(AggExpr::Std(Arc::new(population(values)?), 0)),
        _ => None,
    }
}

fn population(values: &Expr) -> Option<Expr> {
    match values {
        Expr::Ternary { predicate, truthy, .. } if text_of(predicate) == Some(POPULATION) => {
            Some(truthy.as_ref().clone())
        }
        Expr::Filter { input, by } => Some(population(input)?.filter(by.as_ref().clone())),
        _ => None,
    }
}

/// A list that holds something; of no rows there is none.
fn listed(list: Expr) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        let call = |columns: &[Column]| {
            let lists = columns[0].as_materialized_series();
            let holds = lists.list()?.lst_lengths().gt(0);
            let none = Series::full_null(lists.name().clone(), lists.len(), lists.dtype());
            Ok(lists.zip_with(&holds, &none)?.into_column())
        };
        by_rows("listed", call, |fields| Ok(fields[0].dtype().clone()))
    });
    called(&FUNCTION, vec![list])
}

/// The same truth values; of others there is none.
fn truth(value: Expr) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        let dtype = |fields: &[Field]| match fields[0].dtype() {
            DataType::Boolean | DataType::Null => Ok(DataType::Boolean),
            other => {
                let found = super::super::from_polars(other);
                polars_bail!(InvalidOperation: "`bool_and` and `bool_or` are of truth values, found {found}: write a comparison")
            }
        };
        by_rows("truth", |columns| columns[0].cast(&DataType::Boolean), dtype)
    });
    called(&FUNCTION, vec![value])
}
