//! What serde says of a wrong value, in the words of messages.

/// A serde message taken apart.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// A name that is not among those that may stand there.
    NotOneOf {
        /// What stands there.
        found: String,
        /// What may.
        expected: Vec<String>,
    },
    /// A value of another type.
    Type {
        /// What stands there, with an article.
        found: String,
        /// What should, with an article.
        expected: String,
    },
    /// A value of the right type that is not allowed.
    Value {
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// Something else, in the kind's own words.
    Own(String),
}

/// What is expected where a value has one of several keys.
pub(super) const ONE_KEY: &str = "a table with one key";
pub(super) const NAME_OR_KEY: &str = "a name, or a table with one name as its key";
pub(super) const NAME_AS_KEY: &str = "a table with the name as its key";

/// Takes a serde message apart.
pub(super) fn read(message: &str) -> Said {
    for prefix in ["unknown variant `", "unknown field `"] {
        let halves = message.strip_prefix(prefix).and_then(|rest| rest.split_once("`, expected "));
        if let Some((found, rest)) = halves {
            return Said::NotOneOf { found: found.to_owned(), expected: quoted(rest) };
        }
    }
    let halves = |prefix: &str| message.strip_prefix(prefix).and_then(|rest| rest.rsplit_once(", expected "));
    if let Some((found, expected)) = halves("invalid type: ") {
        return Said::Type { found: found_words(found), expected: expected_words(expected) };
    }
    if let Some((found, expected)) = halves("invalid value: ").or_else(|| halves("invalid length ")) {
        // Both are tables; what is told apart is how many keys they have.
        let found = match (found, expected) {
            ("map", "map with a single key") => "a table of none or several".to_owned(),
            (found, _) => found_words(found),
        };
        return Said::Value { found, expected: expected_words(expected) };
    }
    Said::Own(message.to_owned())
}

/// The names in backquotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn found_words(found: &str) -> String {
    let inner = |prefix: &str| found.strip_prefix(prefix).map(|rest| rest.trim_matches('`').to_owned());
    if let Some(text) = found.strip_prefix("string ") {
        return format!("the text {text}");
    }
    if let Some(number) = inner("integer ").or_else(|| inner("floating point ")).or_else(|| inner("boolean ")) {
        return number;
    }
    match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" | "unit value" => "nothing".to_owned(),
        "unit variant" => "a name alone".to_owned(),
        "newtype variant" | "struct variant" | "tuple variant" => "a name with a value".to_owned(),
        "1" => "1 value".to_owned(),
        other if other.chars().all(|c| c.is_ascii_digit()) => format!("{other} values"),
        other => other.to_owned(),
    }
}

fn expected_words(expected: &str) -> String {
    match expected {
        "u8" => "an integer from 0 to 255".to_owned(),
        "u16" | "u32" | "u64" | "u128" | "usize" => "an integer, 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "an integer".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "string" | "str" => "a string".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" | "map" => "a table".to_owned(),
        "string or map" => NAME_OR_KEY.to_owned(),
        "map with a single key" => ONE_KEY.to_owned(),
        "unit variant" => "a name alone".to_owned(),
        "newtype variant" | "struct variant" | "tuple variant" => NAME_AS_KEY.to_owned(),
        "unit" => "nothing".to_owned(),
        _ if expected.starts_with("a nonzero ") => "an integer, 1 or more".to_owned(),
        _ if expected.starts_with("struct ") || expected.starts_with("struct variant ") => "a table".to_owned(),
        _ if expected.starts_with("enum ") => "one of its names".to_owned(),
        _ => array_words(expected).unwrap_or_else(|| expected.to_owned()),
    }
}

/// `an array of length 3`, `tuple struct X with 2 elements`, `a tuple of size 2`.
fn array_words(expected: &str) -> Option<String> {
    let listed = ["an array of length ", "a tuple of size ", "tuple struct ", "fewer elements in "];
    listed.iter().any(|prefix| expected.starts_with(prefix)).then(|| {
        let size = expected.split(' ').find(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit()));
        size.map_or_else(|| "a list".to_owned(), |size| format!("a list of {size} values"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, Debug)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its errors matter")]
    enum Layer {
        Relu,
        Linear { out: u32 },
    }

    fn said<T: serde::de::DeserializeOwned + std::fmt::Debug>(value: serde_json::Value) -> Said {
        read(&serde_json::from_value::<T>(value).expect_err("an error").to_string())
    }

    #[test]
    fn real_messages_are_taken_apart() {
        let names = vec!["relu".to_owned(), "linear".to_owned()];
        assert_eq!(said::<Layer>("rellu".into()), Said::NotOneOf { found: "rellu".into(), expected: names });
        let ty = |found: &str, expected: &str| Said::Type { found: found.into(), expected: expected.into() };
        assert_eq!(said::<u32>("abc".into()), ty("the text \"abc\"", "an integer, 0 or more"));
        assert_eq!(said::<u32>(serde_json::json!(1.5)), ty("1.5", "an integer, 0 or more"));
        assert_eq!(said::<Vec<u32>>(serde_json::json!({})), ty("a table", "a list"));
        assert_eq!(said::<String>(serde_json::json!(["a"])), ty("a list", "a string"));
        let value = |found: &str, expected: &str| Said::Value { found: found.into(), expected: expected.into() };
        assert_eq!(said::<u32>(serde_json::json!(-1)), value("-1", "an integer, 0 or more"));
        assert_eq!(said::<[u32; 2]>(serde_json::json!([1])), value("1 value", "a list of 2 values"));
        assert_eq!(said::<Layer>(serde_json::json!({})), value("a table of none or several", "a table with one key"));
    }
}
