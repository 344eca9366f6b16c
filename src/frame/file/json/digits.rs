//! Whole numbers of more digits than 64 bits hold: a reader of JSON makes floats of them, and their last digits are lost.

use super::value::Json;

/// From here on a float may be a whole number that lost digits.
const LARGE: f64 = 9.2e18;

/// What to do about such a number.
pub(super) const QUOTE: &str = "write it in quotes where the file is made: then it is text, with all of its digits";

/// Where the first number of too many digits begins in the text that a value was read from, and the number.
pub(super) fn lost<'t>(value: &Json, text: &'t str) -> Option<(usize, &'t str)> {
    if !may_have_lost(value) {
        return None;
    }
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let rest = &text[at..];
        match byte {
            b'"' => at += string(rest),
            b'-' | b'0'..=b'9' => {
                let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
                let number = &rest[..end.unwrap_or(rest.len())];
                let whole = !number.contains(['.', 'e', 'E']);
                if whole && number.parse::<i64>().is_err() && number.parse::<u64>().is_err() {
                    return Some((at, number));
                }
                at += number.len();
            }
            _ => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    None
}

fn may_have_lost(value: &Json) -> bool {
    match value {
        Json::Float(number) => number.abs() >= LARGE,
        Json::List(items) => items.iter().any(may_have_lost),
        Json::Object(fields) => fields.iter().any(|(_, value)| may_have_lost(value)),
        _ => false,
    }
}

/// How long the text in quotes is that something begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let closes = |c: char| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    };
    text[1..].find(closes).map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_lost_digits_are_found() {
        let found =
            |text: &str| lost(&serde_json::from_str(text).expect("JSON"), text).map(|(_, number)| number.to_owned());
        assert_eq!(found(r#"{"a": [1, {"b": 18446744073709551616}]}"#).as_deref(), Some("18446744073709551616"));
        assert_eq!(found(r#"{"a": -9223372036854775809}"#).as_deref(), Some("-9223372036854775809"));
        for kept in [
            r#"{"a": 18446744073709551615, "b": -9223372036854775808}"#,
            r#"{"a": 1e30, "b": 12345678901234567890123.5}"#,
            r#"{"a\\": "\"12345678901234567890123", "b": 1e30}"#,
            r#"{"é": "12345678901234567890123"}"#,
        ] {
            assert_eq!(found(kept), None, "{kept}");
        }
    }
}
