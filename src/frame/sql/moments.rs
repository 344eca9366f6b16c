//! Dates and times that polars' SQL does not have, or writes otherwise: `date_trunc`, `date_diff`, `year(…)`, intervals with a unit; and
//! what follows the clock, which no result may.

use super::super::functions::{Between, Unit};
use super::calls::{arguments, is_one_of, name_of};
use super::forms::{as_choice, marked};
use super::{frames, parse_expr};
use polars::prelude::{Duration, NamedFrom, PlSmallStr, Series};
use sqlparser::ast::{BinaryOperator, DataType, Expr, Function, Interval, TypedString, Value, ValueWithSpan};

/// Functions that give one part of a date or time, and what `EXTRACT` calls it.
const PARTS: &[(&str, &str)] = &[
    ("year", "year"),
    ("quarter", "quarter"),
    ("month", "month"),
    ("week", "week"),
    ("weekofyear", "week"),
    ("day", "day"),
    ("dayofmonth", "day"),
    ("dayofweek", "dow"),
    ("dayofyear", "doy"),
    ("isodow", "isodow"),
    ("hour", "hour"),
    ("minute", "minute"),
    ("second", "second"),
    ("epoch", "epoch"),
];

/// Functions that follow the clock.
const CLOCK: &[&str] = &[
    "current_date",
    "current_time",
    "current_timestamp",
    "getdate",
    "localtime",
    "localtimestamp",
    "now",
    "sysdate",
    "today",
    "transaction_timestamp",
];

/// What a call means; `None` where polars has it so.
pub(super) fn called(call: &Function) -> Result<Option<Expr>, String> {
    if is_one_of(call, CLOCK) {
        let name = name_of(call);
        return Err(format!(
            "`{name}` follows the clock, and a result that does could not be repeated: give the day as a parameter, `DATE '${{today}}'`"
        ));
    }
    let arguments = arguments(call).unwrap_or_default();
    let name = name_of(call);
    if let (Some((_, part)), [of]) = (PARTS.iter().find(|(known, _)| *known == name), arguments.as_slice()) {
        return Ok(parse_expr(&format!("date_part('{part}', {of})")).ok());
    }
    match (&*name, arguments.as_slice()) {
        (name @ ("date_trunc" | "datetrunc"), &[unit, of]) => {
            Ok(Some(as_choice(of, &unit_of(name, unit, Unit::truncates)?.mark())))
        }
        (name @ ("date_diff" | "datediff"), &[unit, from, to]) => {
            let between = marked(vec![from.clone(), to.clone()], Between(unit_of(name, unit, Unit::counts)?).mark());
            Ok(parse_expr(&format!("CAST({between} AS BIGINT)")).ok())
        }
        (name @ ("date_diff" | "datediff"), _) => {
            Err(format!("`{name}` takes a unit and two dates or times: `{name}('day', begin, end)`"))
        }
        (name @ ("strftime" | "strptime"), &[_, format]) => match format {
            Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) if !text.contains('%') => {
                Err(format!(
                    "the format of `{name}` is of parts such as `%Y-%m-%d %H:%M:%S`, found '{text}', which has none"
                ))
            }
            _ => Ok(None),
        },
        ("to_timestamp", &[seconds]) => {
            Ok(parse_expr(&format!("(TIMESTAMP '1970-01-01 00:00:00' + ({seconds}) * INTERVAL '1 second')")).ok())
        }
        ("to_timestamp", _) => {
            Err("`to_timestamp` takes seconds since 1970; of texts `strptime(x, '%Y-%m-%d %H:%M:%S')` makes times"
                .to_owned())
        }
        ("last_day", &[of]) => {
            let month = as_choice(of, &Unit::Month.mark());
            Ok(parse_expr(&format!("({month} + INTERVAL '1 month' - INTERVAL '1 day')")).ok())
        }
        _ => Ok(None),
    }
}

fn unit_of(name: &str, unit: &Expr, fits: fn(&Unit) -> bool) -> Result<Unit, String> {
    let found = match unit {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Unit::of_name(text),
        _ => None,
    };
    let names = || {
        let known: Vec<String> =
            Unit::ALL.iter().filter(|unit| fits(unit)).map(|unit| unit.name().to_owned()).collect();
        known.join(", ")
    };
    found
        .filter(fits)
        .ok_or_else(|| format!("`{name}` takes one of the units {}, in single quotes, found `{unit}`", names()))
}

