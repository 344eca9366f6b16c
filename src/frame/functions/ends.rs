//! The first and last characters of a text: polars counts wrongly where it has fewer, and takes a missing number for none.

use super::{by_rows, called};
use polars::prelude::arity::broadcast_binary_elementwise;
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// The text that says of a plan's `COALESCE` that it is `LEFT`.
pub const LEFT: &str = "__kilter_left";

/// The text that says of a plan's `COALESCE` that it is `RIGHT`.
pub const RIGHT: &str = "__kilter_right";

/// So many characters at a text's beginning; of a negative number all but so many at its end.
pub(super) fn left(arguments: Vec<Expr>) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| function("left", "LEFT", first));
    called(&FUNCTION, arguments)
}

/// So many characters at a text's end; of a negative number all but so many at its beginning.
pub(super) fn right(arguments: Vec<Expr>) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| function("right", "RIGHT", last));
    called(&FUNCTION, arguments)
}

/// A function of a text and a number of characters.
fn function(name: &'static str, called: &'static str, part: fn(&str, i64) -> &str) -> UserDefinedFunction {
    let call = move |columns: &[Column]| {
        let (text, count) = (columns[0].str()?, columns[1].cast(&DataType::Int64)?);
        let part = |text: Option<&str>, count: Option<i64>| Some(part(text?, count?).to_owned());
        let found: StringChunked = broadcast_binary_elementwise(text, count.i64()?, part);
        Ok(found.with_name(columns[0].name().clone()).into_column())
    };
    by_rows(name, call, move |fields| match (fields[0].dtype(), fields[1].dtype()) {
        (DataType::String | DataType::Null, count)
            if count.is_integer() || count.is_null() || matches!(count, DataType::Unknown(_)) =>
        {
            Ok(DataType::String)
        }
        (text, count) => {
            let [text, count] = [text, count].map(super::super::from_polars);
            polars_bail!(InvalidOperation: "`{called}` is of a text and a whole number, found {text} and {count}")
        }
    })
}

fn first(text: &str, count: i64) -> &str {
    let places = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let end = match (count, places) {
        (0.., places) => text.char_indices().nth(places).map_or(text.len(), |(at, _)| at),
        (_, places) => text.char_indices().rev().nth(places - 1).map_or(0, |(at, _)| at),
    };
    &text[..end]
}

fn last(text: &str, count: i64) -> &str {
    let places = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let begin = match (count, places) {
        (0, _) => text.len(),
        (1.., places) => text.char_indices().rev().nth(places - 1).map_or(0, |(at, _)| at),
        (_, places) => text.char_indices().nth(places).map_or(text.len(), |(at, _)| at),
    };
    &text[begin..]
}

#[cfg(test)]
mod tests {
    use super::{first, last};

    #[test]
    fn the_last_characters_are_all_where_there_are_fewer() {
        let of = |count| last("北京ab", count);
        assert_eq!([of(1), of(3), of(4), of(9), of(i64::MAX)], ["b", "京ab", "北京ab", "北京ab", "北京ab"]);
        assert_eq!([of(0), of(-1), of(-4), of(-9), of(i64::MIN)], ["", "京ab", "", "", ""]);
        let of = |count| first("北京ab", count);
        assert_eq!([of(0), of(1), of(3), of(9), of(i64::MAX)], ["", "北", "北京a", "北京ab", "北京ab"]);
        assert_eq!([of(-1), of(-4), of(-9), of(i64::MIN)], ["北京a", "", "", ""]);
    }
}
