//! What polars says of a query, in words that help who wrote it.

use super::super::{misfits, polars_words};
use super::{Problem, ProblemKind, place};
use polars::error::PolarsError;
use std::ops::Range;

/// What polars calls the column that it makes of a query in an IN.
pub(super) const OF_A_SUBQUERY: &str = "_POLARS_TMP_";

/// Without the advice that polars gives to users of Python, and without its view of what it cannot read.
pub(super) fn plain(message: &str) -> String {
    if message.contains(OF_A_SUBQUERY) {
        return "IN over a query is known in WHERE alone: join the tables instead, and ask whether there was a pair"
            .to_owned();
    }
    if message.starts_with("expression Exists ") {
        return "an EXISTS that asks of the row around it compares a column of each, `a.id = b.id`, and as a part of WHERE by itself also with `<` and its like: join the tables instead".to_owned();
    }
    if let Some(rest) = message.strip_prefix("expression ").filter(|rest| rest.contains("not currently supported")) {
        let sort: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        if sort == "AtTimeZone" {
            return "AT TIME ZONE is not known: times have no zone, and are in UTC where a text said one; `x + INTERVAL '8 hours'` is the time of a place so far from it".to_owned();
        }
        return format!("an expression of this sort ({sort}) is not known");
    }
    if message.starts_with("unsupported SQL join constraint")
        || message.starts_with("unsupported join constraint operator")
    {
        return "the condition of a join is made of comparisons and AND: write others into WHERE, after a CROSS JOIN"
            .to_owned();
    }
    if let Some(keys) = message.strip_prefix("datatypes of join keys don't match - ")
        && let Some((keys, _)) = keys.split_once(" on right")
    {
        let keys = keys.replace(" on left does not match ", " and ").replace(": ", " of ");
        return format!("a join compares keys of one type, found {keys}: CAST one of them");
    }
    if let Some((_, name)) = message.split_once("duplicate output name '")
        && let Some((name, _)) = name.split_once('\'')
    {
        return format!("two columns are called `{name}`: call one of them otherwise, with AS");
    }
    if let Some((_, name)) = message.split_once("the name '")
        && let Some((name, _)) = name.split_once("' passed to ")
    {
        return format!("two columns are called `{name}`: call one of them otherwise, with AS");
    }
    if let Some(word) =
        message.strip_prefix("expected an expression (found '").and_then(|rest| rest.strip_suffix("' clause)"))
    {
        return format!(
            "`{word}` begins another part of a query: a column that is called so stands in double quotes, \"{word}\""
        );
    }
    if message.starts_with("operator BitwiseXor is not") {
        return "`^` is a power to some databases and a comparison of bits to others: write `power(a, b)` or `xor(a, b)`".to_owned();
    }
    if let Some(name) = message.strip_prefix("unsupported function ") {
        let name = name.trim_matches('\'');
        return match elsewhere(name) {
            Some(here) => format!("there is no function `{name}`: write `{here}`"),
            None => format!("there is no function `{name}`"),
        };
    }
    if let Some(told) = misfits::told(message).or_else(|| asked(message)).or_else(|| limited(message)) {
        return told;
    }
    message.split("\n").next().unwrap_or(message).trim_end_matches(['.', ' ']).to_owned()
}