/// What an interval, or a sum or difference with one, means.
pub(super) fn meant(expr: &Expr) -> Result<Option<Expr>, String> {
    use BinaryOperator as B;
    match expr {
        Expr::Interval(interval) => Ok(with_unit(interval)?.map(Expr::Interval)),
        Expr::TypedString(written) => {
            is_day(written)?;
            Ok(midnight(written).map(Expr::TypedString))
        }
        Expr::BinaryOp { left, op, right } if !matches!(op, B::Plus | B::Minus) => {
            countable(left)?;
            countable(right)?;
            Ok(None)
        }
        Expr::BinaryOp { left, op: op @ (B::Plus | B::Minus), right } => match (left.as_ref(), right.as_ref()) {
            (Expr::Interval(_), Expr::Interval(_)) => Ok(None),
            (Expr::Interval(_), _) if *op == B::Plus => {
                Ok(Some(Expr::BinaryOp { left: right.clone(), op: B::Plus, right: left.clone() }))
            }
            (_, Expr::Interval(interval)) => {
                // What can be read nowhere is told where it stands itself.
                if readable(interval, true).is_ok() {
                    readable(interval, false)?;
                }
                // A sign is of one number, so that of several it cannot stand before all.
                let alone = |text: &&str| text.split_whitespace().count() < 3;
                Ok(text_of(interval).filter(alone).and_then(|text| text.strip_prefix('-')).map(|text| {
                    let value = Box::new(Expr::value(Value::SingleQuotedString(text.trim().to_owned())));
                    let right = Box::new(Expr::Interval(Interval { value, ..interval.clone() }));
                    Expr::BinaryOp { left: left.clone(), op: if *op == B::Plus { B::Minus } else { B::Plus }, right }
                }))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Refuses `DATE '2024-02-30'`, of which polars makes a missing value.
fn is_day(written: &TypedString) -> Result<(), String> {
    let (DataType::Date, Value::SingleQuotedString(text)) = (&written.data_type, &written.value.value) else {
        return Ok(());
    };
    let read = || Series::new(PlSmallStr::EMPTY, [text.as_str()]).cast(&polars::prelude::DataType::Date);
    match is_date(text) && read().is_ok_and(|read| read.null_count() == 0) {
        true => Ok(()),
        false => Err(format!("'{text}' is no day of the calendar: a date is written `DATE '2024-01-31'`")),
    }
}

/// Whether a text has the form of a date.
fn is_date(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(fits)
}

/// `TIMESTAMP '2024-01-31'` with its time of day.
fn midnight(written: &TypedString) -> Option<TypedString> {
    let TypedString { data_type: DataType::Timestamp(..) | DataType::Datetime(..), value, .. } = written else {
        return None;
    };
    let Value::SingleQuotedString(text) = &value.value else { return None };
    let whole = || Value::SingleQuotedString(format!("{text} 00:00:00"));
    is_date(text).then(|| TypedString { value: ValueWithSpan { value: whole(), span: value.span }, ..written.clone() })
}

fn text_of(interval: &Interval) -> Option<&str> {
    match interval.value.as_ref() {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text.trim()),
        _ => None,
    }
}

/// Refuses a length that polars stops at. In a frame it may be written otherwise.
fn readable(interval: &Interval, in_frame: bool) -> Result<(), String> {
    let unit = interval.leading_field.as_ref().map(|unit| format!(" {unit}").to_lowercase()).unwrap_or_default();
    let Some(length) = text_of(interval).map(|text| format!("{text}{unit}")) else { return Ok(()) };
    let is_known = length.contains('-')
        || Duration::try_parse_interval(&length).is_ok()
        || (in_frame && frames::micros(interval).is_ok());
    match is_known {
        true if nanoseconds(&length, false) > MOST_NANOSECONDS => Err(format!(
            "`{length}` has no room: hours and what is shorter are counted up to 292 years, days and months further"
        )),
        true => Ok(()),
        false => Err(format!(
            "`{length}` is no interval: write whole numbers with their units, such as `INTERVAL '1 hour 30 minutes'`"
        )),
    }
}

/// What there is room for: polars would begin again from the other end.
const MOST_NANOSECONDS: f64 = 9.2e18;

/// About how long an interval is, without its months; days and weeks count by themselves where it is added to a moment.
fn nanoseconds(length: &str, with_days: bool) -> f64 {
    let (mut sum, mut rest) = (0.0, length.trim());
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        rest = &rest[at..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: f64 = rest[..digits].parse().unwrap_or_default();
        rest = rest[digits..].trim_start();
        let letters = rest.len() - rest.trim_start_matches(char::is_alphabetic).len();
        let unit = rest[..letters].to_lowercase();
        rest = &rest[letters..];
        let day = if with_days { 86_400e9 } else { 0.0 };
        sum += number
            * match unit.as_str() {
                "d" | "day" | "days" => day,
                "w" | "week" | "weeks" => 7.0 * day,
                "m" => 60e9,
                unit if unit.starts_with("min") => 60e9,
                unit if unit.starts_with('h') => 3_600e9,
                unit if unit.starts_with("ms") || unit.starts_with("mil") => 1e6,
                unit if unit.starts_with('u') || unit.starts_with("mic") => 1e3,
                unit if unit.starts_with('n') => 1.0,
                unit if unit.starts_with('s') => 1e9,
                _ => 0.0,
            };
    }
    sum
}

/// Refuses a length of time by itself that is longer than it can be counted.
fn countable(side: &Expr) -> Result<(), String> {
    let Expr::Interval(interval) = side else { return Ok(()) };
    let unit = interval.leading_field.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
    let Some(length) = text_of(interval).map(|text| format!("{text}{unit}")) else { return Ok(()) };
    match nanoseconds(&length, true) > MOST_NANOSECONDS {
        true => Err(format!("`{length}` has no room: a length of time by itself is of 292 years at most")),
        false => Ok(()),
    }
}

/// `INTERVAL '1' DAY` and `INTERVAL 1 DAY` as `INTERVAL '1 DAY'`.
fn with_unit(interval: &Interval) -> Result<Option<Interval>, String> {
    readable(interval, true)?;
    let number = match interval.value.as_ref() {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text) | Value::Number(text, _), .. }) => text,
        other => {
            return Err(format!(
                "an interval is a text, found `{other}`: one that each row has is a product, `{other} * INTERVAL '1 day'`"
            ));
        }
    };
    let Some(unit) = interval.leading_field.as_ref().filter(|_| interval.last_field.is_none()) else { return Ok(None) };
    let value = Box::new(Expr::value(Value::SingleQuotedString(format!("{} {unit}", number.trim()).to_lowercase())));
    Ok(Some(Interval { value, leading_field: None, ..interval.clone() }))
}

