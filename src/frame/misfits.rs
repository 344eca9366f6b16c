//! What polars says of types that do not go together, in kilter's words and with kilter's names of types.

/// A number of a text, and texts put together.
const OF_TEXTS: &str = "`CAST(a AS DOUBLE)` makes a number of a text, and `||` puts texts together";

/// What polars says, in words that help who wrote the query; `None` where it says something else.
pub(super) fn told(said: &str) -> Option<String> {
    let families: [fn(&str) -> Option<String>; 9] =
        [needs, operations, arithmetic, moments, comparisons, one_type, casts, patterns, panics];
    families.into_iter().find_map(|family| family(said))
}

/// Another type is needed than was found.
fn needs(said: &str) -> Option<String> {
    if let Some(rest) = said.strip_prefix("invalid series dtype: expected `") {
        let (wanted, rest) = rest.split_once("`, got `")?;
        return Some(needed(wanted, &named(rest.split_once('`')?.0)));
    }
    if let Some(rest) = said.strip_prefix("cannot unpack series of type `") {
        let (found, rest) = rest.split_once("` into `")?;
        return Some(needed(rest.split_once('`')?.0, &named(found)));
    }
    for (before, wanted) in [
        ("filter predicate must be of type `Boolean`, got ", "Boolean"),
        ("expected String type, got: ", "String"),
        ("expected List data type for list operation, got: ", "List"),
        ("expected Date or Datetime, got ", "Date"),
    ] {
        if let Some(found) = said.strip_prefix(before) {
            return Some(needed(wanted, &named(found.trim_matches('`'))));
        }
    }
    if said.contains("can only be used on numeric types") {
        return Some("a number is needed here: `CAST(a AS DOUBLE)` makes one of a text".to_owned());
    }
    let found = said.strip_prefix("trigonometry operation not supported for dtype ")?;
    Some(needed("Float64", &named(found.trim_matches('`'))))
}

/// That a value of a type is needed, which polars calls so.
pub(super) fn needed(wanted: &str, found: &str) -> String {
    match (wanted, found) {
        ("Boolean", _) => {
            format!("a condition (bool) is needed here, found {found}: write a comparison, such as `a > 0`")
        }
        ("String", _) => format!("a text (str) is needed here, found {found}: `CAST(a AS VARCHAR)` makes one"),
        ("List", "str") => "a list is needed here, found str: `string_to_array(a, ',')` makes one".to_owned(),
        ("List", _) => format!("a list is needed here, found {found}"),
        ("Date", _) => {
            format!("a date or datetime is needed here, found {found}: `CAST(a AS DATE)` makes one of a text")
        }
        ("Float64", _) => number("a number is needed here", found),
        _ => format!("{} is needed here, found {found}: CAST it", named(wanted)),
    }
}

/// That a number is needed.
fn number(needs: &str, found: &str) -> String {
    match found {
        "str" => format!("{needs}, found str: `CAST(a AS DOUBLE)` makes one of a text"),
        _ => format!("{needs}, found {found}"),
    }
}

/// Functions that need a date or time, and what SQL calls them.
const OF_MOMENTS: [(&str, &str); 13] = [
    ("round", "date_trunc"),
    ("truncate", "date_trunc"),
    ("to_string", "strftime"),
    ("year", "year"),
    ("quarter", "quarter"),
    ("month", "month"),
    ("week", "week"),
    ("weekday", "dayofweek"),
    ("day", "day"),
    ("ordinal_day", "dayofyear"),
    ("iso_year", "isoyear"),
    ("timestamp", "epoch"),
    ("century", "century"),
];

/// The same of a time of day.
const OF_TIMES: [&str; 6] = ["hour", "minute", "second", "millisecond", "microsecond", "nanosecond"];

/// What SQL calls the rest of them, where it has another name.
const IN_SQL: [(&str, &str); 3] = [("mean", "avg"), ("std", "stddev"), ("var", "variance")];