/// What is written here for functions of other databases.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "average" => "avg(x)",
        "array_has" | "list_contains" => "array_contains(x, 'a')",
        "charindex" => "strpos(x, 'part')",
        "clamp" | "clip" => "least(greatest(x, 0), 1)",
        "collect_list" | "group_array" | "list" => "array_agg(x)",
        "countif" => "count_if(condition)",
        "date_add" | "dateadd" => "x + INTERVAL '1 day'",
        "date_format" | "format_date" | "to_char" => "strftime(x, '%Y-%m-%d')",
        "from_unixtime" | "make_timestamp" => "to_timestamp(seconds)",
        "group_concat" | "listagg" => "string_agg(x, ',')",
        "iff" | "iif" => "CASE WHEN x > 0 THEN 1 ELSE 0 END",
        "is_nan" | "isnan" => "x = CAST('nan' AS DOUBLE)",
        "isnull" => "x IS NULL",
        "mid" => "substr(x, 1, 3)",
        "notnull" => "x IS NOT NULL",
        "nunique" => "count(DISTINCT x)",
        "percentile" | "quantile" => "quantile_cont(x, 0.5)",
        "split" | "str_split" | "string_split" => "string_to_array(x, ' ')",
        "std" => "stddev(x)",
        "str_to_date" | "to_date" | "to_datetime" => "strptime(x, '%Y-%m-%d')",
        "strlen" => "length(x)",
        "to_number" => "CAST(x AS DOUBLE)",
        "try_strptime" => "TRY_CAST(substr(x, 7, 4) || '-' || substr(x, 4, 2) || '-' || left(x, 2) AS DATE)",
        "unix_timestamp" => "epoch(x)",
        "weekday" => "EXTRACT(dow FROM x)",
        _ => return None,
    })
}

/// What functions and operators take.
fn asked(message: &str) -> Option<String> {
    let found = |before: &str| message.strip_prefix(before);
    if let Some(pattern) = found("LIKE/ILIKE pattern must be a string literal; found ") {
        return Some(format!(
            "the pattern of LIKE is a text in single quotes, found {pattern}: `strpos(a, b) > 0` looks for the text of another column"
        ));
    }
    if let Some(pattern) = found("invalid pattern for '~' operator: ") {
        let pattern = pattern.trim_start_matches("col(").trim_end_matches(')').trim_matches('"');
        return Some(format!("the pattern of `~` is a text in single quotes, found {pattern}"));
    }
    if let Some((function, value)) = found("invalid value for ").and_then(|rest| rest.split_once(" (")) {
        return Some(format!("{function} is a number that is written out, found {}", value.trim_end_matches(')')));
    }
    if let Some((function, clause)) = found("unexpected clause found in '").and_then(|rest| rest.split_once("' (")) {
        let clause = clause.trim_end_matches(')');
        let remedy = match function {
            "first" | "first_value" => ": `arg_min(x, by)` is the value of the row where `by` is smallest",
            "last" | "last_value" => ": `arg_max(x, by)` is the value of the row where `by` is largest",
            _ => "",
        };
        return Some(format!("`{function}` does not take {clause}{remedy}"));
    }
    if let Some(function) = message.strip_suffix(" requires an OVER clause") {
        return Some(format!(
            "`{function}` looks at other rows: write `{function}(…) OVER (PARTITION BY … ORDER BY …)`, or a step `window`"
        ));
    }
    if let Some((name, _)) = found("no table or struct column named '").and_then(|rest| rest.split_once('\'')) {
        return Some(format!("there is no table `{name}` here, and no column of structs of this name"));
    }
    if let Some(value) = found("offset must be an integer (found ") {
        let value = value.trim_end_matches(')').replace('"', "'");
        return Some(format!("how many rows back or ahead is a whole number that is written out, found {value}"));
    }
    if let Some(part) = found("EXTRACT/DATE_PART does not support ").and_then(|rest| rest.strip_suffix(" part")) {
        let part = part.trim_matches('\'');
        return Some(format!(
            "a date or time has no part `{part}`: it has year, quarter, month, week, day, dow, doy, hour, minute, second, epoch"
        ));
    }
    if let Some(call) = found("no function matches the given name and arguments: ") {
        return Some(format!("{call} has other arguments than the function takes"));
    }
    if let Some(number) = found("cannot parse literal: ") {
        let number = number.trim_matches('"');
        return Some(format!(
            "{number} has no room in i64: whole numbers go up to 9223372036854775807, and with a point or as `CAST('{number}' AS DOUBLE)` it is a float"
        ));
    }
    if let Some(value) = found("offset must be positive (found ") {
        let value = value.trim_end_matches(')');
        return Some(format!(
            "`lag` looks back and `lead` ahead, by 0 rows or more, found {value}: take the other one"
        ));
    }
    if let Some(argument) = found("cannot parse literal ") {
        let name = argument.split_once("value: \"").and_then(|(_, rest)| rest.split_once('"'));
        let of = name.map(|(name, _)| format!(", found `{name}`")).unwrap_or_default();
        return Some(format!(
            "a text in single quotes is wanted{of}: is it the other argument, as in `strftime(x, '%Y')`?"
        ));
    }
    if let Some(function) = found("expression: '").and_then(|rest| rest.strip_suffix("' didn't get any inputs")) {
        return Some(format!("`{function}` needs a value at least"));
    }
    message
        .starts_with("array element ")
        .then(|| "the values of a list are written out, as in `[1, 2]`: columns have no list".to_owned())
}