#[cfg(test)]
mod tests {
    use super::super::{meanings, parse_expr};
    use super::meant;

    #[test]
    fn a_format_has_parts() {
        let wrong = |text: &str| meanings::problems(text, &parse_expr(text).expect("one")).pop();
        for call in ["strftime(day, 'YYYY-MM')", "strptime(s, 'dd/mm/yyyy')"] {
            let problem = wrong(call).expect(call);
            assert!(problem.message.contains("parts such as `%Y-%m-%d %H:%M:%S`"), "{}", problem.message);
        }
        assert!(wrong("strftime(day, '%Y')").is_none() && wrong("strptime(s, format)").is_none());
    }

    #[test]
    fn a_timestamp_without_a_time_of_day_is_midnight() {
        let of = |text: &str| meant(&parse_expr(text).expect("one")).expect("read").map(|expr| expr.to_string());
        assert_eq!(of("TIMESTAMP '2024-01-31'").as_deref(), Some("TIMESTAMP '2024-01-31 00:00:00'"));
        for same in ["TIMESTAMP '2024-01-31 10:00:00'", "DATE '2024-01-31'", "TIMESTAMP '31.01.2024'"] {
            assert_eq!(of(same), None, "{same}");
        }
    }

    #[test]
    fn an_interval_without_room_is_refused() {
        let of = |text: &str| meant(&parse_expr(text).expect("one"));
        for text in ["INTERVAL '3000000 hours'", "INTERVAL '9300000000 seconds'", "INTERVAL '2000000000000 h'"] {
            let wrong = of(text).expect_err(text);
            assert!(wrong.contains("has no room: hours and what is shorter"), "{wrong}");
        }
        for text in ["a * INTERVAL '200000 days'", "INTERVAL '20000 weeks' < a"] {
            let wrong = of(text).expect_err(text);
            assert!(wrong.contains("has no room: a length of time by itself"), "{wrong}");
        }
        for text in [
            "a + INTERVAL '738000 days'",
            "a + INTERVAL '5000 years'",
            "a * INTERVAL '1 day'",
            "a + INTERVAL '2 hours'",
        ] {
            assert_eq!(of(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn a_day_that_is_none_is_refused() {
        for wrong in ["2024-02-30", "2023-02-29", "2024-13-01", "2024-2-3", "31.01.2024", ""] {
            let found = meant(&parse_expr(&format!("DATE '{wrong}'")).expect("one")).expect_err(wrong);
            assert!(found.starts_with(&format!("'{wrong}' is no day of the calendar")), "{found}");
        }
        for right in ["2024-02-29", "1600-02-29", "9999-12-31"] {
            assert_eq!(meant(&parse_expr(&format!("DATE '{right}'")).expect("one")), Ok(None));
        }
    }
}