/// A function of a type that it does not know.
fn operations(said: &str) -> Option<String> {
    let (name, found) = said.split_once("` operation not supported for dtype `")?;
    let name = name.strip_prefix('`')?;
    let (found, more) = found.split_once('`')?;
    let found = named(found);
    let of = |pairs: &[(&str, &'static str)]| pairs.iter().find(|(known, _)| *known == name).map(|(_, sql)| *sql);
    if name.starts_with("bit") {
        return Some(format!(
            "AND, OR and NOT are of conditions (bool), found {found}: write a comparison, such as `a > 0`"
        ));
    }
    if let Some(sql) = of(&OF_MOMENTS).filter(|_| name != "round" || more.contains("date")) {
        return Some(format!("`{sql}` needs a date or datetime, found {found}: {}", moment("DATE", &found)));
    }
    if OF_TIMES.contains(&name) {
        // An epoch is asked of its nanoseconds as well.
        let sql = if name == "nanosecond" { "epoch" } else { name };
        return Some(format!(
            "`{sql}` needs a datetime or a time of day, found {found}: {}",
            moment("TIMESTAMP", &found)
        ));
    }
    let sql = of(&IN_SQL).unwrap_or(name);
    Some(match name {
        "min" | "max" => format!("`{sql}` is not known of {found}"),
        _ => number(&format!("`{sql}` needs numbers"), &found),
    })
}

/// What makes a date or time of what was found.
fn moment(sql: &str, found: &str) -> String {
    match found.starts_with(['i', 'u', 'f']) || found.starts_with("decimal") {
        true => "`to_timestamp(a)` makes one of seconds since 1970".to_owned(),
        false => format!("`CAST(a AS {sql})` makes one of a text"),
    }
}

/// Arithmetic of what are no numbers.
fn arithmetic(said: &str) -> Option<String> {
    if let Some(found) = said.strip_prefix("floor_div operation not supported for dtype `") {
        let found = named(found.trim_end_matches('`'));
        return Some(format!("`//` is of whole numbers and floats, found {found}: `trunc(a / b)`"));
    }
    if let Some(rest) = said.strip_prefix("arithmetic on dtypes ") {
        let (left, right) = rest.split_once(" is not allowed")?.0.split_once(" and ")?;
        return Some(calculated(&named(left), &named(right)));
    }
    if let Some((_, rest)) = said.split_once(" operation not supported for dtypes `") {
        let (left, right) = rest.split_once("` and `")?;
        return Some(calculated(&named(left), &named(right.trim_end_matches('`'))));
    }
    let found = said.strip_prefix("division with '")?.split_once('\'')?.0;
    Some(number("arithmetic needs numbers", &named(found)))
}

/// That values of these types are not calculated with.
pub(super) fn calculated(left: &str, right: &str) -> String {
    match left == "str" || right == "str" {
        true => format!("arithmetic needs numbers, found {left} and {right}: {OF_TEXTS}"),
        false => format!("arithmetic is not known of {left} and {right}"),
    }
}

/// Sums and differences of dates.
fn moments(said: &str) -> Option<String> {
    let (operator, types) = said.split_once(" not allowed on ").filter(|(operator, _)| operator.len() < 3)?;
    let (left, right) = types.split_once(" and ")?;
    let (left, right) = (named(left), named(right));
    let is_number = |name: &str| name.ends_with("number") || name.starts_with(['i', 'u', 'f']);
    let remedy = match (left.as_str(), right.as_str()) {
        ("str", _) | (_, "str") => ": `CAST(a AS DATE)` makes a date of a text",
        (left, right) if is_number(left) || is_number(right) => ": write `INTERVAL '1 day'` for a number of days",
        _ => "",
    };
    Some(format!("`{operator}` is not known of {left} and {right}{remedy}"))
}

/// Comparisons of two types.
fn comparisons(said: &str) -> Option<String> {
    if let Some(found) = said.strip_prefix("cannot compare string with numeric type (") {
        return Some(format!("cannot compare str with {}", named(found.trim_end_matches(')'))));
    }
    if said.starts_with("cannot compare 'date/datetime/time' to a string value") {
        return Some(
            "a date or time is compared with a text that is none: write it as '2024-01-31' or '2024-01-31 12:30:00', or CAST the column"
                .to_owned(),
        );
    }
    let (left, right) =
        said.strip_prefix("could not evaluate comparison between series ")?.split_once(" and series ")?;
    let of = |side: &str| side.split_once(" of dtype: ").map(|(_, dtype)| named(dtype));
    let (left, right) = (of(left)?, of(right)?);
    let nested = |name: &str| name.starts_with("list") || name.starts_with("array") || name.starts_with("a struct");
    Some(match nested(&left) || nested(&right) {
        true => not_compared(&left, &right),
        false => format!("cannot compare {left} with {right}"),
    })
}

/// That values of these types, one of them nested, are not compared.
pub(super) fn not_compared(left: &str, right: &str) -> String {
    format!(
        "{left} and {right} are not compared: `array_contains(a, 1)` and `a[1]` ask of a list, `a.b` of a field of a struct"
    )
}

/// Values of several types where one is needed.
fn one_type(said: &str) -> Option<String> {
    let several = |types: &str| {
        let types: Vec<String> = types.trim_matches(['[', ']']).split(", ").map(named).collect();
        format!("values of one type are needed here, found {}: CAST some of them", types.join(" and "))
    };
    if let Some(rest) = said.strip_prefix("got invalid or ambiguous dtypes: '") {
        return Some(several(rest.split_once('\'')?.0));
    }
    if let Some(rest) = said.strip_prefix("failed to determine supertype of ") {
        let (left, right) = rest.split_once(" and ")?;
        return Some(several(&format!("{left}, {right}")));
    }
    if let Some(rest) = said.strip_prefix("unexpected value while building Series of type ") {
        let (dtype, rest) = rest.split_once("; found value of type ")?;
        return Some(several(&format!("{dtype}, {}", rest.split_once(':').map_or(rest, |(found, _)| found))));
    }
    if let Some(rest) = said.strip_prefix("'is_in' cannot check for ") {
        let (value, of) = rest.strip_suffix(" data")?.split_once(" values in ")?;
        return Some(format!(
            "IN compares values of one type, found {} and {}: CAST one side to the type of the other",
            named(value),
            named(inside(of))
        ));
    }
    let rest = said.strip_prefix("'list.contains' cannot check for ")?;
    let (list, value) = rest.strip_suffix(" data")?.split_once(" values in ")?;
    Some(format!("a list holds values of one type, found {} and {}: CAST one side", named(list), named(value)))
}

/// What the values of a list are of, as polars writes it.
fn inside(list: &str) -> &str {
    let inner = |open: &str, close: char| list.strip_prefix(open)?.strip_suffix(close);
    inner("List(", ')').or_else(|| inner("list[", ']')).unwrap_or(list)
}

/// Casts between types that have nothing to do with each other, and of values that have no form.
fn casts(said: &str) -> Option<String> {
    let failed = |from: &str, to: &str| {
        let remedy = match (from, to) {
            (from, "str") if from.starts_with("list") => ": `array_to_string(a, ',')` puts its values together",
            (_, "bool") => ": write a comparison, such as `a > 0`",
            _ => "",
        };
        format!("{from} cannot be cast to {to}{remedy}")
    };
    if let Some(rest) = said.strip_prefix("cannot cast List type (inner: '") {
        let (inner, to) = rest.split_once("', to: '")?;
        return Some(failed(&format!("list({})", named(inner)), &named(to.trim_end_matches("')"))));
    }
    if let Some(rest) = said.strip_prefix("casting from ") {
        let (from, to) = rest.strip_suffix(" not supported")?.split_once(" to ")?;
        return Some(failed(&named(from), &named(to)));
    }
    if said.starts_with("could not find an appropriate format to parse ") {
        return Some(
            "a text that is no date or time stands for one: write it as '2024-01-31' or '2024-01-31 12:30:00', or read it with `strptime(a, '%d.%m.%Y')`"
                .to_owned(),
        );
    }
    let nameless = [" failed in column '' for ", " failed in column 'literal' for ", " failed in column 'scalar' for "];
    let place = nameless.iter().find(|place| said.contains(*place));
    let words = place.map_or_else(|| said.to_owned(), |place| said.replace(place, " failed for "));
    let words = words.replace("to `datetime[μs]` failed", "to `datetime` failed");
    let words = match words.split_once("to `decimal[38,") {
        // As many digits as there are: it is not the type that was asked for.
        Some((before, rest)) => format!("{before}to `decimal`{}", rest.split_once('`').map_or("", |(_, after)| after)),
        None => words,
    };
    (words != said).then_some(words)
}

/// Regular expressions that cannot be read.
fn patterns(said: &str) -> Option<String> {
    let why = said.strip_prefix("regex error: ")?;
    Some(format!("the pattern cannot be read: {why}"))
}

/// What polars was not built for, or cannot read.
fn panics(said: &str) -> Option<String> {
    let said = said.strip_prefix("polars stopped on it: ")?;
    if let Some((_, unit)) = said.split_once("unit: '") {
        let unit = unit.split_once('\'')?.0;
        return Some(format!(
            "there is no unit of time `{unit}`: such are year, quarter, month, week, day, hour, minute, second, as in `INTERVAL '6 hours'`"
        ));
    }
    if said.starts_with("Expected valid datetime") {
        return Some("this makes a date or time that no calendar has: take a shorter interval".to_owned());
    }
    let is_feature = said.starts_with("activate '") || said.contains(" feature");
    is_feature.then(|| "this is not known of values of such types: CAST them".to_owned())
}

/// The names that polars and its arrays have for plain types, and ours.
const NAMES: [(&str, &str); 24] = [
    ("dyn int", "a whole number"),
    ("dyn float", "a number"),
    ("dyn str", "str"),
    ("Boolean", "bool"),
    ("Int8", "i8"),
    ("Int16", "i16"),
    ("Int32", "i32"),
    ("Int64", "i64"),
    ("Int128", "i128"),
    ("UInt8", "u8"),
    ("UInt16", "u16"),
    ("UInt32", "u32"),
    ("UInt64", "u64"),
    ("Float32", "f32"),
    ("Float64", "f64"),
    ("String", "str"),
    ("Utf8View", "str"),
    ("LargeUtf8", "str"),
    ("Date", "date"),
    ("Date32", "date"),
    ("Time", "time"),
    ("Null", "null"),
    ("Binary", "binary"),
    ("BinaryView", "binary"),
];

/// Kilter's name of a type that polars tells in either of its ways.
pub(super) fn named(dtype: &str) -> String {
    let dtype = dtype.trim();
    if let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == dtype) {
        return (*name).to_owned();
    }
    if inside(dtype) != dtype {
        return format!("list({})", named(inside(dtype)));
    }
    if dtype.to_lowercase().starts_with("struct") {
        return "a struct".to_owned();
    }
    let plain = dtype.replace('μ', "u").replace('\'', "");
    let plain = plain.replace("Datetime(", "datetime[").replace("Duration(", "duration[");
    match plain.as_str() {
        time if time.starts_with("datetime[us") && !time.contains(',') => "datetime".to_owned(),
        time if time.starts_with("duration[us") => "duration".to_owned(),
        time if time.starts_with("Timestamp(") => "datetime".to_owned(),
        decimal if decimal.to_lowercase().starts_with("decimal") => "decimal".to_owned(),
        other => other.strip_suffix(')').map_or_else(|| other.to_owned(), |open| format!("{open}]")),
    }
}

#[cfg(test)]
mod tests {
    use super::{named, told};

    #[test]
    fn types_have_our_names() {
        for (theirs, ours) in [
            ("i64", "i64"),
            ("List(List(String))", "list(list(str))"),
            ("list[i64]", "list(i64)"),
            ("datetime[μs]", "datetime"),
            ("Datetime('μs')", "datetime"),
            ("Datetime('ns', 'UTC')", "datetime[ns, UTC]"),
            ("Duration('ms')", "duration[ms]"),
            ("struct[2]", "a struct"),
            ("Struct({'p': Int64})", "a struct"),
            ("decimal[10,2]", "decimal"),
            ("dyn int", "a whole number"),
        ] {
            assert_eq!(named(theirs), ours);
        }
    }

    #[test]
    fn what_is_said_has_what_is_needed_and_what_was_found() {
        for (said, says) in [
            (
                "arithmetic on dtypes str and dyn int is not allowed (lhs: column 's', rhs: expression `dyn int: 1`); try an explicit cast first",
                "arithmetic needs numbers, found str and a whole number: `CAST(a AS DOUBLE)`",
            ),
            ("sub operation not supported for dtypes `str` and `str`", "arithmetic needs numbers, found str and str"),
            ("division with 'String' datatypes is not allowed", "arithmetic needs numbers, found str"),
            (
                "invalid series dtype: expected `String`, got `i64` for series with name `i`",
                "a text (str) is needed here, found i64",
            ),
            (
                "invalid series dtype: expected `Boolean`, got `i64` for series with name `i`",
                "a condition (bool) is needed here, found i64",
            ),
            (
                "filter predicate must be of type `Boolean`, got `List(Int64)`",
                "a condition (bool) is needed here, found list(i64)",
            ),
            ("`mean` operation not supported for dtype `str`", "`avg` needs numbers, found str"),
            (
                "`round` operation not supported for dtype `str` (expected: date/datetime)",
                "`date_trunc` needs a date or datetime, found str",
            ),
            (
                "`nanosecond` operation not supported for dtype `i64`",
                "`epoch` needs a datetime or a time of day, found i64: `to_timestamp(a)`",
            ),
            ("`hour` operation not supported for dtype `date`", "`hour` needs a datetime or a time of day, found date"),
            ("`bitand` operation not supported for dtype `str`", "AND, OR and NOT are of conditions (bool), found str"),
            (
                "+ not allowed on date and dyn int",
                "`+` is not known of date and a whole number: write `INTERVAL '1 day'`",
            ),
            ("- not allowed on date and str", "`-` is not known of date and str: `CAST(a AS DATE)`"),
            ("cannot compare string with numeric type (i64)", "cannot compare str with i64"),
            (
                "could not evaluate comparison between series 'l' of dtype: List(Int64) and series 'literal' of dtype: Int32",
                "list(i64) and i32 are not compared",
            ),
            (
                "got invalid or ambiguous dtypes: '[i64, str]' in expression 'max_horizontal'",
                "found i64 and str: CAST some",
            ),
            (
                "'is_in' cannot check for String values in List(Int64) data",
                "IN compares values of one type, found str and i64",
            ),
            (
                "cannot cast List type (inner: 'Int64', to: 'String')",
                "list(i64) cannot be cast to str: `array_to_string",
            ),
            ("casting from Utf8View to Boolean not supported", "str cannot be cast to bool: write a comparison"),
            (
                "conversion from `str` to `date` failed in column '' for 1 out of 2 values: [\"foo\"]",
                "to `date` failed for 1 out",
            ),
            (
                "conversion from `str` to `date` failed in column 'scalar' for 1 out of 1 values: [\"2024-02-30\"]",
                "to `date` failed for 1 out",
            ),
            (
                "polars stopped on it: Expected valid datetime, please open an issue at https://github.com/pola-rs/polars/issues",
                "that no calendar has",
            ),
            (
                "conversion from `str` to `datetime[μs]` failed in column 'd' for 1 out of 2 values: [\"31/01/2024\"]",
                "to `datetime` failed in column 'd'",
            ),
            (
                "conversion from `str` to `decimal[38,35]` failed in column 'd' for 1 out of 2 values: [\"x\"]",
                "conversion from `str` to `decimal` failed in column 'd' for 1 out of 2 values: [\"x\"]",
            ),
            ("polars stopped on it: activate 'list_arithmetic, ' feature", "not known of values of such types"),
        ] {
            let found = told(said).unwrap_or_default();
            assert!(found.contains(says), "{said}: {found}");
        }
        assert_eq!(told("column `a` does not exist"), None);
    }
}