/// What is not known, and places that take few things.
fn limited(message: &str) -> Option<String> {
    if let Some((dtype, _)) = message.strip_prefix("datatype \"").and_then(|rest| rest.split_once('"')) {
        return Some(format!(
            "there is no type {dtype}: such are BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, REAL, DOUBLE, DECIMAL(10, 2), VARCHAR, DATE, TIME, TIMESTAMP"
        ));
    }
    if let Some(number) = message.strip_prefix("ORDER BY ordinal value must refer to a valid column; found ") {
        return Some(format!("ORDER BY counts the selected columns from 1, and there is none at {number}"));
    }
    if let Some(value) = message.strip_prefix("ORDER BY requires a valid expression or positive ordinal; found ") {
        return Some(format!("ORDER BY takes columns and expressions, found {value}: in single quotes it is a text"));
    }
    if message.starts_with("non-numeric arguments for LIMIT") || message.contains("conversion error: invalid digit") {
        return Some("LIMIT and OFFSET take a whole number that is written out".to_owned());
    }
    let operator = message.strip_prefix("unary operator (").or_else(|| message.strip_prefix("operator "))?;
    let sort: String = operator.chars().take_while(char::is_ascii_alphanumeric).collect();
    let known = message.ends_with("is not supported") || message.ends_with("is not currently supported");
    known.then(|| match sort.as_str() {
        "PGOverlap" => "`&&` is not known: write AND".to_owned(),
        "PGBitwiseShiftLeft" => "`<<` is not known: multiply by a power of two".to_owned(),
        "PGBitwiseShiftRight" => "`>>` is not known: divide by a power of two, `a // 4`".to_owned(),
        "BitwiseNot" | "PGBitwiseNot" => "`~a` is not known: of whole numbers it is `-a - 1`".to_owned(),
        _ => format!("an operator of this sort ({sort}) is not known"),
    })
}

/// What polars said, with the place of what fails so by itself (as `smallest` tells from the message), or of the column that
/// it names.
pub(super) fn problem_of(
    text: &str,
    error: &PolarsError,
    smallest: impl FnOnce(&str) -> Option<Range<usize>>,
) -> Problem {
    let message = polars_words(error);
    let kind = match innermost(error) {
        PolarsError::ColumnNotFound(_) | PolarsError::SchemaFieldNotFound(_) => {
            if let Some(name) = place::quoted(&message).filter(|name| !name.starts_with(OF_A_SUBQUERY)) {
                let range = place::word(text, &name);
                let message = format!("column `{name}` does not exist");
                let kind = ProblemKind::UnknownColumn { name, table: None, candidates: Vec::new() };
                return Problem { kind, message, range };
            }
            ProblemKind::Syntax
        }
        PolarsError::StructFieldNotFound(name) => {
            // Behind the name polars shows its plan.
            let name = name.lines().next().unwrap_or_default();
            let message =
                format!("there is no field `{name}`: `a.b` is a field of a column of structs, or a column of a table");
            let of_times = ["year", "quarter", "month", "day", "hour", "minute", "second"].contains(&name);
            let of_times = if of_times { format!(", and `{name}(a)` a part of a date or time") } else { String::new() };
            return Problem { kind: ProblemKind::Type, message: message + &of_times, range: place::word(text, name) };
        }
        PolarsError::Duplicate(_) => ProblemKind::Duplicate,
        PolarsError::ComputeError(said) if said.contains("is duplicate") => ProblemKind::Duplicate,
        PolarsError::InvalidOperation(_) | PolarsError::SchemaMismatch(_) | PolarsError::ComputeError(_) => {
            ProblemKind::Type
        }
        _ => ProblemKind::Syntax,
    };
    let message = plain(&message);
    let range = smallest(&message).or_else(|| place::word(text, &place::quoted(&message)?));
    Problem { kind, message, range }
}

