//! Functions of SQL that polars does not have, or has otherwise. Where SQL is read they stand as what polars knows (`frame/sql`), and in
//! the plan they become these (`frame/order.rs`).
//!
//! | file | what it knows |
//! |---|---|
//! | [`asked`](self) | conditions that may fail, kept from the readers of files |
//! | [`text`](self) | places in a text counted in characters, and words with a capital |
//! | [`decimal_sum`](self) | sums of decimals that have no room |
//! | [`ends`](self) | the last characters of a text |
//! | [`extremes`](self) | the smallest and the largest of floats |
//! | [`greatest`](self) | the largest or smallest of several floats in a row |
//! | [`remainder`](self) | what a division leaves, with the sign of what was divided |
//! | [`calendar`](self) | moments that are moved, and lengths of time that are multiplied |
//! | [`least`](self) | the least number of a type, which has no counterpart above zero |
//! | [`choice`](self) | `CASE WHEN` of constants |
//! | [`parts`](self) | different values alone, variances of a population, truth values, several columns as one |
//! | [`patterns`](self) | regular expressions |
//! | [`together`](self) | lists that are taken apart together |
//! | [`times`](self) | dates and times cut off, counted, and as texts |
//! | [`quotient`](self) | quotients and powers of floats, which do not follow how many rows come together |
//! | [`order_key`](self) | the place of each row in an order that goes up by one column and down by another |
//! | [`whole`](self) | sums, differences and products of whole numbers that have no room |
//! | [`zeros`](self) | one zero for the two that floats have, and signs that are turned |

mod asked;
mod calendar;
mod choice;
mod decimal_sum;
mod ends;
mod extremes;
mod greatest;
mod least;
mod order_key;
mod parts;
mod patterns;
mod quotient;
mod remainder;
mod text;
mod times;
mod together;
mod whole;
mod zeros;

pub use ends::{LEFT, RIGHT};
pub use order_key::OrderKey;
pub use parts::{COMPARED, DISTINCT, LISTED, PLACE, POPULATION, TRUTH, TUPLE, WRITTEN};
pub use patterns::Regexp;
pub use text::INITCAP;
pub use times::{Between, Unit, as_text};
pub use zeros::{keys_with_one_zero, one_zero};

pub(super) use asked::of as asked;
pub(super) use calendar::{length, movable};
pub(super) use choice::{gives_rows, of as choice};
pub(super) use decimal_sum::of as decimal_sum;
pub(super) use extremes::of as extreme;
pub(super) use greatest::of as greatest;
pub(super) use least::{absolute, divided};
pub(super) use parts::{chosen, of_population, written};
pub(super) use quotient::{of as quotient, power};
pub(super) use remainder::{has_sign, of as remainder};
pub(super) use times::of_text;
pub(super) use together::of as together;
pub(super) use whole::{Arithmetic, narrowed, of as whole};
pub(super) use zeros::negative;

use super::rolling::{self, Rolling};
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use polars_plan::prelude::{BaseColumnUdf, FunctionOptions, new_column_udf};

/// What a call of a polars function stands for, where that is another.
pub(super) fn meant(function: &FunctionExpr, input: &[Expr]) -> Option<Expr> {
    match function {
        FunctionExpr::Coalesce => marked(input),
        FunctionExpr::FillNull => text::position_of(input),
        _ => None,
    }
}

/// What a `COALESCE` stands for, which its last text says.
fn marked(input: &[Expr]) -> Option<Expr> {
    let Expr::Literal(text) = input.last()? else { return None };
    let text = text.extract_str()?;
    if let Some(rolling) = Rolling::of_mark(text) {
        return Some(rolling::function(rolling).call(input.to_vec()));
    }
    let arguments = input[..input.len() - 1].to_vec();
    if let Some(regexp) = Regexp::of_mark(text) {
        return arguments.into_iter().next().map(|text| regexp.call(text));
    }
    match (text, arguments.as_slice()) {
        (INITCAP, _) => Some(text::initcap(arguments)),
        (LEFT, _) => Some(ends::left(arguments)),
        (RIGHT, _) => Some(ends::right(arguments)),
        (TUPLE, _) => Some(as_struct(arguments)),
        (COMPARED, [value]) => Some(value.clone()),
        (_, [from, to]) if text.starts_with(times::BETWEEN) => {
            Between::of_mark(text).map(|between| between.call(from.clone(), to.clone()))
        }
        _ => OrderKey::of_mark(text).map(|key| key.call(arguments)),
    }
}

/// A function that gives a value for each row from that row alone. To be made once: polars knows equal calls by their function.
fn by_rows(
    name: &'static str,
    call: impl Fn(&[Column]) -> PolarsResult<Column> + Send + Sync + 'static,
    dtype: impl Fn(&[Field]) -> PolarsResult<DataType> + Send + Sync + 'static,
) -> UserDefinedFunction {
    let fun = BaseColumnUdf::new(
        move |columns: &mut [Column]| call(columns),
        move |_: &Schema, fields: &[Field]| Ok(Field::new(fields[0].name().clone(), dtype(fields)?)),
    );
    UserDefinedFunction { name: name.into(), fun: new_column_udf(fun), options: FunctionOptions::elementwise() }
}

/// The name of the user's column for a message; a value that is written out has none.
fn in_column(name: &str) -> String {
    match name {
        "" | "literal" => String::new(),
        name if name.starts_with("__kilter") || name.starts_with("_POLARS") => String::new(),
        name => format!(" in column `{name}`"),
    }
}

/// A call of such a function. Plans are compared by what it is called.
fn called(function: &UserDefinedFunction, input: Vec<Expr>) -> Expr {
    let UserDefinedFunction { name, fun, options } = function.clone();
    Expr::AnonymousFunction { input, function: fun, options, fmt_str: Box::new(name) }
}
