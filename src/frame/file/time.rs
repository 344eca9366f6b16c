//! Dates and times as ISO 8601 writes them, into the numbers that columns hold. Every field is read on its own, so a
//! column may mix `2013-01-01 05:00`, `2013-01-01T05:00:00Z` and `2013-01-01T05:00:00.25+02:00`.

const DAY: i64 = 86_400_000_000;

/// Days since 1970-01-01 of `2026-05-04`.
#[must_use]
pub fn date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    i32::try_from(days(year, month, day)).ok()
}

/// Days since 1970-01-01, by the eras of 400 years in which the Gregorian calendar repeats.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Nanoseconds since midnight of `10:12`, `10:12:00` or `10:12:00.25`.
#[must_use]
pub fn time(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let bytes = whole.as_bytes();
    let seconds = match bytes.len() {
        5 if bytes[2] == b':' && fraction.is_none() => 0,
        8 if bytes[2] == b':' && bytes[5] == b':' => number(&bytes[6..])?,
        _ => return None,
    };
    let (hours, minutes) = (number(&bytes[..2])?, number(&bytes[3..5])?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let nanos = match fraction {
        None => 0,
        Some(digits) if (1..=9).contains(&digits.len()) => {
            number(digits.as_bytes())? * 10_i64.pow(9 - u32::try_from(digits.len()).ok()?)
        }
        Some(_) => return None,
    };
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000_000 + nanos)
}

/// Microseconds since 1970: a date, alone or with a time after a space or `T`, and `Z` or an offset from UTC.
#[must_use]
pub fn datetime(text: &str) -> Option<i64> {
    let day = i64::from(date(text.get(..10)?)?) * DAY;
    let Some(mark) = text.as_bytes().get(10) else { return Some(day) };
    if !matches!(mark, b' ' | b'T' | b't') {
        return None;
    }
    let rest = &text[11..];
    let (clock, offset) = match rest.find(['Z', 'z', '+', '-']) {
        None => (rest, 0),
        Some(at) if matches!(rest.as_bytes()[at], b'Z' | b'z') && at + 1 == rest.len() => (&rest[..at], 0),
        Some(at) => (&rest[..at], offset(&rest[at..])?),
    };
    Some(day + time(clock)? / 1000 - offset)
}

/// Whether a date and time has digits behind its microseconds that are not zero.
#[must_use]
pub fn is_cut(text: &str) -> bool {
    const SECONDS: usize = "2013-01-01 05:00:00".len();
    let Some((b'.', digits)) = text.as_bytes().get(SECONDS..).and_then(<[u8]>::split_first) else { return false };
    digits.iter().take_while(|byte| byte.is_ascii_digit()).skip(6).any(|digit| *digit != b'0')
        && datetime(text).is_some()
}

/// Microseconds of `+02:00`, `-0530` or `+02`.
fn offset(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let minutes = match bytes.len() {
        6 if bytes[3] == b':' => number(&bytes[4..])?,
        5 => number(&bytes[3..])?,
        3 => 0,
        _ => return None,
    };
    let hours = number(&bytes[1..3])?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let all = (hours * 60 + minutes) * 60_000_000;
    match bytes[0] {
        b'+' => Some(all),
        b'-' => Some(-all),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then(|| digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_right() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("1969-12-31"), Some(-1));
        assert_eq!(date("2000-02-29"), Some(11_016));
        assert_eq!(date("2013-01-01"), Some(15_706));
        assert_eq!(date("0001-01-01"), Some(-719_162));
        for wrong in ["1900-02-29", "2013-13-01", "2013-00-10", "2013-1-1", "01/02/2013", "", "2013-04-31"] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn forms_of_one_instant_are_equal() {
        let instant = Some(15_706 * DAY + 5 * 3_600_000_000);
        for text in [
            "2013-01-01 05:00",
            "2013-01-01T05:00:00",
            "2013-01-01T05:00:00.000Z",
            "2013-01-01T07:00:00+02:00",
            "2012-12-31 23:30:00-0530",
            "2013-01-01 03:00:00-02",
        ] {
            assert_eq!(datetime(text), instant, "{text}");
        }
        assert_eq!(datetime("2013-01-01"), Some(15_706 * DAY));
        assert_eq!(datetime("1969-12-31 23:59:59.5"), Some(-500_000));
        for wrong in [
            "2013-01-01 05:00+24:00",
            "2013-01-01 05:00-0160",
            "2013-01-01 25:00",
            "2013-01-01x05:00",
            "2013-01-01 05:00 noon",
            "2013-01-01 5:00",
            "é013-01-01",
        ] {
            assert_eq!(datetime(wrong), None, "{wrong}");
        }
        assert_eq!(time("10:12:00.25"), Some(36_720_250_000_000));
    }

    #[test]
    fn digits_that_are_not_kept_are_seen() {
        for (text, cut) in [
            ("2013-01-01 05:00:00.1234567", true),
            ("2013-01-01T05:00:00.123456001Z", true),
            ("2013-01-01T05:00:00.123456+02:00", false),
            ("2013-01-01T05:00:00.123456000-0530", false),
            ("2013-01-01T05:00:00.5+05:45", false),
            ("2013-01-01 05:00", false),
            ("this is no time. it is a text of 123", false),
        ] {
            assert_eq!(is_cut(text), cut, "{text}");
        }
    }
}
