//! The last characters of a text: polars counts wrongly where it has fewer.

use super::{by_rows, called};
use polars::prelude::arity::broadcast_binary_elementwise;
use polars::prelude::*;
use polars_plan::dsl::UserDefinedFunction;
use std::sync::LazyLock;

/// The text that says of a plan's `COALESCE` that it is `RIGHT`.
pub const RIGHT: &str = "__kilter_right";

/// So many characters at a text's end; of a negative number all but so many at its beginning.
pub(super) fn right(arguments: Vec<Expr>) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        let call = |columns: &[Column]| {
            let (text, count) = (columns[0].str()?, columns[1].cast(&DataType::Int64)?);
            let ends = |text: Option<&str>, count: Option<i64>| Some(last(text?, count?).to_owned());
            let found: StringChunked = broadcast_binary_elementwise(text, count.i64()?, ends);
            Ok(found.with_name(columns[0].name().clone()).into_column())
        };
        by_rows("right", call, |fields| match (fields[0].dtype(), fields[1].dtype()) {
            (DataType::String | DataType::Null, count)
                if count.is_integer() || count.is_null() || matches!(count, DataType::Unknown(_)) =>
            {
                Ok(DataType::String)
            }
            (text, count) => {
                let [text, count] = [text, count].map(super::super::from_polars);
                polars_bail!(InvalidOperation: "`RIGHT` is of a text and a whole number, found {text} and {count}")
            }
        })
    });
    called(&FUNCTION, arguments)
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
    use super::last;

    #[test]
    fn the_last_characters_are_all_where_there_are_fewer() {
        let of = |count| last("北京ab", count);
        assert_eq!([of(1), of(3), of(4), of(9), of(i64::MAX)], ["b", "京ab", "北京ab", "北京ab", "北京ab"]);
        assert_eq!([of(0), of(-1), of(-4), of(-9), of(i64::MIN)], ["", "京ab", "", "", ""]);
    }
}