pub(super) fn innermost(error: &PolarsError) -> &PolarsError {
    match error {
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => innermost(error),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn none_of_the_words_of_polars_are_left() {
        for (said, says) in [
            ("LIKE/ILIKE pattern must be a string literal; found i", "a text in single quotes, found i"),
            ("invalid pattern for '~' operator: col(\"i\")", "`~` is a text in single quotes, found i"),
            ("invalid value for ROUND decimals (s)", "ROUND decimals is a number that is written out, found s"),
            ("offset must be an integer (found \"s\")", "a whole number that is written out, found 's'"),
            ("EXTRACT/DATE_PART does not support 'foo' part", "has no part `foo`"),
            ("datatype \"FOO\" is not currently supported", "there is no type FOO: such are"),
            ("ORDER BY ordinal value must refer to a valid column; found 7", "there is none at 7"),
            ("OFFSET conversion error: invalid digit found in string", "take a whole number"),
            ("array element Identifier(Ident { value: \"d\" }) is not supported", "written out"),
            ("LIMIT/FETCH conversion error: invalid digit found in string", "take a whole number"),
            ("the name 'literal' passed to `LazyFrame.with_columns` is duplicate", "two columns are called `literal`"),
            ("cannot parse literal: \"99999999999999999999\"", "99999999999999999999 has no room in i64"),
            ("offset must be positive (found -1)", "0 rows or more, found -1"),
            (
                "floor_div operation not supported for dtype `decimal[38,2]`",
                "`//` is of whole numbers and floats, found decimal",
            ),
            ("unsupported function 'average'", "there is no function `average`: write `avg(x)`"),
            ("unsupported function 'mode'", "there is no function `mode`"),
            ("unsupported function 'string_split'", "write `string_to_array(x, ' ')`"),
            (
                "cannot parse literal Identifier(Ident { value: \"signup\", quote_style: None, span: Span(Location(1,26)) })",
                "a text in single quotes is wanted, found `signup`: is it the other argument",
            ),
            ("operator PGBitwiseShiftLeft is not currently supported", "`<<` is not known"),
            ("unary operator (BitwiseNot, col(\"s\")) is not supported", "`~a` is not known"),
            ("operator PGOverlap is not currently supported", "`&&` is not known: write AND"),
            (
                "expression AtTimeZone { timestamp } is not currently supported",
                "AT TIME ZONE is not known: times have no zone",
            ),
            ("unsupported function 'from_unixtime'", "write `to_timestamp(seconds)`"),
            ("unexpected clause found in 'first' (ORDER BY ts)", "`first` does not take ORDER BY ts: `arg_min(x, by)`"),
            (
                "lag requires an OVER clause",
                "`lag` looks at other rows: write `lag(…) OVER (PARTITION BY … ORDER BY …)`",
            ),
            ("no table or struct column named 'x' found", "there is no table `x` here"),
            (
                "expected an expression (found 'order' clause)",
                "a column that is called so stands in double quotes, \"order\"",
            ),
            (
                "'is_in' cannot check for Int64 values in List(String) data",
                "IN compares values of one type, found i64 and str",
            ),
        ] {
            let found = plain(said);
            assert!(found.contains(says), "{said}: {found}");
        }
        assert_eq!(plain("column `a` does not exist."), "column `a` does not exist");
    }
}
