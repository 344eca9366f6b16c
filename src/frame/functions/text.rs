//! Functions of texts.

use super::{by_rows, called};
use polars::prelude::arity::broadcast_binary_elementwise;
use polars::prelude::*;
use polars_plan::dsl::{StringFunction, UserDefinedFunction};
use std::sync::LazyLock;

/// The text that says of a plan's `COALESCE` that it is `INITCAP`.
pub const INITCAP: &str = "__kilter_initcap";

/// `POSITION` and `STRPOS`, of what they are to polars: one more than the place of a pattern, in bytes, and 0 where there is none, also
/// in a missing text.
pub(super) fn position_of(input: &[Expr]) -> Option<Expr> {
    let [Expr::BinaryExpr { left, op: Operator::Plus, .. }, _] = input else { return None };
    match left.as_ref() {
        Expr::Function { input, function: FunctionExpr::StringExpr(StringFunction::Find { .. }) } => {
            Some(position(input.clone()))
        }
        _ => None,
    }
}

/// Where a text stands in another, in characters from 1 on; 0 where it does not.
fn position(text_and_part: Vec<Expr>) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        let call = |columns: &[Column]| {
            let (text, part) = (columns[0].str()?, columns[1].str()?);
            let found: UInt32Chunked =
                broadcast_binary_elementwise(text, part, |text: Option<&str>, part: Option<&str>| place(text?, part?));
            Ok(found.with_name(columns[0].name().clone()).into_column())
        };
        by_rows("position", call, |fields| texts("POSITION", fields).map(|()| DataType::UInt32))
    });
    called(&FUNCTION, text_and_part)
}

fn place(text: &str, part: &str) -> Option<u32> {
    let before = text.find(part).map(|at| text[..at].chars().count() + 1);
    u32::try_from(before.unwrap_or(0)).ok()
}

/// Every word with a capital and small letters after it; a word is letters and digits.
pub(super) fn initcap(arguments: Vec<Expr>) -> Expr {
    static FUNCTION: LazyLock<UserDefinedFunction> = LazyLock::new(|| {
        let call = |columns: &[Column]| Ok(columns[0].str()?.apply_into_string_amortized(with_capitals).into_column());
        by_rows("initcap", call, |fields| texts("INITCAP", fields).map(|()| DataType::String))
    });
    called(&FUNCTION, arguments)
}

fn with_capitals(text: &str, out: &mut String) {
    let mut inside = false;
    for letter in text.chars() {
        if inside {
            out.extend(letter.to_lowercase());
        } else {
            out.extend(letter.to_uppercase());
        }
        inside = letter.is_alphanumeric();
    }
}

/// Refuses what is no text.
fn texts(name: &str, fields: &[Field]) -> PolarsResult<()> {
    match fields.iter().find(|field| !matches!(field.dtype(), DataType::String | DataType::Null)) {
        None => Ok(()),
        Some(field) => {
            let found = super::super::from_polars(field.dtype());
            polars_bail!(InvalidOperation: "`{name}` is of texts, found {found}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters() {
        assert_eq!(place("Grün, rot", "rot"), Some(7));
        assert_eq!(place("北京市朝阳区", "朝阳"), Some(4));
        assert_eq!((place("a.b", "."), place("abc", "x"), place("abc", "")), (Some(2), Some(0), Some(1)));
    }

    #[test]
    fn words_get_a_capital() {
        let of = |text: &str| {
            let mut out = String::new();
            with_capitals(text, &mut out);
            out
        };
        assert_eq!(of("ada LOVELACE-king of o'brien 2nd"), "Ada Lovelace-King Of O'Brien 2nd");
        assert_eq!((of("éCOLE straße"), of("")), ("École Straße".to_owned(), String::new()));
    }
}
