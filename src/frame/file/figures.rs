//! Numbers as people write them: decimal commas, marks between thousands, exact decimals.

use super::Layout;
use std::borrow::Cow;

/// A number's text as programs write it: a point before its fraction, nothing between thousands. `None` where it holds
/// a mark in the wrong place.
pub(super) fn plain<'a>(text: &'a str, layout: &Layout) -> Option<Cow<'a, str>> {
    if layout.decimal == b'.' && layout.thousands.is_none() {
        return Some(Cow::Borrowed(text));
    }
    let (whole, fraction) = match text.split_once(char::from(layout.decimal)) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let stray = |part: &str| layout.decimal != b'.' && part.contains('.');
    let whole = match layout.thousands.map(char::from) {
        Some(mark) if whole.contains(mark) => Cow::Owned(ungrouped(whole, mark)?),
        _ if stray(whole) => return None,
        _ => Cow::Borrowed(whole),
    };
    match fraction {
        None => Some(whole),
        Some(fraction) if stray(fraction) => None,
        Some(fraction) => Some(Cow::Owned(format!("{whole}.{fraction}"))),
    }
}

/// A float's text, as programs write it; `None` also where the number is too large for one: it would become infinite, which is
/// for `inf` alone.
pub(super) fn float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    (value.is_finite() || is_word(text)).then_some(value)
}

/// The same of 32 bits.
pub(super) fn short_float(text: &str) -> Option<f32> {
    let value: f32 = text.parse().ok()?;
    (value.is_finite() || is_word(text)).then_some(value)
}

/// `NaN`, `inf`
fn is_word(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether a number's text begins with zeros that it would lose as a number: postal codes, telephone numbers and keys do.
pub(super) fn has_leading_zeros(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

/// `1,234,567` without its marks; `None` where a group is not of three digits.
fn ungrouped(whole: &str, mark: char) -> Option<String> {
    let digits = whole.trim_start_matches(['-', '+']);
    let digits_in = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = digits.split(mark);
    let first = groups.next()?;
    let fits = digits_in(first) && first.len() <= 3 && groups.all(|group| group.len() == 3 && digits_in(group));
    fits.then(|| whole.chars().filter(|c| *c != mark).collect())
}

/// The whole number that a text stands for, exactly: `3`, `3.0`, `1.5e3`.
pub(super) fn whole(text: &str) -> Option<i128> {
    text.parse().ok().or_else(|| decimal(&without_exponent(text)?, 38, 0))
}

/// A number's text with its point where the exponent says: `1500` for `1.5e3`. `None` where that is far away.
#[must_use]
pub fn without_exponent(text: &str) -> Option<Cow<'_, str>> {
    let Some((number, exponent)) = text.split_once(['e', 'E']) else { return Some(Cow::Borrowed(text)) };
    let exponent: i32 = exponent.parse().ok()?;
    let digits = number.trim_start_matches(['-', '+']);
    let sign = &number[..number.len() - digits.len()];
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let far = 2 * 38;
    if whole.len() + fraction.len() == 0 || !(-far..=far).contains(&exponent) {
        return None;
    }
    let places = usize::try_from(exponent.unsigned_abs()).ok()?;
    let zeros = |count: usize| "0".repeat(count);
    let moved = if exponent < 0 {
        let padded = format!("{}{whole}", zeros(places.saturating_sub(whole.len())));
        let (before, after) = padded.split_at_checked(padded.len() - places)?;
        format!("{sign}{before}.{after}{fraction}")
    } else {
        let padded = format!("{fraction}{}", zeros(places.saturating_sub(fraction.len())));
        let (before, after) = padded.split_at_checked(places)?;
        format!("{sign}{whole}{before}.{after}")
    };
    Some(Cow::Owned(moved))
}

/// A number's text times ten to the `scale`: exactly, or `None`.
#[must_use]
pub fn decimal(text: &str, precision: usize, scale: usize) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > scale {
        return None;
    }
    let padded = fraction.bytes().chain(std::iter::repeat_n(b'0', scale - fraction.len()));
    let value = whole
        .bytes()
        .chain(padded)
        .try_fold(0_i128, |value, digit| value.checked_mul(10)?.checked_add(i128::from(digit - b'0')))?;
    let limit = 10_i128.checked_pow(u32::try_from(precision.min(38)).ok()?)?;
    (value < limit).then_some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    #[test]
    fn marks_are_read_where_they_belong() {
        let layout = |decimal, thousands| Layout { decimal, thousands, ..Layout::new(Format::Csv) };
        let german = layout(b',', Some(b'.'));
        let read = |text, layout: &Layout| plain(text, layout).map(Cow::into_owned);
        assert_eq!(read("-1.234.567,5", &german).as_deref(), Some("-1234567.5"));
        assert_eq!(read("0,25", &german).as_deref(), Some("0.25"));
        assert_eq!(read("12", &german).as_deref(), Some("12"));
        for wrong in ["1.23", "1.2345", "1.234.56", "1,5.0", ".123"] {
            assert_eq!(read(wrong, &german), None, "{wrong}");
        }
        assert_eq!(read("1.5", &layout(b',', None)), None, "a point is not a comma");
        assert_eq!(read("1,234.5", &layout(b'.', Some(b','))).as_deref(), Some("1234.5"));
        assert_eq!(read("1.5", &layout(b'.', None)).as_deref(), Some("1.5"));
    }

    #[test]
    fn a_number_that_is_too_large_is_none() {
        assert_eq!(
            (float("1e308"), float("1e309"), float("12e4567"), float("-1e999")),
            (Some(1e308), None, None, None)
        );
        assert_eq!(
            (float("inf"), float("-Infinity"), float("1e-999")),
            (Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(0.0))
        );
        assert!(float("NaN").is_some_and(f64::is_nan));
        assert_eq!(
            (short_float("1e38"), short_float("1e39"), short_float("inf")),
            (Some(1e38), None, Some(f32::INFINITY))
        );
    }

    #[test]
    fn exponents_move_the_point() {
        for (text, number) in [
            ("3", Some(3)),
            ("+3", Some(3)),
            ("-3.0", Some(-3)),
            ("1.5e3", Some(1500)),
            ("-1500E-2", Some(-15)),
            ("1e+2", Some(100)),
            ("9007199254740993.000", Some(9_007_199_254_740_993)),
            ("2.5", None),
            ("15e-1", None),
            ("1e400", None),
            ("e3", None),
            ("é3e1", None),
            ("NaN", None),
        ] {
            assert_eq!(whole(text), number, "{text}");
        }
        assert_eq!(without_exponent("-1.25e1").as_deref(), Some("-12.5"));
        assert_eq!(without_exponent("5e-3").as_deref(), Some(".005"));
    }

    #[test]
    fn decimals_are_exact_or_nothing() {
        assert_eq!(decimal("12.3", 15, 2), Some(1230));
        assert_eq!(decimal("-0.05", 15, 2), Some(-5));
        assert_eq!(decimal("1.500", 15, 1), Some(15));
        assert_eq!(decimal("99999999999999999999999999999999999999", 38, 0), Some(10_i128.pow(38) - 1));
        for wrong in ["1.234", "1e5", "", "-", ".", "1.2.3", "x"] {
            assert_eq!(decimal(wrong, 15, 2), None, "{wrong}");
        }
        assert_eq!(decimal("1000", 3, 0), None, "more digits than the precision has");
    }
}
